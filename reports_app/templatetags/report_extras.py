"""How a metric's numbers are written, the same on screen and paper."""

from __future__ import annotations

from functools import lru_cache
from math import isnan
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from measures_app import measures
from measures_app.charts import TrendFigure, TrendPoint
from measures_app.psychometrics.decisions import Estimate
from measures_app.psychometrics.rates import BoundedRate
from reports_app.explain import LABELS, label_of, percent
from reports_app.lengths import Length, day_words
from reports_app.metric import Metric
from reports_app.published import BLANK
from reports_app.small import ShownMetric

register = template.Library()
COUNTS = {"episodes_opened", "episodes_ended", "people_served", "clients_by_age_group",
          "collateral_raters", "sessions_held", "referrals_received", "referrals_left",
          "waiting_now"}  # fmt: skip
PLAIN = {"mean_first_outcome", "mean_first_alliance", "mean_sessions", "mean_days", "effect_size",
         "severity_adjusted_effect_size", "relative_effect_size", "first_offer_median_days",
         "waiting_median_days",
         "waiting_p90_days", "waiting_now_median_days", "care_all_median_days",
         "waiting_all_median_days", "offer_all_median_days"}  # fmt: skip


FIGURE_ROW = (
    '<tr><th scope="row" class="number" data-label="{}">{}</th><td>{}</td>'
    + '<td class="number" data-label="{}">{}</td>' * 4
    + "</tr>"
)


@register.filter
def figure_rows(rows: list[dict[str, str]]) -> SafeString:
    """A figure's numbers (charts.figure_table), a table row a session."""
    session, score, expected = _("Session"), _("Score"), _("Expected")
    band, alliance = _("80 % band"), _("Alliance")
    return format_html_join(
        "",
        FIGURE_ROW,
        (
            (session, row["session"], row["date"], score, row["score"], expected, row["expected"],
             band, row["band"], alliance, row["alliance"])
            for row in rows
        ),
    )  # fmt: skip


def _written(metric: Metric, value: float | None) -> str:
    if value is None:
        return "–"
    if metric.metric in COUNTS:
        return f"{int(value):,}".replace(",", "\u202f")
    if metric.metric in PLAIN:
        return (f"{value:.2f}" if "effect" in metric.metric else f"{value:.1f}").replace("-", "−")
    return percent(value)


@register.filter
def metric_label(metric: Metric) -> str:
    label = label_of(metric)
    return f"{label}: {metric.note}" if metric.metric == "clients_by_age_group" else label


@register.filter
def measure_title(code: str) -> str:
    return measures.titles().get(code, code)


@register.filter
def metric_name(name: str) -> str:
    """A metric's name for people, from its technical one."""
    return str(LABELS.get(name, name))


@register.filter
def metric_note(metric: Metric) -> str:
    """The note as a reader needs it: the label says whose the number is, the row that it's few."""
    if metric.metric == "clients_by_age_group" or metric.note == BLANK:
        return ""
    return metric.note


@register.filter
def metric_value(metric: Metric) -> str:
    return _written(metric, metric.value)


@register.filter
def metric_interval(metric: Metric) -> str:
    if metric.low is None and metric.high is None:
        return "–"
    # An end that so few have reached that nobody knows it.
    ends = (_("not known") if e is None else _written(metric, e) for e in (metric.low, metric.high))
    return " – ".join(ends)


@register.filter
def metric_n(metric: Metric) -> str:
    if metric.denominator is None:
        return "–"
    if metric.numerator is None:
        return f"{int(metric.denominator)}"
    return _("%(k)d of %(n)d") % {"k": int(metric.numerator), "n": int(metric.denominator)}


@register.filter
def metric_bounds(metric: Metric) -> str:
    if metric.worst is None or metric.best is None:
        return "–"
    low, high = sorted((metric.worst, metric.best))
    return f"{_written(metric, low)} – {_written(metric, high)}"


@register.filter
def share(value: float | None) -> str:
    return percent(value)


@register.simple_tag
def metric_row(shown: ShownMetric) -> SafeString:
    """A metric's row: what it is, and its numbers or that they are of too few.

    A narrow screen names the numbers, and leaves out what can't be said. Sixty rows stand on a
    page: a tag writes them in a third of the time of a template, and numbers that stand until the
    next count are written once.
    """
    return _written_row(shown, get_language() or "")


