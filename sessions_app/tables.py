"""A CSV or XLSX file as named columns and rows of text, whatever wrote it.

Byte-order marks, other encodings, semicolons and tabs are read as meant; what isn't a table is
refused in one sentence. Row numbers are those a spreadsheet shows: the header is row 1.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from charset_normalizer import from_bytes
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

MAX_BYTES = 100 * 1024 * 1024
MAX_UNZIPPED = 1024 * 1024 * 1024
DELIMITERS = (",", ";", "\t", "|")
ZIP_MAGIC = b"PK\x03\x04"
OLD_EXCEL_MAGIC = b"\xd0\xcf\x11\xe0"


class TableProblem(ValueError):
    """The file as a whole can't be read; the message says why and what to do."""


@dataclass(frozen=True)
class Table:
    """`rows` are (row number, cells) with as many cells as columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    encoding: str
    delimiter: str

    @property
    def decimal_comma(self) -> bool:
        return self.delimiter != ","


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.0f} MB"


def decode(content: bytes) -> tuple[str, str]:
    """Text and the encoding it was read in."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if content.startswith(mark):
            try:
                return content.decode(encoding), encoding
            except UnicodeDecodeError:
                raise TableProblem(
                    f"The file says it is {encoding} and isn't: save it as UTF-8."
                ) from None
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    if b"\x00" in content[:4096]:
        raise TableProblem("This is no table of text: bring a CSV or an XLSX file.")
    guess = from_bytes(
        content[:200_000], cp_isolation=["cp1252", "latin_1", "cp1250", "mac_roman", "cp1251"]
    ).best()
    encoding = guess.encoding if guess else "cp1252"
    return content.decode(encoding, errors="replace"), encoding


def _delimiter(header: str) -> str:
    """The sign that splits the header into most columns, outside quotes."""
    counts = {sign: len(next(csv.reader([header], delimiter=sign), [])) for sign in DELIMITERS}
    return max(DELIMITERS, key=lambda sign: counts[sign])


def _checked_columns(names: list[str]) -> tuple[str, ...]:
    columns = tuple(name.strip() for name in names)
    if not any(columns):
        raise TableProblem("The first row is empty: it must name the columns.")
    twice = [name for name, n in Counter(columns).items() if n > 1 and name]
    if twice:
        raise TableProblem(f"Two columns are called “{twice[0]}”: give each its own name.")
    return columns


def _from_csv(content: bytes) -> Table:
    text, encoding = decode(content)
    lines = text.lstrip("\r\n")
    if not lines.strip():
        raise TableProblem("The file is empty.")
    delimiter = _delimiter(lines.split("\n", 1)[0].rstrip("\r"))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: tuple[str, ...] | None = None
    rows = []
    try:
        for cells in reader:
            number = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _checked_columns(cells)
                continue
            if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
                raise TableProblem(
                    f"Row {number} has {len(cells)} cells, the header names {len(columns)}: "
                    "put texts that hold the separator in quotes."
                )
            padded = [cell.strip() for cell in cells[: len(columns)]]
            rows.append((number, tuple(padded + [""] * (len(columns) - len(padded)))))
    except csv.Error as problem:
        raise TableProblem(f"Row {reader.line_num} can't be read: {problem}.") from None
    if columns is None or not rows:
        raise TableProblem("The file names columns and has no rows.")
    return Table(columns, tuple(rows), encoding, delimiter)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        at_midnight = (value.hour, value.minute, value.second) == (0, 0, 0)
        return value.date().isoformat() if at_midnight else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _from_xlsx(content: bytes) -> Table:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > MAX_UNZIPPED:
                raise TableProblem("The workbook unpacks to more than 1 GB: save it as CSV.")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError):
        raise TableProblem("This is no readable XLSX workbook: save it again, or as CSV.") from None
    try:
        sheet = book.worksheets[0]
        columns: tuple[str, ...] | None = None
        rows = []
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            texts = [_cell(value) for value in cells]
            if not any(texts):
                continue
            if columns is None:
                while texts and not texts[-1]:
                    texts.pop()
                columns = _checked_columns(texts)
                continue
            padded = texts[: len(columns)]
            rows.append((number, tuple(padded + [""] * (len(columns) - len(padded)))))
    finally:
        book.close()
    if columns is None or not rows:
        raise TableProblem("The first sheet of the workbook has no rows.")
    return Table(columns, tuple(rows), "xlsx", "\t")


def read_table(content: bytes, *, limit: int = MAX_BYTES) -> Table:
    """Read a file's bytes.

    Raises
    ------
    TableProblem
        Too large, empty, no table, no header, an uneven row.
    """
    if len(content) > limit:
        raise TableProblem(
            f"The file has {_megabytes(len(content))}; up to {_megabytes(limit)} can be read at "
            "once: split it, by year for instance."
        )
    if not content.strip():
        raise TableProblem("The file is empty.")
    if content.startswith(OLD_EXCEL_MAGIC):
        raise TableProblem("This is an old XLS workbook: save it as XLSX or CSV.")
    return _from_xlsx(content) if content.startswith(ZIP_MAGIC) else _from_csv(content)
