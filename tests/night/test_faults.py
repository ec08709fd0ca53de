"""A night struck at random moments: the next try finishes it, the same as undisturbed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from measures_app.models import ExpectedChangeModel, Flag, FlagEvent, NightlyRun, Trajectory
from reports_app import tasks
from reports_app.models import EpisodeSummary, SessionMonth
from reports_app.nightly import run_night
from sessions_app import clinic_time
from sessions_app.context import acting_as
from tests.cast import BY, build
from tests.conftest import Worker

from .stories import days, ordinary, tell
from .test_processes import forget, start_a_night, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.processes]
ROUNDS = 6
BY_THE_CLOCK = {"id", "computed_at", "newest_input_at", "recorded_at"}


@pytest.fixture(scope="module")
def some_hundred(committed_database: Any) -> Iterator[None]:
    """A clinic of some hundred clients, in a database that other processes see."""
    with acting_as(BY):
        clinic = build()
        ordinary(120, seed=90)  # under 200 in all: so a model is fitted with each few more
        for n in range(5):
            tell(clinic, [18, 20, 25 + n], days(3, last=40))
    yield
    with acting_as(BY):
        forget()


def _derived() -> dict[str, list[dict[str, Any]]]:
    """All derived rows but for their numbers and the clock's."""
    found = {}
    with acting_as(BY):
        for model in (EpisodeSummary, Trajectory, SessionMonth):
            rows = [
                {name: value for name, value in row.items() if name not in BY_THE_CLOCK}
                for row in model.objects.values()
            ]
            found[model.__name__] = sorted(rows, key=repr)
        live = Flag.objects.live().values("episode", "rule", "series", "evidence", "model")
        found["Flag"] = sorted(live, key=repr)
    return found


def _running() -> bool:
    return NightlyRun.objects.filter(state="running").exists()


def _done() -> bool:
    return NightlyRun.objects.filter(state="done").exists()


def _strike(what: str, url: str, start_worker: Callable[[], Worker], after: float) -> None:
    """Begin a night, and `after` seconds of it kill what carries it."""
    if what == "worker":
        worker = start_worker()
        tasks.run_night.apply_async(args=[clinic_time.today().isoformat()], retry=False)
        wait_for(lambda: _running() or _done(), worker.log.read_text)
        time.sleep(after)
        worker.kill()
        return
    process = start_a_night(url)
    wait_for(lambda: _running() or _done())
    time.sleep(after)
    if what == "command":
        process.kill()
    else:
        # What the night sees of a database that goes away: every connection is cut at once.
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE "
                "a.datname = current_database() AND a.pid <> pg_backend_pid() "
                "AND a.usename = current_user AND NOT a.pid = ANY(%s)",
                [[_own_backend()]],
            )
    process.communicate(timeout=60)


def _own_backend() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("what", ["command", "worker", "database"])
def test_what_is_struck_in_the_middle_is_finished_by_the_next_try(
    what: str,
    some_hundred: None,
    committed_database: Any,
    start_worker: Callable[[], Worker],
):
    chance = random.Random(what)
    struck = 0
    for number in range(ROUNDS):
        with acting_as(BY):
            forget()
            ordinary(3, seed=1000 * len(what) + number)  # so that the night fits again
            models = ExpectedChangeModel.objects.filter(reference_year=None).count()
        _strike(what, committed_database.url, start_worker, chance.uniform(0.0, 0.5))
        struck += not _done()
        run_night(clinic_time.today())
        run = NightlyRun.objects.filter(state="done").latest("pk")
        assert not _running()
        assert all(step.state == "done" for step in run.steps.all())
        after = _derived()
        with acting_as(BY):
            fitted = ExpectedChangeModel.objects.filter(reference_year=None).count()
            assert fitted == models + 1
            live = Flag.objects.live()
            raised = FlagEvent.objects.filter(flag__in=live, why="raised")
            assert raised.count() == live.count() > 0
            forget()
        run_night(clinic_time.today())
        assert _derived() == after
    assert struck > 1, struck  # else nothing was shown
