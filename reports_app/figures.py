"""Figures of a scope, kept while nothing that they are made of has changed.

The night makes those that pages open first; others are made when they are first asked for. Files
and commands say what holds at the moment; pages what was last kept, and since when it stands
(`kept`): no reader waits while clients are counted that have been counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np

from measures_app import measures
from reports_app import (
    group_figures,
    groups,
    kept,
    reference_change,
    session_months,
    still_looking,
    trend,
)
from reports_app.extract import CLINIC, Extract, Scope, extract, named_funders
from reports_app.kept import Content, Since, keep
from reports_app.metric import Metric
from reports_app.metrics import monthly_metrics
from reports_app.models import KeptFigures
from reports_app.periods import Month, Period, months_back, named_period
from reports_app.shares import shared_out
from reports_app.spread import Spread
from reports_app.spread import count as counted_spread
from reports_app.still_looking import LookingCounts
from reports_app.workload import Workload
from reports_app.workload import count as counted_workload
from sessions_app import clinic_time, policies
from sessions_app.models import Programme

LOOKING, FUNDERS, MONTHS, SPREAD = "still looking", "funders", "months", "spread"
WORKLOAD, ATTRIBUTES = "workload", "attributes"
COUNTED = (  # each night anew
    LOOKING, FUNDERS, MONTHS, SPREAD, WORKLOAD, ATTRIBUTES, reference_change.NAME,
)  # fmt: skip
BY_GROUP = "by group"
OPENED_FIRST = 3  # the running month and those before, made by the night for every programme
FORM = 4  # of what is kept: rows that an older version wrote are counted again
NAMED = ("month", "scope")  # a programme may be renamed: said when read


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _row(metric: Metric) -> dict[str, Any]:
    """What of a metric isn't empty, without the period and the scope."""
    found = {name: _plain(value) for name, value in asdict(metric).items() if name not in NAMED}
    return {name: value for name, value in found.items() if value not in (None, "")}


def _rows(period: Period, scope: Scope) -> Content:
    return _rows_of(extract(period, scope))


def _rows_of(data: Extract) -> Content:
    return {"rows": [_row(metric) for metric in monthly_metrics(data)]}


def _metrics(content: Content, period: Period, scope: Scope) -> list[Metric]:
    return [
        Metric(**{"measure": "", **row}, month=str(period), scope=scope.name)
        for row in content["rows"]
    ]


def _held_to(period: Period) -> dict[str, Any]:
    """What figures also depend on and no month notes."""
    return {
        "form": FORM,
        "borrowed": sorted(measures.borrowed()),
        "lapse": policies.get("return_reopens_days"),
        "waiting_limit": policies.get("waiting_limit_days", period.end),
    }


def metrics_of(period: Period, scope: Scope = CLINIC) -> list[Metric]:
    """Every metric of a period as it holds now.

    Call within a unit of work that may see the clinic's aggregates.
    """
    if not period.whole_months:
        return monthly_metrics(extract(period, scope))
    content = kept.exact(str(period), period, scope, _held_to(period), lambda: _rows(period, scope))
    return _metrics(content, period, scope)


def shown(period: Period, scope: Scope = CLINIC) -> tuple[list[Metric], Since | None]:
    """The same as a page shows it: as last kept, and since when, where that isn't now."""
    if not period.whole_months:
        return monthly_metrics(extract(period, scope)), None
    content, since = kept.newest(
        str(period), period, scope, _held_to(period), lambda: _rows(period, scope)
    )
    return _metrics(content, period, scope), since


def looking_of(programme: Programme | None = None) -> LookingCounts:
    """Care continuing without progress, as the night found it; counted where no night has."""
    found = kept.counted(LOOKING, Scope(programme))
    return still_looking.of_clinic(programme) if found is None else LookingCounts(**found)


def months_of(programme: Programme | None = None) -> trend.Counted:
    """What trends are made of, as of the night; counted where no night has."""
    found = kept.counted(MONTHS, Scope(programme))
    if found is not None:
        return dict(found)
    return trend.count_months().get(programme.pk if programme else None, {})


def funders() -> list[str]:
    """Who pays for episodes, as of the night."""
    found = kept.counted(FUNDERS)
    return named_funders() if found is None else list(found)


def attribute_names() -> list[str]:
    """What the clinic records of its clients in codes, as of the night."""
    found = kept.counted(ATTRIBUTES)
    return groups.attribute_names() if found is None else list(found)


