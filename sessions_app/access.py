"""The one place that says which rows a person sees.

Row-level security says the same again beneath it (row_security.py); a test holds the two equal.

*Clinical* scope: scores, flags, decisions. A clinician has the clients they treat, and for the
clinic's set time after the last assignment ended; a supervisor those of the clinicians they
supervise now. *Registry* scope: who someone is, and the diary; the front desk has it for its
sites. A restricted programme's episodes are seen by those who treat in them or hold a grant for
it; for others they don't exist.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from sessions_app import clinic_time, policies
from sessions_app.prepared import Prepared
from sessions_app.rights import (
    CLINICIAN,
    FRONT_DESK,
    RIGHTS,
    SUPERVISOR,
    grants_of,
    in_force,
    roles,
)

if TYPE_CHECKING:
    pass

M = TypeVar("M", bound=models.Model)


def my_clinicians(user: Any) -> models.QuerySet[Any]:
    """Clinician records whose clients are in the user's clinical scope: own and supervised."""
    from sessions_app.models import Clinician

    today = clinic_time.today()
    held = roles(user)
    mine = Q(pk__in=[])
    if CLINICIAN in held:
        mine |= Q(user_id=user.pk)
    if SUPERVISOR in held:
        supervised = user.supervisions.filter(in_force(today), from_on__lte=today)
        mine |= Q(pk__in=supervised.values("clinician_id"))
    return Clinician.objects.filter(mine)


def covered_clinicians(user: Any) -> models.QuerySet[Any]:
    """Colleagues for whom the user stands in today: their present clients, no past ones."""
    from sessions_app.models import Absence, Clinician

    standing_in = Absence.objects.on(clinic_time.today()).filter(cover__user_id=user.pk)
    return Clinician.objects.filter(pk__in=standing_in.values("clinician_id"))


def in_emergency(user: Any) -> models.QuerySet[Any]:
    """Emergency accesses of the user's in force now: whole records, restricted programmes too.

    By the database's clock: the text of a scope is kept, the moment isn't.
    """
    from sessions_app.models import EmergencyAccess

    held = roles(user) & {CLINICIAN, SUPERVISOR}
    found = EmergencyAccess.objects.filter(user_id=user.pk, ended_at=None, until_at__gt=Now())
    return found if held else found.none()


def _releases(today: date, client: Any, programme: Any) -> models.QuerySet[Any]:
    """Consents by which a restricted programme's care is seen by whoever treats the client."""
    from sessions_app.models import Release

    return Release.objects.in_force(today).filter(client_id=client, programme_id=programme)


def _granted_programmes(user: Any) -> list[int]:
    return [g.programme_id for g in grants_of(user) if g.programme_id is not None]


def clinical_episodes(user: Any) -> models.QuerySet[Any]:
    """Episodes whose scores the user may see: the whole course of the clients they treat."""
    from sessions_app.models import Episode

    if getattr(user, "kind", None) == "system":
        return Episode.objects.all()
    return _episodes_in_scope(user, clinic_time.today(), policies.get("former_assignment_days"))


def _episodes_in_scope(user: Any, today: date, former_days: int) -> models.QuerySet[Any]:
    from sessions_app.models import Assignment, Episode

    since = today - timedelta(days=former_days)
    direct = Assignment.objects.filter(
        Q(to_on=None) | Q(to_on__gte=since),
        clinician__in=my_clinicians(user),
    )
    granted = _granted_programmes(user)
    in_emergency_now = in_emergency(user).values("client_id")
    whose = [direct.values("episode__client_id"), in_emergency_now]
    if CLINICIAN in roles(user):
        covered = Assignment.objects.filter(
            Q(to_on=None) | Q(to_on__gte=today),
            Q(episode__programme__restricted=False) | Q(episode__programme_id__in=granted),
            clinician__in=covered_clinicians(user),
        )
        whose.append(covered.values("episode__client_id"))
    open_here = (
        Q(programme__restricted=False)
        | Q(pk__in=direct.values("episode_id"))
        | Q(programme_id__in=granted)
        | Exists(_releases(today, OuterRef("client_id"), OuterRef("programme_id")))
    )
    # Whose clients as one set: of alternatives the database would look through every episode.
    first, *others = (clients.order_by() for clients in whose)
    return Episode.objects.filter(
        open_here | Q(client_id__in=in_emergency_now), client_id__in=first.union(*others, all=True)
    )


