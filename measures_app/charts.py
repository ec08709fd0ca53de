"""Figure descriptions and their SVG: one look on screen and paper, no script, no inline style.

Colours stand as presentation attributes (what paper shows) and as classes, which a page's theme
overrides. Everything a figure shows is in `figure_table` too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

PAPER = {
    "score": "#1b2424",
    "expected": "#0b6e74",
    "band": "#d5e8e7",
    "alliance": "#7a3f86",
    "cutoff": "#5b6765",
    "event": "#94702c",
    "grid": "#e3e8e6",
    "muted": "#566361",
    "surface": "#ffffff",
}
Point = tuple[float, float]
LABEL_ROOM = 380.0  # of an interval chart, for the words


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
    dates: Sequence[str] = field(default_factory=tuple)


def number(value: float) -> str:
    """A score as it is shown everywhere: a tenth at most, whole numbers whole."""
    return f"{value:.1f}".removesuffix(".0")


class _Axis:
    """Maps data to pixels, linear."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return round(self.start + (value - self.low) / span * (self.end - self.start), 2)


def _line(points: Sequence[Point], css: str, colour: str, width: float, dash: str = "") -> str:
    if len(points) < 2:
        return ""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<polyline class="{css}" points="{path}" fill="none" stroke="{colour}" '
        f'stroke-width="{width}" stroke-linejoin="round" stroke-linecap="round"{dashed}/>'
    )


def _text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    css: str = "",
    colour: str = PAPER["muted"],
    size: float = 12,
    bold: bool = False,
) -> str:
    weight = ' font-weight="700"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size:g}" fill="{colour}"'
        f' class="{css}"{weight}>{escape(words)}</text>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """About five round values over a range."""
    raw = (high - low) / 4 or 1.0
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= raw - 1e-9)
    first = math.ceil(low / step - 1e-9) * step
    return [first + i * step for i in range(int((high - first) / step + 1e-9) + 1)]


def _range(figure: CourseFigure) -> tuple[float, float]:
    """The part of the scale worth drawing: all that is shown, and some room, within its ends."""
    values = [value for _t, value in figure.scores]
    values += [v for row in figure.expected for v in row[2:]]
    values += [v for row in figure.forecast for v in row[2:]]
    if figure.cutoff is not None:
        values.append(figure.cutoff)
    if not values:
        return figure.low, figure.high
    span = figure.high - figure.low
    low = max(figure.low, min(values) - 0.08 * span)
    high = min(figure.high, max(values) + 0.08 * span)
    middle, least = (low + high) / 2, 0.45 * span
    if high - low < least:
        low = max(figure.low, middle - least / 2)
        high = min(figure.high, low + least)
        low = max(figure.low, high - least)
    return low, high


def _last_session(figure: CourseFigure) -> float:
    ends = [t for t, _v in figure.scores] + [t for t, _v in figure.alliance]
    last = max(ends, default=1)
    ahead = [row[0] for row in figure.expected if row[0] <= last + 6]
    return max([*ends, *ahead, 8])


def _band(rows: Sequence[tuple[float, float, float, float]], x: _Axis, y: _Axis) -> str:
    upper = [(x(t), y(high)) for t, _m, _l, high in rows]
    lower = [(x(t), y(low)) for t, _m, low, _h in reversed(rows)]
    points = " ".join(f"{a:g},{b:g}" for a, b in upper + lower)
    return f'<polygon class="c-band" points="{points}" fill="{PAPER["band"]}"/>'


def _events(figure: CourseFigure, x: _Axis, top: float, bottom: float, right: float) -> str:
    """Ticks with labels on as many rows as they need not to lie over one another."""
    parts: list[str] = []
    ends = [0.0, 0.0, 0.0]
    for event in sorted(figure.events, key=lambda e: e.at):
        at, width = x(event.at), 6.4 * len(event.label) + 10
        row = next((i for i, end in enumerate(ends) if at >= end), None)
        parts.append(
            f'<line class="c-event" x1="{at:g}" x2="{at:g}" y1="{top:g}" y2="{bottom:g}" '
            f'stroke="{PAPER["event"]}" stroke-width="1.2"/>'
        )
        if row is None:
            continue
        anchor, place = ("end", at - 4) if at + width > right else ("start", at + 4)
        parts.append(
            _text(place, top - 30 + 13 * row, event.label, anchor=anchor,
                  css="c-event-label", colour=PAPER["event"], size=11)
        )  # fmt: skip
        ends[row] = at + width
    return "".join(parts)


