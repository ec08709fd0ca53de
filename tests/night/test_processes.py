"""The night in other processes: two at once, a killed one, a real worker. Nothing is doubled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections

from measures_app.models import Flag, FlagEvent, NightlyRun, Step, Trajectory
from reports_app import nightly, tasks
from reports_app.models import EpisodeSummary
from sessions_app import clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Episode
from tests.cast import BY, build
from tests.conftest import ROOT, Worker

from .stories import days, ordinary, tell

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def clinic_of_others(committed_database: Any) -> None:
    """A clinic that other processes see, too."""
    with acting_as(BY):
        clinic = build()
        ordinary(20)
        tell(clinic, [18, 14, 11])
        tell(clinic, [18, 20, 25], days(3, last=40))


@pytest.fixture
def as_before(clinic_of_others: None) -> Iterator[None]:
    """No night has been yet."""
    with acting_as(BY):
        forget()
    yield
    with acting_as(BY):
        forget()


def forget() -> None:
    NightlyRun.objects.all().delete()
    for model in (EpisodeSummary, Trajectory):
        model.objects.all().delete()
    now = clinic_time.now()
    Flag.objects.live().update(
        state="lapsed", closed_on=clinic_time.today() + timedelta(days=1), closed_at=now
    )


def start_a_night(url: str) -> subprocess.Popen[str]:
    environment = os.environ | {"DATABASE_URL": url, "BROKER_PREFIX": settings.BROKER_PREFIX}
    return subprocess.Popen(
        [sys.executable, "manage.py", "run_nightly", "--json"],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def night_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    found: dict[str, Any] = json.loads(out)
    return found


@contextmanager
def episodes_are_held_up() -> Iterator[None]:
    """Somebody writes to the episodes' rows: the night waits for them in the middle."""
    with acting_as(BY):
        blocks = {nightly.steps.block_of(pk).start for pk in Episode.objects.values_list("pk")[0]}
    with acting_as(BY):
        for start in blocks:
            nightly.steps.lock_block(nightly.steps.block_of(start))
        yield


def wait_for(what: Callable[[], bool], why: Callable[[], str] = str) -> None:
    end = time.monotonic() + 120
    while not what():
        assert time.monotonic() < end, why()
        time.sleep(0.05)


def claimed() -> bool:
    """Asked on a connection of its own: this one may be in the middle of something."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM measures_app_step WHERE name = 'episodes' AND state = 'claimed'"
        )
        return bool(cursor.fetchone()[0])


def nothing_is_doubled() -> None:
    with acting_as(BY):
        live = Flag.objects.live().values_list("episode", "rule", "series")
        assert sorted(live) == sorted(set(live))
        assert {"deteriorated", "overdue"} <= {rule for _episode, rule, _series in live}
        assert EpisodeSummary.objects.count() == Episode.objects.count()
        places = Trajectory.objects.values_list("episode", "measure", "respondent")
        assert len(places) == len(set(places)) == 22
        raised = FlagEvent.objects.filter(flag__state__in=Flag.LIVE, why="raised")
        assert raised.count() == len(live)


def test_two_nights_at_once_share_one(as_before: None, committed_database: Any):
    first, second = (night_of(p) for p in [start_a_night(committed_database.url) for _ in "ab"])
    nothing_is_doubled()
    # They worked on one night, or the second came when the first was over and found nothing.
    assert first == second or sorted(
        [first["flags"]["raised"] == {}, second["flags"]["raised"] == {}]
    ) == [False, True]
    assert NightlyRun.objects.filter(state="running").count() == 0


def test_a_killed_night_is_finished_by_the_next(as_before: None, committed_database: Any):
    with episodes_are_held_up():
        killed = start_a_night(committed_database.url)
        wait_for(claimed)
        killed.kill()
        killed.communicate()
    night = night_of(start_a_night(committed_database.url))
    nothing_is_doubled()
    (run,) = NightlyRun.objects.all()
    assert run.state == "done"
    assert {step.name: step.attempts for step in run.steps.all()} == {
        "counts": 1,
        "sessions": 1,
        "models": 1,
        "stopping": 1,
        "episodes": 2,
        "months": 1,
        "figures": 1,
    }
    assert night["flags"]["raised"]["deteriorated"] == 1


def test_a_worker_killed_in_the_night_is_followed_by_another(
    as_before: None, start_worker: Callable[[], Worker]
):
    worker = start_worker()
    with episodes_are_held_up():
        tasks.run_night.apply_async(args=[clinic_time.today().isoformat()], retry=False)
        wait_for(claimed, worker.log.read_text)
        worker.kill()
    worker = start_worker()
    tasks.sweep_nights.apply_async(retry=False)
    wait_for(lambda: NightlyRun.objects.filter(state="done").exists(), worker.log.read_text)
    nothing_is_doubled()
    step = Step.objects.get(name="episodes")
    assert (step.attempts, step.state) == (2, "done")


def test_a_lease_that_ran_out_loses_its_work(as_before: None, monkeypatch: pytest.MonkeyPatch):
    run = nightly.begin_night(clinic_time.today())
    assert run is not None

    def slow(night: NightlyRun, block: str) -> dict[str, Any]:
        found = nightly._episodes(night, block)
        Step.objects.filter(run=night, name="episodes").update(claimed_by="somebody else")
        return found

    works = {**nightly.WORKS, "episodes": slow}
    nightly.steps.run_steps(run, works, nightly.gather, wait=False)
    with acting_as(BY):
        assert Trajectory.objects.count() == 0
    assert connection.in_atomic_block is False
