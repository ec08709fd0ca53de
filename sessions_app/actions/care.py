from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError

from sessions_app import audit, clinic_time, rights
from sessions_app.atomic import action
from sessions_app.context import user_of
from sessions_app.models import (
    Assignment,
    CaseConference,
    CaseReview,
    Client,
    Clinician,
    Episode,
    Meeting,
    MeetingClinician,
    Programme,
    Session,
    Site,
)
from sessions_app.prepared import Prepared, PreparedInsert
from sessions_app.signals import attendance_set

BOOKED_AHEAD = timedelta(days=2 * 366)  # beyond it a year was mistyped
# What can be said of a session before its day.
NOT_YET = (Session.Status.BOOKED, Session.Status.LATE_CANCEL, Session.Status.CLINIC_CANCEL)


@action
def open_episode(
    *,
    client: Client,
    programme: Programme,
    opened_on: date,
    by: Any,
    lead: Clinician | None = None,
    site: Site | None = None,
    purpose: str = Episode.Purpose.CHANGE,
    purpose_agreed_on: date | None = None,
    problem: str = "",
    funder: str = "",
    care_began_on: date | None = None,
    sessions_before: int | None = None,
    reference: str = "",
    origin: str = Episode.Origin.ENTERED,
) -> Episode:
    """Open a course of care, with its lead clinician when known."""
    rights.require(by, "register_clients")
    if opened_on > clinic_time.today():
        raise ValidationError({"opened_on": "An episode can't open in the future."})
    if care_began_on and care_began_on > opened_on:
        raise ValidationError({"care_began_on": "Care began before measuring, not after it."})
    episode = Episode.objects.create(
        client=client,
        programme=programme,
        site=site or client.site,
        opened_on=opened_on,
        purpose=purpose,
        purpose_agreed_on=purpose_agreed_on,
        problem=problem,
        funder=funder,
        care_began_on=care_began_on,
        sessions_before=sessions_before,
        reference=reference,
        origin=origin,
    )
    if lead is not None:
        assign_clinician(episode=episode, clinician=lead, from_on=opened_on, by=by)
    audit.record(
        "episode opened", subject_kind="client", subject=client.code, by=by, purpose=purpose
    )
    return episode


@action
def assign_clinician(
    *,
    episode: Episode,
    clinician: Clinician,
    from_on: date,
    by: Any,
    part: str = Assignment.Part.LEAD,
    why: str = "",
    summary: str = "",
) -> Assignment:
    if not rights.may(by, "register_clients"):
        rights.require(by, "transfer")
    if clinician.active_to is not None and clinician.active_to < from_on:
        raise ValidationError({"clinician": f"{clinician} no longer works here on that day."})
    if (
        part == Assignment.Part.LEAD
        and episode.assignments.filter(part=Assignment.Part.LEAD, to_on=None).exists()
    ):
        raise ValidationError({"clinician": "The episode has a lead: transfer it instead."})
    assignment = Assignment.objects.create(
        episode=episode,
        clinician=clinician,
        part=part,
        from_on=from_on,
        why_sealed=episode.client.seal(why, "assignment-why"),
        summary_sealed=episode.client.seal(summary.strip(), "hand-over-summary"),
    )
    audit.record(
        "clinician assigned",
        subject_kind="client",
        subject=episode.client.code,
        by=by,
        clinician=clinician.code,
        part=part,
    )
    return assignment


