"""What no session tells, entered for the clinic; and a contract's target beside the actual."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reports_app import actions as report_actions
from reports_app.board import entered, targets
from reports_app.editions import report_context, to_pdf
from reports_app.extract import Scope
from reports_app.metric import Metric
from reports_app.models import ContractTarget, MonthlyEntry
from reports_app.paper import missing
from reports_app.periods import Range
from tests.reports.conftest import Month12, browser_text, signed_in, taken_back
from tests.reports.test_files import _pdf_text


def test_what_is_entered_stands_on_the_months_page(month: Month12) -> None:
    browser, page = signed_in(month, "adam"), f"/reports/{month.month}/entries/"
    with taken_back():
        assert (
            browser.post(page, {"form": "entry", "complaints": 2, "leavers": 1}).status_code == 302
        )
        browser.post(
            page,
            {
                "form": "entry",
                "complaints": 3,
                "leavers": 1,
                "changed": "Evening hours on Mondays.",
            },
        )
        assert MonthlyEntry.objects.count() == 2  # a correction is a new row
        text = browser_text(signed_in(month, "dora"), f"/reports/{month.month}/")
        assert "3 complaints." in text
        assert "1 of the staff left." in text
        assert "Evening hours on Mondays." in text
        whole = entered(month.month.year)
        assert (whole.complaints, whole.vacancies) == (3, None)
        part = Range(month.month.start, month.month.start + timedelta(days=9))
        assert entered(part).complaints is None  # a month's number isn't a week's


def test_a_number_that_cant_be_is_refused_beside_it_and_kept(month: Month12) -> None:
    browser, page = signed_in(month, "dora"), f"/reports/{month.month}/entries/"
    found = browser.post(page, {"form": "entry", "complaints": -1, "changed": "Kept words"})
    assert found.status_code == 400
    assert "Kept words" in found.content.decode()
    assert browser.post(page, {"form": "entry"}).status_code == 400
    wrong = {"form": "target", "funder": "County", "metric": "recovered", "value": 150,
             "from_on": "2026-01-01"}  # fmt: skip
    found = browser.post(page, wrong)
    assert found.status_code == 400
    assert "at most 100 per cent" in found.content.decode()
    assert not MonthlyEntry.objects.exists()
    assert not ContractTarget.objects.exists()


def test_a_target_stands_beside_the_actual_as_it_was_in_force(month: Month12) -> None:
    set_target = lambda value, on: report_actions.set_target(  # noqa: E731 - said twice
        funder="County", metric="episodes_ended", value=value, from_on=on,
        by=month.clinic.users["dora"],
    )  # fmt: skip
    metrics = [Metric("m", "s", "", "episodes_ended", 12.0),
               Metric("m", "s", "", "no_show_rate", 0.1, denominator=50)]  # fmt: skip
    with taken_back():
        set_target(10, month.month.start - timedelta(days=400))
        set_target(99, month.month.end + timedelta(days=1))
        report_actions.set_target(
            funder="County", metric="no_show_rate", value=5, from_on=month.month.start,
            by=month.clinic.users["dora"],
        )  # fmt: skip
        ended, no_shows = targets(month.month, "County", metrics, frozenset())
        assert (ended.target, ended.reached, ended.target_words) == (10, True, "at least 10")
        assert (no_shows.reached, no_shows.target_words) == (False, "at most 5 %")
        for metric, value in (("waiting_median_days", 21), ("effect_size", 0.8)):
            report_actions.set_target(
                funder="County", metric=metric, value=value, from_on=month.month.start,
                by=month.clinic.users["dora"],
            )  # fmt: skip
        others = [Metric("m", "s", "", "waiting_median_days", 23.0),
                  Metric("m", "s", "x", "effect_size", 0.81)]  # fmt: skip
        waited, effect = targets(month.month, "County", others, frozenset())
        assert (waited.target_words, waited.reached) == ("at most 21 days", False)
        assert (effect.target_words, effect.reached) == ("at least 0.80", True)
        year = targets(month.month.year, "County", metrics, frozenset())[0]
        assert year.target in (120, 1188)  # a count is asked for each month
        hidden = targets(month.month, "County", metrics, frozenset({1}))[1]
        assert hidden.reached is None
        assert targets(month.month, None, metrics, frozenset()) == []
        page = browser_text(signed_in(month, "dora"), f"/reports/{month.month}/?funder=County")
        assert "What the contract asks for" in page


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_board_reads_what_was_entered_and_what_changed_on_the_first_page(month: Month12) -> None:
    with taken_back():
        report_actions.enter_month(
            month=month.month, complaints=2, vacancies=3, changed="Two more rooms.",
            by=month.clinic.users["dora"],
        )  # fmt: skip
        report = month.report()
        text = _pdf_text(to_pdf(report))
        for words in ("Compared", "all of", "reliable change 6.6 or more; borrowed from",
                      "What each number means", "2 complaints.", "3 posts are vacant.",
                      "Two more rooms.",
                      "Case reviews: 0 held", "People served: 15,"):  # fmt: skip
            assert words in text, words
        assert Scope().is_clinic
        assert report_context(report)["entered"].complaints == 2
