"""Work sent by one process is done by another."""

from __future__ import annotations

import time
import urllib.request

import pytest

from sessions_app import clinic_time, tasks
from sessions_app.context import acting_as, system
from sessions_app.models import Outbox

pytestmark = pytest.mark.processes


def test_a_real_worker_does_what_this_process_sends(worker):
    with acting_as(system("test")):
        row = Outbox.objects.create(kind="known to nobody", due_at=clinic_time.now())
    tasks.deliver.apply_async(args=[row.pk], retry=False)

    end = time.monotonic() + 120
    while row.attempts == 0:
        assert time.monotonic() < end, worker.log.read_text()
        time.sleep(0.05)
        with acting_as(system("test")):
            row.refresh_from_db()
    assert row.sent_at is None
    assert "known to nobody" in row.last_problem


def test_the_live_site_answers_from_the_modules_own_database(live_site):
    with urllib.request.urlopen(f"{live_site}/healthz") as answer:
        assert answer.status == 200
