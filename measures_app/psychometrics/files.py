"""Scores in long form from a CSV file, one row a score.

Clinics bring files from spreadsheets of every country: a byte-order mark, semicolons, decimal
commas and old encodings are read as what they are. Anything else is refused with one line that
names file, row and column. Rows are counted as a spreadsheet shows them: the header is row 1.
"""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
TimeScale: TypeAlias = Literal["rank", "value"]

LARGEST: Final = 1e9  # squares and their sums stay numbers; no measure comes near
MISSING: Final = frozenset({"", "na", "nan"})
_DELIMITERS: Final = (",", ";", "\t", "|")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d+,\d+")
# float() also takes "1_000" and Unicode digits; a score file means neither.
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class FileProblem(ValueError):
    """A file that can't be read as scores, in one line.

    Attributes
    ----------
    path : str
    row : int or None
        As a spreadsheet counts it; None where the whole file is meant.
    column : str or None
    reason : str
    """

    def __init__(
        self, path: str | Path, reason: str, *, row: int | None = None, column: str | None = None
    ) -> None:
        place = [str(path)]
        if row is not None:
            place.append(f"row {row}")
        if column is not None:
            place.append(f"column {column}")
        super().__init__(f"{', '.join(place)}: {reason}")
        self.path = str(path)
        self.row = row
        self.column = column
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LongData:
    """Scores of many clients, sorted by client and then by session.

    Attributes
    ----------
    clients : tuple of str
        Labels, in the order in which they first appear in the file.
    codes : ndarray of int64, shape (rows,)
        Index into `clients`; never decreasing.
    t : ndarray of float64, shape (rows,)
        Rank of the session within its client from 1, or the session number itself.
    moment : ndarray of float64, shape (rows,)
        What the session column says: a number, or days. NaN where there is no such column.
    score : ndarray of float64, shape (rows,)
        In the measure's units; never NaN.
    ties : int
        Rows that share client and session with an earlier row; they keep the file's order.
    missing : int
        Rows without a score, which are left out.
    """

    clients: tuple[str, ...]
    codes: IntArray
    t: FloatArray
    moment: FloatArray
    score: FloatArray
    ties: int
    missing: int

    @property
    def counts(self) -> IntArray:
        """Scores of each client, shape (clients,)."""
        return np.bincount(self.codes, minlength=len(self.clients)).astype(np.int64)

    def first_and_last(self) -> tuple[FloatArray, FloatArray]:
        """First and last score of each client with a score; the last is NaN where it is alone."""
        counts = self.counts
        counts = counts[counts > 0]
        ends = np.cumsum(counts)
        first = self.score[ends - counts]
        last = np.where(counts > 1, self.score[ends - 1], np.nan)
        return first, last


def read_long(
    path: str | Path,
    client: str = "client",
    session: str = "session",
    score: str = "score",
    t: TimeScale = "rank",
    *,
    session_required: bool = True,
    lowest: float = -LARGEST,
    highest: float = LARGEST,
) -> LongData:
    """Read a CSV file in long form.

    Parameters
    ----------
    path : str or Path
        Comma, semicolon, tab or bar between the columns; UTF-8, UTF-16 with its mark, or the
        Western Windows encoding.
    client, session, score : str
        Names of the columns. A session is a number or an ISO date; an empty score, ``NA`` or
        ``NaN`` is missing and counted.
    t : {"rank", "value"}
        Rank of the session among the client's scores (ties keep the file's order), or the
        number itself.
    session_required : bool
        False lets the file's order count where there is no such column.
    lowest, highest : float
        Ends of the scale: a score beyond them is refused.

    Returns
    -------
    LongData

    Raises
    ------
    FileProblem
        Naming file, row and column.
    """
    text = _text_of(path)
    header, rows, numbers = _table_of(path, text, (client, score))
    where_client = _column(path, header, client)
    where_score = _column(path, header, score)
    by_session = session_required or session in header.names
    where_session = _column(path, header, session) if by_session else None
    decimal_comma = header.delimiter != ","

    scores: list[float] = []
    places: list[float] = []
    labels: list[str] = []
    kind = ""
    missing = 0
    for row, number in zip(rows, numbers, strict=True):
        if row[where_score].strip().lower() in MISSING:
            missing += 1
            continue
        label = row[where_client].strip()
        if not label:
            raise FileProblem(path, "is empty", row=number, column=client)
        value = _number(row[where_score], decimal_comma)
        if value is None:
            raise FileProblem(
                path, f"{_shown(row[where_score])} is not a number", row=number, column=score
            )
        if not lowest <= value <= highest:
            reason = f"{_shown(row[where_score])} lies outside {lowest:g} to {highest:g}"
            raise FileProblem(path, reason, row=number, column=score)
        if where_session is None:
            place = float(number)
        else:
            place, this_kind = _session(path, row[where_session], decimal_comma, number, session)
            if kind and this_kind != kind:
                raise FileProblem(
                    path,
                    f"{_shown(row[where_session])} is a {this_kind} after rows with a {kind}",
                    row=number,
                    column=session,
                )
            if t == "value" and this_kind == "date":
                raise FileProblem(
                    path, "a date can't serve as session number", row=number, column=session
                )
            kind = this_kind
        labels.append(label)
        scores.append(value)
        places.append(place)
    if not scores:
        raise FileProblem(path, "there is no row with a score", column=score)
    if where_session is None and t == "value":
        raise FileProblem(path, "is not in the header", row=1, column=session)
    found = _sorted(labels, places, scores, t, missing)
    if where_session is None:
        return replace(found, moment=np.full(len(scores), np.nan))
    return found


