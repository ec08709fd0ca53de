"""An XLSX workbook's first sheet as a table. What a workbook may claim about itself is bounded."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from openpyxl import load_workbook

from sessions_app.tables import BEYOND, MAX_COLUMNS, Table, TableProblem, megabytes, table_of

MAX_UNPACKED = 400 * 1024 * 1024
MAX_TEXTS = 60 * 1024 * 1024  # the shared texts, the only part that is held as a whole
FORMULA = re.compile(rb"<f[ >/]")
PIECE = 1024 * 1024
UNREADABLE = "This is no readable XLSX workbook: save it again, or as CSV."


def cell_text(value: Any) -> str:
    """A cell's value as text: dates as 2024-01-31, numbers as a spreadsheet shows them."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        at_midnight = value.time() == time(0)
        return value.date().isoformat() if at_midnight else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        # 15 digits, as spreadsheets show: 0.1 + 0.2 stands there as 0.3.
        return str(int(value)) if value.is_integer() else f"{value:.15g}"
    return str(value).strip()


def _check_parts(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    texts = sum(part.file_size for part in parts if part.filename.endswith("sharedStrings.xml"))
    if unpacked > MAX_UNPACKED or texts > MAX_TEXTS:
        raise TableProblem(
            f"The workbook unpacks to {megabytes(unpacked)}, more than can be read: save it as CSV."
        )


def _has_formulas(archive: zipfile.ZipFile) -> bool:
    for part in archive.infolist():
        if part.filename.startswith("xl/worksheets/") and part.filename.endswith(".xml"):
            with archive.open(part) as sheet:
                tail = b""
                while piece := sheet.read(PIECE):
                    if FORMULA.search(tail + piece):
                        return True
                    tail = piece[-3:]
    return False


def _rows(content: bytes, *, results: bool, width: int | None = None) -> Iterator[tuple[Any, ...]]:
    book = load_workbook(io.BytesIO(content), read_only=True, data_only=results, keep_links=False)
    try:
        sheet = book.worksheets[0]
        # What the sheet says of its own size is not to be trusted: it would widen every row.
        sheet.reset_dimensions()  # type: ignore[no-untyped-call]  # openpyxl
        yield from sheet.iter_rows(max_col=width, values_only=True)
    finally:
        book.close()


def _numbered(content: bytes, formulas: bool) -> Iterator[tuple[int, list[str]]]:
    """Results of formulas; a formula whose result isn't stored stands as it is written."""
    header = next((row for row in _rows(content, results=True) if any(map(cell_text, row))), ())
    # One cell far to the right makes a row of 16,384: what lies beyond the header is only counted.
    width = min(len(header), MAX_COLUMNS) + BEYOND
    written = _rows(content, results=False, width=width) if formulas else None
    for number, cells in enumerate(_rows(content, results=True, width=width), start=1):
        texts = [cell_text(value) for value in cells]
        if written is not None:
            for index, said in enumerate(next(written, ())):
                if isinstance(said, str) and said.startswith("=") and not texts[index]:
                    texts[index] = said
        yield number, texts


def read_workbook(content: bytes) -> Table:
    """The first sheet of a workbook.

    Raises
    ------
    TableProblem
        No workbook, one that unpacks to too much, no header, no rows.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_parts(archive)
            formulas = _has_formulas(archive)
        return table_of(
            _numbered(content, formulas),
            encoding="xlsx",
            delimiter="\t",
            empty="The first sheet of the workbook has no rows.",
        )
    except TableProblem:
        raise
    except Exception:
        # A damaged workbook comes up as anything from KeyError to a parser's SyntaxError.
        raise TableProblem(UNREADABLE) from None