def course_svg(figure: CourseFigure, *, width: int = 780, height: int = 400) -> SafeString:
    """The course as SVG text: score line, expected band, cutoff, reliable change, alliance."""
    left, right_room = 40.0, 84.0
    top = 46.0 if figure.events else 16.0
    has_alliance = bool(figure.alliance)
    panel = 66.0 if has_alliance else 0.0
    bottom = height - 30 - (panel + 18 if has_alliance else 0)
    right = width - right_room
    low, high = _range(figure)
    x = _Axis(1, _last_session(figure), left, right)
    y = _Axis(low, high, bottom, top)
    parts = []
    for tick in _ticks(low, high):
        parts.append(
            f'<line class="c-grid" x1="{left:g}" x2="{right:g}" y1="{y(tick):g}" y2="{y(tick):g}" '
            f'stroke="{PAPER["grid"]}"/>' + _text(left - 8, y(tick) + 4, number(tick), anchor="end")
        )
    rows = [row for row in figure.expected if row[0] <= x.high]
    if rows:
        start = [(1.0, *(figure.scores[0][1],) * 3)] if figure.scores else []
        drawn = [*start, *rows]
        parts.append(_band(drawn, x, y))
    if figure.no_change is not None and figure.scores:
        parts += _no_change(figure, x, y, low, high)
    if rows:
        mean = [(x(row[0]), y(row[1])) for row in drawn]
        parts.append(_line(mean, "c-expected", PAPER["expected"], 2, "2 4"))
    if figure.cutoff is not None and low <= figure.cutoff <= high:
        at = y(figure.cutoff)
        parts.append(
            f'<line class="c-cutoff" x1="{left:g}" x2="{right:g}" y1="{at:g}" y2="{at:g}" '
            f'stroke="{PAPER["cutoff"]}" stroke-width="1.3" stroke-dasharray="7 4"/>'
            + _text(right + 8, at + 4, _("cutoff %s") % number(figure.cutoff), size=11)
        )
    parts.append(_events(figure, x, top, bottom, right))
    parts += _scores(figure, x, y, right)
    if has_alliance:
        parts += _alliance(figure, x, bottom + 22, bottom + 22 + panel, left, right)
    foot = height - 10
    step = max(1, math.ceil((x.high - 1) / 16))
    for t in range(1, int(x.high) + 1, step):
        parts.append(_text(x(t), foot, str(t), anchor="middle", size=11))
    parts.append(_text(right + 18, foot, _("session"), size=11))
    title = figure.title or _("Course of scores")
    return mark_safe(  # every text above went through escape
        f'<svg class="chart" role="img" viewBox="0 0 {width} {height}" '
        f'xmlns="http://www.w3.org/2000/svg" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title><desc>{escape(describe(figure))}</desc>"
        + "".join(parts)
        + "</svg>"
    )


def _no_change(figure: CourseFigure, x: _Axis, y: _Axis, low: float, high: float) -> list[str]:
    """The zone within which a difference from the start may be measurement error."""
    assert figure.no_change is not None
    parts = []
    for edge in figure.no_change:
        if low <= edge <= high:
            parts.append(
                f'<line class="c-zone" x1="{x.start:g}" x2="{x.end:g}" y1="{y(edge):g}" '
                f'y2="{y(edge):g}" stroke="{PAPER["cutoff"]}" stroke-width="1" '
                'stroke-dasharray="1 4"/>'
            )
    return parts


def _scores(figure: CourseFigure, x: _Axis, y: _Axis, right: float) -> list[str]:
    points = [(x(t), y(v)) for t, v in figure.scores]
    parts = [_line(points, "c-score", PAPER["score"], 2.4)]
    if figure.forecast and points:
        ahead = [points[-1]] + [(x(r[0]), y(r[1])) for r in figure.forecast if r[0] <= x.high]
        parts.append(_line(ahead, "c-forecast", PAPER["score"], 1.2, "1 3"))
    parts += [
        f'<circle class="c-score-mark" cx="{a:g}" cy="{b:g}" r="4.6" fill="{PAPER["score"]}" '
        f'stroke="{PAPER["surface"]}" stroke-width="1.2"/>'
        for a, b in points
    ]
    if points:
        (a, b), value = points[-1], number(figure.scores[-1][1])
        above = b - 12 if len(points) < 2 or points[-2][1] >= b else b + 20
        parts.append(
            _text(min(a, right), above, value, anchor="middle", css="strong",
                  colour=PAPER["score"], size=13, bold=True)
        )  # fmt: skip
    return parts


