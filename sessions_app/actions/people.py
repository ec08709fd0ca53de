from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import chain, count
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q

from sessions_app import audit, clinic_time, leaving, outbox, policies, rights, widening
from sessions_app.atomic import action
from sessions_app.context import forget, user_of
from sessions_app.models import (
    Clinician,
    Policy,
    Programme,
    RoleGrant,
    Site,
    Supervision,
    Team,
    User,
)


@action
def add_site(*, name: str, by: Any, time_zone: str = "") -> Site:
    rights.require(by, "manage_programmes")
    site = Site.objects.create(name=name, time_zone=time_zone)
    audit.record("site added", subject_kind="site", subject=name, by=by)
    return site


@action
def add_programme(*, name: str, by: Any, restricted: bool = False) -> Programme:
    rights.require(by, "manage_programmes")
    programme = Programme.objects.create(name=name, restricted=restricted)
    audit.record("programme added", subject_kind="programme", subject=name, by=by)
    return programme


@action
def add_team(*, name: str, by: Any, site: Site | None = None) -> Team:
    rights.require(by, "manage_people")
    team = Team.objects.create(name=name, site=site)
    audit.record("team added", subject_kind="team", subject=name, by=by)
    return team


@action
def add_user(*, email: str, name: str, by: Any, password: str | None = None) -> User:
    """An account without rights yet; without a password nobody can sign in to it."""
    rights.require(by, "manage_people")
    if User.objects.filter(email=email.lower()).exists():
        raise ValidationError({"email": "There is already an account with this address."})
    user = User.objects.create_user(email=email, name=name, password=password)
    audit.record("account added", subject_kind="user", subject=user.public_id, by=by)
    return user


def _free_code(name: str) -> str:
    taken = set(Clinician.objects.filter(code__startswith=name[:36]).values_list("code", flat=True))
    numbered = (f"{name[:36]} {n}" for n in count(2))
    return next(code for code in chain([name[:40]], numbered) if code not in taken)


@action
def add_clinician(
    *,
    name: str,
    by: Any,
    code: str = "",
    user: User | None = None,
    site: Site | None = None,
    team: Team | None = None,
    trainee: bool = False,
    active_from: date | None = None,
) -> Clinician:
    """Someone who treats; `code` is how files name them (the name when not given).

    A second person of the same name gets a number behind it.
    """
    rights.require(by, "manage_people")
    if code and Clinician.objects.filter(code=code[:40]).exists():
        raise ValidationError({"code": f"There is already a clinician {code}."})
    clinician = Clinician.objects.create(
        name=name,
        code=code[:40] or _free_code(name),
        user=user,
        site=site,
        team=team,
        trainee=trainee,
        active_from=active_from,
    )
    audit.record("clinician added", subject_kind="clinician", subject=clinician.code, by=by)
    return clinician


@action
def grant_role(
    *,
    user: User,
    role: str,
    by: Any,
    from_on: date | None = None,
    to_on: date | None = None,
    site: Site | None = None,
    programme: Programme | None = None,
    team: Team | None = None,
) -> RoleGrant:
    """Give a role for a time; the scope is the one place named, or the whole clinic."""
    rights.require(by, "manage_people")
    named = [kind for kind, of in (("site", site), ("programme", programme), ("team", team)) if of]
    if len(named) > 1:
        raise ValidationError({"scope": "Name one of site, programme or team, or none."})
    if not user.is_active:
        raise ValidationError({"user": "The account is closed: open it first."})
    if role not in RoleGrant.Role.values:
        raise ValidationError({"role": "Choose one of the roles."})
    if role == RoleGrant.Role.CLINICIAN:
        Clinician.objects.filter(user=user).update(active_to=None)  # who left is back
    grant = RoleGrant.objects.create(
        user=user,
        role=role,
        scope=named[0] if named else RoleGrant.Scope.CLINIC,
        site=site,
        programme=programme,
        team=team,
        from_on=from_on or clinic_time.today(),
        to_on=to_on,
        granted_by=user_of(by),
    )
    user.__dict__.pop("_grants_in_force", None)
    audit.record(
        "role granted", subject_kind="user", subject=user.public_id, by=by, role=role, on=named
    )
    return grant


def _require_nothing_left(user: User, besides: RoleGrant | None = None) -> None:
    """Refuse where open clients or cases would be left with nobody, and say how many."""
    today = clinic_time.today()
    if besides is not None:
        others = user.grants.filter(role=besides.role).exclude(pk=besides.pk)
        if any(g.to_on is None or g.to_on > today for g in others):
            return  # the same role goes on by another grant
    why = leaving.refusal(user)
    if why:
        raise ValidationError(why)


