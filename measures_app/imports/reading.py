"""A table through a mapping: records, problems, and the bad rows set aside."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from measures_app.imports.agreement import disagreements
from measures_app.imports.mapping import HELD, Mapping
from measures_app.imports.referrals import said_against
from measures_app.imports.referred import FIELDS, Referred, is_alone, read_referral
from measures_app.imports.rows import Problem, Record, RowReader
from measures_app.models import MeasureVersion
from sessions_app.tables import Table

EVERY = 1000
Row = Record | Referred


def read_rows(
    table: Table,
    mapping: Mapping,
    versions: dict[str, MeasureVersion],
    progress: Callable[[int], None] | None = None,
) -> tuple[list[Row], list[Problem]]:
    """Every row as a record, as a referral, as both, or as the problems that it has.

    Parameters
    ----------
    versions : dict
        Measure code -> the version that scores are read with.
    progress : callable, optional
        Told now and then how many rows were read.

    Raises
    ------
    MappingProblem
        When the mapping doesn't fit the file.
    """
    mapping.check_against(table.columns)
    reader = RowReader(table, mapping, versions)
    records: list[Record] = []
    referred: list[Referred] = []
    referrals = any(name in mapping.columns for name in FIELDS)
    for count, (number, cells) in enumerate(table.rows):
        one = read_referral(reader, number, cells) if referrals else None
        if one is not None:
            referred.append(one)
        if not (referrals and is_alone(reader, cells)):
            record = reader.record(number, cells)
            if record is not None:
                records.append(record)
        if progress is not None and count % EVERY == 0:
            progress(count)
    width = len(table.columns)
    problems = reader.problems + [
        Problem(
            number,
            table.columns[-1],
            table.delimiter.join(cells[width - 1 :])[:200],
            f"the row has {len(cells)} cells, the header names {width}: put texts that hold the "
            "separator in quotes",
        )
        for number, cells in table.uneven
    ]
    problems.extend(disagreements(records, mapping.columns, referred))
    problems.extend(said_against(referred))
    bad_rows = {problem.row for problem in problems}
    problems = sorted(set(problems), key=lambda problem: (problem.row, problem.column))
    rows: list[Row] = [*records, *referred]
    return [row for row in rows if row.row not in bad_rows], problems


def set_aside(table: Table, problems: Iterable[Problem], file: TextIO) -> int:
    """Write the bad rows as they stand in the file, each with its row number and the reasons.

    The file has the separator of the one it comes from, so that what was a decimal comma stays
    one, and can be imported again when it is put right: its own two columns are passed over.
    """
    whys: dict[int, list[str]] = {}
    for problem in problems:
        whys.setdefault(problem.row, []).append(f"{problem.column}: {problem.why}")
    kept = [index for index, name in enumerate(table.columns) if name not in HELD]
    writer = csv.writer(file, delimiter=table.delimiter)
    writer.writerow([*HELD, *(table.columns[index] for index in kept)])

    def write(number: int, cells: tuple[Any, ...], more: tuple[Any, ...]) -> None:
        writer.writerow([number, "; ".join(whys[number]), *(cells[index] for index in kept), *more])

    width, count = len(table.columns), 0
    for number, cells in sorted(table.rows + table.uneven):
        if number in whys:
            write(number, cells[:width], cells[width:])
            count += 1
    return count
