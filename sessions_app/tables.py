"""A CSV or XLSX file as named columns and rows of text, whatever wrote it.

Byte-order marks, other encodings, semicolons and tabs are read as meant; what isn't a table is
refused in one sentence. Row numbers are those a spreadsheet shows: the header is row 1, and a
text with line breaks in quotes is one row.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from charset_normalizer import from_bytes

MAX_BYTES = 100 * 1024 * 1024
MAX_ROWS = 500_000
MAX_COLUMNS = 500
MAX_UNEVEN = 10_000
BEYOND = 20  # cells past the header that are kept of an uneven row
DELIMITERS = (",", ";", "\t", "|")
ZIP_MAGIC = b"PK\x03\x04"
OLD_EXCEL_MAGIC = b"\xd0\xcf\x11\xe0"
WESTERN = "cp1252"
SAMPLE = 200_000
PIECE = 1024 * 1024
# A spreadsheet's own first line that names the separator.
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?$')


class TableProblem(ValueError):
    """The file as a whole can't be read; the message says why and what to do."""


Row = tuple[int, tuple[str, ...]]


@dataclass(frozen=True)
class Table:
    """`rows` are (row number, cells) with as many cells as columns; `uneven` rows have more."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    encoding: str
    delimiter: str
    uneven: tuple[Row, ...] = ()

    @property
    def decimal_comma(self) -> bool:
        return self.delimiter != ","

    @property
    def of_workbook(self) -> bool:
        return self.encoding == "xlsx"

    def __len__(self) -> int:
        return len(self.rows) + len(self.uneven)


def megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.0f} MB"


def table_of(
    numbered: Iterable[tuple[int, list[str]]], *, encoding: str, delimiter: str, empty: str
) -> Table:
    """Rows of texts, the first that isn't blank being the header, as a table.

    Raises
    ------
    TableProblem
        No header, two columns of one name, no rows (`empty` says so), too many.
    """
    columns: tuple[str, ...] | None = None
    rows: list[Row] = []
    uneven: list[Row] = []
    known: dict[str, str] = {}  # most cells repeat: one text each is enough
    for number, texts in numbered:
        cells = [known.setdefault(cell, cell) for cell in map(str.strip, texts)]
        if not any(cells):
            continue
        if columns is None:
            columns = _checked_columns(cells)
            continue
        while len(cells) > len(columns) and not cells[-1]:
            cells.pop()
        if len(cells) > len(columns):
            uneven.append((number, tuple(cells[: len(columns) + BEYOND])))
            if len(uneven) > MAX_UNEVEN:
                raise TableProblem(
                    f"Row {number} is one of {len(uneven):,} with more cells than the "
                    f"{len(columns)} that the header names: put texts that hold the separator "
                    "in quotes."
                )
        else:
            rows.append((number, tuple(cells + [""] * (len(columns) - len(cells)))))
        if len(rows) + len(uneven) > MAX_ROWS:
            raise TableProblem(
                f"The file has more than {MAX_ROWS:,} rows: split it, by year for instance."
            )
    if columns is None or not (rows or uneven):
        raise TableProblem(empty)
    return Table(columns, tuple(rows), encoding, delimiter, tuple(uneven))


def _checked_columns(names: list[str]) -> tuple[str, ...]:
    while names and not names[-1]:
        names.pop()
    if len(names) > MAX_COLUMNS:
        raise TableProblem(f"The first row has {len(names)} cells: it must name the columns.")
    twice = [name for name, n in Counter(names).items() if n > 1 and name]
    if twice:
        raise TableProblem(f"Two columns are called “{twice[0]}”: give each its own name.")
    return tuple(names)


def _decodes(content: bytes, encoding: str) -> bool:
    """Whether all of the content is text in the encoding, looked at in pieces."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(content), PIECE):
            decoder.decode(content[start : start + PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _unmarked_utf16(content: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of plain text is zero."""
    head = content[:2000]
    if len(head) >= 4 and head[1::2].count(0) > len(head) // 3 and 0 not in head[0::2]:
        return "utf-16-le"
    if len(head) >= 4 and head[0::2].count(0) > len(head) // 3 and 0 not in head[1::2]:
        return "utf-16-be"
    return None


def encoding_of(content: bytes) -> str:
    """The encoding that a text file is read in.

    A byte-order mark decides; else UTF-8 if all of the file is; else Windows-1252, as western
    spreadsheets write it. Another alphabet is asked for by name: a guess would garble names.

    Raises
    ------
    TableProblem
    """
    marked = next(
        (
            encoding
            for mark, encoding in (
                (codecs.BOM_UTF8, "utf-8-sig"),
                (codecs.BOM_UTF32_LE, "utf-32"),
                (codecs.BOM_UTF16_LE, "utf-16"),
                (codecs.BOM_UTF16_BE, "utf-16"),
            )
            if content.startswith(mark)
        ),
        None,
    ) or _unmarked_utf16(content)
    if marked:
        if not _decodes(content, marked):
            raise TableProblem(f"The file says it is {marked} and isn't: save it as UTF-8.")
        return marked
    if b"\x00" in content:
        row = content.count(b"\n", 0, content.index(b"\x00")) + 1
        raise TableProblem(
            f"Row {row} holds NUL bytes, so this is damaged or no table of text: "
            "bring a CSV or an XLSX file."
        )
    if _decodes(content, "utf-8"):
        return "utf-8"
    accented = b"\n".join(line for line in content.split(b"\n") if not line.isascii())
    guess = from_bytes(accented[:SAMPLE], cp_isolation=[WESTERN, "cp1251", "cp1253"]).best()
    if guess is not None and guess.encoding != WESTERN:
        raise TableProblem(
            f"The file is neither UTF-8 nor Western European text; it looks like "
            f"{guess.encoding}: save it as UTF-8, or name its encoding in the mapping."
        )
    if not _decodes(content, WESTERN):
        raise TableProblem("The file is neither UTF-8 nor Windows-1252: save it as UTF-8.")
    return WESTERN


def _checked_encoding(content: bytes, name: str) -> str:
    try:
        known = codecs.lookup(name).name
    except LookupError:
        raise TableProblem(f"There is no encoding “{name}”: say utf-8 or cp1250, say.") from None
    if not _decodes(content, known):
        raise TableProblem(f"The file isn't {name} all through: name its own encoding.")
    return known


def _delimiter(header: str) -> str:
    """The sign that splits the header into most columns, outside quotes."""
    counts = {sign: len(next(csv.reader([header], delimiter=sign), [])) for sign in DELIMITERS}
    return max(DELIMITERS, key=lambda sign: counts[sign])


def _csv_rows(text: io.TextIOBase, delimiter: str, before: int) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    number, line = before, 0
    while True:
        number += 1
        line = reader.line_num
        try:
            cells = next(reader, None)
        except csv.Error as problem:
            said = str(problem)
            if "end of data" in said:
                said = "a quotation mark is opened here and never closed"
            raise TableProblem(
                f"Row {number} (line {line + before + 1}) can't be read: {said}."
            ) from None
        if cells is None:
            return
        yield number, cells


def _from_csv(content: bytes, encoding: str) -> Table:
    text = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="")
    first = text.readline()
    named = SEPARATOR_LINE.match(first.rstrip("\n"))
    while first and not first.strip():
        first = text.readline()
    if not first:
        raise TableProblem("The file is empty.")
    if named:
        delimiter = named[1]
    else:
        delimiter = _delimiter(first.rstrip("\r\n"))
        text.seek(0)
    return table_of(
        _csv_rows(text, delimiter, before=1 if named else 0),
        encoding=encoding,
        delimiter=delimiter,
        empty="The file names columns and has no rows.",
    )


def read_table(content: bytes, *, limit: int = MAX_BYTES, encoding: str = "") -> Table:
    """Read a file's bytes.

    Parameters
    ----------
    limit : int
        Bytes that are read at most.
    encoding : str, optional
        What a text file is written in; else it is found out.

    Raises
    ------
    TableProblem
        Too large, empty, no table, no header, no rows.
    """
    if len(content) > limit:
        raise too_large(len(content), limit)
    if not content.strip():
        raise TableProblem("The file is empty.")
    if content.startswith(OLD_EXCEL_MAGIC):
        raise TableProblem("This is an old XLS workbook: save it as XLSX or CSV.")
    if content.startswith(ZIP_MAGIC):
        from sessions_app.workbooks import read_workbook

        return read_workbook(content)
    found = _checked_encoding(content, encoding) if encoding else encoding_of(content)
    return _from_csv(content, found)


def too_large(size: int, limit: int = MAX_BYTES) -> TableProblem:
    return TableProblem(
        f"The file has {megabytes(size)}; up to {megabytes(limit)} can be read at once: split "
        "it, by year for instance."
    )
