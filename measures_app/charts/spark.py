"""A client's course as small as a word."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from measures_app.charts.svg import PAPER, Axis, line, number, picture


def sparkline_svg(
    values: Sequence[float], *, cutoff: float | None = None, width: int = 136, height: int = 36
) -> SafeString:
    """A small course with its own range, so that its shape can be seen; its end is marked."""
    if not values:
        return mark_safe("")
    shown = [*values, cutoff] if cutoff is not None else list(values)
    low, high = min(shown), max(shown)
    pad = max((high - low) * 0.12, 0.5)
    x = Axis(0, max(len(values) - 1, 1), 5, width - 7)
    y = Axis(low - pad, high + pad, height - 4, 4)
    points = [(x(i), y(v)) for i, v in enumerate(values)]
    cut = ""
    if cutoff is not None:
        cut = (
            f'<line class="c-cutoff" x1="3" x2="{width - 3}" y1="{y(cutoff):g}" '
            f'y2="{y(cutoff):g}" stroke="{PAPER["cutoff"]}" stroke-dasharray="4 3"/>'
        )
    words = _("from %(first)s to %(last)s in %(n)d scores") % {
        "first": number(values[0]),
        "last": number(values[-1]),
        "n": len(values),
    }
    x, y = points[-1]
    parts = [
        cut,
        line(points, "c-score", PAPER["score"], 2),
        f'<circle class="c-score-mark" cx="{x:g}" cy="{y:g}" r="3.6" fill="{PAPER["score"]}"/>',
    ]
    return picture(parts, (width, height), css="spark", title=words)
