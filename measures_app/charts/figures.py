"""Figure descriptions: what a figure shows, before anybody draws it, and the same as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from measures_app.charts.svg import Point, number


@dataclass(frozen=True)
class Event:
    """Something at a place on the session axis: `between` sessions for a no-show."""

    at: float
    label: str


@dataclass(frozen=True)
class CourseFigure:
    """A client's course: what screen, paper and table show of it.

    All series are (session, value); values in the measure's units. `expected` rows are
    (session, mean, low80, high80), `forecast` likewise from the last score on.
    """

    scores: Sequence[Point]
    low: float
    high: float
    better: str = "higher"
    title: str = ""
    unit: str = ""
    expected: Sequence[tuple[float, float, float, float]] = ()
    forecast: Sequence[tuple[float, float, float, float]] = ()
    cutoff: float | None = None
    no_change: tuple[float, float] | None = None
    alliance: Sequence[Point] = ()
    alliance_cutoff: float | None = None
    alliance_high: float = 40.0
    events: Sequence[Event] = ()
    note: str = ""
    dates: Mapping[int, str] = field(default_factory=dict)  # session -> its day, written


def describe(figure: CourseFigure) -> str:
    """The figure in one sentence, for those who don't see it."""
    if not figure.scores:
        return _("No score yet.")
    first, last = figure.scores[0], figure.scores[-1]
    text = _("From %(first)s at session %(a)d to %(last)s at session %(b)d.") % {
        "first": number(first[1]),
        "a": first[0],
        "last": number(last[1]),
        "b": last[0],
    }
    expected = {row[0]: row for row in figure.expected}.get(last[0])
    if expected:
        text += " " + _("Expected from this start: %(mean)s (80 %%: %(low)s to %(high)s).") % {
            "mean": number(expected[1]),
            "low": number(expected[2]),
            "high": number(expected[3]),
        }
    return text


def figure_table(figure: CourseFigure) -> list[dict[str, str]]:
    """The figure's numbers as rows: session, date, score, expected, band, alliance."""
    expected = {row[0]: row for row in figure.expected}
    alliance = dict(figure.alliance)
    scores = dict(figure.scores)
    rows = []
    for t in sorted(set(scores) | set(alliance)):
        band = expected.get(t)
        rows.append(
            {
                "session": str(int(t)),
                "date": figure.dates.get(int(t), ""),
                "score": number(scores[t]) if t in scores else "–",
                "expected": number(band[1]) if band else "–",
                "band": f"{number(band[2])} – {number(band[3])}" if band else "–",
                "alliance": number(alliance[t]) if t in alliance else "–",
            }
        )
    return rows
