"""Writes of a clinician's practice page: what was practised, and with whom it is shared."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError

from reports_app.models import PracticeEntry, PracticeShare
from sessions_app import access, audit, clinic_time, rights
from sessions_app.atomic import action
from sessions_app.context import user_of
from sessions_app.models import Clinician, User


def _own(by: Any) -> Clinician:
    rights.require(by, "record_sessions")
    clinician = getattr(user_of(by), "clinician", None)
    if clinician is None:
        raise PermissionDenied("This page is for those who treat.")
    return clinician  # type: ignore[no-any-return]


@action
def log_practice(
    *,
    on: date,
    skill: str,
    by: Any,
    hours: Decimal = Decimal(0),
    sessions_reviewed: int = 0,
    tried: str = "",
) -> PracticeEntry:
    """Note what was practised; the clinician's own, and nobody is told."""
    clinician = _own(by)
    if on > clinic_time.today():
        raise ValidationError({"on": "Note it when it is done: this day is to come."})
    if skill not in PracticeEntry.Skill.values:
        raise ValidationError({"skill": "Choose what was practised."})
    if not hours and not sessions_reviewed and not tried.strip():
        raise ValidationError({"tried": "Say at least one: hours, sessions, or what was tried."})
    entry = PracticeEntry.objects.create(
        clinician=clinician,
        on=on,
        skill=skill,
        hours=hours,
        sessions_reviewed=sessions_reviewed,
        tried=tried.strip(),
    )
    audit.record("practice noted", subject_kind="practice", subject=entry.pk, by=by)
    return entry


@action
def take_back_practice(*, entry: PracticeEntry, by: Any) -> None:
    """Take a note out of the log: it is the clinician's own, so it may go."""
    if _own(by).pk != entry.clinician_id:
        raise PermissionDenied("Everybody keeps their own log.")
    audit.record("practice note taken back", subject_kind="practice", subject=entry.pk, by=by)
    entry.delete()


@action
def share_practice(*, supervisor: User, by: Any) -> PracticeShare:
    """Let one of one's supervisors see the page; again with the same one changes nothing."""
    clinician = _own(by)
    if not access.supervisors_of(clinician).filter(pk=supervisor.pk).exists():
        raise ValidationError({"supervisor": f"{supervisor} doesn't supervise you."})
    there = PracticeShare.objects.filter(
        clinician=clinician, supervisor=supervisor, ended_at=None
    ).first()
    share = there or PracticeShare.objects.create(clinician=clinician, supervisor=supervisor)
    audit.record(
        "practice shared", subject_kind="clinician", subject=clinician.code, by=by,
        to=str(supervisor.public_id),
    )  # fmt: skip
    return share


@action
def end_practice_share(*, share: PracticeShare, by: Any) -> PracticeShare:
    """From now on the supervisor sees it no more."""
    clinician = _own(by)
    if clinician.pk != share.clinician_id:
        raise PermissionDenied("Everybody shares their own page.")
    if share.ended_at is None:
        share.ended_at = clinic_time.now()
        share.save(update_fields=["ended_at"])
    audit.record("practice share ended", subject_kind="clinician", subject=clinician.code, by=by)
    return share
