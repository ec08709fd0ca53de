"""A worker dies between sending a mail and saying so: the repeat has the same Message-ID."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from measures_app import flagging, measures
from measures_app.models import Flag
from reports_app import digest
from sessions_app import clinic_time, tasks
from sessions_app.context import acting_as
from sessions_app.models import Outbox
from tests.cast import BY, build
from tests.smtp_sink import smtp_sink

pytestmark = pytest.mark.processes


def _unsent() -> int:
    with acting_as(BY):
        return Outbox.objects.filter(kind=digest.KIND, sent_at=None).count()


def test_a_killed_worker_repeats_the_mail_under_its_message_id(
    committed_database: Any, start_worker: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with acting_as(BY):
        measures.sync_library()
        clinic = build()
        Flag.objects.create(
            client=clinic.ana, episode=clinic.episodes["ana"], rule="no_progress", kind="review",
            rule_set=flagging.current_rule_set(clinic_time.today()), evidence={},
            raised_on=clinic_time.today(),
        )  # fmt: skip
    with smtp_sink() as sink:
        for name, value in (
            ("EMAIL_HOST", "127.0.0.1"), ("EMAIL_PORT", str(sink.port)), ("EMAIL_TLS", "false"),
        ):  # fmt: skip
            monkeypatch.setenv(name, value)
        assert digest.promise(clinic_time.today()) == 5
        sink.answers.clear()
        first = start_worker()
        tasks.sweep_outbox.apply_async(retry=False)
        assert sink.arrived.wait(60), first.log.read_text()
        first.kill()  # the server has the mail; nobody here knows
        assert _unsent() >= 1
        sink.answers.set()
        second = start_worker()
        tasks.sweep_outbox.apply_async(retry=False)
        end = time.monotonic() + 120
        while _unsent():
            assert time.monotonic() < end, second.log.read_text()
            time.sleep(0.1)
    sent = Counter((str(m["To"]), str(m["Message-ID"])) for m in sink.taken)
    assert sorted(sent.values()) == [1, 2]  # Alice and Sofia; one of them twice
    assert len({who for who, _id in sent}) == 2