_WRITTEN: dict[tuple[Any, ...], RawSQL | None] = {}
MOST_WRITTEN = 2000


def _clinical(user: Any, column: str) -> Any:
    """A column of `clinical_episodes` as a sub-select that is written once and used again.

    Setting the scope's seven tables down as SQL took longer than the database to answer it, two
    or three times a page. All that the text depends on is its key; it holds no row of anybody's.
    """
    today, former_days = clinic_time.today(), policies.get("former_assignment_days")
    granted = tuple(_granted_programmes(user))
    key = (column, user.pk, today, former_days, roles(user), granted)
    written = _WRITTEN.get(key, False)  # asked once: another thread may clear meanwhile
    if written is False:
        # Unordered: a sorted sub-select is worked out whole, whatever one row is asked about.
        found = _episodes_in_scope(user, today, former_days).order_by().values(column)
        try:
            written = RawSQL(*found.query.sql_with_params())
        except EmptyResultSet:  # no role that sees anything
            written = None
        if len(_WRITTEN) >= MOST_WRITTEN:
            _WRITTEN.clear()
        _WRITTEN[key] = written
    return [] if written is None else written


class InScope:
    """A query within a person's clinical scope, planned once for all who hold the same roles.

    `build(user, numbers)` gives its queryset, ending in `values_list`. What differs by roles,
    programmes and the day is kept apart; within a day `build` may ask what day it is.
    """

    def __init__(self, build: Callable[[Any, Any], Any]) -> None:
        self._build = build
        self._kept: dict[tuple[Any, ...], Prepared] = {}

    def rows(self, user: Any, *numbers: Any) -> list[tuple[Any, ...]]:
        if getattr(user, "kind", None) == "system":
            return list(self._build(user, numbers))
        if not roles(user) & {CLINICIAN, SUPERVISOR}:
            return []
        return self._for(user).rows([user.pk, *numbers])

    def _for(self, user: Any) -> Prepared:
        from sessions_app.models import User

        grants = grants_of(user)

        def build(numbers: Any) -> Any:
            person, *others = numbers
            whoever = User(pk=person)
            whoever._grants_in_force = (clinic_time.today(), grants)
            return self._build(whoever, others)

        former_days = policies.get("former_assignment_days")
        granted = tuple(_granted_programmes(user))
        key = (clinic_time.today(), former_days, roles(user), granted)
        if len(self._kept) >= MOST_WRITTEN:
            self._kept.clear()
        return self._kept.setdefault(key, Prepared(build))


def _of_one_client(user: Any, numbers: Any) -> Any:
    return clinical_episodes(user).filter(client_id=numbers[0]).order_by().values_list("pk")


_SEEN = InScope(_of_one_client)


def episodes_seen(user: Any, client_id: int) -> list[int]:
    """Numbers of one client's episodes in clinical scope; most pages are about one client."""
    return [pk for (pk,) in _SEEN.rows(user, client_id)]


_ALL_SEEN = InScope(lambda user, _none: clinical_episodes(user).order_by().values_list("pk"))


def all_episodes_seen(user: Any) -> list[int]:
    """Numbers of all episodes in clinical scope, for a page that asks several things of them."""
    return [pk for (pk,) in _ALL_SEEN.rows(user)]


def conferences_of(user: Any) -> Q:
    """Which case conferences a person sees: called by them, asked to, or about a case of theirs."""
    if getattr(user, "kind", None) == "system":
        return Q()
    episodes = clinical_episodes(user).values("pk")
    return Q(called_by=user) | Q(people=user) | Q(cases__episode__in=episodes)


