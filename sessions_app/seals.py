"""The hash chain over committed audit rows: a change of the past becomes visible.

Sealing trails behind: a row's id is drawn before its transaction commits, so only ids below
the oldest transaction still under way are safe to seal; `SETTLED` is the plain bound used.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from sessions_app import clinic_time
from sessions_app.context import acting_as, system
from sessions_app.models import AuditEvent, AuditSeal

SETTLED = timedelta(minutes=1)
LOCK = 7_263_519
BLOCK = 10_000


@dataclass(frozen=True)
class Verification:
    """What the chain says: how many rows are sealed, how many wait, and the first wrong seal."""

    sealed: int
    unsealed: int
    broken_at: int | None

    @property
    def intact(self) -> bool:
        return self.broken_at is None


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


def seal() -> int:
    """Seal the settled rows after the last seal; returns how many. One sealer at a time."""
    sealed = 0
    with acting_as(system("sealer")):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            if not cursor.fetchone()[0]:
                return 0
        while True:
            last = AuditSeal.objects.order_by("-last_id").first()
            rows = list(
                AuditEvent.objects.filter(
                    pk__gt=last.last_id if last else 0, at__lt=clinic_time.now() - SETTLED
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
    """Walk the chain from the start and recompute every seal."""
    with acting_as(system("sealer")):
        previous, covered, counted = "", 0, 0
        for link in AuditSeal.objects.order_by("last_id"):
            rows = list(
                AuditEvent.objects.filter(pk__gt=covered, pk__lte=link.last_id).order_by("pk")
            )
            whole = len(rows) == link.rows and link.previous == previous
            if not whole or _digest(previous, rows) != link.hash:
                return Verification(counted, 0, link.last_id)
            previous, covered, counted = link.hash, link.last_id, counted + link.rows
        return Verification(counted, AuditEvent.objects.filter(pk__gt=covered).count(), None)
