"""What comes wrong in files: each gets its own clear error or its right reading.

An error leaves the database as it was.
"""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from measures_app.management.commands import import_scores
from sessions_app import tables, workbooks
from sessions_app.tables import TableProblem, read_table
from tests.imports.conftest import Run, counts, scores_of

HEAD = "client,session_date,measure,total\n"
GOOD = "A,2024-01-08,phq-9,18\n"
SCORE = [("2024-01-08", "phq-9", Decimal(18))]


def rows(*lines: str, head: str = HEAD) -> str:
    return head + GOOD + "".join(line + "\n" for line in lines)


MAPPING = '[columns]\nclient = "c"\nsession_date = "d"\ntotal = "t"\n{}\n[constants]\n{}\n'


def mapped(constants: str = "", columns: str = "", top: str = 'measure = "phq-9"') -> str:
    return f"{top}\n" + MAPPING.format(columns, constants)


# what -> (content, row, column, value, a part of why)
BAD_CELLS: dict[str, tuple[str, int, str, str, str]] = {
    "a text score": (rows("B,2024-01-08,phq-9,high"), 3, "total", "high", "not a number"),
    "a score out of range": (rows("B,2024-01-08,phq-9,28"), 3, "total", "28", "0 to 27"),
    "a score below": (rows("B,2024-01-08,phq-9,-1"), 3, "total", "-1", "0 to 27"),
    "half a point": (rows("B,2024-01-08,phq-9,7.5"), 3, "total", "7.5", "two steps of 1"),
    "not a number": (rows("B,2024-01-08,phq-9,NaN"), 3, "total", "NaN", "not a number"),
    "underscores": (rows("B,2024-01-08,phq-9,1_0"), 3, "total", "1_0", "not a number"),
    "infinity": (rows("B,2024-01-08,phq-9,inf"), 3, "total", "inf", "not a number"),
    "no score": (rows("B,2024-01-08,phq-9,"), 3, "total", "", "no score"),
    "thousands": (
        rows('B,2024-01-08,who-5,"1,000"'), 3, "total", "1,000", "not a number",
    ),
    "no client": (rows(",2024-01-08,phq-9,8"), 3, "client", "", "names no client"),
    "a long client": (rows(f"{'B' * 81},2024-01-08,phq-9,8"), 3, "client", "B" * 60 + "…", "80"),
    "an impossible date": (
        rows("B,2024-02-30,phq-9,8"), 3, "session_date", "2024-02-30", "no date",
    ),
    "no date": (rows("B,,phq-9,8"), 3, "session_date", "", "no date"),
    "a date with a tail": (
        rows("B,2024-01-08 or so,phq-9,8"), 3, "session_date", "2024-01-08 or so", "no date",
    ),
    "an ambiguous date": (
        rows("B,03/04/2024,phq-9,8"), 3, "session_date", "03/04/2024",
        'date_format = "%d/%m/%Y" or "%m/%d/%Y"',
    ),
    "day first": (rows("B,31.01.2024,phq-9,8"), 3, "session_date", "31.01.2024", '"%d.%m.%Y"'),
    "month first": (rows("B,1/31/24,phq-9,8"), 3, "session_date", "1/31/24", '"%m/%d/%y"'),
    "a spreadsheet's day number": (
        rows("B,45300,phq-9,8"), 3, "session_date", "45300", "2024-01-09 if it counts from 1900",
    ),
    "a future date": (rows("B,2190-01-01,phq-9,8"), 3, "session_date", "2190-01-01", "future"),
    "long ago": (rows("B,1889-01-01,phq-9,8"), 3, "session_date", "1889-01-01", "before 1950"),
    "a measure that isn't loaded": (
        rows("B,2024-01-08,hads,8"), 3, "measure", "hads", "load_measure",
    ),
    "a misspelt measure": (rows("B,2024-01-08,phq9,8"), 3, "measure", "phq9", "“phq-9”?"),
    "no measure": (rows("B,2024-01-08,,8"), 3, "measure", "", "names no measure"),
    "the same row twice": (rows("A,2024-01-08,phq-9,18"), 3, "client", "A", "row 2 is the same"),
    "too many cells": (rows("B,2024-01-08,phq-9,8,9"), 3, "total", "8,9", "has 5 cells"),
    "too few cells": (rows("B,2024-01-08"), 3, "total", "", "there is no score"),
    "a quoted line break before": (
        rows('"B\nb",2024-01-08,phq-9,8', "C,2024-01-08,phq-9,x"), 4, "total", "x", "not a number",
    ),
    "a birth year": (
        rows("B,2024-01-08,phq-9,8,88", head="client,session_date,measure,total,birth_year\n"),
        3, "birth_year", "88", "whole number from",
    ),
    "a gender": (
        rows("B,2024-01-08,phq-9,8,x", head="client,session_date,measure,total,gender\n"),
        3, "gender", "x", "man, other, woman",
    ),
    "an attendance": (
        rows("B,2024-01-08,phq-9,8,maybe", head="client,session_date,measure,total,attendance\n"),
        3, "attendance", "maybe", "no_show",
    ),
    "an ending": (
        rows("B,2024-01-08,phq-9,8,bored", head="client,session_date,measure,total,ending\n"),
        3, "ending", "bored", "client_stopped",
    ),
    "a respondent": (
        rows("B,2024-01-08,phq-9,8,dog", head="client,session_date,measure,total,respondent\n"),
        3, "respondent", "dog", "carer",
    ),
    "a long clinician": (
        rows(f"B,2024-01-08,phq-9,8,{'x' * 41}", head=HEAD.strip() + ",clinician\n"),
        3, "clinician", "x" * 41 + "…", "longer than 40",
    ),
    "a session before the opening": (
        rows("B,2024-01-08,phq-9,8,2024-01-09", head=HEAD.strip() + ",opened_on\n"),
        3, "session_date", "2024-01-08", "opening on 2024-01-09",
    ),
    "a session after the end": (
        rows("B,2024-01-08,phq-9,8,2024-01-07", head=HEAD.strip() + ",ended_on\n"),
        3, "session_date", "2024-01-08", "end on 2024-01-07",
    ),
    "care that begins after measuring": (
        rows("B,2024-01-08,phq-9,8,2024-01-09", head=HEAD.strip() + ",care_began_on\n"),
        3, "care_began_on", "2024-01-09", "after measuring did",
    ),
    "two openings of an episode": (
        rows(
            "B,2024-01-08,phq-9,8,2024-01-01", "B,2024-01-09,phq-9,8,2024-01-02",
            head=HEAD.strip() + ",opened_on\n",
        ),
        4, "opened_on", "2024-01-02", "row 3 says “2024-01-01”",
    ),
    "two birth years of a client": (
        rows("B,2024-01-08,phq-9,8,1980", "B,2024-01-09,phq-9,8,1981",
             head=HEAD.strip() + ",birth_year\n"),
        4, "birth_year", "1981", "row 3 says “1980”",
    ),
    "two clinicians in one session": (
        rows("B,2024-01-08,phq-9,8,Mia", "B,2024-01-08,gad-7,8,Jon",
             head=HEAD.strip() + ",clinician\n"),
        4, "clinician", "Jon", "row 3 says “Mia”",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_CELLS)
def test_a_bad_cell_is_named(what: str, run: Run) -> None:
    content, row, column, value, why = BAD_CELLS[what]
    before = counts()
    outcome = run(content)
    error = outcome.error()
    assert (outcome.code, counts()) == (2, before)
    assert (error["row"], error["column"], error["value"]) == (row, column, value)
    assert why in error["why"]


def test_two_scores_for_one_session_name_both_rows(run: Run) -> None:
    outcome = run(rows("A,2024-01-08,phq-9,17"))
    assert outcome.code == 2
    assert [(e["row"], e["why"].split(";")[0]) for e in outcome.errors] == [
        (2, "row 3 says otherwise: 17"),
        (3, "row 2 says 18 for the same measure and day, this row says 17"),
    ]


def test_an_end_before_the_opening_is_named(run: Run) -> None:
    outcome = run(rows("B,2024-01-08,phq-9,8,2024-01-02,2024-01-01",
                       head=HEAD.strip() + ",opened_on,ended_on\n"))  # fmt: skip
    assert {(e["column"], e["why"].split(" on ")[0]) for e in outcome.errors} == {
        ("ended_on", "the end lies before the opening"),
        ("session_date", "the session lies after the episode's end"),
    }


# what -> (content, a part of the message)
BAD_FILES: dict[str, tuple[bytes | str, str]] = {
    "empty": (b"", "The file is empty."),
    "blank": (b" \n\r\n  \n", "The file is empty."),
    "a mark alone": (b"\xef\xbb\xbf", "The file is empty."),
    "header only": (HEAD, "has no rows"),
    "a wrong column": (rows().replace("total", "totla"), "Did you mean “total”?"),
    "a column too many": (rows().replace("total", "total,mood"), "“mood” in the header"),
    "a column without a name": (
        rows("B,2024-01-08,phq-9,8,?").replace("total", "total, ,x"), "Column 5 has no name",
    ),
    "no client column": (rows().replace("client", "clinician"), "which column holds the client"),
    "no date column": (rows().replace("session_date", "problem"), "the session's date"),
    "no score column": (rows().replace("total", "funder"), "the total, or the items"),
    "one name twice": (rows().replace("measure", "client"), "Two columns are called “client”"),
    "nul bytes": (rows().encode() + b"B,2024-01-08,phq-9,\x008\n", "Row 3 holds NUL bytes"),
    "an open quote": (
        rows('"B,2024-01-08,phq-9,8', *["C,2024-01-08,phq-9,8"] * 9),
        "Row 3 (line 3)",
    ),
    "an old workbook": (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "old XLS"),
    "no workbook": (b"PK\x03\x04" + b"\0" * 600, "no readable XLSX"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "NUL bytes"),
    "another alphabet": (
        rows().replace("A,", "Иванов Пётр,").encode("cp1251"), "looks like cp1251",
    ),
    "half a utf-16": (rows().encode("utf-16")[:-1], "isn't"),
    "a cell without end": (rows("B" * 140_000 + ",2024-01-08,phq-9,8"), "Row 3"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_file_that_is_no_table_is_refused_in_one_sentence(what: str, run: Run) -> None:
    content, message = BAD_FILES[what]
    before = counts()
    outcome = run(content)
    assert (outcome.code, counts()) == (2, before)
    assert message in outcome.said
    assert "\n" not in outcome.said.strip()
    assert outcome.report["errors"][0]["why"] in outcome.said


# what -> (mapping, a part of the message)
BAD_MAPPINGS: dict[str, tuple[str, str]] = {
    "no toml": ("measure = ", "no TOML"),
    "an unknown key": (mapped(top='measur = "phq-9"'), "Did you mean “measure”?"),
    "an unknown field": (mapped(columns='totl = "x"'), "“totl” in [columns]"),
    "an unknown constant": (mapped('clinican = "x"'), "Did you mean “clinician”?"),
    "no section": ('columns = "client"', "[columns] must be a section"),
    "a column that isn't there": (
        mapped(columns='programme = "P"'), "no column “P” (for programme)",
    ),
    "a number for a column": (mapped(columns="programme = 3"), "must be a column's name"),
    "no date at all": ('measure="phq-9"\n[columns]\nclient="c"\ntotal="t"', "the session's date"),
    "two ways to say when": (mapped(columns='day = "t"'), "one way to say when"),
    "days from nowhere": (
        'measure="phq-9"\n[columns]\nclient="c"\ntotal="t"\nday="d"', "opened_on: days or months",
    ),
    "no measure": (mapped(top=""), "which measure it is"),
    "a text for a date": (mapped('opened_on = "soon"'), "must be a date"),
    "half a day": (mapped("ended_after_days = 1.5"), "whole number of days"),
    "a date format without a year": (mapped('date_format = "%d/%m"'), "doesn't say day, month"),
    "a list": (mapped('clinician = ["a"]'), "must be one value"),
    "an encoding that isn't": (mapped('encoding = "klingon"'), "no encoding “klingon”"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_MAPPINGS)
def test_a_mapping_that_cant_be_meant_is_refused(what: str, run: Run) -> None:
    mapping, message = BAD_MAPPINGS[what]
    outcome = run("c,d,t\nA,2024-01-08,18\n", mapping=mapping)
    assert outcome.code == 2
    assert message in outcome.said


def test_a_file_or_mapping_that_isnt_there_is_said_so(run: Run, tmp_path: Path) -> None:
    assert "No such file" in run(tmp_path / "none.csv").said
    assert "Is a directory" in run(tmp_path).said


# --- read as meant -----------------------------------------------------------------------------

ACCENTED = rows().replace("A,", "Peña,")
READ_RIGHT: dict[str, tuple[bytes, str]] = {
    "a byte-order mark": (b"\xef\xbb\xbf" + rows().encode(), "A"),
    "latin-1": (ACCENTED.encode("latin-1"), "Peña"),
    "cp1252": (ACCENTED.replace("Peña", "“Peña”").encode("cp1252"), "“Peña”"),
    "utf-16": (ACCENTED.encode("utf-16"), "Peña"),
    "utf-16 without a mark": (rows().encode("utf-16-le"), "A"),
    "semicolons": (rows().replace(",", ";").encode(), "A"),
    "tabs": (rows().replace(",", "\t").encode(), "A"),
    "bars": (rows().replace(",", "|").encode(), "A"),
    "a separator line": (b"sep=;\r\n" + rows().replace(",", ";").encode(), "A"),
    "windows line ends": (rows().replace("\n", "\r\n").encode(), "A"),
    "quotes everywhere": (
        b'"client","session_date","measure","total"\n"A","2024-01-08","phq-9","18"\n', "A",
    ),
    "a time after the date": (rows().replace("2024-01-08", "2024-01-08 14:30:00").encode(), "A"),
    "a decimal that is whole": (rows().replace("18", "18.0").encode(), "A"),
    "blank lines and spaces": (rows().replace("A,", "\n\n  A ,").encode() + b"\n,,,\n", "A"),
    "a measure in capitals": (rows().replace("phq-9", "PHQ-9").encode(), "A"),
}  # fmt: skip


@pytest.mark.parametrize("what", READ_RIGHT)
def test_a_file_is_read_as_its_writer_meant_it(what: str, run: Run) -> None:
    content, client = READ_RIGHT[what]
    outcome = run(content)
    assert outcome.code == 0, outcome.said or outcome.errors
    assert scores_of(client) == SCORE


def test_accents_far_down_are_read_too() -> None:
    """A guess from the file's beginning would have said ASCII and lost them."""
    plain = rows(*[f"C{n},2024-01-08,phq-9,8" for n in range(20_000)])
    table = read_table((plain + ACCENTED[len(HEAD) :]).encode("latin-1"))
    assert (table.encoding, table.rows[-1][1][0]) == ("cp1252", "Peña")


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("%d/%m/%Y", "08/01/2024"),
        ("%m/%d/%Y", "01/08/2024"),
        ("%d.%m.%y", "8.1.24"),
        ("%d %b %Y", "8 Jan 2024"),
        ("serial", "45299"),
    ],
)
def test_a_mapping_says_how_dates_are_written(written: str, day: str, run: Run) -> None:
    outcome = run(f"c,d,t\nA,{day},18\n", mapping=mapped(f'date_format = "{written}"'))
    assert outcome.code == 0, outcome.errors
    assert scores_of("A") == SCORE


def test_a_mapping_names_another_alphabet(run: Run) -> None:
    content = "c,d,t\nИванов,2024-01-08,18\n".encode("cp1251")
    assert run(content, mapping=mapped('encoding = "cp1251"')).code == 0
    assert scores_of("Иванов") == SCORE


@pytest.mark.parametrize("sign", [";", "\t", ","])
def test_a_decimal_comma_is_read_where_it_can_be_nothing_else(sign: str, run: Run) -> None:
    number = '"12,5"' if sign == "," else "12,5"
    line = sign.join(["A", "2024-01-08", "outcome-adult", number])
    assert run(HEAD.replace(",", sign) + line + "\n").code == 0
    assert scores_of("A") == [("2024-01-08", "outcome-adult", Decimal("12.5"))]


# --- workbooks ---------------------------------------------------------------------------------


def workbook(*lines: list[Any]) -> bytes:
    book = Workbook()
    for line in lines:
        book.active.append(line)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


AFTERNOON = datetime(2024, 1, 8, 14, 30)  # noqa: DTZ001 - a workbook's times have no zone
COLUMNS = ["client", "session_date", "measure", "total"]


def test_a_workbook_is_read_with_its_own_dates_and_numbers(run: Run) -> None:
    content = workbook(
        COLUMNS,
        [1, date(2024, 1, 8), "phq-9", 18],
        ["2", AFTERNOON, "outcome-adult", 12.1 + 0.2],
    )
    outcome = run(content, name="scores.xlsx")
    assert outcome.code == 0, outcome.errors
    assert scores_of("1") == SCORE
    assert scores_of("2") == [("2024-01-08", "outcome-adult", Decimal("12.3"))]


def test_a_workbooks_dates_are_read_whatever_texts_look_like(run: Run) -> None:
    content = workbook(["c", "d", "t"], ["A", date(2024, 1, 8), 18], ["B", "09/01/2024", 17])
    assert run(content, mapping=mapped('date_format = "%d/%m/%Y"')).code == 0
    assert scores_of("B") == [("2024-01-09", "phq-9", Decimal(17))]


def test_a_formula_without_its_result_is_named(run: Run) -> None:
    error = run(workbook(COLUMNS, ["A", date(2024, 1, 8), "phq-9", "=10+8"])).error()
    assert (error["row"], error["column"], error["value"]) == (2, "total", "=10+8")
    assert "save the file in a spreadsheet program" in error["why"]


def _repacked(content: bytes, **parts: bytes) -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, parts.get(Path(name).stem) or old.read(name))
    return file.getvalue()


def test_a_workbook_that_unpacks_without_end_is_refused_unread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workbooks, "MAX_UNPACKED", 3 * 1024 * 1024)
    bomb = _repacked(workbook(COLUMNS, ["A"]), sheet1=b"0" * 4 * 1024 * 1024)
    assert len(bomb) < 30_000
    with pytest.raises(TableProblem, match="unpacks to"):
        read_table(bomb)


