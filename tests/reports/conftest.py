"""A month of a small clinic, worked by hand: who ended, from which score to which, and how."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import transaction
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import measures
from reports_app.editions import Report, make_report
from reports_app.extract import Scope
from reports_app.metric import Metric
from reports_app.nightly import run_night
from reports_app.periods import Month
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Episode, Programme, Session
from tests.cast import BY, Clinic, build
from tests.stage import scene

# The bundled adult measure: 0-40, higher is better, cutoff 25, reliable change 6.6.
# (first, last, ending) -> what it is.
ENDED = [
    (15.0, 30.0, "agreed"),  # recovered
    (18.2, 26.1, "agreed"),  # recovered: 7.9 up, over the line
    (10.0, 20.0, "agreed"),  # improved: 10 up, below the line
    (20.0, 22.0, "client_stopped"),  # no reliable change
    (24.0, 23.0, "client_stopped"),  # no reliable change
    (22.0, 12.0, "client_stopped"),  # reliably worse
    (30.0, 31.0, "agreed"),  # no reliable change; started above the line
    (28.0, 20.0, "clinic_ended"),  # reliably worse; started above the line
    (19.0, None, "client_stopped"),  # one score: no outcome, in every denominator
    (None, None, "unknown"),  # none: where it started isn't known
    (20.0, 35.0, "died"),  # outside outcome
    (16.0, None, "assessment_only"),  # outside outcome
]
FALLING = (26.0, 24.0, 20.0, 17.0, 14.0, 12.0)
FIRSTS = [first for first, _last, ending in ENDED[:10] if first is not None]
PAIRS = [(first, last) for first, last, _ending in ENDED[:10] if last is not None]


@dataclass
class Month12:
    """The clinic, its month, and the episodes of ENDED in their order."""

    clinic: Clinic
    month: Month
    episodes: list[Episode] = field(default_factory=list)

    def report(self, programme: Programme | None = None) -> Report:
        with acting_as(BY):
            return make_report(self.month, Scope(programme))

    def metric(self, name: str, programme: Programme | None = None) -> Metric:
        found = [m for m in self.report(programme).metrics if m.metric == name]
        assert len(found) == 1, found
        return found[0]


def score(episode: Episode, session: Session, code: str, total: float) -> None:
    measure_actions.record_administration(
        episode=episode,
        session=session,
        measure=measures.get_measure(code),
        total=total,
        provenance="paper",
        by=BY,
    )


@scene
def flagged(clinic: Clinic) -> Clinic:
    """Ana's scores fall for six sessions; the night has seen it."""
    measures.sync_library()
    for session, total in zip(clinic.sessions["ana"], FALLING, strict=True):
        score(clinic.episodes["ana"], session, "outcome-adult", total)
    run_night(clinic_time.today())
    return clinic


def end_one(
    clinic: Clinic,
    month: Month,
    place: int,
    first: float | None,
    last: float | None,
    ending: str,
    programme: Programme | None = None,
) -> Episode:
    """An episode of two sessions, 28 days apart, that ended in the month."""
    client = actions.register_client(
        by=BY, site=clinic.north, name=f"Ended Client{place}", birth_year=month.start.year - 40
    )
    last_on = month.start + timedelta(days=9)
    episode = actions.open_episode(
        client=client,
        programme=programme or clinic.therapy,
        opened_on=last_on - timedelta(days=30),
        lead=clinic.clinicians["bob"],
        by=BY,
    )
    for held_on, total in ((last_on - timedelta(days=28), first), (last_on, last)):
        session = actions.record_session(episode=episode, held_on=held_on, by=BY)
        if total is not None:
            score(episode, session, "outcome-adult", total)
    actions.close_episode(episode=episode, on=last_on + timedelta(days=2), ending=ending, by=BY)
    return episode


@pytest.fixture(scope="module")
def month(committed_database: Any) -> Month12:
    """ENDED in the month before this one, and its night: made once a module, written for good.

    A test that writes does so within `taken_back()`.
    """
    with acting_as(BY):
        measures.sync_library()
        clinic = build()
        made = Month12(clinic, Month(clinic_time.today().replace(day=1)).previous())
        made.episodes = [
            end_one(clinic, made.month, place, *row) for place, row in enumerate(ENDED)
        ]
        run_night(clinic_time.today())
    return made


@contextmanager
def taken_back() -> Iterator[None]:
    """A unit of work of which nothing stays."""
    with acting_as(BY), transaction.atomic():
        yield
        transaction.set_rollback(True)


def signed_in(month: Month12, name: str) -> Browser:
    """A test client signed in as one of the cast."""
    browser = Browser()
    browser.force_login(month.clinic.users[name])
    return browser


def browser_text(browser: Any, path: str) -> str:
    """A page's words as a reader sees them: tags and runs of space gone."""
    response = browser.get(path)
    assert response.status_code == 200, (path, response.status_code)
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.S)
    return " ".join(unescape(bare).split())
