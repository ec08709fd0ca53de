"""Steps of a night: claimed by a conditional update, kept by a heartbeat, taken over when a
worker died. Nothing relies on a broker delivering a message twice.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q

from measures_app.models import NightlyRun, Step
from sessions_app import clinic_time
from sessions_app.context import acting_as, system

LEASE = timedelta(seconds=60)
HEARTBEAT_SECONDS = 15.0
POLL_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 3600.0

Work = Callable[[NightlyRun], dict[str, Any]]


class NightStuck(RuntimeError):
    """Another worker has held a step for an hour: look at its log."""


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def begin(as_of: date, names: list[str]) -> NightlyRun:
    """The running night of a date, begun now or found: two at once work on the same one."""
    last = (
        NightlyRun.objects.filter(state=NightlyRun.State.DONE, live=True)
        .order_by("-as_of")
        .values_list("as_of", flat=True)
        .first()
    )
    live = last is None or as_of >= last
    try:
        with transaction.atomic():
            run = NightlyRun.objects.create(as_of=as_of, live=live)
            Step.objects.bulk_create(
                Step(run=run, name=name, position=position) for position, name in enumerate(names)
            )
    except IntegrityError:
        run = NightlyRun.objects.get(as_of=as_of, live=live, state=NightlyRun.State.RUNNING)
    return run


def _dead_here(claimed_by: str) -> bool:
    """Whether the claimer was a process of this machine that is gone."""
    host, _, pid = claimed_by.rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def claim(step: Step, me: str) -> bool:
    """Take a step that waits, whose lease ran out, or whose worker is known to be dead."""
    now = clinic_time.now()
    free = Q(state=Step.State.WAITING) | Q(state=Step.State.CLAIMED, lease_until__lt=now)
    if step.state == Step.State.CLAIMED and _dead_here(step.claimed_by):
        free |= Q(state=Step.State.CLAIMED, claimed_by=step.claimed_by)
    taken = Step.objects.filter(free, pk=step.pk).update(
        state=Step.State.CLAIMED,
        claimed_by=me,
        lease_until=now + LEASE,
        heartbeat_at=now,
        attempts=F("attempts") + 1,
    )
    return taken == 1


class _Heartbeat:
    """Keeps a lease while the work runs, on a connection of its own."""

    def __init__(self, step: Step, me: str) -> None:
        self.step, self.me = step, me
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> _Heartbeat:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def _beat(self) -> None:
        try:
            while not self.stop.wait(HEARTBEAT_SECONDS):
                now = clinic_time.now()
                Step.objects.filter(pk=self.step.pk, claimed_by=self.me).update(
                    heartbeat_at=now, lease_until=now + LEASE
                )
        finally:
            connection.close()


def carry_out(run: NightlyRun, step: Step, work: Work, me: str) -> None:
    """Do a claimed step; its result and its effects are committed together, once."""
    began = time.perf_counter()
    with _Heartbeat(step, me), acting_as(system("night")):
        result = work(run)
        done = Step.objects.filter(pk=step.pk, claimed_by=me, state=Step.State.CLAIMED).update(
            state=Step.State.DONE,
            result=result,
            seconds=round(time.perf_counter() - began, 3),
            lease_until=None,
        )
        if not done:
            # The lease ran out and someone else has the step: their work stands, ours goes.
            transaction.set_rollback(True)


def run_steps(run: NightlyRun, works: dict[str, Work]) -> NightlyRun:
    """Carry out a run's steps in order, sharing them with whoever else works on it."""
    me = f"{worker_name()}"
    waited = 0.0
    while True:
        step = run.steps.exclude(state=Step.State.DONE).order_by("position").first()
        if step is None:
            return finish(run)
        if claim(step, me):
            try:
                carry_out(run, step, works[step.name], me)
            except Exception as problem:
                Step.objects.filter(pk=step.pk, claimed_by=me).update(
                    state=Step.State.WAITING, problem=f"{type(problem).__name__}: {problem}"[:2000]
                )
                raise
            waited = 0.0
            continue
        if waited > LONGEST_WAIT_SECONDS:
            raise NightStuck(f"{step} is held by {step.claimed_by}.")
        time.sleep(POLL_SECONDS)
        waited += POLL_SECONDS


def finish(run: NightlyRun) -> NightlyRun:
    """Gather the steps' results into the run; the second to arrive finds it done."""
    result: dict[str, Any] = {"as_of": run.as_of.isoformat(), "live": run.live}
    seconds: dict[str, float] = {}
    for step in run.steps.order_by("position"):
        result |= step.result
        seconds[step.name] = step.seconds or 0.0
    result["seconds"] = seconds
    NightlyRun.objects.filter(pk=run.pk, state=NightlyRun.State.RUNNING).update(
        state=NightlyRun.State.DONE, finished_at=clinic_time.now(), result=result
    )
    run.refresh_from_db()
    return run