def spread() -> Spread:
    """How far clinicians lie apart, as of the night; counted where no night has."""
    found = kept.counted(SPREAD)
    return counted_spread() if found is None else Spread.from_json(found)


def workload() -> Workload:
    """Hours and outcome, as of the night; counted where no night has."""
    found = kept.counted(WORKLOAD)
    return counted_workload(clinic_time.today()) if found is None else Workload(**found)


def _scopes() -> list[Scope]:
    return [CLINIC, *(Scope(programme) for programme in Programme.objects.order_by("pk"))]


def _make_counted(name: str, today: date) -> None:
    """What isn't of a period, counted anew; the rows of scopes that are gone go with it."""
    found: dict[str, tuple[Scope, Any]] = {}
    if name in (LOOKING, MONTHS):
        by_programme = trend.count_months() if name == MONTHS else {}
        for scope in _scopes():
            place = scope.programme.pk if scope.programme else None
            content = by_programme.get(place, {}) if name == MONTHS else _looking(scope)
            found[scope.key] = scope, content
    else:
        made: dict[str, Callable[[], Any]] = {
            FUNDERS: named_funders,
            ATTRIBUTES: groups.attribute_names,
            SPREAD: lambda: counted_spread().as_json(),
            WORKLOAD: lambda: counted_workload(today).as_json(),
            reference_change.NAME: lambda: reference_change.as_json(reference_change.count()),
        }
        found[CLINIC.key] = CLINIC, made[name]()
    KeptFigures.objects.filter(of=name).exclude(scope__in=list(found)).delete()
    for scope, content in found.values():
        keep(name, scope, content)


def _looking(scope: Scope) -> dict[str, int]:
    counts = still_looking.of_clinic(scope.programme)
    return {f.name: getattr(counts, f.name) for f in fields(counts)}


def opened_first(today: date) -> list[str]:
    """Periods whose figures pages open first, and the groups: each made by itself."""
    running = Month(today.replace(day=1))
    periods = [*months_back(running, OPENED_FIRST), running.year]
    if running.previous().year != running.year:
        periods.append(running.previous().year)
    return [BY_GROUP, *(str(period) for period in reversed(periods))]  # the longest first


def make_one(name: str, today: date) -> None:
    """What the night makes, by its name: figures that pages open first, where they aren't kept."""
    if name in COUNTED:
        _make_counted(name, today)
        return
    if name == BY_GROUP:
        group_figures.make_opened_first(Month(today.replace(day=1)))
        return
    period = named_period(name)
    scopes = _scopes() if isinstance(period, Month) else [CLINIC]

    @cache
    def read() -> dict[str, Extract]:
        """Of all scopes at once, when the first isn't kept."""
        parts = shared_out(period, scopes) if len(scopes) > 1 else [extract(period)]
        return {part.scope.key: part for part in parts}

    for scope in scopes:
        kept.exact(
            str(period), period, scope, _held_to(period),
            lambda scope=scope: _rows_of(read()[scope.key]),  # type: ignore[misc]  # a default
        )  # fmt: skip


def make_opened_first(today: date) -> None:
    """What pages open first, where it isn't kept."""
    for name in opened_first(today):
        make_one(name, today)


def count_sessions() -> int:
    """Count again the months whose sessions changed; how many those were."""
    kept.wait_for_readers()
    return session_months.count()


def let_go(today: date) -> None:
    """Drop the figures of what changed: in the night, after the summaries."""
    kept.wait_for_readers()
    months = session_months.counted()
    # Whoever waits has waited a day longer, with nothing changed: to the last day of a month.
    moved = {day.replace(day=1) for day in (today, today - timedelta(days=1))}
    kept.of_months(months | moved).delete()


def refresh_by_day(today: date) -> int:
    """Count what changed; its figures stay for readers until `make_again` has made each."""
    count_sessions()
    months = session_months.counted()
    for name in COUNTED:
        _make_counted(name, today)
    kept.of_months(months).update(stale=True)
    return len(months)


def make_again(of: str, scope_key: str) -> None:
    """Count kept figures again, in a unit of work of their own: no reader waits for all of them."""
    scope = Scope.from_key(scope_key)
    if scope is None:  # a programme that there was
        KeptFigures.objects.filter(of=of, scope=scope_key).delete()
        return
    name, _, kind = of.partition(" ")
    if kind:
        group_figures.make_again(named_period(name), kind, scope)
    else:
        metrics_of(named_period(name), scope)
