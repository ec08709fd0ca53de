"""Somebody is away: another stands in, who is at work on each of those days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from sessions_app import access, audit, clinic_time, rights
from sessions_app.atomic import action
from sessions_app.context import acting_as, system, user_of
from sessions_app.models import Absence, Assignment, Clinician, RoleGrant


def _may_set(clinician: Clinician, by: Any) -> bool:
    """Whether somebody may enter this clinician's absences.

    One's own; those of a clinician one supervises; an administrator anybody's.
    """
    if rights.may(by, "manage_people"):
        return True
    user = user_of(by)
    return (rights.may(by, "record_sessions") or rights.may(by, "review")) and (
        access.my_clinicians(user).contains(clinician)
    )


def _require(clinician: Clinician, by: Any) -> None:
    if not _may_set(clinician, by):
        raise PermissionDenied("An absence is entered by oneself, a supervisor or administrator.")


def _span(absence: Absence) -> str:
    begins = date_format(absence.from_on, "j F Y")
    if absence.to_on is None:
        return _("from %(day)s on") % {"day": begins}
    ends = date_format(absence.to_on, "j F Y")
    return _("from %(first)s to %(last)s") % {"first": begins, "last": ends}


def _require_fitting(clinician: Clinician, cover: Clinician, from_on: date) -> None:
    """Refuse a cover whom no mail reaches, or who couldn't open what is covered."""
    user = cover.user
    if cover == clinician:
        raise ValidationError({"cover": _("Somebody else stands in.")})
    if user is None or not user.is_active:
        raise ValidationError({"cover": _("%s has no account: no mail reaches them.") % cover})
    if rights.CLINICIAN not in rights.roles(user):
        raise ValidationError({"cover": _("%s doesn't work as a clinician now.") % cover})
    with acting_as(system("absence")):
        restricted = Assignment.objects.filter(
            clinician=clinician, to_on=None, episode__closed_on=None,
            episode__programme__restricted=True,
        ).exclude(
            episode__programme__in=RoleGrant.objects.filter(
                rights.in_force(from_on), user=user, from_on__lte=from_on
            )
            .exclude(programme=None)
            .values("programme")
        )  # fmt: skip
        closed_to_them = restricted.exists()
    if closed_to_them:
        raise ValidationError(
            {
                "cover": _(
                    "%(cover)s has no role in a restricted programme in which %(clinician)s has "
                    "clients: choose somebody who has, or an administrator gives them one."
                )
                % {"cover": cover, "clinician": clinician}
            }
        )


def _require_no_chain(
    clinician: Clinician, cover: Clinician, from_on: date, to_on: date | None
) -> None:
    """Each is covered once a day, by somebody who is at work: one step, never a chain."""
    shared = Absence.objects.during(from_on, to_on)
    for row in shared.filter(clinician=clinician):
        raise ValidationError(
            {
                "from_on": _("%(who)s is away %(when)s already.")
                % {"who": clinician, "when": _span(row)}
            }
        )
    for row in shared.filter(clinician=cover):
        raise ValidationError(
            {
                "cover": _("%(who)s is away %(when)s: choose somebody who is at work.")
                % {"who": cover, "when": _span(row)}
            }
        )
    for row in shared.filter(cover=clinician).select_related("clinician"):
        raise ValidationError(
            {
                "from_on": _(
                    "%(who)s stands in for %(other)s %(when)s: end that first, and somebody else "
                    "takes it over."
                )
                % {"who": clinician, "other": row.clinician, "when": _span(row)}
            }
        )


@action
def set_absence(
    *,
    clinician: Clinician,
    cover: Clinician,
    from_on: date,
    by: Any,
    to_on: date | None = None,
) -> Absence:
    """Enter that a clinician is away, and who sees their clients meanwhile.

    Without an end the absence goes on until somebody ends it.

    Raises
    ------
    ValidationError
        For a cover who is away themselves on one of the days, has no account or no role in a
        restricted programme of the clients; for a clinician who covers for somebody then.
    """
    _require(clinician, by)
    if from_on < clinic_time.today():
        raise ValidationError({"from_on": _("An absence begins today or later.")})
    if to_on is not None and to_on < from_on:
        raise ValidationError({"to_on": _("An absence can't end before it begins.")})
    # Both are held, so that two who go away at once can't be each other's cover.
    held = Clinician.objects.select_for_update(of=("self",)).filter(pk__in=[clinician.pk, cover.pk])
    list(held.order_by("pk"))
    _require_fitting(clinician, cover, from_on)
    _require_no_chain(clinician, cover, from_on, to_on)
    absence = Absence.objects.create(
        clinician=clinician, cover=cover, from_on=from_on, to_on=to_on, entered_by=user_of(by)
    )
    audit.record(
        "absence entered",
        subject_kind="clinician",
        subject=clinician.code,
        by=by,
        cover=cover.code,
        from_on=from_on.isoformat(),
        to_on=to_on.isoformat() if to_on else None,
    )
    return absence


@action
def end_absence(*, absence: Absence, last_day: date, by: Any) -> Absence:
    """The clinician is back the day after; with a last day before the first it never was.

    From the day after its last the cover sees those clients no longer.
    """
    absence = (
        Absence.objects.select_for_update(of=("self",))
        .select_related("clinician")
        .get(pk=absence.pk)
    )
    _require(absence.clinician, by)
    today = clinic_time.today()
    if absence.withdrawn_at is not None or (absence.to_on and absence.to_on < today):
        raise ValidationError({"last_day": _("This absence is over already.")})
    if last_day < today - timedelta(days=1):
        raise ValidationError(
            {"last_day": _("The cover saw these clients until today: yesterday is the earliest.")}
        )
    if absence.to_on is not None and last_day > absence.to_on:
        raise ValidationError({"last_day": _("A longer absence is entered as one of its own.")})
    if last_day < absence.from_on:
        absence.withdrawn_at = clinic_time.now()
    else:
        absence.to_on = last_day
    absence.save(update_fields=["withdrawn_at", "to_on"])
    audit.record(
        "absence ended",
        subject_kind="clinician",
        subject=absence.clinician.code,
        by=by,
        last_day=last_day.isoformat(),
    )
    return absence
