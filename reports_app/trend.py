"""Two years of months as control charts: read from summaries in four queries, counted in bulk.

Where a month holds too few to be shown, the rate widens to rolling twelve months. A rate of
outcome is one measure's: the one that most of the last year's endings have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from django.db.models import Count, Sum
from django.db.models.functions import TruncMonth
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from measures_app.charts import TrendFigure, TrendPoint
from measures_app.models import Measure
from measures_app.psychometrics.control import rate_chart, rolling_year
from reports_app.extract import OUTSIDE_OUTCOME
from reports_app.models import EpisodeSummary, SessionMonth
from reports_app.periods import Month, months_back
from sessions_app import clinic_time
from sessions_app.models import Programme

SHOWN_MONTHS = 24
FEWEST_SHOWN = 12  # a young clinic's empty months before are left out
LEAD_IN = 11  # months before the first shown one that its rolling year needs
SESSION_COUNTS = (
    "scheduled", "attended", "no_shows", "late_cancels", "clinic_cancels", "both_measures",
)  # fmt: skip


@dataclass(frozen=True)
class MonthCounts:
    """A month's plain counts, for the table beside the charts."""

    month: Month
    opened: int
    ended: int
    sessions: int


@dataclass(frozen=True)
class Trends:
    months: list[MonthCounts]
    figures: list[TrendFigure]

    @property
    def rows(self) -> list[tuple[MonthCounts, list[TrendPoint]]]:
        """The table: newest month first, each figure's point beside the counts."""
        columns = [figure.points for figure in self.figures]
        return [
            (counts, [column[i] for column in columns]) for i, counts in enumerate(self.months)
        ][::-1]


def _number(day: date) -> int:
    """A month as a number: dates written as text for comparing cost most of the page."""
    return 12 * day.year + day.month


def _by_month(frame: pd.DataFrame, months: Sequence[Month], mask: Any = None) -> np.ndarray:
    """Endings a month, of all rows or those of a mask."""
    chosen = frame if mask is None else frame[mask]
    first = _number(months[0].start)
    places = chosen["month"].to_numpy(int) - first
    return np.bincount(places, chosen["n"].to_numpy(int), minlength=len(months)).astype(int)


def _ended(months: list[Month], programme: Programme | None) -> pd.DataFrame:
    """Endings counted by month and by what was said of them: `n` a row, not a row an ending."""
    rows = EpisodeSummary.objects.filter(
        closed_on__gte=months[0].start, closed_on__lte=months[-1].end
    )
    if programme is not None:
        rows = rows.filter(programme=programme)
    columns = ["first", "measure__code", "outcome_class", "ending", "mid_care"]
    counted = (
        rows.order_by()
        .annotate(first=TruncMonth("closed_on"))
        .values_list(*columns)
        .annotate(n=Count("pk"))
    )
    frame = pd.DataFrame.from_records(counted, columns=[*columns, "n"])
    frame["month"] = [_number(day) for day in frame["first"]]
    return frame


def _sessions(months: list[Month], programme: Programme | None) -> dict[str, np.ndarray]:
    rows = SessionMonth.objects.filter(month__gte=months[0].start, month__lte=months[-1].end)
    if programme is not None:
        rows = rows.filter(programme=programme)
    totals = {
        row["month"]: row
        for row in rows.order_by().values("month").annotate(**{n: Sum(n) for n in SESSION_COUNTS})
    }
    return {
        name: np.array([(totals.get(month.start) or {}).get(name) or 0 for month in months])
        for name in SESSION_COUNTS
    }


def _opened(months: list[Month], programme: Programme | None) -> np.ndarray:
    rows = EpisodeSummary.objects.filter(
        opened_on__gte=months[0].start, opened_on__lte=months[-1].end
    )
    if programme is not None:
        rows = rows.filter(programme=programme)
    counts = dict(
        rows.order_by()
        .annotate(month=TruncMonth("opened_on"))
        .values_list("month")
        .annotate(Count("pk"))
    )
    return np.array([counts.get(month.start, 0) for month in months])


