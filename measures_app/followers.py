"""What follows in this app from what happens in care: see sessions_app.signals."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from sessions_app import clinic_time, outbox
from sessions_app.context import acting_as, actor_of, system
from sessions_app.models import Episode, Session
from sessions_app.signals import attendance_set, episode_ended


@receiver(episode_ended)
def lapse_flags(sender: Any, episode: Episode, by: Any, **rest: Any) -> None:
    """Nothing is left to talk about in a course of care that has ended, from this moment on.

    Answers that couldn't wait stay, until somebody says what was done.
    """
    from measures_app.flagging import EPISODE_ENDED
    from measures_app.models import Flag, FlagEvent

    with acting_as(system("ending")):
        live = Flag.objects.live().exclude(kind=Flag.Kind.ITEM).filter(episode=episode)
        for flag in live.select_for_update(of=("self",)).order_by("pk"):
            before, today = flag.state, clinic_time.today()
            flag.state, flag.close_reason = Flag.State.LAPSED, EPISODE_ENDED
            flag.closed_on, flag.closed_at = max(today, flag.raised_on), clinic_time.now()
            flag.save(update_fields=["state", "close_reason", "closed_on", "closed_at"])
            FlagEvent.objects.create(
                flag=flag,
                episode=episode,
                actor=str(actor_of(by)),
                from_state=before,
                to_state=flag.state,
                why=EPISODE_ENDED,
                evidence=flag.evidence,
            )


@receiver(attendance_set)
def number_again(sender: Any, session: Session, by: Any, **rest: Any) -> None:
    """Answers given before it was said whether the client came have another number now."""
    from measures_app.actions.administrations import CHANGED
    from measures_app.models import Administration

    if Administration.objects.filter(session=session, total__isnull=False).exists():
        outbox.promise(CHANGED, {"episode": session.episode_id}, joined=True)