def people_seeing(episode: Any) -> models.QuerySet[Any]:
    """Users in whose clinical scope an episode lies: `clinical_episodes` the other way round."""
    from sessions_app.models import (
        Absence,
        Assignment,
        EmergencyAccess,
        RoleGrant,
        Supervision,
        User,
    )

    today = clinic_time.today()
    since = today - timedelta(days=policies.get("former_assignment_days"))
    direct = Assignment.objects.filter(
        Q(to_on=None) | Q(to_on__gte=since), episode__client_id=episode.client_id
    )
    held = RoleGrant.objects.filter(in_force(today), user_id=OuterRef("pk"), from_on__lte=today)

    def of(assignments: Any) -> Q:
        treating = assignments.values("clinician_id")
        supervising = Supervision.objects.filter(
            in_force(today), from_on__lte=today, clinician__in=treating
        )
        return Q(Exists(held.filter(role=CLINICIAN)), clinician__in=treating) | Q(
            Exists(held.filter(role=SUPERVISOR)), pk__in=supervising.values("supervisor_id")
        )

    # Who stands in sees the client by what the absent treat now, outside restricted programmes.
    in_programme = RoleGrant.objects.filter(
        in_force(today),
        user_id=OuterRef(OuterRef("pk")),
        from_on__lte=today,
        programme_id=OuterRef("episode__programme_id"),
    )
    standing_in = Absence.objects.on(today).filter(
        clinician_id=OuterRef("clinician_id"), cover__user_id=OuterRef(OuterRef("pk"))
    )
    covered = Assignment.objects.filter(
        Q(to_on=None) | Q(to_on__gte=today),
        Q(episode__programme__restricted=False) | Exists(in_programme),
        Exists(standing_in),
        episode__client_id=episode.client_id,
    )
    covering = Q(Exists(held.filter(role=CLINICIAN)), Exists(covered))
    seeing = of(direct) | covering
    if episode.programme.restricted:
        granted = Exists(held.filter(programme_id=episode.programme_id))
        agreed = Exists(_releases(today, episode.client_id, episode.programme_id))
        seeing = of(direct.filter(episode=episode)) | (seeing & (Q(granted) | Q(agreed)))
    emergency = EmergencyAccess.objects.filter(
        user_id=OuterRef("pk"), client_id=episode.client_id, ended_at=None,
        until_at__gt=Now(),
    )  # fmt: skip
    seeing |= Q(Exists(held.filter(role__in=[CLINICIAN, SUPERVISOR])), Exists(emergency))
    return User.objects.filter(seeing, is_active=True)


_SEEING: dict[tuple[Any, ...], Prepared] = {}


def names_seeing(episode: Any) -> list[tuple[int, str]]:
    """(number, name) of those in whose clinical scope an episode lies, by a plan made once."""
    from sessions_app.models import Episode, Programme, User

    restricted = episode.programme.restricted

    # What isn't asked about can't be a number of the query: outside restricted programmes the
    # client alone counts.
    numbers = [episode.client_id, *([episode.pk, episode.programme_id] if restricted else [])]

    def build(numbers: Any) -> Any:
        client, pk, programme = numbers if restricted else (*numbers, 0, 0)
        there = Episode(pk=pk, client_id=client)
        there.programme = Programme(pk=programme, restricted=restricted)
        found: models.QuerySet[User] = people_seeing(there)
        return found.order_by("name", "pk").values_list("pk", "name")

    key = (clinic_time.today(), policies.get("former_assignment_days"), restricted)
    if len(_SEEING) >= MOST_WRITTEN:
        _SEEING.clear()
    rows = _SEEING.setdefault(key, Prepared(build)).rows(numbers)
    return [(pk, name) for pk, name in rows]


def supervisors_of(clinician: Any) -> models.QuerySet[Any]:
    """Who supervises a clinician today, and has the role for it."""
    from sessions_app.models import RoleGrant, User

    today = clinic_time.today()
    grants = RoleGrant.objects.filter(
        in_force(today), user_id=OuterRef("pk"), from_on__lte=today, role=SUPERVISOR
    )
    now = clinician.supervisions.filter(in_force(today), from_on__lte=today)
    return User.objects.filter(Exists(grants), is_active=True, pk__in=now.values("supervisor_id"))


def practice_of(user: Any) -> Q:
    """Whose practice a person sees: their own, and of those they supervise who share it."""
    if getattr(user, "kind", None) == "system":
        return Q()
    shared = Q(
        clinician__practice_shares__supervisor=user, clinician__practice_shares__ended_at=None
    )
    return Q(clinician__in=my_clinicians(user)) & (Q(clinician__user=user) | shared)


def who_may_confer() -> models.QuerySet[Any]:
    """Users who can be asked to a case conference: those who treat or supervise today."""
    from sessions_app.models import RoleGrant, User

    today = clinic_time.today()
    grants = RoleGrant.objects.filter(
        in_force(today),
        user_id=OuterRef("pk"),
        from_on__lte=today,
        role__in=[role for role, carried in RIGHTS.items() if "see_clinical" in carried],
    )
    return User.objects.filter(Exists(grants), is_active=True)


