"""A broker that is away: the score is kept, nobody sees an error, and the sweep does the rest."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client as Browser
from django.test.client import ClientHandler
from kombu import pools

from measures_app import measures
from measures_app.models import Administration, Trajectory
from outcomes_site.celery import app
from sessions_app import tasks
from sessions_app.context import acting_as
from sessions_app.models import Outbox
from tests.cast import BY, Clinic, build
from tests.conftest import CommittedDatabase

pytestmark = pytest.mark.processes
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="module")
def kept(committed_database: CommittedDatabase) -> Clinic:
    with acting_as(BY):
        measures.sync_library()
        return build()


def _forget_connections() -> None:
    pools.reset()
    app._pool = None
    app.amqp._producer_pool = None


@pytest.fixture
def broker_is_away() -> Iterator[Callable[[], None]]:
    """This process publishes to a port where nobody listens, until what it is given is called."""

    def come_back() -> None:
        os.environ.pop("CELERY_BROKER_WRITE_URL", None)
        _forget_connections()

    os.environ["CELERY_BROKER_WRITE_URL"] = NOWHERE
    _forget_connections()
    yield come_back
    come_back()


def _enter(clinic: Clinic, total: str, *, at: int = 0, browser: Any = None) -> Any:
    browser = browser or Browser()
    browser.force_login(clinic.alice)
    return browser.post(
        "/api/v1/administrations/",
        data=json.dumps(
            {
                "episode": clinic.episodes["ana"].pk,
                "session": clinic.sessions["ana"][at].pk,
                "measure": "outcome-adult",
                "total": total,
            }
        ),
        content_type="application/json",
        headers={"Idempotency-Key": str(uuid.uuid4())},
    )


def test_a_score_saved_while_the_broker_is_away_is_followed_up_by_the_next_sweep(
    kept: Clinic, broker_is_away: Callable[[], None], start_worker: Callable[[], Any]
) -> None:
    answer = _enter(kept, "18")
    assert answer.status_code == 201, answer.content
    with acting_as(BY):
        promised = Outbox.objects.get(payload={"episode": kept.episodes["ana"].pk})
        assert (promised.sent_at, promised.attempts) == (None, 0)
        assert Administration.objects.filter(pk=answer.json()["id"]).exists()
        assert not Trajectory.objects.exists()

    come_back = broker_is_away
    come_back()
    worker = start_worker()
    tasks.sweep_outbox.apply_async(retry=False)
    end = time.monotonic() + 120
    while promised.sent_at is None:
        assert time.monotonic() < end, worker.log.read_text()
        time.sleep(0.1)
        with acting_as(BY):
            promised.refresh_from_db()
    with acting_as(BY):
        assert Trajectory.objects.filter(episode=kept.episodes["ana"]).exists()


class _Unsent(ClientHandler):
    """A server that has the answer ready and hasn't written it yet."""

    def __call__(self, environ: dict[str, Any]) -> Any:
        self.load_middleware()
        request = WSGIRequest(environ)
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        answer = self.get_response(request)
        answer.wsgi_request = request  # type: ignore[attr-defined]  # which the client looks for
        return answer


def test_the_broker_is_told_once_and_not_before_the_answer_is_on_its_way(
    kept: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that is slow keeps nobody waiting who has just entered a score."""
    told: list[Any] = []
    monkeypatch.setattr(tasks.deliver, "apply_async", lambda args, **_how: told.append(args))
    browser = Browser()
    browser.handler = _Unsent()
    answer = _enter(kept, "17", at=1, browser=browser)
    assert answer.status_code == 201, answer.content
    assert told == []
    answer.close()
    assert len(told) == 1
    answer.close()
    assert len(told) == 1


def test_a_write_that_is_taken_back_promises_nothing(kept: Clinic) -> None:
    """The side effect stands in the same transaction as its cause."""
    with acting_as(BY):
        before = Outbox.objects.count()
    assert _enter(kept, "41").status_code == 400
    with acting_as(BY):
        assert Outbox.objects.count() == before


def test_the_timetable_sweeps_and_seals_each_minute() -> None:
    ticks = {entry["task"]: entry["schedule"] for entry in app.conf.beat_schedule.values()}
    assert ticks["outbox.sweep"] == ticks["audit.seal"] == 60.0
    assert {"sign_ins.forget", "outbox.forget"} <= set(ticks)
