"""The share to whom it hasn't happened yet, by days: a falling line, its band, its middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from measures_app.charts.svg import PAPER, Axis, line, picture, text, ticks
from measures_app.charts.trend import percent_text

HEIGHT = 220


@dataclass(frozen=True)
class RemainingPoint:
    """A day, the share left after it with its interval, and how many it was said of."""

    day: float
    share: float
    low: float
    high: float
    at_risk: int


@dataclass(frozen=True)
class RemainingFigure:
    """A share that begins at 1 on day 0, and the day on which it comes to a half, if it does."""

    title: str
    points: Sequence[RemainingPoint]
    half: float | None = None

    @property
    def last_day(self) -> float:
        return self.points[-1].day if self.points else 0.0


def remaining_charts(figure: RemainingFigure) -> SafeString:
    """For a page: wide, and where a phone has no room narrow."""
    return _drawn(figure, 560, "chart wide") + _drawn(figure, 330, "chart narrow")


def remaining_svg(figure: RemainingFigure) -> SafeString:
    """For paper; empty where nothing may be drawn."""
    return _drawn(figure, 420, "chart")


def _drawn(figure: RemainingFigure, width: int, css: str) -> SafeString:
    if not figure.points:
        return mark_safe("")
    left, right, top, bottom = 44.0, width - 16.0, 12.0, HEIGHT - 40.0
    x = Axis(0.0, figure.last_day, left, right)
    y = Axis(0.0, 1.0, bottom, top)
    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<line class="c-grid" x1="{left:g}" x2="{right:g}" y1="{y(tick):g}" y2="{y(tick):g}" '
            f'stroke="{PAPER["grid"]}"/>'
            + text(left - 8, y(tick) + 4, percent_text(tick), anchor="end", size=11)
        )
    days = ticks(0.0, figure.last_day, 6 if width > 400 else 4)
    for tick in days:
        parts.append(text(x(tick), bottom + 16, f"{tick:g}", anchor="middle", size=11))
    parts.append(text((left + right) / 2, HEIGHT - 8, _("days"), anchor="middle", size=11.5))
    begun = (x(0), y(1.0))
    above = [begun, *((x(p.day), y(p.high)) for p in figure.points)]
    below = [(x(p.day), y(p.low)) for p in reversed(figure.points)]
    path = " ".join(f"{a:g},{b:g}" for a, b in (*above, *below))
    parts.append(f'<polygon class="c-band" points="{path}" fill="{PAPER["band"]}"/>')
    places = [(x(p.day), y(p.share)) for p in figure.points]
    if figure.half is not None and figure.half <= figure.last_day:
        at = x(figure.half)
        parts.append(line([(left, y(0.5)), (at, y(0.5))], "c-cutoff", PAPER["cutoff"], 1.3, "7 4"))
        parts.append(line([(at, y(0.5)), (at, bottom)], "c-cutoff", PAPER["cutoff"], 1.3, "7 4"))
        words = _("half: day %s") % f"{figure.half:g}"
        room = right - at > 90
        parts.append(
            text(at + (8 if room else -8), bottom - 8, words, anchor="start" if room else "end",
                 css="strong", colour=PAPER["score"], size=11.5, bold=True)
        )  # fmt: skip
    parts.append(line([begun, *places], "c-score", PAPER["score"], 2.2))
    parts += [
        f'<circle class="c-score-mark" cx="{a:g}" cy="{b:g}" r="3" fill="{PAPER["score"]}"/>'
        for a, b in places
    ]
    return picture(parts, (width, HEIGHT), css=css, title=figure.title)