def figure_of(
    title: str, months: list[Month], cases: np.ndarray, n: np.ndarray, limit: int
) -> TrendFigure:
    """A control chart of the last two years, or rolling years where a month holds too few."""
    shown = months[LEAD_IN:]
    age = np.array([(clinic_time.today() - month.end).days for month in shown])
    few = n[LEAD_IN:]
    # One thin month is a gap; when they are many, only a year says something.
    rolling = bool(((few > 0) & (few < limit)).sum() * 4 > (few > 0).sum())
    if rolling:
        sums, totals = (series[LEAD_IN:] for series in rolling_year(cases, n))
        chart, centre = None, None
    else:
        sums, totals = cases[LEAD_IN:].astype(float), few.astype(float)
        chart = rate_chart(sums, totals, age)
        centre = None if np.isnan(chart.centre) else float(chart.centre)
    points = []
    for i, month in enumerate(shown):
        label = date_format(month.start, "M y")
        known = totals[i] >= limit
        limits = (
            (float(chart.low[i]), float(chart.high[i]))
            if chart is not None and known and centre is not None
            else (None, None)
        )
        points.append(
            TrendPoint(
                label=label,
                value=float(sums[i] / totals[i]) if known else None,
                n=int(totals[i]) if known else 0,
                cases=int(sums[i]) if known else 0,
                low=limits[0],
                high=limits[1],
                hollow=bool(age[i] < 60),
                signal=bool(chart is not None and known and (chart.beyond[i] or chart.run[i])),
            )
        )
    return TrendFigure(title, points, centre, rolling, _words(points, centre, rolling))


def _words(points: list[TrendPoint], centre: float | None, rolling: bool) -> str:
    """What the chart says, in a sentence."""
    if not any(point.value is not None for point in points):
        return _("Too few in any year to be shown.")
    if rolling:
        return _("Each point is the twelve months up to it: single months hold too few.")
    if centre is None:
        return _("Limits are drawn once there are twelve months.")
    signals = [point.label for point in points if point.signal]
    if signals:
        return _("More than chance in %(months)s: worth asking what was different.") % {
            "months": ", ".join(signals)
        }
    return _("No month differs from the others by more than chance.")


def _usual_measure(ended: pd.DataFrame, months: list[Month]) -> str:
    last_year = {_number(month.start) for month in months[-12:]}
    recent = ended[ended["month"].isin(last_year)]
    counts = recent.groupby("measure__code")["n"].sum()  # by code: of equals the first
    return str(counts.idxmax()) if len(counts) else ""


def trends(month: Month, programme: Programme | None, limit: int) -> Trends:
    """Call within a unit of work that may see the clinic's aggregates."""
    months = months_back(month, SHOWN_MONTHS + LEAD_IN)
    ended, held = _ended(months, programme), _sessions(months, programme)
    code = _usual_measure(ended, months)
    outcome = ended[
        ~ended["ending"].isin(OUTSIDE_OUTCOME)
        & ~ended["mid_care"].astype(bool)
        & (ended["measure__code"] == code)
        & (ended["outcome_class"] != "")
    ]
    known = ended[ended["ending"] != "unknown"]
    better = outcome["outcome_class"].isin(["recovered", "improved"])
    measure = Measure.objects.filter(code=code).first()
    expected = held["scheduled"] - held["clinic_cancels"]
    wanted = (
        (
            _("Reliably improved (%(measure)s)") % {"measure": measure.title if measure else "–"},
            _by_month(outcome, months, better),
            _by_month(outcome, months),
        ),
        (
            _("Ended by agreement, of known endings"),
            _by_month(known, months, known["ending"] == "agreed"),
            _by_month(known, months),
        ),
        (_("Did not come, of sessions expected"), held["no_shows"], expected),
        (_("Both measures taken, of sessions held"), held["both_measures"], held["attended"]),
    )
    opened, closed = _opened(months, programme), _by_month(ended, months)
    counts = [
        MonthCounts(m, int(opened[i]), int(closed[i]), int(held["attended"][i]))
        for i, m in enumerate(months)
    ][LEAD_IN:]
    begun = next((i for i, c in enumerate(counts) if c.opened or c.ended or c.sessions), 0)
    first = min(begun, SHOWN_MONTHS - FEWEST_SHOWN)
    figures = [figure_of(title, months, cases, n, limit) for title, cases, n in wanted]
    return Trends(counts[first:], [replace(f, points=f.points[first:]) for f in figures])
