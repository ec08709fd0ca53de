"""A course of care changes hands or ends, for one client or for a whole caseload."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import DateField, F, Max, Value
from django.db.models.functions import Greatest

from sessions_app import access, audit, clinic_time, rights
from sessions_app.actions.care import assign_clinician, book_session
from sessions_app.atomic import action
from sessions_app.context import acting_as, system, user_of
from sessions_app.models import (
    Assignment,
    Client,
    Clinician,
    EntryLink,
    Episode,
    Referral,
    Session,
)
from sessions_app.signals import episode_ended


def _require_at_work(to: Clinician, on: date) -> None:
    if to.active_to is not None and to.active_to < on:
        raise ValidationError({"to": f"{to} no longer works here on that day."})
    if to.active_from is not None and to.active_from > on:
        raise ValidationError({"to": f"{to} doesn't work here yet on that day."})
    if to.user is not None and not to.user.is_active:
        raise ValidationError({"to": f"{to}'s account is closed."})


@action
def transfer_episode(
    *,
    episode: Episode,
    to: Clinician,
    on: date,
    reason: str,
    by: Any,
    summary: str = "",
    together_at: datetime | None = None,
) -> Assignment:
    """Hand an episode to another clinician; the past assignment stays, dated.

    `summary` is what whoever goes on should know; they read it on the client's page.
    `together_at` books a first session with both clinicians in one meeting.
    """
    rights.require(by, "transfer")
    episode = Episode.objects.select_for_update().get(pk=episode.pk)
    if not episode.is_open:
        raise ValidationError({"episode": "The episode has ended."})
    _require_at_work(to, on)
    current = episode.assignments.filter(part=Assignment.Part.LEAD, to_on=None).first()
    if current is not None:
        if current.clinician_id == to.pk:
            raise ValidationError({"to": f"{to} has this client already."})
        if on < current.from_on:
            raise ValidationError({"on": "The transfer lies before the present assignment."})
        current.to_on = on
        current.why_sealed = episode.client.seal(reason, "assignment-why")
        current.save(update_fields=["to_on", "why_sealed"])
    if together_at is not None:
        _book_together(episode, current, to, together_at, by)
    return assign_clinician(
        episode=episode, clinician=to, from_on=on, why=reason, summary=summary, by=by
    )


def _book_together(
    episode: Episode, current: Assignment | None, to: Clinician, at: datetime, by: Any
) -> None:
    """A first session with the clinician who goes and the one who comes."""
    if current is None:
        raise ValidationError({"together_at": "Nobody has this client who could be there too."})
    if at < clinic_time.now():
        raise ValidationError({"together_at": "A first session together lies ahead."})
    leaves = current.clinician.active_to
    if leaves is not None and leaves < clinic_time.local_date(at):
        raise ValidationError(
            {"together_at": f"{current.clinician} no longer works here on that day."}
        )
    _require_at_work(to, clinic_time.local_date(at))
    book_session(episode=episode, starts_at=at, clinicians=[current.clinician, to], by=by)


@action
def close_episode(*, episode: Episode, on: date, ending: str, by: Any) -> Episode:
    """End an episode on a day, with how it ended; open assignments end with it."""
    rights.require(by, "close_episode")
    # The client is read along: with an ending long ago who records it sees them no longer.
    rows = Episode.objects.select_for_update(of=("self",)).select_related("client")
    episode = rows.get(pk=episode.pk)
    if not episode.is_open:
        raise ValidationError({"episode": "The episode has ended already."})
    if ending not in Episode.Ending.values or not ending:
        raise ValidationError({"ending": "Say how it ended."})
    if on < episode.opened_on or on > clinic_time.today():
        raise ValidationError({"on": "The ending lies between the opening and today."})
    last = _last_seen(episode)
    if last is not None and on < last:
        raise ValidationError({"on": f"There was a session on {last:%-d %B %Y}, after that day."})
    _end(episode, on, ending, by)
    if ending == Episode.Ending.DIED:
        _fall_silent(episode.client, on, by)
    return episode


def _last_seen(episode: Episode) -> date | None:
    attended = episode.sessions.filter(status=Session.Status.ATTENDED)
    last: date | None = attended.aggregate(d=Max("held_on"))["d"]
    return last


def _end(episode: Episode, on: date, ending: str, by: Any) -> None:
    episode.closed_on = on
    episode.ending = ending
    episode.closed_recorded_at = clinic_time.now()
    episode.save(update_fields=["closed_on", "ending", "closed_recorded_at"])
    for assignment in episode.assignments.filter(to_on=None):
        assignment.to_on = max(on, assignment.from_on)
        assignment.save(update_fields=["to_on"])
    audit.record(
        "episode closed", subject_kind="client", subject=episode.client.code, by=by, ending=ending
    )
    episode_ended.send(sender=Episode, episode=episode, by=by)


def _fall_silent(client: Client, on: date, by: Any) -> None:
    """A client has died: every link closes and every other course of care ends, at once.

    Those in programmes the person may not see too: nobody asks after somebody who has died. What
    is booked leaves the diary (`SessionQuerySet.expected`), flags leave the queue.
    """
    with acting_as(system("ending")):
        for other in Episode.objects.select_for_update().filter(client=client, closed_on=None):
            last = _last_seen(other)
            if other.opened_on > on or (last is not None and last > on):
                raise ValidationError({"on": "The clinic saw this client after that day."})
            _end(other, on, Episode.Ending.DIED, by)
        waiting = Referral.objects.waiting().filter(client=client)
        waiting.update(
            outcome=Referral.Outcome.WITHDRAWN,
            outcome_on=Greatest(F("received_on"), Value(on, DateField())),
        )
        links = EntryLink.objects.filter(client=client, revoked_at=None)
        closed = links.update(revoked_at=clinic_time.now())
        audit.record("fell silent", subject_kind="client", subject=client.code, by=by, links=closed)


@action
def hand_over_caseload(
    *, clinician: Clinician, to: Mapping[int, Clinician], on: date, reason: str, by: Any
) -> list[Episode]:
    """Hand every client whom a clinician leads to others, at once or not at all.

    Parameters
    ----------
    to : mapping
        Who goes on, by the episode's id; each open episode that the clinician leads has an entry.

    Other parts that the clinician has in a course of care (co-therapist, trainee) end that day.
    """
    rights.require(by, "transfer")
    user = user_of(by)
    if user is not None and not access.my_clinicians(user).contains(clinician):
        raise PermissionDenied("A caseload is handed over by whoever supervises the clinician.")
    parts = list(
        Assignment.objects.select_for_update(of=("self",))
        .filter(clinician=clinician, to_on=None, episode__closed_on=None)
        .select_related("episode__client__key")
    )
    leads = [part.episode for part in parts if part.part == Assignment.Part.LEAD]
    nobody = [episode.client.code for episode in leads if episode.pk not in to]
    if nobody:
        raise ValidationError(f"Nobody goes on yet with {', '.join(nobody)}.")
    for episode in leads:
        try:
            transfer_episode(episode=episode, to=to[episode.pk], on=on, reason=reason, by=by)
        except ValidationError as problem:
            raise ValidationError(
                [f"{episode.client.code}: {m}" for m in problem.messages]
            ) from None
    for part in parts:
        if part.part == Assignment.Part.LEAD:
            continue
        part.to_on = max(on, part.from_on)
        part.why_sealed = part.episode.client.seal(reason, "assignment-why")
        part.save(update_fields=["to_on", "why_sealed"])
    audit.record(
        "caseload handed over",
        subject_kind="clinician",
        subject=clinician.code,
        by=by,
        episodes=len(leads),
    )
    return leads