@lru_cache(maxsize=4096)
def _written_row(shown: ShownMetric, language: str) -> SafeString:
    metric = shown.metric
    note = metric_note(metric)
    return format_html(
        '<tr><th scope="row">{}{}</th>{}</tr>\n',
        metric_label(metric),
        format_html('<span class="note">{}</span>', note) if note else "",
        format_html('<td class="muted few" colspan="5">{}</td>', _("too few to show"))
        if shown.few
        else _cells(metric),
    )


def _cells(metric: Metric) -> SafeString:
    cells = (
        ("", metric_value(metric)),
        (_("95 % between"), metric_interval(metric)),
        ("n", metric_n(metric)),
        (_("Known"), percent(metric.coverage)),
        (_("If all were known"), metric_bounds(metric)),
    )
    return format_html_join(
        "",
        '<td class="number{}"{}>{}</td>',
        (
            (
                " none" if words == "–" else "",
                format_html(' data-label="{}"', label) if label else "",
                words,
            )
            for label, words in cells
        ),
    )


@register.simple_tag
def trend_cells(points: list[TrendPoint], figures: list[TrendFigure]) -> SafeString:
    """A month's rates, each with what it is of; written once, as a metric's row is."""
    year = _("12 months")
    titles = tuple(
        f"{figure.title} · {year}" if figure.rolling else str(figure.title) for figure in figures
    )
    return _written_cells(tuple(points), titles, get_language() or "")


@lru_cache(maxsize=1024)
def _written_cells(
    points: tuple[TrendPoint, ...], titles: tuple[str, ...], language: str
) -> SafeString:
    of = _("%(k)d of %(n)d")
    return format_html_join(
        "",
        '<td class="number{}" data-label="{}">{}{}</td>',
        (
            (" none", title, "–", "")
            if point.value is None
            else (
                "",
                title,
                percent(point.value),
                format_html(
                    ' <span class="muted small">{}</span>', of % {"k": point.cases, "n": point.n}
                ),
            )
            for point, title in zip(points, titles, strict=True)
        ),
    )


@register.filter
def count_cell(count: int | None) -> str:
    """A count, or that it is too small to stand."""
    return _("too few") if count is None else str(count)


@register.filter
def days(value: float) -> str:
    """Days of a wait; an infinite one is one whose end nobody knows."""
    return "–" if isnan(value) else day_words(value)


@register.filter
def rate_cell(rate: BoundedRate) -> SafeString:
    """A rate with how many it is of and its interval."""
    of = _("of %(n)d") % {"n": rate.measured}
    return format_html(
        '{} <span class="muted small">{} ({} – {})</span>',
        percent(rate.rate),
        of,
        percent(rate.low),
        percent(rate.high),
    )


@register.filter
def too_few(groups: list[Any]) -> str:
    """Groups of which nothing can be said, each with its n, in one line."""
    return ", ".join(f"{group.label} ({group.n})" for group in groups if group.value is None)


@register.simple_tag
def length_words(length: Length, of: str) -> str:
    return length.words(of)


@register.filter
def half_by(length: Length | None) -> str:
    """The day by which half had the event, with its interval and what it is of."""
    if length is None:
        return _("too few")
    return format_html(
        '{} <span class="muted small">({}) {}</span>',
        day_words(length.value),
        length.between,
        _("of about %(n)d") % {"n": length.n},
    )


@register.filter
def sd(value: float) -> str:
    """A difference in standard deviations, with its sign."""
    return f"{value:+.2f}".replace("-", "−")


@register.filter
def signed(estimate: Estimate) -> str:
    """A difference with its sign; an em dash where there are too few to say."""
    return "–" if isnan(estimate.value) else f"{estimate.value:+.1f}".replace("-", "−")


@register.filter
def between(estimate: Estimate) -> str:
    """Its interval, in brackets."""
    if isnan(estimate.low):
        return ""
    return f"({estimate.low:+.1f} – {estimate.high:+.1f})".replace("-", "−")


@register.filter
def share_between(estimate: Estimate) -> str:
    """A share with its interval, or that there are too few."""
    if isnan(estimate.value):
        return _("too few to say")
    return f"{percent(estimate.value)} ({percent(estimate.low)} – {percent(estimate.high)})"


@register.filter
def at_least(count: int, limit: int) -> str:
    """A count, or that it is too small to be shown."""
    return str(count) if count >= limit else _("fewer than %(limit)s") % {"limit": limit}