def _alliance(
    figure: CourseFigure, x: _Axis, top: float, bottom: float, left: float, right: float
) -> list[str]:
    """The alliance below, on the same session axis."""
    values = [v for _t, v in figure.alliance]
    if figure.alliance_cutoff is not None:
        values.append(figure.alliance_cutoff)
    low = max(0.0, min(values) - 4)
    y = _Axis(low, figure.alliance_high, bottom, top)
    parts = []
    if figure.alliance_cutoff is not None:
        at = y(figure.alliance_cutoff)
        parts.append(
            f'<line class="c-cutoff" x1="{left:g}" x2="{right:g}" y1="{at:g}" y2="{at:g}" '
            f'stroke="{PAPER["cutoff"]}" stroke-dasharray="7 4"/>'
            + _text(left - 8, at + 4, number(figure.alliance_cutoff), anchor="end", size=11)
        )
    points = [(x(t), y(v)) for t, v in figure.alliance]
    parts.append(_line(points, "c-alliance", PAPER["alliance"], 2))
    parts += [
        f'<rect class="c-alliance-mark" x="{a - 3.6:g}" y="{b - 3.6:g}" width="7.2" height="7.2" '
        f'fill="{PAPER["alliance"]}"/>'
        for a, b in points
    ]
    label = _("alliance %s") % number(figure.alliance[-1][1])
    parts.append(_text(right + 8, points[-1][1] + 4, label, size=11))
    return parts


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
    dates = dict(zip([t for t, _v in figure.scores], figure.dates, strict=False))
    rows = []
    for t in sorted(set(scores) | set(alliance)):
        band = expected.get(t)
        rows.append(
            {
                "session": str(int(t)),
                "date": dates.get(t, ""),
                "score": number(scores[t]) if t in scores else "–",
                "expected": number(band[1]) if band else "–",
                "band": f"{number(band[2])} – {number(band[3])}" if band else "–",
                "alliance": number(alliance[t]) if t in alliance else "–",
            }
        )
    return rows


def sparkline_svg(
    values: Sequence[float], *, cutoff: float | None = None, width: int = 136, height: int = 36
) -> SafeString:
    """A small course with its own range, so that its shape can be seen; its end is marked."""
    if not values:
        return mark_safe("")
    shown = [*values, cutoff] if cutoff is not None else list(values)
    low, high = min(shown), max(shown)
    pad = max((high - low) * 0.12, 0.5)
    x = _Axis(0, max(len(values) - 1, 1), 5, width - 7)
    y = _Axis(low - pad, high + pad, height - 4, 4)
    points = [(x(i), y(v)) for i, v in enumerate(values)]
    line = ""
    if cutoff is not None:
        line = (
            f'<line class="c-cutoff" x1="3" x2="{width - 3}" y1="{y(cutoff):g}" '
            f'y2="{y(cutoff):g}" stroke="{PAPER["cutoff"]}" stroke-dasharray="4 3"/>'
        )
    words = _("from %(first)s to %(last)s in %(n)d scores") % {
        "first": number(values[0]),
        "last": number(values[-1]),
        "n": len(values),
    }
    end = points[-1]
    return mark_safe(  # numbers and an escaped sentence
        f'<svg class="spark" role="img" viewBox="0 0 {width} {height}" '
        f'xmlns="http://www.w3.org/2000/svg" aria-label="{escape(words)}">'
        + line
        + _line(points, "c-score", PAPER["score"], 2)
        + f'<circle class="c-score-mark" cx="{end[0]:g}" cy="{end[1]:g}" r="3.6" '
        f'fill="{PAPER["score"]}"/></svg>'
    )


@dataclass(frozen=True)
class IntervalRow:
    """A rate or mean with its interval; None where it can't be said."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


def interval_svg(
    rows: Sequence[IntervalRow], *, low: float = 0.0, high: float = 1.0, width: int = 780
) -> SafeString:
    """Points with intervals, one row each, on a shared axis; words and n beside them."""
    height = 30 * len(rows) + 26
    x = _Axis(low, high, LABEL_ROOM, width - 60)
    parts = []
    for tick in _ticks(low, high):
        label = f"{100 * tick:.0f} %" if high <= 1.0 else number(tick)
        parts.append(
            f'<line class="c-grid" x1="{x(tick):g}" x2="{x(tick):g}" y1="4" y2="{height - 22}" '
            f'stroke="{PAPER["grid"]}"/>'
            + _text(x(tick), height - 6, label, anchor="middle", size=11)
        )
    for index, row in enumerate(rows):
        y = 20 + 30 * index
        parts.append(_text(0, y + 4, row.label, css="strong", colour=PAPER["score"]))
        if row.value is None:
            parts.append(_text(LABEL_ROOM, y + 4, _("too few to say"), size=11))
            continue
        if row.low is not None and row.high is not None:
            parts.append(
                f'<line class="c-expected" x1="{x(max(low, row.low)):g}" '
                f'x2="{x(min(high, row.high)):g}" y1="{y}" y2="{y}" stroke="{PAPER["expected"]}" '
                'stroke-width="3" stroke-linecap="round"/>'
            )
        parts.append(
            f'<circle class="c-score-mark" cx="{x(min(high, max(low, row.value))):g}" cy="{y}" '
            f'r="5" fill="{PAPER["score"]}"/>'
        )
        if row.n is not None:
            parts.append(_text(width, y + 4, f"n {row.n}", anchor="end", size=11))
    return mark_safe(  # every text above went through escape
        f'<svg class="chart" role="img" viewBox="0 0 {width} {height}" '
        f'xmlns="http://www.w3.org/2000/svg" aria-label="{escape(_("Rates with intervals"))}">'
        + "".join(parts)
        + "</svg>"
    )
