"""Rates with their intervals, one row each: words left, n right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from measures_app.charts.svg import PAPER, Axis, number, text, ticks

LABEL_ROOM = 380.0  # for the words


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
    # The words of a long measure's name would else run into the bars.
    longest = max((len(row.label) for row in rows), default=0)
    room = max(LABEL_ROOM, min(0.6 * width, 6.6 * longest + 16))
    x = Axis(low, high, room, width - 60)
    parts = []
    for tick in ticks(low, high):
        label = f"{100 * tick:.0f} %" if high <= 1.0 else number(tick)
        parts.append(
            f'<line class="c-grid" x1="{x(tick):g}" x2="{x(tick):g}" y1="4" y2="{height - 22}" '
            f'stroke="{PAPER["grid"]}"/>'
            + text(x(tick), height - 6, label, anchor="middle", size=11)
        )
    for index, row in enumerate(rows):
        y = 20 + 30 * index
        parts.append(text(0, y + 4, row.label, css="strong", colour=PAPER["score"]))
        if row.value is None:
            parts.append(text(room, y + 4, _("too few to say"), size=11))
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
            parts.append(text(width, y + 4, f"n {row.n}", anchor="end", size=11))
    return mark_safe(  # every text above went through escape
        f'<svg class="chart" role="img" viewBox="0 0 {width} {height}" '
        f'xmlns="http://www.w3.org/2000/svg" aria-label="{escape(_("Rates with intervals"))}">'
        + "".join(parts)
        + "</svg>"
    )
