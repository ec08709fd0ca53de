"""Steps of a night: claimed by a conditional update, kept by a heartbeat, taken over when a
worker died. Nothing relies on a broker delivering a message twice.

Steps of one position may run side by side, in as many processes as there are; the next position
begins when all of them are done.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q

from measures_app.models import Administration, NightlyRun, Step
from sessions_app import clinic_time
from sessions_app.context import acting_as, system
from sessions_app.models import Session

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
HEARTBEAT_SECONDS = 15.0
POLL_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 3600.0
MOST_ATTEMPTS = 5
# Episodes whose derived rows are written together: a block's lock is held for some seconds.
BLOCK = 4000

Work = Callable[[NightlyRun, str], dict[str, Any]]
Gather = Callable[[NightlyRun, list[Step]], dict[str, Any]]


class NightStuck(RuntimeError):
    """Another worker has held a step for an hour: look at its log."""


@dataclass(frozen=True)
class Part:
    """A step to be: what is done, to which block, and after which others."""

    name: str
    block: str = ""
    position: int = 0


def block_of(episode_id: int) -> range:
    """The episodes that are brought up to date together with this one."""
    start = episode_id // BLOCK * BLOCK
    return range(start, start + BLOCK)


def lock_block(block: range) -> None:
    """Wait for whoever writes this block's derived rows, and keep others out until the commit.

    Whoever holds it reads after taking it: so an entry's recomputation and the night, in
    whichever order they come, never leave older rows in the place of newer ones.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('derived rows'), %s)", [block.start // BLOCK]
        )


def worker_name() -> str:
    """Who claims: machine, process, and a word that another of this process doesn't have."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"


def newest_night(*, done: bool = False) -> date | None:
    """The latest date whose night was completed, or (unless `done`) is under way."""
    states = [NightlyRun.State.DONE] if done else [NightlyRun.State.DONE, NightlyRun.State.RUNNING]
    found: date | None = (
        NightlyRun.objects.filter(live=True, state__in=states)
        .order_by("-as_of")
        .values_list("as_of", flat=True)
        .first()
    )
    return found


def _stop(runs: Any, why: str) -> None:
    runs.update(
        state=NightlyRun.State.STOPPED, finished_at=clinic_time.now(), result={"stopped": why}
    )


def _has_news(run: NightlyRun) -> bool:
    """Whether anything was entered since a run began: its finished parts haven't seen it."""
    since = run.started_at
    scores = Q(recorded_at__gt=since) | Q(superseded_at__gt=since) | Q(voided_at__gt=since)
    return (
        Session.objects.filter(recorded_at__gt=since).exists()
        or Administration.objects.filter(scores).exists()
    )


def begin(as_of: date, parts: Sequence[Part]) -> NightlyRun | None:
    """The running night of a date, begun now or found: two at once work on the same one.

    None where a later night was completed or is under way: a night never goes back.
    """
    with acting_as(system("night")), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('a night begins'))")
        newest = newest_night()
        if newest is not None and as_of < newest:
            return None
        running = NightlyRun.objects.filter(live=True, state=NightlyRun.State.RUNNING)
        _stop(running.filter(as_of__lt=as_of), "a later night took over")
        there = running.filter(as_of=as_of).first()
        if there is not None:
            if not _has_news(there):
                return there
            _stop(running, "there was news: begun again")
        run = NightlyRun.objects.create(as_of=as_of, live=True)
        Step.objects.bulk_create(
            Step(run=run, name=part.name, block=part.block, position=part.position)
            for part in parts
        )
        return run


