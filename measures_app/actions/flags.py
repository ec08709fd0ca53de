from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ValidationError

from measures_app import followups
from measures_app.models import Flag, FlagEvent
from measures_app.models.flags import WAITED
from sessions_app import access, actions, audit, clinic_time, rights
from sessions_app.atomic import action
from sessions_app.context import actor_of
from sessions_app.models import (
    CaseConference,
    CaseReview,
    Clinician,
    Episode,
    Meeting,
    Session,
    User,
)

PUT_OFF_AT_MOST = timedelta(weeks=12)
NOTHING_LEFT = "There is nothing to take up any more."


class DecidedMeanwhile(ValidationError):
    """Someone else decided on this case while it lay open here."""


def _event(flag: Flag, before: str, why: str, by: Any) -> None:
    FlagEvent.objects.create(
        flag=flag,
        episode_id=flag.episode_id,
        actor=str(actor_of(by)),
        from_state=before,
        to_state=flag.state,
        why=why,
        evidence=flag.evidence,
    )


@action
def take_up(*, episode: Episode, by: Any) -> list[Flag]:
    """Say "I have this one": all that stands for review in the episode is the person's now.

    What waited for room in the week is raised by it: whoever looks at a case looks at all of it.
    """
    flags = _in_review(episode, by, Flag.STANDING)
    _give(flags, by, "taken up", by)
    audit.record("taken up", subject_kind="client", subject=episode.client.code, by=by)
    return flags


def _in_review(episode: Episode, by: Any, states: Collection[str] = Flag.LIVE) -> list[Flag]:
    """The episode's review flags, locked, for somebody who may deal with them."""
    if not rights.may(by, "review"):
        rights.require(by, "decide")
    flags = list(
        Flag.objects.select_for_update().filter(
            episode=episode, kind=Flag.Kind.REVIEW, state__in=states
        )
    )
    if not flags:
        raise ValidationError(NOTHING_LEFT)
    return flags


def _give(flags: list[Flag], to: User, why: str, by: Any) -> None:
    """Make them somebody's, awake: who has a case doesn't have it put off by another."""
    for flag in flags:
        if flag.owner_id == to.pk:
            continue
        before = flag.state
        if before == Flag.State.WAITING:
            flag.raised_on = clinic_time.today()
        flag.state, flag.owner, flag.taken_up_at = Flag.State.TAKEN_UP, to, clinic_time.now()
        flag.snoozed_until, flag.snooze_why_sealed = None, b""
        flag.save(
            update_fields=[
                "state", "owner", "taken_up_at", "raised_on", "snoozed_until", "snooze_why_sealed",
            ]
        )  # fmt: skip
        _event(flag, before, why, by)


@action
def hand_to(*, episode: Episode, to: User, by: Any) -> list[Flag]:
    """Give a case to a colleague who may see the client; it is theirs from now on."""
    flags = _in_review(episode, by, Flag.STANDING)
    if not access.people_seeing(episode).filter(pk=to.pk).exists():
        raise ValidationError({"to": f"{to} may not see this client."})
    if not rights.may(to, "decide"):
        raise ValidationError({"to": f"{to} records no decisions."})
    _give(flags, to, "handed over", by)
    audit.record(
        "case handed over",
        subject_kind="client",
        subject=episode.client.code,
        by=by,
        to=str(to.public_id),
    )
    return flags


@action
def put_off(*, episode: Episode, until: date, why: str, by: Any) -> list[Flag]:
    """Take a case off the list until a day, with the reason; it comes back by itself.

    What the night newly raises about the episode meanwhile isn't put off.
    """
    flags = _in_review(episode, by)
    today = clinic_time.today()
    if until <= today:
        raise ValidationError({"until": "Name a day to come: it is back on the list then."})
    if until > today + PUT_OFF_AT_MOST:
        raise ValidationError({"until": "At most twelve weeks: decide, if it can wait longer."})
    if not why.strip():
        raise ValidationError({"why": "Say why it can wait."})
    for flag in flags:
        flag.snoozed_until = until
        flag.snooze_why_sealed = episode.client.seal(why.strip(), "flag-snooze")
        flag.save(update_fields=["snoozed_until", "snooze_why_sealed"])
        _event(flag, flag.state, f"put off until {until.isoformat()}", by)
    audit.record(
        "case put off",
        subject_kind="client",
        subject=episode.client.code,
        by=by,
        until=until.isoformat(),
    )
    return flags


