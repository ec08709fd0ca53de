from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from measures_app.actions.administrations import record_administration
from measures_app.due import Due
from measures_app.models import Administration
from sessions_app import actions, clinic_time
from sessions_app.atomic import action
from sessions_app.models import Episode, Meeting, Session
from sessions_app.prepared import Prepared


@action
def record_session_with_measures(
    *,
    episode: Episode,
    held_on: date,
    starts_at: datetime,
    status: str,
    readings: Sequence[tuple[Due, dict[str, Any]]],
    by: Any,
    session: Session | None = None,
    obstacle: str = "",
    provenance: str = Administration.Provenance.PAPER,
    another: bool = True,
    **meeting: Any,
) -> Session:
    """A session's attendance and its measures in one go: all of it is kept, or nothing.

    A `ValidationError` about a score is keyed `<due key>_<item>`, as the entry form names it.
    Without `another`, a second session of the episode on that day is refused (`another`).
    """
    new = session is None
    if session is None:
        if not another:
            _refuse_second(episode, held_on)
        session = actions.record_session(
            episode=episode,
            held_on=held_on,
            starts_at=starts_at,
            status=status,
            obstacle=obstacle,
            by=by,
            **meeting,
        )
    else:
        actions.set_attendance(session=session, status=status, obstacle=obstacle, by=by)
        _as_held(session.meeting, meeting, by)
    _keep(episode, session, readings, provenance, by, new=new)
    return session


def _as_held(meeting: Meeting, said: dict[str, Any], by: Any) -> None:
    """Length, kind and way where they differ from what was booked; what isn't said stays."""
    booked = {name: getattr(meeting, name) for name in ("minutes", "kind", "telehealth")}
    held = booked | {name: said[name] for name in booked if said.get(name) not in (None, "")}
    if held != booked:
        actions.set_meeting_facts(meeting=meeting, by=by, **held)


def _keep(
    episode: Episode,
    session: Session,
    readings: Sequence[tuple[Due, dict[str, Any]]],
    provenance: str,
    by: Any,
    *,
    new: bool = False,
) -> None:
    for due, reading in readings:
        if not reading:
            continue
        try:
            record_administration(
                episode=episode,
                session=session,
                measure=due.measure,
                respondent=due.respondent,
                provenance=provenance,
                by=by,
                at_new_session=new,
                **reading,
            )
        except ValidationError as problem:
            raise ValidationError(
                {f"{due.key}_{name}": errors for name, errors in problem.error_dict.items()}
                if hasattr(problem, "error_dict")
                else problem.messages
            ) from None


@action
def close_with_last_measures(
    *,
    episode: Episode,
    on: date,
    ending: str,
    by: Any,
    session: Session | None = None,
    readings: Sequence[tuple[Due, dict[str, Any]]] = (),
) -> Episode:
    """End an episode, with what was still due at its last session: both are kept, or neither.

    An ending never waits for a measure: readings may be empty, and after a death nothing is asked.
    """
    if session is not None:
        _keep(episode, session, readings, Administration.Provenance.PAPER, by)
    return actions.close_episode(episode=episode, on=on, ending=ending, by=by)


_HELD = Prepared(
    lambda pks: Episode.objects.filter(pk__in=pks).select_for_update(of=("self",)).values_list("pk")
)


def _refuse_second(episode: Episode, day: date) -> None:
    """Two tabs, or two people: the episode's row is held, so that one of them is first."""
    _HELD.rows([episode.pk])
    there = episode.sessions.filter(held_on=day).select_related("meeting").first()
    if there is not None:
        at = there.meeting.starts_at.astimezone(clinic_time.zone())
        raise ValidationError(
            {
                "another": _(
                    "There is a session on this day already, at %(time)s (%(status)s). Nothing "
                    "was kept yet: open that one, or say here that this is a further one."
                )
                % {"time": f"{at:%H:%M}", "status": there.get_status_display()}
            }
        )
