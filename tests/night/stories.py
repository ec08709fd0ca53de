"""Courses of care to run nights over, built by calling actions."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management import call_command

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.models import Administration, Flag
from sessions_app import actions, clinic_time
from sessions_app.models import Client, Episode, Session
from tests.cast import BY, Clinic

OUTCOME, ALLIANCE = "outcome-adult", "alliance-adult"


@dataclass
class Story:
    """One episode with its sessions and scores, in the order of sessions."""

    client: Client
    episode: Episode
    sessions: list[Session] = field(default_factory=list)
    scores: list[Administration] = field(default_factory=list)


def days(count: int, *, every: int = 7, last: int = 3) -> list[date]:
    """Days of `count` sessions, the last one `last` days ago."""
    today = clinic_time.today()
    return [today - timedelta(days=last + every * (count - 1 - n)) for n in range(count)]


def tell(
    clinic: Clinic,
    scores: Sequence[float | None],
    on: Sequence[date] | None = None,
    *,
    alliance: Sequence[float | None] = (),
    lead: str = "alice",
    opened_on: date | None = None,
    **episode: Any,
) -> Story:
    """A client's episode: a session a score (None: nothing measured), known on its day."""
    on = days(len(scores)) if on is None else on
    measures.sync_library()
    client = actions.register_client(
        by=BY, site=clinic.north, name="Somebody Else", birth_year=1980, gender="woman"
    )
    story = Story(
        client,
        actions.open_episode(
            client=client,
            programme=clinic.therapy,
            opened_on=opened_on or min(on),
            lead=clinic.clinicians[lead],
            by=BY,
            **episode,
        ),
    )
    for n, (day, score) in enumerate(zip(on, scores, strict=True)):
        session = add_session(story, day, n)
        if score is not None:
            story.scores.append(add_score(story, session, score))
        if n < len(alliance) and alliance[n] is not None:
            add_score(story, session, alliance[n], ALLIANCE)
    return story


def add_session(story: Story, on: date, n: int = 0, **meeting: Any) -> Session:
    session = actions.record_session(
        episode=story.episode,
        held_on=on,
        starts_at=clinic_time.at(on, 9, n % 60),
        by=BY,
        **meeting,
    )
    story.sessions.append(session)
    return session


def add_score(
    story: Story, session: Session | None, total: Any, measure: str = OUTCOME, **rest: Any
) -> Administration:
    if session is not None:
        rest.setdefault("known_on", session.held_on)
    return measure_actions.record_administration(
        episode=story.episode,
        session=session,
        measure=measures.get_measure(measure),
        total=total,
        provenance=Administration.Provenance.PAPER,
        by=BY,
        **rest,
    )


def ordinary(
    count: int, *, seed: int = 1, last: int = 3, sessions: int = 5, gain: float = 0.0
) -> str:
    """Imported clients who get a little better, with the usual scatter; returns their file.

    Enough of them make a model. `gain` is what all have more at each session after the first.
    """
    random = np.random.default_rng(seed)
    lines = ["client,session_date,measure,total"]
    for n in range(count):
        course = random.normal(18, 5) + 2.5 * np.log(np.arange(1, sessions + 1))
        course[1:] += gain
        scores = np.clip(np.round(course + random.normal(0, 2.5, sessions), 1), 0, 40)
        lines += [
            f"O{seed}-{n},{day},{OUTCOME},{score:.1f}"
            for day, score in zip(days(sessions, last=last), scores, strict=True)
        ]
    return bring("\n".join(lines))


def bring(text: str) -> str:
    """Import scores in the long form."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scores.csv"
        file.write_text(text)
        call_command("import_scores", str(file), stdout=io.StringIO())
    return text


def flags_of(story: Story, states: Iterable[str] = Flag.LIVE) -> set[str]:
    found = Flag.objects.filter(episode=story.episode, state__in=list(states))
    return set(found.values_list("rule", flat=True))
