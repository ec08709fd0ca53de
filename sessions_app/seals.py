"""The hash chain over committed audit rows: a change of the past becomes visible.

Sealing trails behind: a row's id is drawn before its transaction commits, and a transaction may
take minutes. So the sealer notes how far ids had gone (AuditHorizon) and seals up to there once
every transaction that was under way then is over.

The owner of the tables could rebuild the whole chain: seals_outside.py keeps its hashes elsewhere,
and `verify` holds the chain to them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection

from sessions_app import clinic_time, seals_outside
from sessions_app.context import acting_as, system
from sessions_app.models import AuditEvent, AuditHorizon, AuditSeal

SETTLED = timedelta(minutes=1)
LOCK = 7_263_519
BLOCK = 10_000


@dataclass(frozen=True)
class Verification:
    """What the chain says: how many rows are sealed, how many wait, and the first wrong seal.

    `newest` is the hash that stands for all before it; `kept_outside` how many seals the file
    beside the database has (None: no file), `contradicted_at` the first that the chain has not.
    """

    sealed: int
    unsealed: int
    broken_at: int | None
    newest: str = field(default="", compare=False)
    kept_outside: int | None = None
    contradicted_at: int | None = None

    @property
    def intact(self) -> bool:
        return self.broken_at is None and self.contradicted_at is None


def _digest(previous: str, rows: list[AuditEvent]) -> str:
    chain = hashlib.sha256(previous.encode())
    for row in rows:
        line = [
            row.pk,
            row.at.isoformat(),
            row.actor,
            row.action,
            row.subject_kind,
            row.subject,
            row.detail,
        ]
        chain.update(json.dumps(line, sort_keys=True, ensure_ascii=False).encode())
    return chain.hexdigest()


def _next_transaction() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])


def _under_way(before: int) -> bool:
    """Whether another transaction of this database that began before that one still runs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_snapshot_xip(pg_current_snapshot()) AS x "
            "JOIN pg_stat_activity AS a "
            "ON a.backend_xid::text::bigint = x::text::bigint %% 4294967296 "
            "WHERE a.datname = current_database() AND x::text::bigint < %s)",
            [before],
        )
        return bool(cursor.fetchone()[0])


def _settled_up_to() -> int:
    """The highest id below which no audit row can appear any more."""
    horizon = AuditHorizon.objects.first()
    following = _next_transaction()
    if horizon is not None and horizon.next_transaction <= following:
        if _under_way(horizon.next_transaction):
            return 0
        before = horizon.last_id
    else:  # none yet, or restored into a younger cluster, whose count begins again
        before = 0
    # A row is a minute old when it counts: between its id and its transaction's lies no minute.
    old = AuditEvent.objects.filter(at__lt=clinic_time.now() - SETTLED)
    newest = old.order_by("-pk").values_list("pk", flat=True).first() or 0
    following = _next_transaction()
    AuditHorizon.objects.update_or_create(
        pk=1, defaults={"last_id": max(newest, before), "next_transaction": following}
    )
    return before if _under_way(following) else max(newest, before)


def seal() -> int:
    """Seal the settled rows after the last seal; returns how many. One sealer at a time.

    Seals that are committed are noted outside, those too that an earlier run didn't come to note.
    """
    sealed = _seal()
    seals_outside.write()
    return sealed


def _seal() -> int:
    sealed = 0
    with acting_as(system("sealer")):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            if not cursor.fetchone()[0]:
                return 0
        settled = _settled_up_to()
        while True:
            last = AuditSeal.objects.order_by("-last_id").first()
            rows = list(
                AuditEvent.objects.filter(
                    pk__gt=last.last_id if last else 0, pk__lte=settled
                ).order_by("pk")[:BLOCK]
            )
            if not rows:
                return sealed
            previous = last.hash if last else ""
            AuditSeal.objects.create(
                first_id=rows[0].pk,
                last_id=rows[-1].pk,
                rows=len(rows),
                previous=previous,
                hash=_digest(previous, rows),
            )
            sealed += len(rows)


def verify() -> Verification:
    """Walk the chain from the start, recompute every seal, and compare with those kept outside.

    Raises `seals_outside.Unreadable`.
    """
    outside = seals_outside.kept()  # first: a seal is committed before it is noted there
    with acting_as(system("sealer")):
        previous, covered, counted = "", 0, 0
        chain: dict[int, str] = {}
        for link in AuditSeal.objects.order_by("last_id"):
            rows = list(
                AuditEvent.objects.filter(pk__gt=covered, pk__lte=link.last_id).order_by("pk")
            )
            whole = len(rows) == link.rows and link.previous == previous
            if not whole or _digest(previous, rows) != link.hash:
                return Verification(counted, 0, link.last_id)
            previous, covered, counted = link.hash, link.last_id, counted + link.rows
            chain[link.last_id] = link.hash
        waiting = AuditEvent.objects.filter(pk__gt=covered).count()
    wrong = [last for last, kept in (outside or {}).items() if chain.get(last) != kept]
    return Verification(
        counted,
        waiting,
        None,
        previous,
        None if outside is None else len(outside),
        min(wrong, default=None),
    )
