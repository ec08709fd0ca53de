from __future__ import annotations

from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from measures_app.models import Flag, FlagEvent
from sessions_app import access, actions, audit, clinic_time
from sessions_app.context import actor_of
from sessions_app.models import CaseReview, Episode, Meeting, Session


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


@transaction.atomic
def take_up(*, episode: Episode, by: Any) -> list[Flag]:
    """Say "I have this one": all open review flags of the episode are the person's now."""
    if not access.may(by, "review"):
        access.require(by, "decide")
    flags = list(
        Flag.objects.select_for_update().filter(
            episode=episode, kind=Flag.Kind.REVIEW, state__in=Flag.LIVE
        )
    )
    if not flags:
        raise ValidationError("There is nothing to take up any more.")
    for flag in flags:
        if flag.owner_id == by.pk:
            continue
        before = flag.state
        flag.state, flag.owner, flag.taken_up_at = Flag.State.TAKEN_UP, by, clinic_time.now()
        flag.save(update_fields=["state", "owner", "taken_up_at"])
        _event(flag, before, "taken up", by)
    audit.record("taken up", subject_kind="client", subject=episode.client.code, by=by)
    return flags


def _sessions_so_far(episode: Episode) -> int:
    return episode.sessions.filter(
        status=Session.Status.ATTENDED, meeting__kind=Meeting.Kind.TREATMENT
    ).count()


@transaction.atomic
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
    )
    flags = Flag.objects.select_for_update().filter(
        episode=locked, kind=Flag.Kind.REVIEW, state__in=Flag.LIVE
    )
    for flag in flags:
        before = flag.state
        flag.state = Flag.State.DECIDED
        flag.review = review
        flag.session_number = sessions
        flag.closed_on = review.reviewed_on
        flag.closed_at = clinic_time.now()
        flag.save(update_fields=["state", "review", "session_number", "closed_on", "closed_at"])
        _event(flag, before, decision, by)
    return review
