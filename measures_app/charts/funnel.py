"""Units by how many they are of: each between the lines that chance and true spread allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from measures_app.charts.svg import PAPER, Axis, line, picture, text, ticks

HEIGHT = 300
ALL_NAMED = 12  # beyond so many only those outside are named, or outside the outer lines


@dataclass(frozen=True)
class FunnelPoint:
    """A unit's difference from the rest, and how far from 0 it may lie: 95 % and 99.8 %."""

    label: str
    n: int
    value: float
    inner: float
    outer: float

    @property
    def beyond(self) -> int:
        """0: as chance allows; 1: beyond the inner line; 2: beyond the outer one."""
        return (abs(self.value) > self.inner) + (abs(self.value) > self.outer)


@dataclass(frozen=True)
class FunnelFigure:
    """Points, and the lines (n, inner, outer) where they are the same for all units of one n."""

    title: str
    points: Sequence[FunnelPoint]
    lines: Sequence[tuple[float, float, float]] = ()


def funnel_charts(figure: FunnelFigure) -> SafeString:
    """For a page: wide, and where a phone has no room narrow."""
    return _drawn(figure, 780, "chart wide") + _drawn(figure, 330, "chart narrow")


def _reach(figure: FunnelFigure) -> float:
    """How far up and down the picture goes: all points, and the outer lines of most."""
    outer = sorted(p.outer for p in figure.points)
    furthest = max(abs(p.value) for p in figure.points)
    return 1.15 * max(furthest, outer[len(outer) * 3 // 4])


def _limits(figure: FunnelFigure, x: Axis, y: Axis, reach: float) -> list[str]:
    """The lines, or of each unit its own marks."""
    parts = []
    for which, dash, width in ((1, "7 4", 1.3), (2, "", 1.0)):
        for sign in (1.0, -1.0):
            inside = [(x(row[0]), y(sign * row[which])) for row in figure.lines
                      if row[which] <= reach]  # fmt: skip
            parts.append(line(inside, "c-cutoff", PAPER["cutoff"], width, dash))
    if figure.lines:
        return parts
    for point in figure.points:
        at = x(point.n)
        ends = [(at, y(min(reach, point.outer))), (at, y(-min(reach, point.outer)))]
        parts.append(line(ends, "c-grid", PAPER["grid"], 1.0))
        for limit, half, dash in ((point.inner, 9, "4 2"), (point.outer, 9, "")):
            if limit <= reach:
                for sign in (1.0, -1.0):
                    place = y(sign * limit)
                    ends = [(at - half, place), (at + half, place)]
                    parts.append(line(ends, "c-cutoff", PAPER["cutoff"], 1.3, dash))
    return parts


def _signed(tick: float) -> str:
    return f"{tick:+.2g}".replace("-", "\N{MINUS SIGN}") if abs(tick) > 1e-9 else "0"


def _named(points: Sequence[FunnelPoint]) -> int:
    """How far outside a point must lie to be named, so that names don't cover one another."""
    for least in (0, 1):
        if sum(point.beyond >= least for point in points) <= ALL_NAMED:
            return least
    return 2


def _drawn(figure: FunnelFigure, width: int, css: str) -> SafeString:
    if not figure.points:
        return mark_safe("")
    left, right, top, bottom = 52.0, width - 20.0, 14.0, HEIGHT - 42.0
    reach = _reach(figure)
    x = Axis(0.0, 1.12 * max(p.n for p in figure.points), left, right)
    y = Axis(-reach, reach, bottom, top)
    parts = []
    for tick in ticks(-reach, reach, 4):
        parts.append(
            f'<line class="c-grid" x1="{left:g}" x2="{right:g}" y1="{y(tick):g}" y2="{y(tick):g}" '
            f'stroke="{PAPER["grid"]}"/>'
            + text(left - 8, y(tick) + 4, _signed(tick), anchor="end", size=11)
        )
    for tick in ticks(0.0, x.high, 6 if width > 400 else 3):
        parts.append(text(x(tick), bottom + 16, f"{tick:g}", anchor="middle", size=11))
    words = _("ended episodes with an outcome")
    parts.append(text((left + right) / 2, HEIGHT - 8, words, anchor="middle", size=11.5))
    parts.append(line([(left, y(0)), (right, y(0))], "c-expected", PAPER["expected"], 1.6))
    parts += _limits(figure, x, y, reach)
    least = _named(figure.points)
    for point in sorted(figure.points, key=lambda p: p.beyond):
        at, place = x(point.n), y(point.value)
        if point.beyond:
            parts.append(
                f'<circle class="c-event" cx="{at:g}" cy="{place:g}" r="{4 + 4 * point.beyond}" '
                f'fill="none" stroke="{PAPER["event"]}" stroke-width="1.6"/>'
            )
        parts.append(
            f'<circle class="c-score-mark" cx="{at:g}" cy="{place:g}" r="4.5" '
            f'fill="{PAPER["score"]}"/>'
        )
        if point.beyond >= least:
            room = at + 7 * len(point.label) < right
            parts.append(
                text(at + (14 if room else -14), place + 4, point.label, css="strong",
                     anchor="start" if room else "end", colour=PAPER["score"], size=11.5)
            )  # fmt: skip
    return picture(parts, (width, HEIGHT), css=css, title=figure.title)
