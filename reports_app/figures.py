"""Figures of a scope, kept while nothing that they are made of has changed.

The night makes those that pages open first; others are made when they are first asked for. A
period is made anew, and not kept, while the database has noted a change in one of its months
(docs/adr/months-are-touched.md): a page, a file and a command say the same at any moment, and none
counts clients that have been counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, fields
from datetime import date, timedelta
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Exists

from reports_app import session_months, still_looking, trend
from reports_app.extract import CLINIC, Scope, extract, named_funders
from reports_app.metrics import Metric, borrowed_measures, monthly_metrics
from reports_app.models import KeptFigures, TouchedMonth
from reports_app.periods import Month, Period, months_back, named_period
from reports_app.spread import Spread
from reports_app.spread import count as counted_spread
from reports_app.still_looking import LookingCounts
from reports_app.workload import Workload
from reports_app.workload import count as counted_workload
from sessions_app import clinic_time, policies
from sessions_app.models import Programme

LOOKING, FUNDERS, MONTHS, SPREAD = "still looking", "funders", "months", "spread"
WORKLOAD = "workload"
COUNTED = (LOOKING, FUNDERS, MONTHS, SPREAD, WORKLOAD)  # each night anew
OPENED_FIRST = 3  # the running month and those before, made by the night for every programme
# Whoever keeps figures shares it; whoever takes the notes of what changed waits for them.
LOCK = 0x46494755
NAMED = ("month", "scope")  # a programme may be renamed: said when read


def _wait_for_readers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _may_keep() -> bool:
    """Whether nobody takes notes of changes now; until the transaction ends, nobody will."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _row(metric: Metric) -> dict[str, Any]:
    """What of a metric isn't empty, without the period and the scope."""
    found = {name: _plain(value) for name, value in asdict(metric).items() if name not in NAMED}
    return {name: value for name, value in found.items() if value not in (None, "")}


def _months_of(period: Period) -> dict[str, date]:
    return {"month__gte": period.start.replace(day=1), "month__lte": period.end}


def _of(period: Period, scope: Scope) -> Any:
    """Kept figures of a period, unless something in it has changed since."""
    changed = TouchedMonth.objects.filter(**_months_of(period))
    rows = KeptFigures.objects.filter(~Exists(changed), of=str(period), scope=scope.key)
    return rows.values_list("content", flat=True).first()


def metrics_of(period: Period, scope: Scope = CLINIC) -> list[Metric]:
    """Every metric of a period; call within a unit of work that may see the clinic's aggregates."""
    if not period.whole_months:
        return monthly_metrics(extract(period, scope))
    kept, held_to = _of(period, scope), _held_to(period)
    if kept is not None and all(kept.get(name) == value for name, value in held_to.items()):
        return [Metric(**{"measure": "", **row}, month=str(period), scope=scope.name)
                for row in kept["rows"]]  # fmt: skip
    may_keep = _may_keep()
    made = monthly_metrics(extract(period, scope))
    if may_keep and not TouchedMonth.objects.filter(**_months_of(period)).exists():
        _keep(str(period), scope, {"rows": [_row(metric) for metric in made], **held_to})
    return made


def _held_to(period: Period) -> dict[str, Any]:
    """What figures also depend on and no month notes."""
    return {
        "borrowed": sorted(borrowed_measures()),
        "waiting_limit": policies.get("waiting_limit_days", period.end),
    }


def _keep(of: str, scope: Scope, content: Any) -> None:
    row = KeptFigures(of=of, scope=scope.key, content=content)
    KeptFigures.objects.bulk_create(
        [row], update_conflicts=True, update_fields=["content"],
        unique_fields=["of", "scope"],
    )  # fmt: skip


def looking_of(programme: Programme | None = None) -> LookingCounts:
    """Care continuing without progress, as the night found it; counted where no night has."""
    kept = KeptFigures.objects.filter(of=LOOKING, scope=Scope(programme).key).first()
    return LookingCounts(**kept.content) if kept else still_looking.of_clinic(programme)


def months_of(programme: Programme | None = None) -> trend.Counted:
    """What trends are made of, as of the night; counted where no night has."""
    kept = KeptFigures.objects.filter(of=MONTHS, scope=Scope(programme).key).first()
    if kept is not None:
        return dict(kept.content)
    return trend.count_months().get(programme.pk if programme else None, {})


def funders() -> list[str]:
    """Who pays for episodes, as of the night."""
    kept = KeptFigures.objects.filter(of=FUNDERS, scope=CLINIC.key).first()
    return list(kept.content) if kept else named_funders()


def spread() -> Spread:
    """How far clinicians lie apart, as of the night; counted where no night has."""
    kept = KeptFigures.objects.filter(of=SPREAD, scope=CLINIC.key).first()
    return Spread.from_json(kept.content) if kept else counted_spread()


def workload() -> Workload:
    """Hours and outcome, as of the night; counted where no night has."""
    kept = KeptFigures.objects.filter(of=WORKLOAD, scope=CLINIC.key).first()
    return Workload(**kept.content) if kept else counted_workload(clinic_time.today())


def refresh(today: date) -> int:
    """Count what changed, let go of its figures and make those opened first; months counted.

    In the night's transaction, after the summaries.
    """
    _wait_for_readers()
    months = session_months.refreshed()
    # Whoever waits has waited a day longer, with nothing changed: to the last day of a month.
    _forget(months | {day.replace(day=1) for day in (today, today - timedelta(days=1))})
    scopes = [CLINIC, *(Scope(programme) for programme in Programme.objects.order_by("pk"))]
    KeptFigures.objects.filter(of__in=COUNTED).delete()
    by_programme = trend.count_months()
    for scope in scopes:
        counts = still_looking.of_clinic(scope.programme)
        _keep(LOOKING, scope, {f.name: getattr(counts, f.name) for f in fields(counts)})
        place = scope.programme.pk if scope.programme else None
        _keep(MONTHS, scope, by_programme.get(place, {}))
    _keep(FUNDERS, CLINIC, named_funders())
    _keep(SPREAD, CLINIC, counted_spread().as_json())
    _keep(WORKLOAD, CLINIC, counted_workload(today).as_json())
    running = Month(today.replace(day=1))
    for month in months_back(running, OPENED_FIRST):
        for scope in scopes:
            metrics_of(month, scope)
    for year in {running.year, running.previous().year}:
        metrics_of(year)
    return len(months)


def _forget(months: Collection[date]) -> None:
    """Let go of the figures of all periods that any of these months lies in."""
    if not months:
        return
    rows = KeptFigures.objects.exclude(of__in=COUNTED).values_list("of", flat=True)
    stale = [of for of in set(rows) if _holds(named_period(of), months)]
    KeptFigures.objects.filter(of__in=stale).delete()


def _holds(period: Period, months: Iterable[date]) -> bool:
    return any(period.start <= month <= period.end for month in months)
