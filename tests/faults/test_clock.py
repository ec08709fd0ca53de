"""The machine's clock jumps by hours, forward and back: what is promised is done, nobody stays in.

Instead of the clock what was written down is moved: to what reads it, it is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client as Browser

from measures_app import steps
from measures_app.models import NightlyRun, Step
from reports_app import nightly
from sessions_app import clinic_time, outbox
from sessions_app.context import acting_as
from sessions_app.models import Outbox
from tests.cast import BY, Clinic
from tests.people.test_presence import pause

HOURS = timedelta(hours=5)


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    monkeypatch.setitem(outbox.HANDLERS, "tried", lambda payload, _id: done.append(payload["n"]))
    return done


def _promise(written: timedelta, due: timedelta, name: str) -> None:
    now = clinic_time.now()
    row = Outbox.objects.create(kind="tried", payload={"n": name}, due_at=now + due)
    Outbox.objects.filter(pk=row.pk).update(created_at=now + written)


def test_what_was_promised_before_the_clock_went_back_is_done_now(
    db: None, carried_out: list[str]
) -> None:
    with acting_as(BY):
        _promise(HOURS, HOURS, "before the clock went back")
        _promise(-HOURS, -HOURS, "before it went forward")
        _promise(timedelta(0), HOURS, "for later")
    outbox.sweep()
    assert sorted(carried_out) == ["before it went forward", "before the clock went back"]
    outbox.sweep()
    assert len(carried_out) == 2


@pytest.mark.parametrize(
    ("lease", "is_free"),
    [(-HOURS, True), (HOURS, True), (steps.LEASE / 2, False)],
    ids=["the clock went forward", "the clock went back", "as it should be"],
)
def test_a_step_nobody_works_at_is_taken_however_the_clock_jumped(
    clinic: Clinic, lease: timedelta, is_free: bool
) -> None:
    with acting_as(BY):
        run = nightly.begin_night(clinic_time.today())
        assert run is not None
        step = Step.objects.filter(run=run).earliest("pk")
        Step.objects.filter(pk=step.pk).update(
            state=Step.State.CLAIMED,
            claimed_by="elsewhere:1",
            lease_until=clinic_time.now() + lease,
        )
        step.refresh_from_db()
        assert steps.claim(step, "me:1") is is_free
        assert NightlyRun.objects.get(pk=run.pk).state == NightlyRun.State.RUNNING


@pytest.mark.parametrize("minutes", [300, -300], ids=["forward", "back"])
def test_a_sign_in_rests_whichever_way_the_clock_jumped(
    clinic: Clinic, browser_of: Callable[[str], Browser], minutes: int
) -> None:
    browser = browser_of("alice")
    assert browser.get("/caseload/").status_code == 200
    pause(browser, minutes)
    assert browser.get("/caseload/").status_code == 403
