"""Rows of a table as records, each checked by itself; what can't be read is reported."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError

from measures_app.actions.administrations import read_answers, read_total
from measures_app.imports.mapping import ITEM, WHEN, Mapping
from measures_app.models import MeasureVersion
from sessions_app import clinic_time
from sessions_app.models import Episode, Respondent, Session
from sessions_app.tables import Table

EARLIEST = date(1950, 1, 1)
GENDERS = {
    "woman": "woman", "female": "woman", "f": "woman",
    "man": "man", "male": "man", "m": "man",
    "other": "other", "": "",
}  # fmt: skip
ATTENDANCE = {
    "": Session.Status.ATTENDED, "attended": Session.Status.ATTENDED,
    "no_show": Session.Status.NO_SHOW, "no-show": Session.Status.NO_SHOW,
    "late_cancel": Session.Status.LATE_CANCEL, "clinic_cancel": Session.Status.CLINIC_CANCEL,
    "not_seen_by_us": Session.Status.NOT_SEEN_BY_US,
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """One bad cell: where, what stands there, why it can't be."""

    row: int
    column: str
    value: str
    why: str

    def as_dict(self) -> dict[str, Any]:
        return {"row": self.row, "column": self.column, "value": self.value, "why": self.why}

    def __str__(self) -> str:
        return f"row {self.row}, column {self.column}, “{self.value}”: {self.why}"


class BadCell(ValueError):
    def __init__(self, column: str, value: str, why: str) -> None:
        super().__init__(why)
        self.column, self.value, self.why = column, value, why


@dataclass(frozen=True)
class Record:
    """A row that could be read: one administration, or an attendance without one."""

    row: int
    client: str
    held_on: date
    status: str
    measure: str
    total: Decimal | None
    answers: dict[str, Any] | None
    subscales: dict[str, str] | None
    prorated: bool
    relation: str
    clinician: str
    programme: str
    site: str
    episode: str
    session: str
    birth_year: int | None
    gender: str
    language: str
    problem: str
    funder: str
    opened_on: date | None
    care_began_on: date | None
    ended_on: date | None
    ending: str