@action
def book_session(
    *,
    episode: Episode,
    starts_at: datetime,
    by: Any,
    clinicians: Sequence[Clinician] = (),
    minutes: int = 50,
    kind: str = Meeting.Kind.TREATMENT,
    format: str = Meeting.Format.INDIVIDUAL,
    telehealth: bool = False,
    site: Site | None = None,
    meeting: Meeting | None = None,
) -> Session:
    """Book a place in a meeting (a new one, or one given: couples, groups) for an episode."""
    _may_book(by)
    latest = clinic_time.today() + BOOKED_AHEAD
    if clinic_time.local_date(starts_at) > latest:
        raise ValidationError(
            {"starts_at": f"That is after {latest:%-d %B %Y}: too far ahead to be meant."}
        )
    session = _place(
        episode=episode,
        starts_at=starts_at,
        clinicians=clinicians,
        minutes=minutes,
        kind=kind,
        format=format,
        telehealth=telehealth,
        site=site,
        meeting=meeting,
    )
    audit.record(
        "session booked", subject_kind="client", subject=episode.client.code, by=by, kind=kind
    )
    return session


def _may_book(by: Any) -> None:
    # Whoever hands a client over books the first session together.
    if not (rights.may(by, "schedule") or rights.may(by, "transfer")):
        rights.require(by, "record_sessions")


def _place(
    *,
    episode: Episode,
    starts_at: datetime,
    clinicians: Sequence[Clinician] = (),
    meeting: Meeting | None = None,
    site: Site | None = None,
    status: str = Session.Status.BOOKED,
    obstacle: str = "",
    **new: Any,
) -> Session:
    """A place in a meeting within the episode's time; `new` is what a new meeting is like."""
    day = clinic_time.local_date(starts_at)
    if day < episode.opened_on:
        raise ValidationError(
            {"starts_at": f"The episode opened on {episode.opened_on:%-d %B %Y}, after that day."}
        )
    if episode.closed_on is not None and day > episode.closed_on:
        raise ValidationError({"starts_at": "The episode had ended by then."})
    if meeting is None:
        meeting = _MEETINGS.create(starts_at=starts_at, site=site or episode.site, **new)
        present = [c.pk for c in clinicians] or [
            a.clinician_id for a in _LEADS.objects([episode.pk])
        ]
        MeetingClinician.objects.bulk_create(
            MeetingClinician(meeting=meeting, clinician_id=number) for number in present
        )
    return _SESSIONS.create(
        meeting=meeting,
        episode=episode,
        client=episode.client,
        held_on=day,
        status=status,
        obstacle=obstacle,
    )


_MEETINGS, _SESSIONS = PreparedInsert(Meeting), PreparedInsert(Session)
_LEADS = Prepared(
    lambda episodes: Assignment.objects.filter(
        episode__in=episodes, to_on=None, part=Assignment.Part.LEAD
    )
)


@action
def set_attendance(*, session: Session, status: str, by: Any, obstacle: str = "") -> Session:
    """Say whether the client was seen; a past statement may be put right."""
    _may_say(status, session.held_on, by)
    before = session.status
    session.status = status
    session.obstacle = obstacle if status != Session.Status.ATTENDED else ""
    session.save(update_fields=["status", "obstacle"])
    audit.record(
        "attendance set",
        subject_kind="client",
        subject=session.client.code,
        by=by,
        before=before,
        after=status,
    )
    if status != before:
        attendance_set.send(sender=Session, session=session, by=by)
    return session


def _may_say(status: str, day: date, by: Any) -> None:
    """Whether `by` may say of a session on this day that it went so."""
    if not rights.may(by, "record_attendance"):
        rights.require(by, "record_sessions")
    if status not in Session.Status.values:
        raise ValidationError({"status": "Say whether the client came."})
    if status not in NOT_YET and day > clinic_time.today():
        raise ValidationError({"status": "The session lies in the future."})


@action
def attend(*, session: Session, by: Any) -> Session:
    return set_attendance(session=session, status=Session.Status.ATTENDED, by=by)


@action
def mark_arrived(*, session: Session, by: Any) -> Session:
    """The client is in the waiting room: the clinician's page shows it."""
    if not rights.may(by, "record_attendance"):
        rights.require(by, "record_sessions")
    if session.held_on > clinic_time.today():
        raise ValidationError({"status": "The session lies in the future."})
    session.arrived_at = clinic_time.now()
    session.save(update_fields=["arrived_at"])
    audit.record("arrived", subject_kind="client", subject=session.client.code, by=by)
    return session


