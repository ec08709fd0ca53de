"""Who is in a meeting: couples, families, groups, and two clinicians in one hour."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from sessions_app import access, audit, clinic_time, rights
from sessions_app.atomic import action
from sessions_app.context import acting_as, system, user_of
from sessions_app.models import (
    Assignment,
    Clinician,
    Meeting,
    MeetingClinician,
    RoleGrant,
    Session,
)


def _held(meeting: Meeting, by: Any) -> tuple[Meeting, list[Session]]:
    """The meeting's row, held, and those of its sessions that the person may see."""
    rights.require(by, "record_sessions")
    user = user_of(by)
    seen = Session.objects.visible_to(by if user is None else user).filter(meeting=meeting)
    sessions = list(seen.select_related("episode__programme", "client__key").order_by("pk"))
    if not sessions:
        raise PermissionDenied("Nobody in this meeting is in the person's care.")
    return Meeting.objects.select_for_update().get(pk=meeting.pk), sessions


@action
def set_meeting_format(*, meeting: Meeting, format: str, by: Any) -> Meeting:
    """Individual, couple, family or group: it decides who is asked beside the client."""
    held, sessions = _held(meeting, by)
    if format not in Meeting.Format.values:
        raise ValidationError({"format": _("Choose one of the formats.")})
    with acting_as(system("meeting")):
        places = Session.objects.filter(meeting=held).count()
    if format == Meeting.Format.INDIVIDUAL and places > 1:
        raise ValidationError({"format": _("More than one client is in this meeting.")})
    before, held.format = held.format, format
    held.save(update_fields=["format"])
    for session in sessions:
        audit.record(
            "meeting format set",
            subject_kind="client",
            subject=session.client.code,
            by=by,
            before=before,
            after=format,
        )
    return held


@action
def set_meeting_facts(
    *, meeting: Meeting, minutes: int, kind: str, telehealth: bool, by: Any
) -> Meeting:
    """How it was held, where that differs from what was booked: length, kind, video or phone."""
    held, sessions = _held(meeting, by)
    if kind not in Meeting.Kind.values:
        raise ValidationError({"kind": _("Choose one of the kinds.")})
    if not 0 < minutes <= 24 * 60:
        raise ValidationError({"minutes": _("A session takes minutes of one day.")})
    given = {"minutes": minutes, "kind": kind, "telehealth": telehealth}
    changed = {name: value for name, value in given.items() if getattr(held, name) != value}
    if not changed:
        return held
    for name, value in changed.items():
        setattr(held, name, value)
    held.save(update_fields=list(changed))
    for session in sessions:
        audit.record(
            "meeting facts set",
            subject_kind="client",
            subject=session.client.code,
            by=by,
            **changed,
        )
    return held


@action
def join_meeting(*, meeting: Meeting, clinician: Clinician, by: Any) -> MeetingClinician:
    """A second clinician in the same hour: a joint first session, co-therapy.

    They see these clients by a part as co-therapist that is dated: from today (or the session's
    day, if it was before) to the day of the session. Workload counts the meeting once for each.
    """
    held, sessions = _held(meeting, by)
    user = clinician.user
    if user is None or not user.is_active or rights.CLINICIAN not in rights.roles(user):
        raise ValidationError({"clinician": _("%s doesn't work as a clinician now.") % clinician})
    if MeetingClinician.objects.filter(meeting=held, clinician=clinician).exists():
        raise ValidationError({"clinician": _("%s is in this meeting already.") % clinician})
    today = clinic_time.today()
    for session in sessions:
        episode = session.episode
        if access.people_seeing(episode).filter(pk=user.pk).exists():
            continue
        granted = RoleGrant.objects.filter(
            rights.in_force(today), user=user, from_on__lte=today, programme=episode.programme
        )
        if episode.programme.restricted and not granted.exists():
            raise ValidationError(
                {"clinician": _("%s has no role in this restricted programme.") % clinician}
            )
        Assignment.objects.create(
            episode=episode,
            clinician=clinician,
            part=Assignment.Part.CO_THERAPIST,
            from_on=min(today, session.held_on),
            to_on=session.held_on,
            why_sealed=session.client.seal("a joint session", "assignment-why"),
        )
    row = MeetingClinician.objects.create(meeting=held, clinician=clinician)
    for session in sessions:
        audit.record(
            "clinician joined a meeting",
            subject_kind="client",
            subject=session.client.code,
            by=by,
            clinician=clinician.code,
        )
    return row
