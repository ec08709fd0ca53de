"""Who tells other systems is killed between sending and the answer: nothing lost, told again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from measures_app import actions as measure_actions
from measures_app import measures
from outcomes_site.local.checks import ROOT
from sessions_app import actions, webhooks
from sessions_app.context import acting_as
from sessions_app.models import Outbox, Webhook
from tests.api.https_sink import Sink, certificate, listening
from tests.api.test_webhooks import subscribe
from tests.cast import BY, Clinic, build
from tests.conftest import CommittedDatabase

pytestmark = [pytest.mark.faults, pytest.mark.processes, pytest.mark.timeout(300)]

SCORES = 30
SWEEP = """
import django
django.setup()
from sessions_app.tasks import sweep_webhooks
sweep_webhooks()
"""


@pytest.fixture(scope="module")
def kept(committed_database: CommittedDatabase) -> Clinic:
    with acting_as(BY):
        measures.sync_library()
        return build()


@pytest.fixture
def sink(tmp_path: Path, settings: Any) -> Iterator[Sink]:
    pem = certificate(tmp_path)
    settings.WEBHOOK_INTERNAL_HOSTS, settings.WEBHOOK_CA_FILE = ["localhost"], str(pem)
    with listening(pem) as found:
        yield found


class Senders:
    """Processes that sweep as a worker's task does."""

    def __init__(self, url: str, pem: str) -> None:
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "outcomes_site.settings",
            "DATABASE_URL": url,
            "WEBHOOK_INTERNAL_HOSTS": "localhost",
            "WEBHOOK_CA_FILE": pem,
        }

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", SWEEP],
            env=self.environment, cwd=ROOT, stdout=subprocess.DEVNULL,
        )  # fmt: skip


def _waiting(webhook: Webhook) -> int:
    with acting_as(BY):
        return int(webhooks.waiting_of(webhook).count())


def _scores(clinic: Clinic, count: int) -> None:
    with acting_as(BY):
        for number in range(count):
            measure_actions.record_administration(
                episode=clinic.episodes["ana"],
                measure=measures.get_measure("outcome-adult"),
                total=number % 40,
                provenance="paper",
                by=BY,
            )


@pytest.mark.parametrize("seed", [1, 2])
def test_each_event_arrives_in_order_and_a_repeat_carries_its_number(
    kept: Clinic,
    sink: Sink,
    seed: int,
    committed_database: CommittedDatabase,
    settings: Any,
    capsys: Any,
) -> None:
    chance = random.Random(seed)
    webhook, _secret = subscribe(kept, sink.url)
    _scores(kept, SCORES)
    senders = Senders(committed_database.url, settings.WEBHOOK_CA_FILE)
    killed = between = 0
    while _waiting(webhook):
        last = killed >= 8 and between >= 3
        unanswered = not last and chance.random() < 0.5
        sink.arrived.clear()
        if unanswered:
            sink.may_answer.clear()
        at_it = [senders.start() for _one in range(1 if chance.random() < 0.5 else 2)]
        if not last:
            assert sink.arrived.wait(60)
            time.sleep(0 if unanswered else chance.uniform(0, 0.1))
            for sender in at_it:
                if sender.poll() is None:
                    os.kill(sender.pid, signal.SIGKILL)
                    killed += 1
                    between += unanswered
        sink.may_answer.set()
        for sender in at_it:
            assert sender.wait(60) in (0, -signal.SIGKILL)

    with acting_as(kept.alice):
        actions.end_webhook(webhook=webhook, by=kept.alice)
    with acting_as(BY):
        rows = Outbox.objects.filter(kind=webhooks.KIND, payload__webhook=webhook.pk).order_by("pk")
        promised = [str(row.message_id) for row in rows]
        subjects = {str(row.message_id): row.payload["subject"] for row in rows}
        assert not rows.exclude(last_problem="").exists()
    told = [(headers, json.loads(body)) for headers, body in sink.taken]
    numbers = [said["id"] for _headers, said in told]
    with capsys.disabled():
        print(
            f"\n{SCORES} events, {killed} senders killed, {between} of them unanswered; "
            f"{len(told)} arrived, {len(told) - SCORES} of them again"
        )
    assert len(promised) == SCORES
    assert list(dict.fromkeys(numbers)) == promised  # none lost, each first in its order
    places = [promised.index(number) for number in numbers]
    assert places == sorted(places)  # and a repeat before the next
    assert all(headers["Outcomes-Event-Id"] == said["id"] for headers, said in told)
    assert all(said["administration"] == subjects[said["id"]] for _headers, said in told)
    assert len(set(subjects.values())) == SCORES
    # Else nothing was shown.
    assert between >= 3
    assert len(told) > SCORES
