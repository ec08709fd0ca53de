"""What the rows of a file say against one another, and what they say together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from operator import attrgetter
from typing import Any

from measures_app.imports.rows import Problem, Record
from sessions_app.models import Session

# Said of an episode, and said of a client: rows may leave it blank and must not differ.
OF_EPISODE = (
    "programme", "opened_on", "care_began_on", "ended_on", "ending", "problem", "funder",
)  # fmt: skip
OF_CLIENT = ("birth_year", "gender", "language")
Column = dict[str, str]  # our name -> the file's


def said(records: list[Record], name: str) -> Any:
    """The first thing that the rows say of `name`; empty or None when none does."""
    value: Any = None
    for record in records:
        value = getattr(record, name)
        if value not in (None, ""):
            return value
    return value


@dataclass
class EpisodeFacts:
    """What an episode's rows say of it together."""

    records: list[Record]
    opened_on: date | None = field(init=False)
    first: date = field(init=False)
    last: date = field(init=False)

    def __post_init__(self) -> None:
        self.opened_on = said(self.records, "opened_on")
        self.first = min(r.held_on for r in self.records)
        came = [r.held_on for r in self.records if r.status in ("", Session.Status.ATTENDED)]
        self.last = max(came or [r.held_on for r in self.records])

    def said(self, name: str) -> Any:
        return said(self.records, name)


def episodes_of(records: list[Record]) -> dict[tuple[str, str], list[Record]]:
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        groups[record.client, record.reference].append(record)
    return groups


def _differ(records: list[Record], names: tuple[str, ...], columns: Column) -> Iterator[Problem]:
    for name in names:
        of, first = attrgetter(name), None
        for record in records:
            value = of(record)
            if value in (None, ""):
                continue
            if first is None:
                first = record
            elif value != of(first):
                # An age from another part of the year may be off by one.
                near = name == "birth_year" and record.by_age and abs(value - of(first)) <= 1
                if not near:
                    column = columns.get("age" if name == "birth_year" and record.by_age else name)
                    yield Problem(
                        record.row,
                        column or name,
                        str(value),
                        f"row {first.row} says “{of(first)}”",
                    )


def _dates(records: list[Record], columns: Column) -> Iterator[Problem]:
    facts = EpisodeFacts(records)
    ended_on, began_on = facts.said("ended_on"), facts.said("care_began_on")
    opened_on = facts.opened_on
    when = next(
        (columns[w] for w in ("session_date", "day", "month") if w in columns), "session_date"
    )
    for record in records:
        day = record.held_on.isoformat()
        if opened_on is not None and record.held_on < opened_on:
            why = f"the session lies before the episode's opening on {opened_on}"
            yield Problem(record.row, when, day, why)
        if ended_on is not None and record.held_on > ended_on:
            why = f"the session lies after the episode's end on {ended_on}"
            yield Problem(record.row, when, day, why)
        if ended_on is not None and opened_on is not None and ended_on < opened_on:
            why = f"the end lies before the opening on {opened_on}"
            yield Problem(record.row, columns.get("ended_on", "ended_on"), str(ended_on), why)
        start = opened_on or facts.first
        if began_on is not None and began_on > start:
            why = f"care can't have begun after measuring did, on {start}"
            yield Problem(
                record.row, columns.get("care_began_on", "care_began_on"), str(began_on), why
            )


def _twins(records: list[Record], columns: Column) -> Iterator[Problem]:
    """The same measure twice for one session and respondent."""
    column = columns.get("client", "client")
    scores: dict[tuple[Any, ...], Record] = {}
    blamed: set[int] = set()
    for record in records:
        if not record.has_score:
            continue
        key = (
            record.client, record.reference, record.held_on, record.session, record.measure,
            record.relation,
        )  # fmt: skip
        twin = scores.setdefault(key, record)
        if twin is record:
            continue
        if twin.total == record.total:
            why = f"row {twin.row} is the same: this measure, day and score"
        else:
            why = (
                f"row {twin.row} says {twin.total} for the same measure and day, this row says "
                f"{record.total}; two sessions on a day need a column session"
            )
            if twin.row not in blamed:
                blamed.add(twin.row)
                yield Problem(
                    twin.row,
                    column,
                    twin.client,
                    f"row {record.row} says otherwise: {record.total}",
                )
        yield Problem(record.row, column, record.client, why)


def _sessions(records: list[Record], columns: Column) -> Iterator[Problem]:
    """Rows of one session that don't agree on whether the client came, and to whom."""
    groups: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for record in records:
        groups[record.client, record.reference, record.held_on, record.session].append(record)
    names = {**columns, "status": columns.get("attendance", "attendance")}
    for rows in groups.values():
        if len(rows) > 1:
            yield from _differ(rows, ("status", "clinician"), names)


def disagreements(
    records: list[Record], columns: Column, referred: Sequence[Any] = ()
) -> Iterator[Problem]:
    """Every row that contradicts another row of the file; referrals in what they say of clients."""
    yield from _twins(records, columns)
    yield from _sessions(records, columns)
    for rows in episodes_of(records).values():
        yield from _differ(rows, OF_EPISODE, columns)
        yield from _dates(rows, columns)
    clients: dict[str, list[Any]] = defaultdict(list)
    for record in (*records, *referred):
        clients[record.client].append(record)
    for rows in clients.values():
        yield from _differ(rows, OF_CLIENT, columns)
