"""A rate month by month: line and marks, the clinic's own middle and limits, hollow where young."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from measures_app.charts.svg import PAPER, Axis, line, picture, spread, text, ticks

WIDTH, HEIGHT = 560, 240


@dataclass(frozen=True)
class TrendPoint:
    """A month's rate; None where it can't be said. Limits are the chart's, not the rate's."""

    label: str
    value: float | None
    n: int = 0
    cases: int = 0
    low: float | None = None
    high: float | None = None
    hollow: bool = False
    signal: bool = False


@dataclass(frozen=True)
class TrendFigure:
    """A rate's months, oldest first, with the middle that the first year set."""

    title: str
    points: Sequence[TrendPoint]
    centre: float | None = None
    rolling: bool = False
    words: str = ""

    @property
    def has_values(self) -> bool:
        return any(point.value is not None for point in self.points)

    @property
    def highest(self) -> float:
        """The top of the axis: a round share above all that is drawn."""
        values = [p.value for p in self.points if p.value is not None]
        values += [p.high for p in self.points if p.high is not None]
        top = max(values, default=1.0)
        return next(end for end in (0.2, 0.4, 0.6, 0.8, 1.0) if top <= end + 1e-9)


def _pieces(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Runs of neighbouring months that have a value: a gap is a gap."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            pieces.append([])
        else:
            pieces[-1].append(point)
    return [piece for piece in pieces if piece]


def percent_text(value: float) -> str:
    return f"{100 * value:.0f} %"


def trend_svg(figure: TrendFigure) -> SafeString:
    """The trend as SVG text; empty where no month has a value."""
    if not figure.has_values:
        return mark_safe("")
    left, right, top, bottom = 44.0, WIDTH - 92.0, 12.0, HEIGHT - 30.0
    x = Axis(0, max(len(figure.points) - 1, 1), left, right)
    y = Axis(0.0, figure.highest, bottom, top)
    parts = []
    for tick in ticks(0.0, figure.highest):
        parts.append(
            f'<line class="c-grid" x1="{left:g}" x2="{right:g}" y1="{y(tick):g}" y2="{y(tick):g}" '
            f'stroke="{PAPER["grid"]}"/>'
            + text(left - 8, y(tick) + 4, percent_text(tick), anchor="end", size=11)
        )
    limits = [
        None if p.low is None or p.high is None else (x(i), y(p.low), y(p.high))
        for i, p in enumerate(figure.points)
    ]
    drawn = [limit for limit in limits if limit is not None]
    if len(drawn) > 1:
        around = [(a, high) for a, _low, high in drawn] + [
            (a, low) for a, low, _high in reversed(drawn)
        ]
        path = " ".join(f"{a:g},{b:g}" for a, b in around)
        parts.append(f'<polygon class="c-band" points="{path}" fill="{PAPER["band"]}"/>')
    labels: list[tuple[float, str, str]] = []
    if figure.centre is not None:
        at = y(figure.centre)
        parts.append(
            f'<line class="c-cutoff" x1="{left:g}" x2="{right:g}" y1="{at:g}" y2="{at:g}" '
            f'stroke="{PAPER["cutoff"]}" stroke-dasharray="7 4"/>'
        )
        labels.append((at, _("middle %s") % percent_text(figure.centre), ""))
    places = [None if p.value is None else (x(i), y(p.value)) for i, p in enumerate(figure.points)]
    for piece in _pieces(places):
        parts.append(line(piece, "c-score", PAPER["score"], 2.2))
    for point, place in zip(figure.points, places, strict=True):
        if place is None:
            continue
        css, fill = ("c-hollow", PAPER["surface"]) if point.hollow else (
            "c-score-mark", PAPER["score"])  # fmt: skip
        parts.append(
            f'<circle class="{css}" cx="{place[0]:g}" cy="{place[1]:g}" r="4" fill="{fill}" '
            f'stroke="{PAPER["score"]}" stroke-width="1.4"/>'
        )
        if point.signal:
            parts.append(
                f'<rect class="c-event" x="{place[0] - 8:g}" y="{place[1] - 8:g}" width="16" '
                f'height="16" fill="none" stroke="{PAPER["event"]}" stroke-width="1.6"/>'
            )
    last = next(p for p in reversed(list(zip(figure.points, places, strict=True))) if p[1])
    labels.append((last[1][1], percent_text(last[0].value or 0.0), "strong"))
    labels.sort()
    for at, (_was, words, css) in zip(
        spread([at for at, _w, _c in labels], 14, top, bottom), labels, strict=True
    ):
        parts.append(text(right + 10, at + 4, words, css=css, size=11.5, bold=css == "strong"))
    step = max(1, round(len(figure.points) / 8))
    for i in range(len(figure.points) - 1, -1, -step):
        parts.append(text(x(i), HEIGHT - 8, figure.points[i].label, anchor="middle", size=10.5))
    return picture(parts, (WIDTH, HEIGHT), css="chart", title=figure.title)
