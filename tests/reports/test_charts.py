"""One description, every drawing: SVG, table and Plotly say the same."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from measures_app.charts import (
    CourseFigure,
    Event,
    TrendFigure,
    TrendPoint,
    course_svg,
    figure_table,
    trend_svg,
)
from measures_app.charts.svg import spread
from reports_app.periods import Month, months_back
from reports_app.plots import trend_plot
from reports_app.trend import LEAD_IN, SHOWN_MONTHS, figure_of
from sessions_app import clinic_time

COURSE = CourseFigure(
    scores=[(1, 15.8), (2, 18.0), (3, 16.4), (5, 18.2)],
    low=0,
    high=40,
    expected=[(t, 15.8 + t, 12.0 + t, 20.0 + t) for t in range(2, 12)],
    forecast=[(t, 19.0, 14.0, 24.0) for t in range(6, 12)],
    cutoff=25,
    no_change=(11.2, 22.4),
    alliance=[(1, 34.0), (2, 35.5), (4, 36.0)],
    alliance_cutoff=36,
    events=[Event(2.5, "did not come"), Event(2.5, "transfer"), Event(5, "change approach")],
    dates={1: "2 Mar 2026", 4: "23 Mar 2026"},
)


def _texts(svg: str) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text")]


@pytest.mark.parametrize("narrow", [False, True])
def test_a_course_is_well_formed_and_within_its_frame(narrow: bool) -> None:
    svg = course_svg(COURSE, narrow=narrow)
    root = ElementTree.fromstring(svg)
    width, height = (float(n) for n in root.attrib["viewBox"].split()[2:])
    for element in root.iter():
        for name, most in (("x", width), ("cx", width), ("y", height), ("cy", height)):
            if name in element.attrib:
                assert 0 <= float(element.attrib[name]) <= most, ElementTree.tostring(element)
    assert "style=" not in svg
    assert "script" not in svg


def test_lines_are_named_where_they_end() -> None:
    words = _texts(course_svg(COURSE))
    assert {
        "cutoff 25", "expected 26.8", "likely 19", "reliably better 22.4", "reliably lower 11.2",
        "alliance 36", "18.2", "did not come", "transfer",
    } <= set(words)  # fmt: skip


def test_on_a_symptom_measure_the_lower_edge_is_the_better() -> None:
    words = _texts(course_svg(CourseFigure(**{**COURSE.__dict__, "better": "lower"})))
    assert "reliably better 11.2" in words
    assert "reliably higher 22.4" in words


def test_the_table_has_every_session_with_its_day() -> None:
    rows = {row["session"]: row for row in figure_table(COURSE)}
    assert list(rows) == ["1", "2", "3", "4", "5"]
    assert (rows["4"]["date"], rows["4"]["score"], rows["4"]["alliance"]) == (
        "23 Mar 2026", "–", "36"
    )  # fmt: skip


@pytest.mark.parametrize(("sessions", "radius"), [(40, 4.6), (300, 1.61)])
def test_marks_of_a_long_course_are_finer_and_of_a_usual_one_as_ever(
    sessions: int, radius: float
) -> None:
    course = [(t, 15 + t % 7) for t in range(1, sessions + 1)]
    drawn = course_svg(CourseFigure(**{**COURSE.__dict__, "scores": course, "alliance": course}))
    found = {float(r) for r in re.findall(r'class="c-score-mark"[^>]* r="([^"]*)"', drawn)}
    assert found == {radius}
    widths = re.findall(r'class="c-alliance-mark"[^>]* width="([^"]*)"', drawn)
    assert len(widths) == sessions
    assert float(widths[0]) == pytest.approx(7.2 * radius / 4.6, abs=0.01)


def test_labels_never_lie_over_one_another() -> None:
    places = spread([10, 11, 12, 100], 14, 0, 105)
    assert all(b - a >= 14 for a, b in pairwise(places))
    assert spread([98, 99, 100], 14, 0, 105)[-1] <= 105
    assert spread([], 14, 0, 100) == []


def _months() -> list[Month]:
    last = Month(clinic_time.today().replace(day=1)).previous()
    return months_back(last, SHOWN_MONTHS + LEAD_IN)


def test_a_trend_too_thin_by_month_widens_to_a_year() -> None:
    n = np.full(SHOWN_MONTHS + LEAD_IN, 2)
    figure = figure_of("x", _months(), np.ones_like(n), n, 8)
    assert figure.rolling
    assert figure.points[-1].n == 24
    assert figure.points[-1].value == 0.5
    assert "twelve months" in figure.words


def test_a_single_thin_month_is_a_gap_and_shows_no_count() -> None:
    n = np.full(SHOWN_MONTHS + LEAD_IN, 40)
    n[-5] = 3
    cases = n // 2
    figure = figure_of("x", _months(), cases, n, 8)
    assert not figure.rolling
    thin = figure.points[-5]
    assert (thin.value, thin.n, thin.cases) == (None, 0, 0)


def test_a_month_unlike_the_others_is_boxed_and_said() -> None:
    n = np.full(SHOWN_MONTHS + LEAD_IN, 60)
    cases = np.full_like(n, 30)
    cases[-6] = 2
    figure = figure_of("x", _months(), cases, n, 8)
    assert [p.label for p in figure.points if p.signal] == [figure.points[-6].label]
    assert figure.points[-6].label in figure.words
    assert figure.points[-1].hollow == (
        clinic_time.today() - _months()[-1].end < timedelta(days=60)
    )


FIGURE = TrendFigure(
    "Reliably improved",
    [
        TrendPoint("Jan", 0.5, 40, 20, 0.2, 0.8),
        TrendPoint("Feb", None),
        TrendPoint("Mar", 0.9, 40, 36, 0.2, 0.8, signal=True),
        TrendPoint("Apr", 0.45, 40, 18, 0.2, 0.8, hollow=True),
    ],
    centre=0.5,
)


def test_plotly_gets_the_figures_numbers_and_no_colour() -> None:
    plot = trend_plot(FIGURE)
    values = next(trace for trace in plot["data"] if trace["meta"] == "value")
    assert values["y"] == [0.5, None, 0.9, 0.45]
    assert values["customdata"][0] == [20, 40]
    assert values["marker"]["symbol"][-1] == "circle-open"
    assert not re.findall(r"#[0-9a-f]{6}|rgb", str(plot))


def test_a_trends_drawing_has_its_gap_and_its_last_value() -> None:
    svg = trend_svg(FIGURE)
    assert "45 %" in _texts(svg)
    assert svg.count("<circle") == 3
    assert trend_svg(TrendFigure("x", [TrendPoint("Jan", None)])) == ""
