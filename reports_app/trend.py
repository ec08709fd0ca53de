"""Two years of months as control charts, of counts that the night makes.

Where a month holds too few to be shown, the rate widens to rolling twelve months. A rate of
outcome is one measure's: the one that most of the last year's endings have.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncMonth
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from measures_app import measures
from measures_app.charts import TrendFigure, TrendPoint
from measures_app.psychometrics.control import rate_chart, rolling_year
from reports_app.extract import OUTSIDE_OUTCOME
from reports_app.models import EpisodeSummary, SessionMonth
from reports_app.periods import Month, months_back
from sessions_app import clinic_time

SHOWN_MONTHS = 24
FEWEST_SHOWN = 12  # a young clinic's empty months before are left out
LEAD_IN = 11  # months before the first shown one that its rolling year needs
SESSION_COUNTS = (
    "scheduled", "attended", "no_shows", "late_cancels", "clinic_cancels", "both_measures",
)  # fmt: skip
OUTCOMES = ("ended", "judged", "better")  # of a measure: endings, with an outcome, improved
BETTER = ("recovered", "improved")
# A month as written -> counts by name, and "outcomes": those of OUTCOMES by measure.
Counted = dict[str, dict[str, Any]]
NOTHING: dict[str, Any] = {"outcomes": {}}


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


def count_months() -> dict[int | None, Counted]:
    """What happened in each month, by programme, None for the clinic: a pass over the summaries."""
    found: dict[int | None, Counted] = defaultdict(dict)

    def add(month: date, programme: int, counts: Mapping[str, int], measure: str | None) -> None:
        for place in (programme, None):
            row = found[place].setdefault(f"{month:%Y-%m}", {"outcomes": {}})
            for name, n in counts.items():
                row[name] = row.get(name, 0) + n
            if measure is not None:
                told = row["outcomes"].setdefault(measure, [0, 0, 0])
                for i, name in enumerate(OUTCOMES):
                    told[i] += counts[name]

    held = SessionMonth.objects.order_by().values_list("month", "programme")
    for month, programme, *sums in held.annotate(*(Sum(name) for name in SESSION_COUNTS)):
        add(month, programme, dict(zip(SESSION_COUNTS, sums, strict=True)), None)
    opened = EpisodeSummary.objects.order_by().annotate(first=TruncMonth("opened_on"))
    for month, programme, n in opened.values_list("first", "programme").annotate(Count("pk")):
        add(month, programme, {"opened": n}, None)
    judged = Q(mid_care=False) & ~Q(ending__in=OUTSIDE_OUTCOME) & ~Q(outcome_class="")
    ended = EpisodeSummary.objects.exclude(closed_on=None).order_by()
    kinds = {
        "ended": Q(),
        "known": ~Q(ending="unknown"),
        "agreed": Q(ending="agreed"),
        "judged": judged,
        "better": judged & Q(outcome_class__in=BETTER),
    }
    counted = (
        ended.annotate(first=TruncMonth("closed_on"))
        .values_list("first", "programme", "measure__code")
        .annotate(**{name: Count("pk", filter=which) for name, which in kinds.items()})
    )
    for month, programme, measure, *counts in counted:
        add(month, programme, dict(zip(kinds, counts, strict=True)), measure)
    return dict(found)


@lru_cache(maxsize=1000)
def _label(month: Month, _language: str | None) -> str:
    """A month under its point: four charts of a page write the same."""
    return date_format(month.start, "M y")


def figure_of(
    title: str, months: list[Month], cases: np.ndarray, n: np.ndarray, limit: int
) -> TrendFigure:
    """A control chart of the last two years, or rolling years where a month holds too few."""
    shown = months[LEAD_IN:]
    labels = [_label(month, get_language()) for month in shown]
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
    for i, label in enumerate(labels):
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


def _usual_measure(counted: Counted, months: list[Month]) -> str:
    """The one that most of the last year's endings have; by code: of equals the first."""
    endings = Counter[str]()
    for month in months[-12:]:
        for code, (ended, _judged, _better) in counted.get(str(month), NOTHING)["outcomes"].items():
            endings[code] += ended
    return max(sorted(endings), key=lambda code: endings[code], default="")


def trends(month: Month, counted: Counted, limit: int) -> Trends:
    """Charts of the two years up to a month, of what `count_months` counted of a scope."""
    months = months_back(month, SHOWN_MONTHS + LEAD_IN)
    rows = [counted.get(str(m), NOTHING) for m in months]
    code = _usual_measure(counted, months)
    title = measures.titles().get(code, "–")

    def series(name: str) -> np.ndarray:
        return np.array([row.get(name, 0) for row in rows])

    told = [row["outcomes"].get(code, (0, 0, 0)) for row in rows]
    wanted = (
        (
            _("Reliably improved (%(measure)s)") % {"measure": title}
            if code
            else _("Reliably improved"),
            np.array([better for _ended, _judged, better in told]),
            np.array([judged for _ended, judged, _better in told]),
        ),
        (_("Ended by agreement, of known endings"), series("agreed"), series("known")),
        (
            _("Did not come, of sessions expected"),
            series("no_shows"),
            series("scheduled") - series("clinic_cancels"),
        ),
        (
            _("Both measures taken, of sessions held"),
            series("both_measures"),
            series("attended"),
        ),
    )
    counts = [
        MonthCounts(m, row.get("opened", 0), row.get("ended", 0), row.get("attended", 0))
        for m, row in zip(months, rows, strict=True)
    ][LEAD_IN:]
    begun = next((i for i, c in enumerate(counts) if c.opened or c.ended or c.sessions), 0)
    first = min(begun, SHOWN_MONTHS - FEWEST_SHOWN)
    figures = [figure_of(title, months, cases, n, limit) for title, cases, n in wanted]
    return Trends(counts[first:], [replace(f, points=f.points[first:]) for f in figures])