def _sorted(
    labels: list[str], places: list[float], scores: list[float], t: TimeScale, missing: int
) -> LongData:
    """Sort by client and session, and count ties and ranks."""
    clients = tuple(dict.fromkeys(labels))
    position = {label: code for code, label in enumerate(clients)}
    codes = np.array([position[label] for label in labels], dtype=np.int64)
    place = np.array(places, dtype=np.float64)
    order = np.lexsort((place, codes))
    codes, place = codes[order], place[order]
    same_client = codes[1:] == codes[:-1]
    ties = int((same_client & (place[1:] == place[:-1])).sum())
    starts = np.concatenate(([0], np.flatnonzero(~same_client) + 1))
    counts = np.diff(np.append(starts, codes.size))
    ranks = np.arange(codes.size) - np.repeat(starts, counts) + 1.0
    return LongData(
        clients=clients,
        codes=codes,
        t=ranks if t == "rank" else place,
        moment=place,
        score=np.array(scores, dtype=np.float64)[order],
        ties=ties,
        missing=missing,
    )


@dataclass(frozen=True, slots=True)
class _Header:
    names: tuple[str, ...]
    delimiter: str


def _text_of(path: str | Path) -> str:
    """Whole text of a file, in whichever usual encoding it has."""
    try:
        raw = Path(path).read_bytes()
    except OSError as problem:
        raise FileProblem(path, (problem.strerror or "can't be read").lower()) from None
    if not raw.strip():
        raise FileProblem(path, "is empty")
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise FileProblem(path, "is a spreadsheet workbook: save it as CSV first")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
        break
    raise FileProblem(path, "is not text in UTF-8, UTF-16 or Western Windows encoding")


def _table_of(
    path: str | Path, text: str, wanted: tuple[str, ...]
) -> tuple[_Header, list[list[str]], list[int]]:
    """Header, rows and their spreadsheet numbers; blank rows are left out."""
    delimiter = _delimiter_of(text, wanted)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as problem:
        raise FileProblem(path, f"is not a CSV file ({problem})") from None
    filled = [
        (number, row) for number, row in enumerate(lines, 1) if any(cell.strip() for cell in row)
    ]
    header = _Header(tuple(name.strip() for name in filled[0][1]), delimiter)
    numbers = [number for number, _ in filled[1:]]
    rows = [row for _, row in filled[1:]]
    width = len(header.names)
    for number, row in zip(numbers, rows, strict=True):
        if len(row) != width:
            # The first column that is missing, or the last one there is: where to look.
            column = header.names[min(len(row), width - 1)]
            raise FileProblem(
                path, f"{len(row)} cells where the header has {width}", row=number, column=column
            )
    return header, rows, numbers


def _delimiter_of(text: str, wanted: tuple[str, ...]) -> str:
    """The delimiter that shows the wanted columns, else the commonest one in the header."""
    first = next(line for line in text.splitlines() if line.strip())
    for delimiter in _DELIMITERS:
        names = {name.strip() for name in next(csv.reader([first], delimiter=delimiter))}
        if names.issuperset(wanted):
            return delimiter
    return max(_DELIMITERS, key=first.count)


def _column(path: str | Path, header: _Header, name: str) -> int:
    """Position of a column that must be there once."""
    found = header.names.count(name)
    if found == 0:
        raise FileProblem(path, "is not in the header", row=1, column=name)
    if found > 1:
        raise FileProblem(path, f"is in the header {found} times", row=1, column=name)
    return header.names.index(name)


def _number(cell: str, decimal_comma: bool) -> float | None:
    """A finite number, or None. A decimal comma counts where commas don't divide columns."""
    text = cell.strip()
    if decimal_comma and _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _session(
    path: str | Path, cell: str, decimal_comma: bool, row: int, column: str
) -> tuple[float, Literal["number", "date"]]:
    """Place of a session on its own axis, and which axis that is."""
    value = _number(cell, decimal_comma)
    if value is not None:
        return value, "number"
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        reason = "is empty" if not cell.strip() else "is neither a number nor an ISO date"
        shown = f"{_shown(cell)} " if cell.strip() else ""
        raise FileProblem(path, shown + reason, row=row, column=column) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() / 86_400, "date"


def _shown(cell: str) -> str:
    """A cell as it can stand in one line."""
    text = cell.strip()
    return repr(text if len(text) <= 40 else text[:37] + "...")