def test_a_workbooks_word_on_its_size_isnt_trusted() -> None:
    """One row that is said to be a million of 16,384 cells: read as the one row it is."""
    content = workbook(COLUMNS, ["A", "x", "y", 1])
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml")
    claimed = _repacked(content, sheet1=sheet.replace(b"A1:D2", b"A1:XFD1048576"))
    assert len(read_table(claimed)) == 1
    # Those that would be made up beside it aren't even looked at.
    assert sum(1 for _row in workbooks._numbered(claimed, formulas=False)) == 2


def test_a_damaged_workbook_is_refused() -> None:
    content = workbook(COLUMNS, ["A", "x", "y", 1])
    for broken in (content[:-40], _repacked(content, sheet1=b"<worksheet><oops")):
        with pytest.raises(TableProblem, match="no readable XLSX"):
            read_table(broken)


# --- much --------------------------------------------------------------------------------------


def test_200_mb_are_refused_unread(run: Run, tmp_path: Path) -> None:
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    tracemalloc.start()
    outcome = run(huge)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (outcome.code, peak < 10 * 1024 * 1024) == (2, True)
    assert "has 200 MB; up to 100 MB" in outcome.said


def test_rows_beyond_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 10)
    with pytest.raises(TableProblem, match="more than 10 rows"):
        read_table(rows(*["B,2024-01-08,phq-9,8"] * 10).encode())


def test_10_000_bad_rows_are_counted_and_the_answer_stays_readable(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from django.core.management import call_command

    file = tmp_path / "bad.csv"
    file.write_text(HEAD + "".join(f"C{n},2024-01-08,phq-9,x\n" for n in range(10_000)))
    err = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("import_scores", str(file), stderr=err)
    lines = err.getvalue().splitlines()
    assert len(lines) == import_scores.SHOWN + 2
    assert "9,950 more" in lines[-2]
    assert "total 10,000" in lines[-2]
    assert lines[-1] == "10,000 of 10,000 rows can't be read; nothing was written."
    assert len(run(file).errors) == 10_000
