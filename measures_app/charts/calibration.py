"""What was said against what came: points with intervals, beside the line of "just as said"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from measures_app.charts.svg import PAPER, Axis, line, picture, text, ticks

SIZE = 260.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 10.0, 10.0, 42.0


@dataclass(frozen=True)
class SaidAndSeen:
    """Clients who were given about the same chance: its mean, the share it came true for."""

    said: float
    seen: float
    low: float
    high: float
    n: int


def calibration_svg(groups: Sequence[SaidAndSeen], title: str) -> SafeString:
    """One session's groups: chance said along, share that came true up, 95 % interval."""
    x = Axis(0.0, 1.0, LEFT, SIZE - RIGHT)
    y = Axis(0.0, 1.0, SIZE - BOTTOM, TOP)
    parts = []
    for tick in ticks(0.0, 1.0):
        words = f"{100 * tick:.0f} %"
        parts.append(
            f'<line class="c-grid" x1="{x(0):g}" x2="{x(1):g}" y1="{y(tick):g}" '
            f'y2="{y(tick):g}" stroke="{PAPER["grid"]}"/>'
            + text(x(0) - 6, y(tick) + 4, words, anchor="end", size=11)
        )
        if tick in (0.0, 0.5, 1.0):  # the others would touch
            anchor = "end" if tick == 1 else "middle"
            parts.append(text(x(tick), y(0) + 16, words, anchor=anchor, size=11))
    parts.append(line([(x(0), y(0)), (x(1), y(1))], "c-cutoff", PAPER["cutoff"], 1.4, "7 4"))
    parts.append(text((x(0) + x(1)) / 2, SIZE - 8, _("chance said"), anchor="middle", size=11.5))
    parts.append(text(x(0) + 6, TOP + 10, _("came true"), size=11.5))
    for group in groups:
        at = x(group.said)
        parts.append(
            f'<line class="c-expected" x1="{at:g}" x2="{at:g}" y1="{y(group.low):g}" '
            f'y2="{y(group.high):g}" stroke="{PAPER["expected"]}" stroke-width="3" '
            'stroke-linecap="round"/>'
        )
    drawn = [(x(group.said), y(group.seen)) for group in groups]
    parts += [
        f'<circle class="c-score-mark" cx="{a:g}" cy="{b:g}" r="4.5" fill="{PAPER["score"]}"/>'
        for a, b in drawn
    ]
    return picture(parts, (SIZE, SIZE), css="chart", title=title)
