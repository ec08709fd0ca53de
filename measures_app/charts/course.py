"""A client's course as SVG: score line, expected band, cutoff, reliable change, alliance below.

Words stand where they belong: at the line's end, spread so that none lies over another. A narrow
drawing serves phones; screen and paper share both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from measures_app.charts.figures import CourseFigure, describe
from measures_app.charts.svg import PAPER, Axis, Point, line, number, picture, spread, text, ticks

WIDE, NARROW = (780, 420), (360, 400)
LABEL_GAP = 14.0
PANEL = 72.0  # of the alliance
EVENT_ROWS = 3
Band = tuple[float, float, float, float]


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


def _last_session(figure: CourseFigure, ahead: int) -> float:
    ends = [t for t, _v in figure.scores] + [t for t, _v in figure.alliance]
    last = max(ends, default=1)
    coming = [row[0] for row in figure.expected if row[0] <= last + ahead]
    return max([*ends, *coming, 8])


def _band(rows: Sequence[Band], x: Axis, y: Axis) -> str:
    upper = [(x(t), y(high)) for t, _m, _l, high in rows]
    lower = [(x(t), y(low)) for t, _m, low, _h in reversed(rows)]
    points = " ".join(f"{a:g},{b:g}" for a, b in upper + lower)
    return f'<polygon class="c-band" points="{points}" fill="{PAPER["band"]}"/>'


def _level(css: str, x: Axis, at: float, dash: str, width: float = 1.3) -> str:
    return (
        f'<line class="{css}" x1="{x.start:g}" x2="{x.end:g}" y1="{at:g}" y2="{at:g}" '
        f'stroke="{PAPER["cutoff"]}" stroke-width="{width:g}" stroke-dasharray="{dash}"/>'
    )


def _events(figure: CourseFigure, x: Axis, top: float, bottom: float, right: float) -> str:
    """Ticks with labels on as many rows as they need not to lie over one another."""
    parts: list[str] = []
    ends = [0.0] * EVENT_ROWS
    for event in sorted(figure.events, key=lambda e: e.at):
        at, width = x(event.at), 6.0 * len(event.label) + 10
        row = next((i for i, end in enumerate(ends) if at >= end), None)
        rise = 13 * (EVENT_ROWS - row) if row is not None else 0
        parts.append(
            f'<line class="c-event" x1="{at:g}" x2="{at:g}" y1="{top - rise:g}" y2="{bottom:g}" '
            f'stroke="{PAPER["event"]}" stroke-width="1"/>'
        )
        if row is None:
            continue
        anchor, place = ("end", at - 4) if at + width > right else ("start", at + 4)
        parts.append(
            text(place, top - rise + 9, event.label, anchor=anchor,
                 css="c-event-label", colour=PAPER["event"], size=11)
        )  # fmt: skip
        ends[row] = at + width
    return "".join(parts)


def _edge_words(figure: CourseFigure, edge: float) -> str:
    """What lies beyond an edge of the zone of no reliable change."""
    assert figure.no_change is not None
    upper = edge == max(figure.no_change)
    if upper == (figure.better == "higher"):
        return _("reliably better %s") % number(edge)
    words = _("reliably higher %s") if upper else _("reliably lower %s")
    return words % number(edge)


def _zone(figure: CourseFigure, x: Axis, y: Axis) -> tuple[list[str], list[tuple[float, str, str]]]:
    """The zone within which a difference from the start may be measurement error."""
    parts: list[str] = []
    labels: list[tuple[float, str, str]] = []
    for edge in figure.no_change or ():
        if y.low <= edge <= y.high:
            parts.append(_level("c-zone", x, y(edge), "1 4", 1.1))
            labels.append((y(edge), _edge_words(figure, edge), ""))
    return parts, labels


def _finer(points: Sequence[Point]) -> float:
    """How much smaller marks are drawn that would lie over one another: 1 for most courses."""
    if len(points) < 2:
        return 1.0
    apart = (points[-1][0] - points[0][0]) / (len(points) - 1)
    return min(1.0, max(0.35, apart / 9))


def _scores(figure: CourseFigure, x: Axis, y: Axis) -> list[str]:
    points = [(x(t), y(v)) for t, v in figure.scores]
    fine = _finer(points)
    parts = [line(points, "c-score", PAPER["score"], round(2.6 * fine, 2))]
    parts += [
        f'<circle class="c-score-mark" cx="{a:g}" cy="{b:g}" r="{4.6 * fine:.3g}" '
        f'fill="{PAPER["score"]}" stroke="{PAPER["surface"]}" stroke-width="{1.2 * fine:.2g}"/>'
        for a, b in points
    ]
    if points:
        (a, b), value = points[-1], number(figure.scores[-1][1])
        rising = len(points) < 2 or points[-2][1] >= b
        place = b - 12 if rising else b + 21
        if place > y.start - 3:  # no room below: the axis is there
            place = b - 12
        parts.append(
            text(a, place, value, anchor="middle", css="strong",
                 colour=PAPER["score"], size=14, bold=True)
        )  # fmt: skip
    return parts


def _forecast(
    figure: CourseFigure, x: Axis, y: Axis
) -> tuple[list[str], list[tuple[float, str, str]]]:
    """What is likely from here: the mean as dots, its 80 % at the last session as a bar."""
    rows = [row for row in figure.forecast if row[0] <= x.high]
    if not rows or not figure.scores:
        return [], []
    t, value = figure.scores[-1]
    ahead = [(x(t), y(value))] + [(x(row[0]), y(row[1])) for row in rows]
    at, mean, low, high = rows[-1]
    ends = [y(min(max(end, y.low), y.high)) for end in (low, high)]
    bar = (
        f'<line class="c-forecast" x1="{x(at):g}" x2="{x(at):g}" y1="{ends[0]:g}" '
        f'y2="{ends[1]:g}" stroke="{PAPER["score"]}" stroke-width="1.6"/>'
    )
    caps = "".join(
        f'<line class="c-forecast" x1="{x(at) - 4:g}" x2="{x(at) + 4:g}" y1="{end:g}" y2="{end:g}" '
        f'stroke="{PAPER["score"]}" stroke-width="1.6"/>'
        for end in ends
    )
    dot = (
        f'<circle class="c-forecast-mark" cx="{x(at):g}" cy="{y(mean):g}" r="3.4" '
        f'fill="{PAPER["surface"]}" stroke="{PAPER["score"]}" stroke-width="1.6"/>'
    )
    parts = [line(ahead, "c-forecast", PAPER["score"], 1.4, "1 4"), bar, caps, dot]
    return parts, [(y(mean), _("likely %s") % number(mean), "strong")]


def _alliance(figure: CourseFigure, x: Axis, top: float, bottom: float) -> list[str]:
    """The alliance below, on the same session axis, named at its last mark."""
    values = [v for _t, v in figure.alliance]
    cutoff = figure.alliance_cutoff
    if cutoff is not None:
        values.append(cutoff)
    low = max(0.0, min(values) - 3)
    y = Axis(low, figure.alliance_high, bottom, top)
    parts = [
        f'<line class="c-grid" x1="{x.start:g}" x2="{x.end:g}" y1="{place:g}" y2="{place:g}" '
        f'stroke="{PAPER["grid"]}"/>'
        for place in (top, bottom)
    ]
    parts.append(text(x.start - 8, top + 4, number(figure.alliance_high), anchor="end", size=11))
    if cutoff is not None:
        parts.append(_level("c-cutoff", x, y(cutoff), "7 4", 1.1))
        if y(cutoff) - top > 11:
            parts.append(text(x.start - 8, y(cutoff) + 4, number(cutoff), anchor="end", size=11))
    points = [(x(t), y(v)) for t, v in figure.alliance]
    fine = _finer(points)
    parts.append(line(points, "c-alliance", PAPER["alliance"], round(2 * fine, 2)))
    side = round(7.2 * fine, 2)
    parts += [
        f'<rect class="c-alliance-mark" x="{a - side / 2:g}" y="{b - side / 2:g}" '
        f'width="{side:g}" height="{side:g}" '
        f'fill="{PAPER["alliance"]}"/>'
        for a, b in points
    ]
    words = _("alliance %s") % number(figure.alliance[-1][1])
    a, b = points[-1]
    anchor, place = ("start", a + 10) if a + 90 < x.end + 60 else ("end", a)
    rise = 4 if anchor == "start" else -9
    parts.append(
        text(place, b + rise, words, anchor=anchor, css="c-alliance-label",
             colour=PAPER["alliance"], size=12)
    )  # fmt: skip
    return parts


def _sessions(x: Axis, y: float, room: float) -> list[str]:
    """Numbers of the session axis, as many as the width allows."""
    most = max(2, int((x.end - x.start) / room))
    step = max(1, math.ceil((x.high - 1) / most))
    shown = range(1, int(x.high) + 1, step)
    return [text(x(t), y, str(t), anchor="middle", size=11) for t in shown]


def course_svg(figure: CourseFigure, *, narrow: bool = False) -> SafeString:
    """The course as SVG text, wide for screen and paper or narrow for a phone."""
    width, height = NARROW if narrow else WIDE
    left, right = (30.0, width - 12.0) if narrow else (36.0, width - 132.0)
    top = 13.0 * EVENT_ROWS + 10 if figure.events else 14.0
    panel = PANEL if figure.alliance else 0.0
    bottom = height - 36 - (panel + 20 if panel else 0)
    low, high = _range(figure)
    x = Axis(1, _last_session(figure, 3 if narrow else 6), left, right)
    y = Axis(low, high, bottom, top)
    parts: list[str] = []
    labels: list[tuple[float, str, str]] = []
    for tick in ticks(low, high):
        parts.append(
            f'<line class="c-grid" x1="{left:g}" x2="{right:g}" y1="{y(tick):g}" y2="{y(tick):g}" '
            f'stroke="{PAPER["grid"]}"/>' + text(left - 8, y(tick) + 4, number(tick), anchor="end")
        )
    rows = [row for row in figure.expected if row[0] <= x.high]
    if rows and figure.scores:
        drawn: list[Band] = [(1.0, *(figure.scores[0][1],) * 3), *rows]
        parts.append(_band(drawn, x, y))
    zone, zone_labels = _zone(figure, x, y) if figure.scores else ([], [])
    parts += zone
    if rows and figure.scores:
        parts.append(
            line([(x(r[0]), y(r[1])) for r in drawn], "c-expected", PAPER["expected"], 2, "2 4")
        )
        labels.append((y(rows[-1][1]), _("expected %s") % number(rows[-1][1]), "c-expected-label"))
    if figure.cutoff is not None and low <= figure.cutoff <= high:
        parts.append(_level("c-cutoff", x, y(figure.cutoff), "7 4"))
        labels.append((y(figure.cutoff), _("cutoff %s") % number(figure.cutoff), ""))
    parts.append(_events(figure, x, top, bottom, right))
    ahead, ahead_labels = _forecast(figure, x, y)
    parts += ahead
    parts += _scores(figure, x, y)
    if not narrow:
        parts += _named([*labels, *zone_labels, *ahead_labels], right, top, bottom)
    elif figure.cutoff is not None and low <= figure.cutoff <= high:
        words = _("cutoff %s") % number(figure.cutoff)
        parts.append(text(right, y(figure.cutoff) - 5, words, anchor="end", size=11))
    if figure.alliance:
        parts += _alliance(figure, x, bottom + 26, bottom + 26 + panel - 6)
    parts += _sessions(x, height - 18, 26 if narrow else 36)
    parts.append(text((left + right) / 2, height - 3, _("session"), anchor="middle", size=11))
    return picture(
        parts,
        (width, height),
        css=f"chart {'narrow' if narrow else 'wide'}",
        title=figure.title or _("Course of scores"),
        more=describe(figure),
    )


def course_both(figure: CourseFigure) -> SafeString:
    """Wide and narrow side by side for a page: its style sheet shows the one that fits."""
    both = course_svg(figure) + course_svg(figure, narrow=True)
    return mark_safe(f'<div class="both">{both}</div>')  # both are


def _named(
    labels: list[tuple[float, str, str]], right: float, top: float, bottom: float
) -> list[str]:
    """Words at the right end of their lines, spread so that all can be read."""
    ordered = sorted(labels)
    places = spread([at for at, _words, _css in ordered], LABEL_GAP, top, bottom)
    colours = {"c-expected-label": PAPER["expected"], "strong": PAPER["score"]}
    return [
        text(right + 10, place + 4, words, css=css, size=11.5,
             colour=colours.get(css, PAPER["muted"]))
        for place, (_at, words, css) in zip(places, ordered, strict=True)
    ]  # fmt: skip