@action
def close_account(*, user: User, by: Any) -> User:
    """Somebody leaves: roles and supervision end today, and nobody signs in by this account.

    What they recorded stays theirs. Refused while they have open clients or cases taken up.
    """
    rights.require(by, "manage_people")
    if user_of(by) == user:
        raise ValidationError("Nobody closes their own account.")
    user = User.objects.select_for_update().get(pk=user.pk)
    if not user.is_active:
        raise ValidationError("The account is closed already.")
    _require_nothing_left(user)
    today = clinic_time.today()
    for rows in (user.grants, user.supervisions):
        for row in rows.filter(Q(to_on=None) | Q(to_on__gt=today)):
            row.to_on = max(today, row.from_on)
            row.save(update_fields=["to_on"])
    for clinician in Clinician.objects.filter(user=user, active_to=None):
        Supervision.objects.filter(clinician=clinician, to_on=None, from_on__lte=today).update(
            to_on=today
        )
        clinician.active_to = max(today, clinician.active_from or today)
        clinician.save(update_fields=["active_to"])
    user.is_active = False
    user.save(update_fields=["is_active"])
    audit.record("account closed", subject_kind="user", subject=user.public_id, by=by)
    return user


@action
def reopen_account(*, user: User, by: Any, again: Sequence[RoleGrant] = ()) -> User:
    """Somebody comes back: without a role but those chosen of their old ones, from today.

    The old password opens nothing: a new link lets them choose one.
    """
    rights.require(by, "manage_people")
    user = User.objects.select_for_update().get(pk=user.pk)
    if user.is_active:
        raise ValidationError("The account is open.")
    if any(old.user_id != user.pk for old in again):
        raise ValidationError("These roles were somebody else's.")
    user.is_active = True
    user.set_unusable_password()
    user.save(update_fields=["is_active", "password"])
    audit.record("account reopened", subject_kind="user", subject=user.public_id, by=by)
    for old in again:
        grant_role(
            user=user, role=old.role, site=old.site, programme=old.programme, team=old.team, by=by
        )
    return user


@action
def end_role(*, grant: RoleGrant, on: date, by: Any) -> RoleGrant:
    rights.require(by, "manage_people")
    if on < grant.from_on:
        raise ValidationError({"on": "A role can't end before it began."})
    if grant.role in (RoleGrant.Role.CLINICIAN, RoleGrant.Role.SUPERVISOR):
        _require_nothing_left(grant.user, besides=grant)
    grant.to_on = on
    grant.save(update_fields=["to_on"])
    audit.record(
        "role ended", subject_kind="user", subject=grant.user.public_id, by=by, role=grant.role
    )
    return grant


@action
def choose_messages(
    *, user: User, weekly_digest: bool, by: Any, alert_phone: str | None = None
) -> User:
    """What a person wants to get and where; theirs alone to say. None leaves the number."""
    if user_of(by) != user:
        raise PermissionDenied("Everybody chooses their own messages.")
    user.weekly_digest = weekly_digest
    if alert_phone is not None:
        user.alert_phone = alert_phone.strip()
    user.save(update_fields=["weekly_digest", "alert_phone"])
    audit.record(
        "messages chosen",
        subject_kind="user",
        subject=user.public_id,
        by=by,
        weekly_digest=weekly_digest,
    )
    return user


@action
def supervise(
    *, supervisor: User, clinician: Clinician, by: Any, from_on: date | None = None
) -> Supervision:
    rights.require(by, "manage_people")
    if clinician.user_id == supervisor.pk:
        raise ValidationError({"supervisor": "Nobody supervises themselves."})
    supervision = Supervision.objects.create(
        supervisor=supervisor, clinician=clinician, from_on=from_on or clinic_time.today()
    )
    audit.record(
        "supervision began",
        subject_kind="clinician",
        subject=clinician.code,
        by=by,
        supervisor=str(supervisor.public_id),
    )
    return supervision


@action
def set_policy(*, key: str, value: Any, by: Any, from_on: date | None = None) -> Policy:
    rights.require(by, "manage_policies")
    if key not in policies.DEFAULTS:
        raise ValidationError({"key": f"There is no policy {key!r}."})
    default = policies.DEFAULTS[key]
    if isinstance(default, bool) != isinstance(value, bool) or (
        not isinstance(value, int | float) or value < 0
    ):
        raise ValidationError({"value": f"{key} takes a value like {default!r}."})
    then = policies.all_on(from_on) | {key: value}
    if not then["first_checkpoint"] < then["second_checkpoint"]:
        raise ValidationError({"value": "The second checkpoint comes after the first."})
    widens = key in policies.WIDENING and value and not policies.get(key)
    if widens:
        least = clinic_time.today() + timedelta(days=policies.ANNOUNCED_DAYS)
        from_on = from_on or least
        if from_on < least:
            raise ValidationError(
                {
                    "from_on": (
                        f"Who comes to see more is announced {policies.ANNOUNCED_DAYS} days "
                        f"ahead: {least} at the earliest."
                    )
                }
            )
    policy = Policy.objects.create(
        key=key,
        value=value,
        from_on=from_on or clinic_time.today(),
        set_by=user_of(by),
    )
    forget(policies.NOTED)
    audit.record("policy set", subject_kind="policy", subject=key, by=by, value=value)
    if widens:
        for person in User.objects.filter(clinician__isnull=False, is_active=True):
            outbox.promise(widening.KIND, {"policy": policy.pk, "user": person.pk})
    return policy
