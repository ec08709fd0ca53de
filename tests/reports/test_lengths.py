"""When half were offered, were seen, had ended: page and files say one number, of few none."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import inf
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from measures_app.charts import remaining_charts, remaining_svg
from measures_app.psychometrics.survival import survival
from reports_app import editions, group_figures
from reports_app.extract import CLINIC
from reports_app.group_figures import _json
from reports_app.lengths import TITLES, Length, length_of
from sessions_app import actions
from sessions_app.context import acting_as
from tests.cast import BY
from tests.reports.conftest import Month12, browser_text, signed_in, taken_back

LIMIT = 8
RNG = np.random.default_rng(7)
DAYS = RNG.integers(3, 90, 63)
ENDED = RNG.random(63) < 0.7


def _length(limit: int = LIMIT) -> Length:
    found = length_of(survival(np.zeros(63), DAYS, ENDED), limit, curve=True)
    assert found is not None
    return found


def test_a_curve_has_no_step_of_few_and_says_about_how_many() -> None:
    length = _length()
    assert (length.n, length.events) == (65, 5 * round(int(ENDED.sum()) / 5))
    marks = [point.day for point in length.points]
    assert len(marks) >= 3
    for since, day in zip([-1.0, *marks], marks, strict=False):
        ended = ENDED & (since < DAYS) & (day >= DAYS)
        assert ended.sum() >= LIMIT
    assert all(point.at_risk % 5 == 0 for point in length.points)
    assert (marks[-1] <= DAYS).sum() >= LIMIT
    # The marks are those of the estimate itself.
    exact = survival(np.zeros(63), DAYS, ENDED)
    shares = dict(zip(exact.days, exact.share, strict=True))
    assert [point.share for point in length.points] == [shares[day] for day in marks]


def test_a_curve_of_many_has_no_more_marks_than_can_be_read() -> None:
    many = survival(np.zeros(20_000), RNG.integers(0, 900, 20_000), np.ones(20_000, dtype=bool))
    length = length_of(many, LIMIT, curve=True)
    assert length is not None
    assert 30 < len(length.points) <= 40


def test_of_few_nothing_is_said_and_a_curve_of_two_marks_is_none() -> None:
    seven = survival(np.zeros(30), DAYS[:30], [True] * 7 + [False] * 23)
    assert length_of(seven, LIMIT) is None
    some = length_of(
        survival(np.zeros(24), DAYS[:24], [True] * 20 + [False] * 4), LIMIT, curve=True
    )
    assert some is not None
    assert some.points == []


def test_it_is_kept_as_it_was_even_where_nobody_knows_its_end() -> None:
    length = _length()
    unknown = Length(20, 10, inf, 31.0, inf, [])
    for each in (length, unknown):
        assert Length.from_json(json.loads(json.dumps(_json(asdict(each))))) == each
    assert "10 ended: too few to say" in unknown.words("length")
    assert unknown.half is None


@pytest.mark.parametrize("draw", [remaining_charts, remaining_svg])
def test_a_curve_lies_within_its_frame_and_names_its_middle(draw: Any) -> None:
    length = _length()
    drawn = draw(length.figure("Still in care"))
    for svg in drawn.replace("</svg>", "</svg>\0").split("\0")[:-1]:
        root = ElementTree.fromstring(svg)
        width, height = (float(n) for n in root.attrib["viewBox"].split()[2:])
        for element in root.iter():
            for points in (p.split(",") for p in element.attrib.get("points", "").split()):
                assert 0 <= float(points[0]) <= width
                assert 0 <= float(points[1]) <= height
        assert f"half: day {length.half:g}" in svg
        assert len(root.findall("{*}circle")) == len(length.points)
    assert draw(Length(20, 10, 5.0, 3.0, 8.0, []).figure("Still in care")) == ""


def test_page_and_files_say_one_number(month: Month12) -> None:
    """The month's report and the flow page, of the same care."""
    exact = month.metric("care_all_median_days")
    with taken_back():
        actions.set_policy(key="small_cell_limit", value=1, from_on=month.month.start, by=BY)
        found = group_figures.flow(month.month, "programme", CLINIC)[0]
        length = found.out_all.length
        assert length is not None
        assert (length.value, length.low, length.high) == (
            exact.value, exact.low, inf if exact.high is None else exact.high,
        )  # fmt: skip
        page = browser_text(signed_in(month, "dora"), f"/agency/flow/?period={month.month}")
    assert length.words("length") in page


def test_on_the_page_few_are_left_out(month: Month12) -> None:
    with acting_as(BY):
        groups = group_figures.flow(month.month, "programme", CLINIC)[0]
    assert all(group.length is None for group in groups.out if (group.ended or 0) < LIMIT)
    page = browser_text(signed_in(month, "dora"), f"/agency/flow/?period={month.month}")
    assert "How long until half have ended?" in page
    assert ("Half ended by day" in page) is any(group.length for group in groups.out)


def test_the_boards_pdf_draws_the_same_curves(
    month: Month12, monkeypatch: pytest.MonkeyPatch
) -> None:
    length, few = _length(), Length(20, 10, 5.0, 3.0, 8.0, [])
    flow = SimpleNamespace(
        into_all=SimpleNamespace(offer_all=None, seen_all=few),
        out_all=SimpleNamespace(length=length),
    )
    monkeypatch.setattr("reports_app.editions.group_figures.flow", lambda *of: (flow, None))
    drawn = editions.curves(month.report())
    assert [(title, words) for title, words, _svg in drawn] == [
        (str(TITLES["length"]), length.words("length"))
    ]
    assert drawn[0][2] == remaining_svg(length.figure(str(TITLES["length"])))
    monkeypatch.setattr(editions, "render_pdf", str.encode)
    paper = editions.to_pdf(month.report()).decode()
    assert drawn[0][2] in paper
    assert length.words("length") in paper
