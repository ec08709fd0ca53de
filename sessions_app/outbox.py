"""Side effects promised in the transaction that caused them.

Publishing after commit, and after the answer to who wrote it, is best effort; what the broker
didn't take is swept each minute, so a broker that is away never turns a saved score into an error,
nor one that is slow into a slow page. Handlers must be safe to run twice.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache, partial
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from sessions_app import audit, clinic_time, policies
from sessions_app.context import acting_as, once_answered, promised_in_unit, system

log = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any], Any], None]
HANDLERS: dict[str, Handler] = {}
APART: set[str] = set()  # kinds with a sweep of their own
LONGEST_WAIT = timedelta(hours=1)
FORGOTTEN_AT_ONCE = 5000  # rows, a transaction: who sends meanwhile waits for none of them
CLOCKS_DIFFER = timedelta(minutes=2)  # between machines that write and that deliver


def handles(kind: str, *, apart: bool = False) -> Callable[[Handler], Handler]:
    """Register the function that carries out a kind of side effect: `f(payload, message_id)`.

    `apart`: the general sweep leaves it alone, as what waits for others may take long.
    """

    def register(function: Handler) -> Handler:
        HANDLERS[kind] = function
        if apart:
            APART.add(kind)
        return function

    return register


@cache
def _rows() -> Any:
    from sessions_app.models import Outbox
    from sessions_app.prepared import PreparedInsert

    return PreparedInsert(Outbox)


def promise(
    kind: str, payload: dict[str, Any], *, due_at: datetime | None = None, joined: bool = False
) -> None:
    """Write the side effect into the current transaction and try to publish it after commit.

    `joined`: promised more than once in a unit of work it is one message, as it is carried out
    after all of them are kept (two measures and a session are one change of an episode).
    """
    name = f"{kind} {json.dumps(payload, sort_keys=True)}"
    promised = promised_in_unit() if joined else {}
    if _stands(promised.get(name)):
        return
    row = _rows().create(kind=kind, payload=payload, due_at=due_at or clinic_time.now())
    if due_at is None:
        publishing = partial(_publish, row.pk)
        transaction.on_commit(publishing, robust=True)
        promised[name] = publishing


def _stands(publishing: Any) -> bool:
    """Whether what was promised still is: it goes with the savepoint in which it was made."""
    return publishing is not None and any(
        waiting is publishing for _savepoints, waiting, _robust in connection.run_on_commit
    )


def _publish(pk: int) -> None:
    """Committed: the broker is told when whoever wrote it has their answer."""
    once_answered(partial(_send, pk))


def _send(pk: int) -> None:
    from sessions_app.tasks import deliver

    try:
        deliver.apply_async(args=[pk], retry=False)
    except Exception as problem:  # the sweep delivers what the broker didn't take
        log.warning("outbox %s waits for the sweep: %s", pk, type(problem).__name__)


def _due() -> Q:
    """What is due; what was written in the time to come too, as the clock was put back since."""
    now = clinic_time.now()
    return Q(sent_at=None) & (Q(due_at__lte=now) | Q(created_at__gt=now + CLOCKS_DIFFER))


def deliver(pk: int) -> bool:
    """Carry out one row if it is still due; False when someone else has it or it is done."""
    from sessions_app.models import Outbox

    with acting_as(system("outbox")):
        promised_in_unit().clear()  # what is carried out says nothing of what comes after it
        row = Outbox.objects.select_for_update(skip_locked=True).filter(_due(), pk=pk).first()
        if row is None:
            return False
        try:
            with transaction.atomic():
                HANDLERS[row.kind](row.payload, row.message_id)
        except Exception as problem:
            row.attempts += 1
            row.last_problem = f"{type(problem).__name__}: {problem}"[:500]
            row.due_at = clinic_time.now() + min(
                LONGEST_WAIT, timedelta(seconds=30 * 2 ** min(row.attempts, 7))
            )
            row.save(update_fields=["attempts", "last_problem", "due_at"])
            log.warning("outbox %s (%s) will be tried again", row.pk, row.kind)
            return False
        row.sent_at = clinic_time.now()
        row.attempts += 1
        row.save(update_fields=["sent_at", "attempts"])
        return True


def sweep(limit: int = 500) -> int:
    """Deliver everything due that was never published or not carried out; returns how many."""
    from sessions_app.models import Outbox

    with acting_as(system("outbox")):
        due = list(
            Outbox.objects.filter(_due())
            .exclude(kind__in=APART)
            .order_by("due_at")
            .values_list("pk", flat=True)[:limit]
        )
    return sum(deliver(pk) for pk in due)


def forget_sent(today: date) -> int:
    """Delete rows sent longer ago than the clinic keeps them, and none that waits; how many.

    Some at a time: cut short it goes on where it was, and a second call finds nothing to do.
    """
    from sessions_app.models import Outbox

    by, count = system("outbox"), 0
    while True:
        with acting_as(by):
            days = policies.get("sent_kept_days", today)
            kept_from = clinic_time.at(today - timedelta(days=days), 0)
            old = Outbox.objects.filter(sent_at__lt=kept_from).order_by("pk")
            gone, _of = Outbox.objects.filter(
                pk__in=list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
            ).delete()
            if gone:
                audit.record("sent messages forgotten", by=by, rows=gone)
        count += gone
        if gone < FORGOTTEN_AT_ONCE:
            return count
