"""Every chart has its table, and every rate says of how many, how sure, and what is missing."""

from __future__ import annotations

import re
from html import unescape

import pytest

from reports_app.classes import CLASSES
from tests.reports.conftest import Month12, signed_in

PAGES = (
    "/agency/",
    "/agency/flow/",
    "/agency/groups/",
    "/agency/funnel/",
    "/reports/{month}/",
    "/practice/",
)
BOUNDED = {"recovered", "improved", "deteriorated", "reliably_improved", "reached_expected",
           "ended_planned", "ended_unplanned", "ended_by_clinic",
           "reliably_improved_clinical_starters", "unchanged", "stopped_improved",
           "no_show_rate", "cancelled_rate", "both_measures_rate"}  # fmt: skip
CHART = re.compile(r'<svg class="chart.*?</svg>', re.S)
TABLE = re.compile(r"<table.*?</table>", re.S)
# What an axis says of itself: the ticks beside a trend, and below the rates.
AXIS = re.compile(r'<text[^>]*text-anchor="(?:end|middle)"[^>]*>.*?</text>', re.S)
PERCENT = re.compile(r"\d+ %")


def _words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).replace("\xa0", " ").split())


@pytest.mark.parametrize("page", PAGES)
def test_what_a_chart_shows_stands_in_a_table_of_its_page(month: Month12, page: str) -> None:
    who = "bob" if page == "/practice/" else "dora"
    html = signed_in(month, who).get(page.format(month=month.month)).content.decode()
    charts = CHART.findall(html)
    tables = " ".join(_words(table) for table in TABLE.findall(html))
    for chart in charts:
        drawn = AXIS.sub("", chart)
        labels = set(PERCENT.findall(_words(drawn)))
        assert {label for label in labels if label not in tables} == set(), page
    assert not charts or tables


def test_every_rate_of_a_report_has_its_n_interval_coverage_and_bounds(month: Month12) -> None:
    metrics = month.report().metrics
    rates = [m for m in metrics if m.value is not None and m.numerator is not None
             and m.denominator and m.metric != "clients_by_age_group"]  # fmt: skip
    assert {m.metric for m in rates} > set(CLASSES)
    for m in rates:
        assert m.low is not None, m
        assert m.high is not None, m
        assert m.low <= m.value <= m.high, m
        if m.metric in BOUNDED:
            assert None not in (m.coverage, m.worst, m.best), m
            assert min(m.worst, m.best) >= 0, m


def test_a_row_of_a_table_shows_them(month: Month12) -> None:
    html = signed_in(month, "dora").get(f"/reports/{month.month}/").content.decode()
    rows = re.findall(r'</th>\s*<td class="number"[^>]*>(\d+ %)</td>(.*?)</tr>', html, re.S)
    assert len(rows) >= 4
    for value, rest in rows:
        cells = re.findall(r"<td[^>]*>(.*?)</td>", rest, re.S)
        assert " – " in cells[0], (value, cells)
        assert re.search(r"\d", cells[1]), (value, cells)
