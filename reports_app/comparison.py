"""A report beside the period before, the clinic's own year and, for orientation, a nation's.

National figures: England 2024-25, all who ended (docs/methods.md, groups). Their classes use a
depression *and* an anxiety measure, so they stand only where both are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports_app.classes import PROVISIONAL
from reports_app.figures import shown
from reports_app.metric import Metric
from reports_app.periods import Period
from reports_app.small import few_of
from sessions_app import policies

if TYPE_CHECKING:
    from reports_app.editions import Report

COMPARED = (
    "people_served", "episodes_opened", "episodes_ended", "waiting_median_days",
    "both_measures_rate", "no_show_rate", "ended_planned", "reliably_improved", "recovered",
    "unchanged", "deteriorated", "effect_size", "reached_expected",
)  # fmt: skip
NATIONAL = {"reliably_improved": 0.675, "unchanged": 0.254, "deteriorated": 0.058,
            "recovered": 0.505}  # fmt: skip
BOTH = {"phq-9", "gad-7"}


@dataclass(frozen=True)
class Compared:
    """One metric now, in the period before, in the year; None where it can't be said or shown."""

    now: Metric
    before: Metric | None
    year: Metric | None
    national: float | None

    @property
    def others(self) -> tuple[Metric | None, Metric | None]:
        return self.before, self.year

    @property
    def says_something(self) -> bool:
        return any(each and each.value is not None for each in (self.now, *self.others))


@dataclass(frozen=True)
class Comparison:
    before: Period
    year: Period
    rows: list[Compared]
    national: bool


def _shown(metrics: Sequence[Metric], limit: int) -> dict[tuple[str, str], Metric]:
    few = few_of(metrics, limit)
    return {(m.measure, m.metric): m for i, m in enumerate(metrics) if i not in few}


def comparison(report: Report) -> Comparison:
    """Beside others as they were last kept; call as one who may see the clinic's aggregates."""
    limit = int(policies.get("small_cell_limit"))
    period, scope = report.period, report.of
    before, year = period.previous(), period.year
    now = _shown(report.metrics, limit)
    then = _shown(shown(before, scope)[0], limit)
    whole = now if year == period else _shown(shown(year, scope)[0], limit)
    national = {measure for measure, _name in now} >= BOTH
    rows = [
        Compared(
            metric,
            then.get((measure, name)),
            whole.get((measure, name)),
            NATIONAL.get(name)
            if national and measure in BOTH and not metric.note.startswith(PROVISIONAL)
            else None,
        )
        for (measure, name), metric in now.items()
        if name in COMPARED
    ]
    rows = [row for row in rows if row.says_something]
    rows.sort(key=lambda row: (row.now.measure, COMPARED.index(row.now.metric)))
    return Comparison(before, year, rows, national)