def _dead_here(claimed_by: str) -> bool:
    """Whether the claimer was a process of this machine that is gone."""
    host, _, rest = claimed_by.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname()[:40] or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _commit_without_waiting() -> None:
    """Let the disk write this transaction when it comes to it.

    A claim, or a step with its effects: what a power cut takes back is claimed and done again.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")


def claim(step: Step, me: str) -> bool:
    """Take a step that waits, whose lease ran out, or whose worker is known to be dead."""
    now = clinic_time.now()
    free = Q(state=Step.State.WAITING) | Q(state=Step.State.CLAIMED, lease_until__lt=now)
    # Longer than any lease: the clock was put back. Whoever lives says so at the next heartbeat.
    free |= Q(state=Step.State.CLAIMED, lease_until__gt=now + 2 * LEASE)
    if step.state == Step.State.CLAIMED and _dead_here(step.claimed_by):
        free |= Q(state=Step.State.CLAIMED, claimed_by=step.claimed_by)
    with transaction.atomic():
        _commit_without_waiting()  # it would wait for what the step before has written
        taken = Step.objects.filter(free, pk=step.pk, run__state=NightlyRun.State.RUNNING).update(
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
                Step.objects.filter(
                    pk=self.step.pk, claimed_by=self.me, state=Step.State.CLAIMED
                ).update(heartbeat_at=now, lease_until=now + LEASE)
        finally:
            connection.close()


def carry_out(run: NightlyRun, step: Step, work: Work, me: str) -> None:
    """Do a claimed step; its result and its effects are committed together, once."""
    began = time.perf_counter()
    with _Heartbeat(step, me), acting_as(system("night")):
        _commit_without_waiting()
        result = work(run, step.block)
        # Whoever stops this night waits for our commit, or we see that it was stopped.
        going = NightlyRun.objects.select_for_update(no_key=True).filter(
            pk=run.pk, state=NightlyRun.State.RUNNING
        )
        done = going.exists() and Step.objects.filter(
            pk=step.pk, claimed_by=me, state=Step.State.CLAIMED
        ).update(
            state=Step.State.DONE,
            result=result,
            seconds=round(time.perf_counter() - began, 3),
            lease_until=None,
        )
        if not done:
            # The lease ran out and someone else has the step, or a later night took over:
            # their work stands, ours goes.
            transaction.set_rollback(True)


def _try(run: NightlyRun, step: Step, work: Work, me: str) -> None:
    try:
        carry_out(run, step, work, me)
    except Exception as problem:
        told = f"{type(problem).__name__}: {problem}"[:2000]
        Step.objects.filter(pk=step.pk, claimed_by=me).update(
            state=Step.State.WAITING, problem=told
        )
        if step.attempts + 1 >= MOST_ATTEMPTS:
            log.error("night of %s: %s gave up after %s", run.as_of, step.name, MOST_ATTEMPTS)
            _stop(
                NightlyRun.objects.filter(pk=run.pk, state=NightlyRun.State.RUNNING),
                f"{f'{step.name} {step.block}'.strip()}: {told}",
            )
        raise


def _next(run: NightlyRun) -> list[Step]:
    """The steps not done of the position that is due; empty when there are none left."""
    left = run.steps.exclude(state=Step.State.DONE).order_by("position", "pk")
    steps = list(left.defer("result"))
    return [step for step in steps if step.position == steps[0].position]


def run_steps(
    run: NightlyRun,
    works: Mapping[str, Work],
    gather: Gather,
    *,
    wait: bool = True,
    call: Callable[[NightlyRun, int], None] | None = None,
) -> NightlyRun:
    """Carry out a run's steps, sharing them with whoever else works on it.

    With `wait` it returns when the night is over; else as soon as others hold all that is due.
    `call` is told of the run, and how many steps are due, when a position begins: helpers who
    left when nothing was to take are called in again.
    """
    me = worker_name()
    waited, position = 0.0, -1
    while True:
        run.refresh_from_db()
        if run.state != NightlyRun.State.RUNNING:
            return run
        due = _next(run)
        if not due:
            return finish(run, gather)
        if call is not None and due[0].position > position:
            position = due[0].position
            call(run, len(due))
        mine = next((step for step in due if claim(step, me)), None)
        if mine is not None:
            _try(run, mine, works[mine.name], me)
            waited = 0.0
            continue
        if not wait:
            return run
        if waited > LONGEST_WAIT_SECONDS:
            raise NightStuck(f"{due[0]} is held by {due[0].claimed_by}.")
        time.sleep(POLL_SECONDS)
        waited += POLL_SECONDS


def finish(run: NightlyRun, gather: Gather) -> NightlyRun:
    """Gather the steps' results into the run; the second to arrive finds it done."""
    with acting_as(system("night")):
        result = gather(run, list(run.steps.order_by("position", "pk")))
        NightlyRun.objects.filter(pk=run.pk, state=NightlyRun.State.RUNNING).update(
            state=NightlyRun.State.DONE, finished_at=clinic_time.now(), result=result
        )
    run.refresh_from_db()
    return run
