"""What every figure is drawn with: palette, axis, line, text. No script, no inline style.

Colours stand as presentation attributes (what paper shows) and as classes, which a page's theme
overrides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from django.utils.safestring import SafeString, mark_safe

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


def number(value: float) -> str:
    """A score as it is shown everywhere: a tenth at most, whole numbers whole."""
    return f"{value:.1f}".removesuffix(".0")


class Axis:
    """Maps data to pixels, linear."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return round(self.start + (value - self.low) / span * (self.end - self.start), 2)


def line(points: Sequence[Point], css: str, colour: str, width: float, dash: str = "") -> str:
    if len(points) < 2:
        return ""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<polyline class="{css}" points="{path}" fill="none" stroke="{colour}" '
        f'stroke-width="{width}" stroke-linejoin="round" stroke-linecap="round"{dashed}/>'
    )


def text(
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


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round values over a range, about one more than `wanted`."""
    raw = (high - low) / wanted or 1.0
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= raw - 1e-9)
    first = math.ceil(low / step - 1e-9) * step
    return [first + i * step for i in range(int((high - first) / step + 1e-9) + 1)]


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places of labels moved apart by at least `gap`, as near to where they belong as that allows.

    Sorted input; what would leave the range is pushed back into it.
    """
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else max(place, low))
    over = moved[-1] - high if moved else 0.0
    if over > 0:
        moved[-1] -= over
        for i in range(len(moved) - 2, -1, -1):
            moved[i] = min(moved[i], moved[i + 1] - gap)
    return moved


def picture(
    parts: Iterable[str], size: tuple[float, float], *, css: str, title: str, more: str = ""
) -> SafeString:
    """A whole figure of `parts`, which have been through `escape`; `more` describes it at length.

    The title is the picture's alternative text, on paper too.
    """
    width, height = size
    described = f"<desc>{escape(more)}</desc>" if more else ""
    return mark_safe(
        f'<svg class="{css}" role="img" viewBox="0 0 {width:g} {height:g}" '
        f'xmlns="http://www.w3.org/2000/svg" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{described}" + "".join(parts) + "</svg>"
    )