def desk_sites(user: Any) -> models.QuerySet[Any]:
    """Sites of the user's grants as front desk."""
    from sessions_app.models import Site

    named: set[int] = set()
    for grant in grants_of(user):
        if grant.role != FRONT_DESK:
            continue
        if grant.scope == "clinic":
            return Site.objects.all()
        if grant.site_id:
            named.add(grant.site_id)
        elif grant.team_id and grant.team.site_id:
            named.add(grant.team.site_id)
    return Site.objects.filter(pk__in=named)


def _at_desk(user: Any) -> Q:
    """Rows with a programme and a site, in the front desk's scope."""
    programmes = [g.programme_id for g in grants_of(user) if g.role == FRONT_DESK]
    granted = [p for p in programmes if p is not None]
    return Q(programme_id__in=granted) | Q(programme__restricted=False, site__in=desk_sites(user))


def _desk_episodes(user: Any) -> models.QuerySet[Any]:
    from sessions_app.models import Episode

    return Episode.objects.filter(_at_desk(user))


def referrals_of(user: Any, *, desk: bool = True) -> Q:
    """Which referrals a person sees: of episodes in their care; at the desk, of its sites."""
    if getattr(user, "kind", None) == "system":
        return Q()
    clinical = Q(episode__in=clinical_episodes(user).values("pk"))
    if desk and FRONT_DESK in roles(user):
        return clinical | _at_desk(user)
    return clinical


def _desk_clients(user: Any) -> models.QuerySet[Any]:
    """Clients at the desk's sites, in care or waiting.

    Those known only to a hidden programme don't exist here.
    """
    from sessions_app.models import Client, Episode, Referral

    seen = _desk_episodes(user)
    not_begun = Referral.objects.filter(episode=None)
    any_episode = Episode.objects.filter(client_id=OuterRef("pk"))
    any_referral = not_begun.filter(client_id=OuterRef("pk"))
    return Client.objects.filter(
        Q(pk__in=seen.values("client_id"))
        | Q(pk__in=not_begun.filter(_at_desk(user)).values("client_id"))
        | (Q(site__in=desk_sites(user)) & ~Exists(any_episode) & ~Exists(any_referral))
    )


class ScopedQuerySet(models.QuerySet[M], Generic[M]):
    """Row scope as a queryset method, applied by the base views and the base API viewset."""

    client_path: str | None = "client"
    episode_path: str | None = "episode"

    def _scope_by(self, column_of: Callable[[str], Any]) -> Q:
        """Rows of episodes (by number) or of their clients; `column_of` says which."""
        if self._has_episode():
            path = self.episode_path
            return Q(**{f"{path}__in" if path else "pk__in": column_of("pk")})
        path = self.client_path
        return Q(**{f"{path}__in" if path else "pk__in": column_of("client_id")})

    def _has_episode(self) -> bool:
        if self.episode_path == "":
            return True
        return any(f.name == self.episode_path for f in self.model._meta.fields)

    def visible_to(self, user: Any) -> ScopedQuerySet[M]:
        """Clinical scope: rows with what was scored, noted or decided."""
        if getattr(user, "kind", None) == "system":
            return self.all()
        return self.filter(self._scope_by(partial(_clinical, user)))

    def registered_to(self, user: Any) -> ScopedQuerySet[M]:
        """Registry scope (names, diary): the desk's, and everything in clinical scope."""
        if getattr(user, "kind", None) == "system":
            return self.all()
        clinical = self._scope_by(partial(_clinical, user))
        if FRONT_DESK not in roles(user):
            return self.filter(clinical)
        if self._has_episode():
            return self.filter(clinical | self._scope_by(_desk_episodes(user).values))
        path = self.client_path
        at_desk = Q(**{f"{path}__in" if path else "pk__in": _desk_clients(user).values("pk")})
        return self.filter(clinical | at_desk)

    def unrestricted(self) -> ScopedQuerySet[M]:
        """Without clients whose record rests: nothing of them is given to other systems."""
        from sessions_app.models import Restriction

        rests = Restriction.objects.filter(to_on=None).values("client")
        path = self.client_path
        return self.exclude(**{f"{path}__in" if path else "pk__in": rests})


class ScopedManager(models.Manager[M], Generic[M]):
    """The manager of every model under row scope; a test walks the models for it."""
