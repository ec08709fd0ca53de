"""Periods, editions and files that leave the clinic: what is asked for is what is said."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from measures_app.strata import age_band
from reports_app import actions as report_actions
from reports_app.editions import differences
from reports_app.extract import CLINIC, attendance
from reports_app.models import ReportEdition, ReportRun
from reports_app.nightly import run_night
from reports_app.periods import Month, Months, PeriodProblem, Range, parse_period
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Job
from tests.cast import BY
from tests.reports.conftest import Month12, browser_text, end_one, signed_in, taken_back
from tests.reports.test_files import _say


@pytest.mark.parametrize(
    ("written", "start", "end", "before"),
    [
        ("2024-02", "2024-02-01", "2024-02-29", "2024-01"),
        ("2025-Q1", "2025-01-01", "2025-03-31", "2024-Q4"),
        ("2025-q4", "2025-10-01", "2025-12-31", "2025-Q3"),
        ("2025", "2025-01-01", "2025-12-31", "2024"),
        ("2025-01-15..2025-03-02", "2025-01-15", "2025-03-02", "2024-11-29..2025-01-14"),
        # Both nights on which the clocks change: days are days, whatever hours they have.
        ("2025-03-30..2025-10-26", "2025-03-30", "2025-10-26", "2024-08-31..2025-03-29"),
    ],
)
def test_a_period_is_read_as_it_is_written(written: str, start: str, end: str, before: str) -> None:
    period = parse_period(written)
    assert (str(period.start), str(period.end)) == (start, end)
    assert str(period).lower() == written.lower()
    assert parse_period(str(period.previous())) == period.previous()
    assert str(period.previous()) == before


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("2025-Q5", "is no month such as"),
        ("1800", "is no month such as"),
        ("2025-02-30..2025-03-02", "a day that the calendar doesn't have"),
        ("2025-03-02..2025-01-15", "ends before it begins"),
        ("2001-01-01..2025-01-15", "more than ten years"),
        ("2999-Q1", "lies in the future"),
        ("2999", "lies in the future"),
        ("2999-01-01..2999-02-01", "lies in the future"),
    ],
)
def test_what_is_no_period_is_said(written: str, why: str) -> None:
    with pytest.raises(PeriodProblem, match=why):
        parse_period(written)


def test_at_a_bands_edge_a_client_is_in_one_group() -> None:
    assert [age_band(age) for age in (12, 13, 17, 18, 25, 26, 64, 65)] == [
        "0-12", "13-17", "13-17", "18-25", "18-25", "26-64", "26-64", "65+"
    ]  # fmt: skip


def test_a_range_of_a_month_counts_what_the_nights_months_say(month: Month12) -> None:
    whole = month.month
    with acting_as(BY):
        by_days = attendance(Range(whole.start, whole.end))
        assert {k: v for k, v in by_days.items() if k != "minutes"} == {
            k: v for k, v in attendance(whole).items() if k != "minutes"
        }
        halves = [
            attendance(Range(whole.start, whole.start + timedelta(days=8))),
            attendance(Range(whole.start + timedelta(days=9), whole.end)),
        ]
        assert sum(h["attended"] for h in halves) == attendance(whole)["attended"] > 0
        assert halves[0]["attended"] < attendance(whole)["attended"]


def test_the_page_takes_a_range_and_says_what_is_wrong_with_one(month: Month12) -> None:
    browser, page = signed_in(month, "dora"), f"/reports/{month.month}/"
    found = browser.get(page, {"from": str(month.month.start), "to": str(month.month.end)})
    assert found["Location"] == f"/reports/{Range(month.month.start, month.month.end)}/"
    text = browser_text(browser, found["Location"])
    assert "two ranges that differ by a day" in text
    wrong = browser.get(page, {"from": "2025-03-02", "to": "2025-01-15"})
    assert wrong.status_code == 400
    assert "ends before it begins" in wrong.content.decode()
    assert 'value="2025-03-02"' in wrong.content.decode()  # what was typed is kept
    half = browser.get(page, {"from": str(month.month.start)})
    assert half.status_code == 400
    assert "say from when and to when" in half.content.decode()
    assert f'value="{month.month.start}"' in half.content.decode(), "what was typed is kept"
    assert browser.get(page, {"funder": "Nobody ever paid"}).status_code == 404
    assert browser.get("/reports/soon/").status_code == 404


@pytest.mark.parametrize("kind", ["year", "quarter"])
def test_longer_periods_and_comparisons_are_shown(month: Month12, kind: str) -> None:
    period = month.month.year if kind == "year" else parse_period(_quarter(month.month.start))
    text = browser_text(signed_in(month, "dora"), f"/reports/{period}/")
    assert "Compared" in text
    assert str(period.previous().title) in text


def _quarter(day: date) -> str:
    return f"{day.year}-Q{(day.month + 2) // 3}"


def _closed(monkeypatch: Any, month: Month12) -> None:
    """The clinic's calendar stands after the month's closing day."""
    day = max(clinic_time.today(), month.month.closes_on)
    monkeypatch.setattr("reports_app.periods.clinic_time.today", lambda: day)


def test_what_leaves_the_clinic_holds_no_small_number(
    month: Month12, monkeypatch: Any, tmp_path: Path
) -> None:
    _closed(monkeypatch, month)
    with taken_back():
        file = tmp_path / "published.csv"
        code, _out, said = _say(
            str(month.month), "--format", "csv", "--output", str(file), "--publish"
        )
        assert (code, said) == (0, "")
        text = file.read_text(encoding="utf-8")
        assert "episodes_ended,10," in text  # of twelve, to the nearest five
        recovered = [line for line in text.splitlines() if ",recovered," in line]
        assert all(line.split(",")[4:12] == [""] * 8 for line in recovered)
        run = ReportRun.objects.get(published=True)
        assert bytes(run.editions.get(format="csv").content) == file.read_bytes()


def test_no_file_leaves_the_clinic_before_the_closing_day_or_for_any_range(
    month: Month12, monkeypatch: Any, tmp_path: Path
) -> None:
    wanted = ["--format", "csv", "--output", str(tmp_path / "a.csv"), "--publish"]
    this = Month(clinic_time.today().replace(day=1))
    code, _out, said = _say(str(this), *wanted)
    assert code == 2
    assert "until then its numbers stay in the clinic" in said
    code, _out, said = _say("2025-01-15..2025-03-02", *wanted)
    assert code == 2
    assert "can be subtracted" in said


def test_a_quarter_is_published_after_all_of_its_months_and_never_before_a_part(
    month: Month12, tmp_path: Path
) -> None:
    wanted = ["--format", "csv", "--output", str(tmp_path / "a.csv"), "--publish"]
    with taken_back():
        assert _say("1995-02", *wanted)[0] == 0
        code, _out, said = _say("1995-Q1", *wanted)
        assert code == 2
        assert "1995-02 left the clinic, 1995-01, 1995-03 did not" in said
        for part in ("1995-01", "1995-03", "1995-Q1", "1995-Q2", "1995-02"):
            assert _say(part, *wanted)[0] == 0, part
        code, _out, said = _say("1995-05", *wanted)
        assert code == 2
        assert "1995-Q2 has left the clinic as a whole, and 1995-05 is a part of it" in said
        code, _out, said = _say("1995", *wanted)
        assert code == 2
        assert "1995-12 did not" in said


def test_files_to_leave_the_clinic_are_made_by_the_worker(month: Month12, monkeypatch: Any) -> None:
    _closed(monkeypatch, month)
    with taken_back():
        dora = signed_in(month, "dora")
        page = f"/reports/{month.month}/"
        assert "Make the files to leave the clinic" in dora.get(page).content.decode()
        assert dora.post(page + "publish/").status_code == 302
        assert dora.post(page + "publish/").status_code == 302  # a second tap asks for nothing more
        job = Job.objects.get(kind=report_actions.PUBLISHING)
        told = dora.get(page + "publishing/").json()
        assert (told["running"], told["total"]) == (True, job.total)
        assert "These files are being made" in dora.get(page).content.decode()
        report_actions.carry_out_publication(job.pk)
        report_actions.carry_out_publication(job.pk)
        assert dora.get(page + "publishing/").json()["running"] is False
        run = ReportRun.objects.get(published=True)
        shown = dora.get(page).content.decode()
        assert run.made_by == month.clinic.dora
        for file in run.editions.all():
            assert f'class="button primary" href="/reports/editions/{file.pk}/"' in shown
        refused = dora.post("/reports/2025-01-15..2025-03-02/publish/")
        assert refused.status_code == 409
        assert "can be subtracted" in refused.content.decode()


def test_a_correction_makes_a_new_edition_that_says_what_changed(month: Month12) -> None:
    with taken_back():
        keep = lambda: report_actions.keep_edition(  # noqa: E731 - said three times
            period=month.month, format="csv", by=month.clinic.users["dora"]
        )
        first, _name = keep()
        assert keep()[0] == first
        end_one(month.clinic, month.month, 55, 15.0, 31.0, "agreed")
        run_night(clinic_time.today())
        second, _name = keep()
        assert second.run != first.run
        changes = {c["metric"]: (c["old"], c["new"]) for c in second.run.changes}
        assert changes["episodes_ended"] == ("12", "13")
        assert changes["recovered"] == ("0.333333 (2/6)", "0.428571 (3/7)")
        assert "collateral_raters" not in changes
        again = ReportEdition.objects.get(pk=first.pk)
        assert bytes(again.content) == bytes(first.content)
        browser = signed_in(month, "dora")
        assert browser.get(f"/reports/editions/{first.pk}/").content == bytes(first.content)
        page = browser.get(f"/reports/{month.month}/").content.decode()
        assert "numbers differ from the edition before" in page
        assert browser.get("/reports/editions/999999/").status_code == 404


def test_the_timetable_keeps_each_edition_once(month: Month12, monkeypatch: Any) -> None:
    monkeypatch.setattr("reports_app.actions.missing", lambda: "no paper in this test")
    day = month.month.next().start + timedelta(days=1)
    with taken_back():
        monkeypatch.setattr("reports_app.periods.clinic_time.today", lambda: day)
        assert report_actions.keep_scheduled(day) == 3
        assert report_actions.keep_scheduled(day) == 0
        run = report_actions.last_run(month.month, CLINIC)
        assert run is not None
        assert (run.provisional, run.editions.count()) == (True, 2)
        closed = month.month.closes_on
        monkeypatch.setattr("reports_app.periods.clinic_time.today", lambda: closed)
        assert report_actions.keep_scheduled(closed) == 1
        final = report_actions.last_run(month.month, CLINIC)
        assert final is not None
        assert final.provisional is False


def test_what_differs_is_named_by_age_group_and_measure() -> None:
    head = "measure,metric,value,numerator,denominator,note\r\n"
    old = head + ",clients_by_age_group,3,3,9,26-64\r\n,mean_days,9,,4,x\r\n"
    new = (
        head + ",clients_by_age_group,4,4,9,26-64\r\n,mean_days,9,,4,y\r\nphq-9,improved,1,1,1,\r\n"
    )
    assert differences(old.encode(), new.encode()) == [
        {"measure": "", "metric": "clients_by_age_group", "group": "26-64",
         "old": "3 (3/9)", "new": "4 (4/9)"},
        {"measure": "phq-9", "metric": "improved", "group": "", "old": "", "new": "1 (1/1)"},
    ]  # fmt: skip


def test_one_funders_numbers_are_its_own(month: Month12, tmp_path: Path) -> None:
    with taken_back():
        client = actions.register_client(by=BY, site=month.clinic.north, name="Paid For")
        opened = month.month.start
        actions.open_episode(
            client=client, programme=month.clinic.therapy, opened_on=opened, funder="County",
            lead=month.clinic.clinicians["bob"], by=BY,
        )  # fmt: skip
        run_night(clinic_time.today())
        file = tmp_path / "county.csv"
        _say(str(month.month), "--format", "csv", "--output", str(file), "--funder", "County")
        text = file.read_text(encoding="utf-8")
        assert f"{month.month},funder: County,,episodes_opened,1," in text
        assert f"{month.month},funder: County,,episodes_ended,0," in text
        page = signed_in(month, "dora").get(f"/reports/{month.month}/?funder=County")
        assert "funder: County" in page.content.decode()


def test_a_year_is_twelve_months_and_a_quarter_three() -> None:
    assert Months(date(2025, 1, 1), 12).whole_months
    assert Months(date(2025, 4, 1), 3).last_month == Month(date(2025, 6, 1))
    assert not Range(date(2025, 1, 2), date(2025, 1, 31)).whole_months
