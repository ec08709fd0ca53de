"""Rates with their intervals, one row each: words left, n right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from measures_app.charts.svg import PAPER, Axis, number, picture, text, ticks

LABEL_ROOM = 380.0  # for the words


@dataclass(frozen=True)
class IntervalRow:
    """A rate or mean with its interval; None where it can't be said."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class _Shape:
    """Where things stand: beside the bars, or on a phone above them."""

    css: str
    width: float
    left: float  # where the bars begin
    right: float
    row: float  # a row's height
    bar: float  # from a row's top to its bar
    words: float  # and to the words of its label
    end: float  # and to its n


def _beside(rows: Sequence[IntervalRow], width: int) -> _Shape:
    # The words of a long measure's name would else run into the bars.
    longest = max((len(row.label) for row in rows), default=0)
    room = max(LABEL_ROOM, min(0.68 * width, 6.8 * longest + 16))
    return _Shape("chart", width, room, width - 60, 30, 20, 24, 24)


ABOVE = _Shape("chart narrow", 330, 14, 308, 50, 34, 16, 16)


def interval_svg(
    rows: Sequence[IntervalRow], *, low: float = 0.0, high: float = 1.0, width: int = 780
) -> SafeString:
    """Points with intervals, one row each, on a shared axis; words and n beside them."""
    return _drawn(rows, low, high, _beside(rows, width))


def interval_charts(rows: Sequence[IntervalRow]) -> SafeString:
    """The same for a page: with words beside the bars and, where a phone has no room, above."""
    wide = replace(_beside(rows, 780), css="chart wide")
    return _drawn(rows, 0.0, 1.0, wide) + _drawn(rows, 0.0, 1.0, ABOVE)


def _drawn(rows: Sequence[IntervalRow], low: float, high: float, at: _Shape) -> SafeString:
    height = at.row * len(rows) + 26
    x = Axis(low, high, at.left, at.right)
    parts = []
    for tick in ticks(low, high):
        label = f"{100 * tick:.0f} %" if high <= 1.0 else number(tick)
        parts.append(
            f'<line class="c-grid" x1="{x(tick):g}" x2="{x(tick):g}" y1="4" y2="{height - 22:g}" '
            f'stroke="{PAPER["grid"]}"/>'
            + text(x(tick), height - 6, label, anchor="middle", size=11)
        )
    for index, row in enumerate(rows):
        top = at.row * index
        y = top + at.bar
        parts.append(text(0, top + at.words, row.label, css="strong", colour=PAPER["score"]))
        if row.value is None:
            parts.append(text(at.left, y + 4, _("too few to say"), size=11))
            continue
        if row.low is not None and row.high is not None:
            parts.append(
                f'<line class="c-expected" x1="{x(max(low, row.low)):g}" '
                f'x2="{x(min(high, row.high)):g}" y1="{y:g}" y2="{y:g}" '
                f'stroke="{PAPER["expected"]}" stroke-width="3" stroke-linecap="round"/>'
            )
        parts.append(
            f'<circle class="c-score-mark" cx="{x(min(high, max(low, row.value))):g}" '
            f'cy="{y:g}" r="5" fill="{PAPER["score"]}"/>'
        )
        if row.n is not None:
            parts.append(text(at.width, top + at.end, f"n {row.n}", anchor="end", size=11))
    return picture(parts, (at.width, height), css=at.css, title=_("Rates with intervals"))
