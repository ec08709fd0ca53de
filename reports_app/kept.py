"""What was counted for a report, kept with the moment at which it was counted.

Two ways to read it. A file or a command wants what holds now: what is kept counts as long as the
database has noted no change in the period's months, else it is counted anew. A page wants to
stand at once: it shows what is kept, however old, and says since when, and the refresh by day
counts it again within ten minutes (docs/adr/months-are-touched.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Exists, Subquery, Sum, Value

from reports_app.extract import CLINIC, Scope
from reports_app.models import KeptFigures, TouchedMonth
from reports_app.periods import Period, named_period
from sessions_app import clinic_time

# Whoever keeps figures shares it; whoever takes the notes of what changed waits for them.
LOCK = 0x46494755
Content = dict[str, Any]


@dataclass(frozen=True)
class Since:
    """When what a page shows was counted, and how many sessions were entered after that."""

    at: datetime
    entered: int  # 0: other things changed, or nobody counted how many

    @property
    def is_of_today(self) -> bool:
        return clinic_time.local_date(self.at) == clinic_time.today()


def wait_for_readers() -> None:
    """Until whoever keeps figures now has kept them; from here on nobody does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _may_keep() -> bool:
    """Whether nobody takes notes of changes now; until the transaction ends, nobody will."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def _notes(period: Period) -> Any:
    """What the database has noted as changed in the months of a period."""
    months = {"month__gte": period.start.replace(day=1), "month__lte": period.end}
    return TouchedMonth.objects.filter(**months)


def _holds(content: Content, held_to: Mapping[str, Any]) -> bool:
    return all(content.get(name) == value for name, value in held_to.items())


def exact(
    of: str, period: Period, scope: Scope, held_to: Mapping[str, Any], make: Callable[[], Content]
) -> Content:
    """What holds now of a period: as kept, or counted, and kept for the next reader.

    `held_to` is what the content also depends on and no month notes.
    """
    rows = KeptFigures.objects.filter(of=of, scope=scope.key, stale=False)
    found = rows.filter(~Exists(_notes(period))).values_list("content", flat=True).first()
    if found is not None and _holds(found, held_to):
        return dict(found)
    may_keep = _may_keep()
    made = make() | dict(held_to)
    if may_keep:
        # What changed meanwhile may be in it or not: whoever takes those notes counts it again.
        keep(of, scope, made, stale=_notes(period).exists())
    return made


def newest(
    of: str, period: Period, scope: Scope, held_to: Mapping[str, Any], make: Callable[[], Content]
) -> tuple[Content, Since | None]:
    """What was last kept of a period and, where something has changed since, since when it stands.

    Counted only where nothing is kept.
    """
    entered = _notes(period).order_by().values(one=Value(1)).annotate(n=Sum("entered"))
    rows = KeptFigures.objects.filter(of=of, scope=scope.key).annotate(
        noted=Exists(_notes(period)), entered=Subquery(entered.values("n"))
    )
    row = rows.first()
    if row is None or not _holds(row.content, held_to):
        return exact(of, period, scope, held_to, make), None
    if row.stale:
        return row.content, Since(row.made_at, 0)
    return row.content, Since(row.made_at, row.entered or 0) if row.noted else None


def keep(of: str, scope: Scope, content: Any, *, stale: bool = False) -> None:
    row = KeptFigures(
        of=of, scope=scope.key, content=content, stale=stale, made_at=clinic_time.now()
    )
    KeptFigures.objects.bulk_create(
        [row], update_conflicts=True, update_fields=["content", "stale", "made_at"],
        unique_fields=["of", "scope"],
    )  # fmt: skip


def counted(of: str, scope: Scope = CLINIC) -> Any:
    """What the night counted of the clinic or a programme; None where no night has."""
    rows = KeptFigures.objects.filter(of=of, scope=scope.key)
    return rows.values_list("content", flat=True).first()


def stale() -> list[tuple[str, str]]:
    """What is to be counted again, by name and scope, the newest months first."""
    return list(KeptFigures.objects.filter(stale=True).order_by("-of").values_list("of", "scope"))


def of_months(months: Collection[date]) -> Any:
    """What is kept of all periods that any of these months lies in."""
    names = KeptFigures.objects.filter(of__regex="^[0-9]").values_list("of", flat=True)
    touched = [of for of in set(names) if _lies_in(named_period(of.split()[0]), months)]
    return KeptFigures.objects.filter(of__in=touched)


def _lies_in(period: Period, months: Iterable[date]) -> bool:
    return any(period.start <= month <= period.end for month in months)