def _sessions_so_far(episode: Episode) -> int:
    return episode.sessions.filter(
        status=Session.Status.ATTENDED, meeting__kind=Meeting.Kind.TREATMENT
    ).count()


@action
def decide(
    *,
    episode: Episode,
    decision: str,
    by: Any,
    note: str = "",
    client_said: str = "",
    change_of: str = "",
    follow_up_on: date | None = None,
    seen_reviews: int | None = None,
    talked: str = "",
    conference: CaseConference | None = None,
) -> CaseReview:
    """Record a decision about a case; its live review flags are decided by it.

    Parameters
    ----------
    seen_reviews : int or None
        How many decisions the person saw when they began: another one since is reported, so
        that nobody overwrites a colleague unawares.

    Raises
    ------
    DecidedMeanwhile
        When there are more decisions than were seen.
    """
    locked = Episode.objects.select_for_update().select_related("client").get(pk=episode.pk)
    if seen_reviews is not None and locked.reviews.count() > seen_reviews:
        raise DecidedMeanwhile("Someone decided on this case while you were writing.")
    sessions = _sessions_so_far(locked)
    review = actions.record_case_review(
        episode=locked,
        decision=decision,
        by=by,
        note=note,
        client_said=client_said,
        change_of=change_of,
        follow_up_on=follow_up_on,
        session_number=sessions,
        talked=talked,
        conference=conference,
    )
    followups.keep_forecast(review)
    flags = Flag.objects.select_for_update().filter(
        episode=locked, kind=Flag.Kind.REVIEW, state__in=Flag.STANDING
    )
    for flag in flags:
        before = flag.state
        # Whoever looks at a case looks at all of it: what waited is decided with the rest.
        waited = before == Flag.State.WAITING
        flag.close_reason = f"{WAITED}: decided with the case" if waited else ""
        flag.state = Flag.State.DECIDED
        flag.review = review
        flag.session_number = sessions
        flag.closed_on = review.reviewed_on
        flag.closed_at = clinic_time.now()
        flag.save(
            update_fields=[
                "state", "review", "session_number", "closed_on", "closed_at", "close_reason",
            ]
        )  # fmt: skip
        _event(flag, before, decision, by)
    return review


@action
def hand_over_cases(
    *, clinician: Clinician, to: Mapping[int, Clinician], on: date, reason: str, by: Any
) -> list[Episode]:
    """Hand a clinician's whole caseload over, and with each client what was taken up for them.

    As `sessions_app.actions.hand_over_caseload`. A case of the leaver's goes to who goes on, or is
    open to anybody again where they have no login.
    """
    handed = actions.hand_over_caseload(clinician=clinician, to=to, on=on, reason=reason, by=by)
    if clinician.user is None:
        return handed
    for episode in handed:
        flags = list(
            Flag.objects.select_for_update().filter(
                episode=episode, owner=clinician.user, state__in=Flag.LIVE
            )
        )
        receiver = to[episode.pk].user
        if receiver is not None:
            _give(flags, receiver, "handed over", by)
            continue
        # An answer that couldn't wait stays with who saw it, until they say what was done.
        for flag in [flag for flag in flags if flag.kind != Flag.Kind.ITEM]:
            before = flag.state
            flag.state, flag.owner, flag.taken_up_at = Flag.State.OPEN, None, None
            flag.save(update_fields=["state", "owner", "taken_up_at"])
            _event(flag, before, "whoever had it left", by)
    return handed
