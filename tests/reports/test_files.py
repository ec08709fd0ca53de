"""A month's files: the page's numbers to the digit, one clear line for what can't be."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pypdf
import pytest
from django.core.management import CommandError, call_command

from reports_app.editions import defused, make_report, number_text, to_csv, to_format, to_xlsx
from reports_app.extract import Scope
from reports_app.metric import COLUMNS, Metric
from reports_app.paper import missing
from reports_app.small import few_of
from reports_app.templatetags.report_extras import metric_interval, metric_n, metric_value
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from tests.cast import BY
from tests.reports.conftest import Month12, browser_text, signed_in, taken_back

LIMIT = 8
TEXTS = ("month", "scope", "measure", "metric", "note")
NOTHING = "Nothing was opened, ended or held in 1995-05: the rows are empty.\n"
on_paper = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def shown(month: Month12) -> list[Metric]:
    """The metrics that screen and paper show."""
    metrics = month.report().metrics
    hidden = few_of(metrics, LIMIT)
    return [m for i, m in enumerate(metrics) if i not in hidden and m.value is not None]


def _csv_rows(month: Month12) -> list[dict[str, str]]:
    text = to_csv(month.report()).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def _pdf_text(content: bytes) -> str:
    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def test_the_csv_is_tidy_and_has_the_contracts_columns(month: Month12) -> None:
    rows = _csv_rows(month)
    assert tuple(rows[0]) == COLUMNS
    assert {row["month"] for row in rows} == {str(month.month)}
    assert {row["scope"] for row in rows} == {"clinic"}
    for row in rows:
        for name in COLUMNS[4:12]:
            assert row[name] == "" or number_text(float(row[name])) == row[name], row


def _in_book(month: Month12) -> list[tuple[Any, ...]]:
    book = openpyxl.load_workbook(io.BytesIO(to_xlsx(month.report())))
    return [
        cells
        for sheet in book.worksheets[:-1]
        for cells in sheet.iter_rows(values_only=True, min_row=2)
    ]


def test_the_workbook_holds_the_csvs_numbers_as_numbers(month: Month12) -> None:
    def as_cell(name: str, text: str) -> Any:
        return (text or None) if name in TEXTS else float(text) if text else None

    def row(cells: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(float(c) if isinstance(c, int | float) else c for c in cells)

    wanted = [tuple(as_cell(name, r[name]) for name in COLUMNS) for r in _csv_rows(month)]
    found = _in_book(month)
    assert sorted(map(row, found), key=str) == sorted(wanted, key=str)
    book = openpyxl.load_workbook(io.BytesIO(to_xlsx(month.report())))
    explained = {cells[0] for cells in book.worksheets[-1].iter_rows(values_only=True, min_row=2)}
    assert {cells[3] for cells in found} <= explained


def test_the_page_shows_every_number_as_the_file_has_it(
    month: Month12, shown: list[Metric]
) -> None:
    text = browser_text(signed_in(month, "dora"), f"/reports/{month.month}/")
    for metric in shown:
        for words in (metric_value(metric), metric_interval(metric), metric_n(metric)):
            assert " ".join(words.split()) in text, (metric.metric, words)


@on_paper
def test_the_pdf_shows_every_number_the_page_shows(month: Month12, shown: list[Metric]) -> None:
    with acting_as(BY):
        text = _pdf_text(to_format(month.report(), "pdf"))
    for metric in shown:
        for words in (metric_value(metric), metric_interval(metric)):
            assert " ".join(words.split()) in text, (metric.metric, words)


def test_a_screen_hides_what_too_few_are_in_and_says_so(month: Month12) -> None:
    recovered = month.metric("recovered")
    assert recovered.denominator == 6
    for path in (f"/reports/{month.month}/", f"/agency/?month={month.month}"):
        text = browser_text(signed_in(month, "dora"), path)
        assert "too few to show" in text
        assert "2 of 6" not in text


def test_a_kept_edition_is_the_same_to_the_byte(month: Month12) -> None:
    browser = signed_in(month, "dora")
    first, again = (browser.get(f"/reports/{month.month}/xlsx/") for _ in range(2))
    assert first.content == again.content
    assert first["ETag"] == again["ETag"]


def test_a_name_that_looks_like_a_formula_is_defused(month: Month12) -> None:
    with taken_back():
        evil = actions.add_programme(name="=HYPERLINK(1)", by=BY)
        report = make_report(month.month, Scope(evil))
        rows = list(csv.DictReader(io.StringIO(to_csv(report).decode())))
        book = openpyxl.load_workbook(io.BytesIO(to_xlsx(report)))
    assert {row["scope"] for row in rows} == {"'=HYPERLINK(1)"}
    cells = [c for sheet in book for row in sheet.iter_rows() for c in row]
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]
    assert [defused(text) for text in ("+1", "-1", "@a", "plain")] == ["'+1", "'-1", "'@a", "plain"]


def _say(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("monthly_report", *arguments, stdout=out, stderr=err)
    except CommandError as problem:
        return problem.returncode, out.getvalue(), str(problem)
    return 0, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("2026-13", "is no month such as"),
        ("march", "is no month such as"),
        ("1066-01", "is no month such as"),
        (f"{clinic_time.today() + timedelta(days=40):%Y-%m}", "lies in the future"),
    ],
)
def test_what_is_no_month_is_said_in_a_line(
    month: Month12, tmp_path: Path, written: str, why: str
) -> None:
    file = tmp_path / "out.csv"
    code, _out, said = _say(written, "--format", "csv", "--output", str(file))
    assert (code, said.count("\n"), file.exists()) == (2, 0, False)
    assert why in said


def test_an_unknown_programme_and_a_folder_that_isnt_there_are_named(
    month: Month12, tmp_path: Path
) -> None:
    wanted = [str(month.month), "--format", "csv", "--output"]
    code, _out, said = _say(*wanted, str(tmp_path / "a.csv"), "--programme", "Nowhere")
    assert (code, said) == (
        2, "There is no programme “Nowhere”; known: Substance use treatment, Talking therapy."
    )  # fmt: skip
    code, _out, said = _say(*wanted, str(tmp_path / "no" / "a.csv"))
    assert (code, said) == (2, f"{tmp_path / 'no' / 'a.csv'}: No such file or directory.")


def test_an_empty_month_is_written_and_said(month: Month12, tmp_path: Path) -> None:
    file = tmp_path / "empty.csv"
    code, out, said = _say("1995-05", "--format", "csv", "--output", str(file))
    assert (code, said) == (0, NOTHING)
    assert "whole clinic" in out
    assert len(file.read_text(encoding="utf-8").splitlines()) > 20


@pytest.mark.parametrize("format", ["csv", "xlsx", pytest.param("pdf", marks=on_paper)])
def test_each_format_is_written(month: Month12, tmp_path: Path, format: str) -> None:
    file = tmp_path / f"month.{format}"
    name = month.clinic.therapy.name
    code, out, _said = _say(
        str(month.month), "--format", format, "--output", str(file), "--programme", name
    )
    assert (code, file.stat().st_size > 500) == (0, True)
    assert name in out


def test_before_the_closing_day_a_month_is_provisional(month: Month12, monkeypatch: Any) -> None:
    closes = month.month.closes_on
    assert month.month.is_provisional(closes - timedelta(days=1))
    assert not month.month.is_provisional(closes)