@action
def record_session(
    *,
    episode: Episode,
    held_on: date,
    by: Any,
    status: str = Session.Status.ATTENDED,
    starts_at: datetime | None = None,
    obstacle: str = "",
    **meeting: Any,
) -> Session:
    """A session that took place (or didn't) and was not booked before: a walk-in, paper."""
    _may_book(by)
    starts_at = starts_at or clinic_time.at(held_on)
    _may_say(status, clinic_time.local_date(starts_at), by)
    session = _place(
        episode=episode,
        starts_at=starts_at,
        status=status,
        obstacle=obstacle if status != Session.Status.ATTENDED else "",
        **meeting,
    )
    # Nothing follows from it yet (`attendance_set`): a new session has no answers.
    audit.record(
        "session recorded",
        subject_kind="client",
        subject=episode.client.code,
        by=by,
        kind=session.meeting.kind,
        status=status,
    )
    return session


@action
def record_case_review(
    *,
    episode: Episode,
    decision: str,
    by: Any,
    reviewed_on: date | None = None,
    note: str = "",
    client_said: str = "",
    change_of: str = "",
    follow_up_on: date | None = None,
    session_number: int | None = None,
    talked: str = "",
    conference: CaseConference | None = None,
) -> CaseReview:
    """Keep what was talked about and decided. Flags are closed by measures_app's `decide`."""
    rights.require(by, "decide")
    today = clinic_time.today()
    if decision not in CaseReview.Decision.values:
        raise ValidationError({"decision": "Choose what was decided."})
    if not episode.is_open:
        raise ValidationError({"decision": "The episode has ended: there is nothing to decide."})
    if follow_up_on is not None and follow_up_on < today:
        raise ValidationError({"follow_up_on": "The follow-up lies in the past."})
    if conference is not None:
        talked = CaseReview.Talked.CONFERENCE
        _on_the_agenda(conference, episode)
    elif talked not in CaseReview.Talked.values:
        raise ValidationError({"talked": "Say who talked about it."})
    client = episode.client
    review = CaseReview.objects.create(
        episode=episode,
        client=client,
        reviewed_on=reviewed_on or today,
        recorded_by=user_of(by),
        decision=decision,
        change_of=change_of,
        talked=talked,
        conference=conference,
        session_number=session_number,
        note_sealed=client.seal(note, "review-note"),
        client_said_sealed=client.seal(client_said, "review-client-said"),
        follow_up_on=follow_up_on,
    )
    audit.record(
        "decision recorded", subject_kind="client", subject=client.code, by=by, decision=decision
    )
    return review


def _on_the_agenda(conference: CaseConference, episode: Episode) -> None:
    conference = CaseConference.objects.select_for_update(of=("self",)).get(pk=conference.pk)
    if conference.is_over:
        raise ValidationError("The conference is over: its minutes stay as they are.")
    if not conference.cases.filter(episode=episode).exists():
        raise ValidationError("This case isn't on the conference's agenda.")


@action
def record_review_result(*, review: CaseReview, result: str, by: Any) -> CaseReview:
    """What came of a decision, said once at its follow-up."""
    rights.require(by, "decide")
    if not result.strip():
        raise ValidationError({"result": "Say what came of it."})
    review = CaseReview.objects.select_for_update().select_related("client").get(pk=review.pk)
    if review.result_at is not None:
        raise ValidationError({"result": "What came of it was recorded already."})
    review.result_sealed = review.client.seal(result.strip(), "review-result")
    review.result_at, review.result_by = clinic_time.now(), user_of(by)
    review.save(update_fields=["result_sealed", "result_at", "result_by"])
    audit.record("result recorded", subject_kind="client", subject=review.client.code, by=by)
    return review
