"""What a page or a page of paper shows of a month: sections, measures, and cells too small.

Rates and means of fewer than the clinic's limit are withheld on screen and paper (someone could
be recognised, and they say nothing); the data files carry them, with a note, for the clinic's
own use. Age groups are withheld so that subtraction from the total finds none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from measures_app import measures
from measures_app.charts import IntervalRow, interval_svg
from measures_app.psychometrics.suppression import Sum, publish
from reports_app.explain import SECTIONS, label_of, sentence_of
from reports_app.metric import Metric
from reports_app.published import BLANK
from reports_app.waiting import OF_ALL

HEADLINES = ("reliably_improved", "recovered", "deteriorated", "reached_expected",
             "ended_planned", "ended_unplanned", "no_show_rate", "both_measures_rate")  # fmt: skip
SAID_FIRST = (
    "people_served", "waiting_median_days", "waiting_now", "waiting_all_median_days",
    "episodes_ended", "care_all_median_days", "ended_planned", "both_measures_rate",
    "reliably_improved", "deteriorated",
)  # fmt: skip


@dataclass(frozen=True)
class ShownMetric:
    """A metric and whether its numbers are withheld."""

    metric: Metric
    few: bool


@dataclass(frozen=True)
class MetricGroup:
    """The rows of one measure ("" for none); `few_words` stands in their place."""

    title: str
    rows: list[ShownMetric]
    few_words: str = ""


def is_few(metric: Metric, limit: int) -> bool:
    """Whether a rate or mean rests on fewer than the limit, or its file hides it."""
    of = [metric.denominator]
    if metric.metric in OF_ALL:  # of so few as had the event, whoever still waits
        of.append(metric.numerator)
    return metric.note == BLANK or any(n is not None and 0 < n < limit for n in of)


def hidden_ages(metrics: Sequence[Metric], limit: int) -> set[int]:
    """Places of age groups to withhold, so many that no subtraction from the total helps."""
    groups = [i for i, m in enumerate(metrics) if m.metric == "clients_by_age_group"]
    places = [i for i in groups if metrics[i].value is not None]
    if not places:
        return set(groups)
    counts = [int(metrics[i].value or 0) for i in places]
    cells = publish(
        [*counts, sum(counts)], [Sum(len(counts), tuple(range(len(counts))))], limit=limit
    )
    hidden = {place for place, cell in zip(places, cells[:-1], strict=True) if np.isnan(cell)}
    return hidden | (set(groups) - set(places))


def few_of(metrics: Sequence[Metric], limit: int) -> frozenset[int]:
    """Places of the metrics that screen and paper withhold."""
    return _few_of(tuple(metrics), limit)


@lru_cache(maxsize=8)  # a page asks three times of the same rows
def _few_of(metrics: tuple[Metric, ...], limit: int) -> frozenset[int]:
    small = {
        i
        for i, metric in enumerate(metrics)
        if metric.metric != "clients_by_age_group" and is_few(metric, limit)
    }
    return frozenset(small | hidden_ages(metrics, limit))


def _few_words(rows: list[ShownMetric]) -> str:
    """One line for a measure of which nothing can be said."""
    pairs = next((r.metric for r in rows if r.metric.metric == "unchanged"), None)
    if pairs is None or not all(r.few or r.metric.value is None for r in rows):
        return ""
    return _("Too few endings with two scores to say anything (fewer than the clinic's limit).")


def grouped(metrics: Sequence[Metric], limit: int) -> list[tuple[Any, list[MetricGroup]]]:
    """(section title, groups by measure) in the report's order."""
    few = few_of(metrics, limit)
    titles = measures.titles()
    sections = []
    for title, names in SECTIONS:
        groups: dict[str, list[ShownMetric]] = {}
        own = [(i, metric) for i, metric in enumerate(metrics) if metric.metric in names]
        for i, metric in sorted(own, key=lambda pair: names.index(pair[1].metric)):
            groups.setdefault(metric.measure, []).append(ShownMetric(metric, i in few))
        sections.append(
            (
                title,
                [
                    MetricGroup(titles.get(code, code), rows, _few_words(rows))
                    for code, rows in groups.items()
                ],
            )
        )
    return sections


def _place(metric: Metric) -> int:
    return SAID_FIRST.index(metric.metric) if metric.metric in SAID_FIRST else len(SAID_FIRST)


def sentences(metrics: Sequence[Metric], limit: int) -> list[str]:
    """The plain sentences of a month; measures are named where there are several."""
    few = few_of(metrics, limit)
    titles = measures.titles()
    several = len({m.measure for m in metrics if m.measure}) > 1
    found = []
    ordered = sorted(enumerate(metrics), key=lambda pair: (pair[1].measure, _place(pair[1])))
    for i, metric in ordered:
        if i not in few and (sentence := sentence_of(metric)):
            named = several and metric.measure
            found.append(f"{titles.get(metric.measure, metric.measure)}: {sentence}" if named
                         else sentence)  # fmt: skip
    silent = sorted(
        {
            titles.get(m.measure, m.measure)
            for i, m in enumerate(metrics)
            if m.metric == "reliably_improved" and m.measure and i in few
        }
    )
    if silent:
        found.append(
            _("Too few ended to say anything of: %(measures)s.") % {"measures": ", ".join(silent)}
        )
    return found


def _rank(metric: Metric) -> tuple[str, int]:
    """Outcomes by measure first, then what concerns everybody."""
    order = HEADLINES.index(metric.metric) if metric.metric in HEADLINES else len(HEADLINES)
    return (metric.measure or "~", order)


def rates_svg(
    metrics: Sequence[Metric], limit: int, draw: Callable[[list[IntervalRow]], str] = interval_svg
) -> str:
    """Headline rates with their intervals; what too few are in is left to the words."""
    few = few_of(metrics, limit)
    titles = measures.titles()
    drawn = [
        m
        for i, m in sorted(enumerate(metrics), key=lambda pair: _rank(pair[1]))
        if m.metric in HEADLINES and i not in few and m.value is not None
    ]
    several = len({m.measure for m in drawn if m.measure}) > 1
    rows = [
        IntervalRow(
            label_of(m)
            + (f", {titles.get(m.measure, m.measure)}" if several and m.measure else ""),
            m.value,
            m.low,
            m.high,
            int(m.denominator or 0),
        )
        for m in drawn
    ]
    return draw(rows) if rows else ""