def add_months(day: date, months: int) -> date:
    """The same day `months` later; the month's last day where it has no such day."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


class RowReader:
    """Reads one row's cells through a mapping. Raises BadCell naming the file's own column."""

    def __init__(self, table: Table, mapping: Mapping, versions: dict[str, MeasureVersion]) -> None:
        self.mapping = mapping
        self.versions = versions
        self.decimal_comma = table.decimal_comma
        self.at = {name: table.columns.index(column) for name, column in mapping.columns.items()}
        self.items = [name for name in mapping.columns if ITEM.fullmatch(name)]
        self.today = clinic_time.today()

    def column(self, name: str) -> str:
        return self.mapping.columns.get(name, name)

    def text(self, cells: tuple[str, ...], name: str) -> str:
        if name in self.at:
            value = cells[self.at[name]]
            value = self.mapping.values.get(name, {}).get(value, value)
            if value:
                return value
        constant = self.mapping.constants.get(name)
        return "" if constant is None else str(constant)

    def refuse(self, name: str, value: str, why: str) -> BadCell:
        return BadCell(self.column(name), value, why)

    def number(self, cells: tuple[str, ...], name: str) -> Decimal | None:
        text = self.text(cells, name)
        if not text:
            return None
        plain = text.replace(",", ".") if self.decimal_comma else text
        try:
            value = Decimal(plain)
        except InvalidOperation:
            raise self.refuse(name, text, "is not a number") from None
        if not value.is_finite():
            raise self.refuse(name, text, "is not a number")
        return value

    def whole(self, cells: tuple[str, ...], name: str, low: int, high: int) -> int | None:
        value = self.number(cells, name)
        if value is None:
            return None
        if value != value.to_integral_value() or not low <= value <= high:
            raise self.refuse(
                name, self.text(cells, name), f"must be a whole number from {low} to {high}"
            )
        return int(value)

    def day(self, cells: tuple[str, ...], name: str) -> date | None:
        text = self.text(cells, name)
        if not text:
            return None
        formats = self.mapping.date_format
        try:
            if formats and name in self.at:
                found = datetime.strptime(text, formats).date()  # noqa: DTZ007 - a date, no time
            else:
                found = date.fromisoformat(text[:10] if text[10:11] in ("", " ", "T") else text)
        except ValueError:
            how = f"like {formats}" if formats else "like 2024-01-31 (or say date_format)"
            raise self.refuse(name, text, f"is no date {how}") from None
        if not EARLIEST <= found <= self.today:
            why = "lies in the future" if found > self.today else "lies before 1950"
            raise self.refuse(name, text, why)
        return found

    def held_on(self, cells: tuple[str, ...], opened_on: date | None) -> date:
        name = next(w for w in WHEN if w in self.at or w in self.mapping.constants)
        if name == "session_date":
            found = self.day(cells, name)
            if found is None:
                raise self.refuse(name, "", "the session has no date")
            return found
        text = self.text(cells, name)
        if not text:
            raise self.refuse(name, "", f"the session has no {name}")
        offset = self.number(cells, name)
        if offset is None or offset != offset.to_integral_value() or not 0 <= offset <= 20_000:
            raise self.refuse(name, text, f"is no whole number of {name}s since the opening")
        if opened_on is None:
            raise self.refuse("opened_on", "", f"{name}s count from opened_on, which is not given")
        days = int(offset)
        found = opened_on + timedelta(days=days) if name == "day" else add_months(opened_on, days)
        if found > self.today:
            raise self.refuse(name, text, f"comes to {found.isoformat()}, in the future")
        return found

    def word(self, cells: tuple[str, ...], name: str, known: dict[str, str]) -> str:
        text = self.text(cells, name)
        try:
            return known[text.strip().lower()]
        except KeyError:
            allowed = ", ".join(sorted(w for w in known if w))
            raise self.refuse(name, text, f"must be one of {allowed}") from None

    def _version(self, code: str) -> MeasureVersion:
        try:
            return self.versions[code]
        except KeyError:
            known = ", ".join(sorted(self.versions))
            raise self.refuse("measure", code, f"is no measure here; known: {known}") from None

    def score(self, cells: tuple[str, ...], code: str, attended: bool) -> Any:
        """(total, answers, subscales, prorated) of a row; all None for an attendance alone."""
        given = self.text(cells, "total")
        answers = {
            ITEM.fullmatch(name)[1]: self.number(cells, name)  # type: ignore[index]  # matched before
            for name in self.items
        }
        if not given and not any(value is not None for value in answers.values()):
            if not attended:
                return None, None, None, False
            raise self.refuse("total" if not self.items else self.items[0], "", "there is no score")
        version = self._version(code)
        total = None
        if given:
            number = self.number(cells, "total")
            try:
                total = read_total(version, number)
            except ValidationError as problem:
                why = problem.message_dict["total"][0]
                raise self.refuse("total", given, why.removeprefix(f"{number} ")) from None
        if not self.items:
            return total, None, None, False
        by_position = {str(n): i["id"] for n, i in enumerate(version.definition["items"], start=1)}
        try:
            reading = read_answers(version, {by_position.get(k, k): v for k, v in answers.items()})
        except ValidationError as problem:
            item, whys = next(iter(problem.message_dict.items()))
            raise BadCell(f"item {item}", "", whys[0]) from None
        if total is not None and reading.total is not None and reading.total != total:
            raise self.refuse("total", given, f"the items come to {reading.total}")
        return (
            reading.total if reading.total is not None else total,
            reading.answers, reading.subscales, reading.prorated,
        )  # fmt: skip

    def record(self, row: int, cells: tuple[str, ...]) -> Record:
        client = self.text(cells, "client")
        if not client or len(client) > 80:
            raise self.refuse("client", client, "the row names no client")
        opened_on = self.day(cells, "opened_on")
        held_on = self.held_on(cells, opened_on)
        if opened_on is not None and held_on < opened_on:
            raise self.refuse("opened_on", opened_on.isoformat(), "lies after the session")
        care_began_on = self.day(cells, "care_began_on")
        if care_began_on is not None and care_began_on > (opened_on or held_on):
            raise self.refuse("care_began_on", str(care_began_on), "lies after measuring began")
        ended_on = self.day(cells, "ended_on")
        if ended_on is not None and ended_on < held_on:
            raise self.refuse("ended_on", ended_on.isoformat(), "lies before the session")
        status = self.word(cells, "attendance", {**ATTENDANCE})
        measure = self.text(cells, "measure")
        total, answers, subscales, prorated = self.score(
            cells, measure, status == Session.Status.ATTENDED
        )
        birth_year = self.whole(cells, "birth_year", self.today.year - 120, self.today.year)
        age = self.whole(cells, "age", 0, 120)
        if birth_year is None and age is not None:
            birth_year = (opened_on or held_on).year - age
        endings = {value: value for value in Episode.Ending.values}
        relations = {"": "self", "client": "self", **{r: r for r in Respondent.Relation.values}}
        return Record(
            row=row,
            client=client,
            held_on=held_on,
            status=status,
            measure=measure,
            total=total,
            answers=answers,
            subscales=subscales,
            prorated=prorated,
            relation=self.word(cells, "respondent", relations),
            clinician=self.text(cells, "clinician")[:40],
            programme=self.text(cells, "programme")[:120] or "Imported",
            site=self.text(cells, "site")[:120] or "Imported",
            episode=self.text(cells, "episode")[:80],
            session=self.text(cells, "session")[:40],
            birth_year=birth_year,
            gender=self.word(cells, "gender", GENDERS),
            language=self.text(cells, "language")[:8] or "en",
            problem=self.text(cells, "problem")[:80],
            funder=self.text(cells, "funder")[:80],
            opened_on=opened_on,
            care_began_on=care_began_on,
            ended_on=ended_on,
            ending=self.word(cells, "ending", endings),
        )


def _conflicts(records: list[Record]) -> Iterator[Problem]:
    """What rows say against one another: a score twice, two openings of one episode."""
    scores: dict[tuple[Any, ...], Record] = {}
    first: dict[tuple[str, str, str], Record] = {}
    for record in records:
        if record.total is not None or record.answers is not None:
            key = (
                record.client, record.episode, record.held_on, record.session,
                record.measure, record.relation,
            )  # fmt: skip
            twin = scores.setdefault(key, record)
            if twin is not record:
                same = "the same score" if twin.total == record.total else f"{twin.total}"
                yield Problem(
                    record.row,
                    "client",
                    record.client,
                    f"row {twin.row} has {same} of this measure for the same day; two sessions "
                    "on a day need a column session",
                )
        episode = (record.client, record.programme, record.episode)
        opened = first.setdefault(episode, record)
        for name in ("opened_on", "care_began_on", "ended_on", "ending"):
            here, there = getattr(record, name), getattr(opened, name)
            if here != there:
                yield Problem(
                    record.row, name, str(here or ""), f"row {opened.row} says “{there or ''}”"
                )


def read_rows(
    table: Table, mapping: Mapping, versions: dict[str, MeasureVersion]
) -> tuple[list[Record], list[Problem]]:
    """Every row as a record or as the problems that it has.

    Parameters
    ----------
    versions : dict
        Measure code -> the version that scores are read with.
    """
    mapping.check_against(table.columns)
    reader = RowReader(table, mapping, versions)
    records: list[Record] = []
    problems: list[Problem] = []
    for number, cells in table.rows:
        try:
            records.append(reader.record(number, cells))
        except BadCell as bad:
            problems.append(Problem(number, bad.column, bad.value, bad.why))
    problems.extend(_conflicts(records))
    bad_rows = {problem.row for problem in problems}
    problems.sort(key=lambda problem: (problem.row, problem.column))
    return [record for record in records if record.row not in bad_rows], problems
