"""Rows of a table as records, each checked by itself; what can't be read is reported."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from measures_app.imports.dates import read_day
from measures_app.imports.mapping import ITEM, WHEN, Mapping
from measures_app.imports.scores import Scores
from measures_app.models import MeasureVersion
from sessions_app import clinic_time
from sessions_app.models import Episode, Referral, Respondent, Session
from sessions_app.tables import Table

EARLIEST = date(1950, 1, 1)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
COMMA_NUMBER = re.compile(r"[+-]?\d+,\d{1,2}", re.ASCII)  # 12,5; not 1,234
GENDERS = {
    "woman": "woman", "female": "woman", "f": "woman", "w": "woman",
    "man": "man", "male": "man", "m": "man",
    "other": "other", "another": "other", "": "",
}  # fmt: skip
ATTENDANCE = {
    "": "", "attended": Session.Status.ATTENDED,
    "no_show": Session.Status.NO_SHOW, "did_not_come": Session.Status.NO_SHOW,
    "late_cancel": Session.Status.LATE_CANCEL, "cancelled_late": Session.Status.LATE_CANCEL,
    "clinic_cancel": Session.Status.CLINIC_CANCEL,
    "cancelled_by_clinic": Session.Status.CLINIC_CANCEL,
    "cancelled_by_the_clinic": Session.Status.CLINIC_CANCEL,
    "not_seen_by_us": Session.Status.NOT_SEEN_BY_US,
    "arrived_but_not_seen_by_us": Session.Status.NOT_SEEN_BY_US,
}  # fmt: skip
ENDINGS = {value: value for value in Episode.Ending.values}
RELATIONS = {"": "self", "client": "self", **{r: r for r in Respondent.Relation.values}}
SOURCES = {
    **{source: source for source in Referral.Source.values},
    "gp": "doctor", "family_doctor": "doctor", "the_client": "self", "family_or_friends": "family",
    "social_services": "social",
}  # fmt: skip
OUTCOMES = {
    **{outcome: outcome for outcome in Referral.Outcome.values},
    "waits": "", "waiting": "", "care_begins": "accepted",
}  # fmt: skip
WORDS = {
    "gender": GENDERS, "attendance": ATTENDANCE, "ending": ENDINGS, "respondent": RELATIONS,
    "referral_source": SOURCES, "referral_outcome": OUTCOMES,
}  # fmt: skip
# What a text may hold at most; a longer one is refused: cut short, two could become one.
LONGEST = {
    "client": 80, "clinician": 40, "programme": 120, "site": 120, "episode": 80, "session": 40,
    "language": 8, "problem": 80, "funder": 80,
}  # fmt: skip
FORMULA = "is a formula whose result isn't stored: open and save the file in a spreadsheet program"


@dataclass(frozen=True, slots=True)
class Problem:
    """One bad cell: where, what stands there, why it can't be.

    `stored` is what the database says against it: for those who run the command on it, never
    for a page, whose reader may bring scores without being allowed to see any.
    """

    row: int
    column: str
    value: str
    why: str
    stored: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"row": self.row, "column": self.column, "value": self.value, "why": self.why}

    def __str__(self) -> str:
        return f"row {self.row}, column {self.column}, “{self.value}”: {self.why}"


class BadCell(ValueError):
    def __init__(self, column: str, value: str, why: str) -> None:
        super().__init__(why)
        self.column, self.value, self.why = column, value, why


@dataclass(frozen=True, slots=True)
class Record:
    """A row that could be read: one administration, or an attendance without one.

    What a row leaves blank it doesn't say: `status`, `opened_on` and the like are then empty.
    """

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
    by_age: bool
    gender: str
    language: str
    problem: str
    funder: str
    opened_on: date | None
    care_began_on: date | None
    ended_on: date | None
    ending: str

    @property
    def has_score(self) -> bool:
        return self.total is not None or self.answers is not None

    @property
    def reference(self) -> str:
        """What tells this record's episode from the client's others."""
        return reference_of(self.episode, self.programme)


def reference_of(episode: str, programme: str) -> str:
    """The file's number of a course of care, or the one that an import has in each programme."""
    return episode or f"imported: {programme}"[:80]


def plain_word(text: str) -> str:
    """A coded word as the tables above write it."""
    return text.lower().replace(" ", "_").replace("-", "_")


def add_months(day: date, months: int) -> date:
    """The same day `months` later; the month's last day where it has no such day."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


class RowReader:
    """Reads a table's rows through a mapping; `problems` collects what can't be read."""

    def __init__(self, table: Table, mapping: Mapping, versions: dict[str, MeasureVersion]) -> None:
        self.mapping = mapping
        self.scores = Scores(versions)
        self.table = table
        self.at = {name: table.columns.index(column) for name, column in mapping.columns.items()}
        self.items = {ITEM.fullmatch(n)[1]: n for n in mapping.columns if ITEM.fullmatch(n)}  # type: ignore[index]  # matched
        self.when = next((w for w in WHEN if w in self.at or w in mapping.constants), WHEN[0])
        self.constants = {name: str(value) for name, value in mapping.constants.items()}
        self.today = clinic_time.today()
        self.days: dict[str, date | str] = {}
        self.problems: list[Problem] = []
        self.row = 0

    def text(self, cells: tuple[str, ...], name: str) -> str:
        """What the row says: its cell, translated where the mapping says so, or the constant."""
        index = self.at.get(name)
        if index is not None and cells[index]:
            value = cells[index]
            if value[0] == "=" and self.table.of_workbook:
                raise self.refuse(name, value, FORMULA)
            table = self.mapping.values.get(name)
            value = table.get(value, value) if table else value
            if len(value) > LONGEST.get(name, 1000):
                why = f"is longer than {LONGEST.get(name, 1000)} characters"
                raise self.refuse(name, value[:60] + "…", why)
            return value
        return self.constants.get(name, "")

    def refuse(self, name: str, value: str, why: str) -> BadCell:
        return BadCell(self.mapping.columns.get(name, name), value, why)

    def bad(self, bad: BadCell) -> None:
        self.problems.append(Problem(self.row, bad.column, bad.value, bad.why))

    def attempt(self, read: Callable[..., Any], *given: Any, otherwise: Any = None) -> Any:
        """What `read` returns; a bad cell is noted and the row's other cells are read too."""
        try:
            return read(*given)
        except BadCell as problem:
            self.bad(problem)
            return otherwise

    def number(self, cells: tuple[str, ...], name: str) -> Decimal | None:
        text = self.text(cells, name)
        if not text:
            return None
        plain = text
        if self.table.decimal_comma or COMMA_NUMBER.fullmatch(text):
            plain = text.replace(",", ".")
        if not NUMBER.fullmatch(plain) or len(plain) > 20:
            raise self.refuse(name, text, "is not a number")
        return Decimal(plain)

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
        found = self.days.get(text)
        if found is None:
            found = self.days[text] = self._day(text, name)
        if isinstance(found, str):
            raise self.refuse(name, text, found)
        return found

    def _day(self, text: str, name: str) -> date | str:
        """The day, or why it is none."""
        try:
            found = read_day(text, self.mapping.date_format if name in self.at else "")
        except ValueError as problem:
            return str(problem)
        if found > self.today:
            return "lies in the future"
        return found if found >= EARLIEST else "lies before 1950"

    def held_on(self, cells: tuple[str, ...], opened_on: date | None) -> date:
        name = self.when
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
        count = int(offset)
        try:
            found = (
                opened_on + timedelta(days=count) if name == "day" else add_months(opened_on, count)
            )
        except (OverflowError, ValueError):
            found = date.max
        if found > self.today:
            raise self.refuse(name, text, f"comes to {found.isoformat()}, in the future")
        return found

    def word(self, cells: tuple[str, ...], name: str) -> str:
        text = self.text(cells, name)
        try:
            return WORDS[name][plain_word(text)]
        except KeyError:
            allowed = ", ".join(sorted(dict.fromkeys(v for v in WORDS[name].values() if v)))
            raise self.refuse(name, text, f"must be one of {allowed}") from None

    def score(self, cells: tuple[str, ...]) -> Any:
        """The row's score; None for an attendance alone."""
        given = self.text(cells, "total")
        code = self.text(cells, "measure")
        answers = {key: self.attempt(self.number, cells, name) for key, name in self.items.items()}
        if not given and all(answer is None for answer in answers.values()):
            # A session without a score must be meant as one: the row says how it was attended.
            named = "measure" in self.at and bool(code)
            if self.text(cells, "attendance") and not (named and self._came(cells)):
                return None
            column = next(iter(self.items.values()), "total") if "total" not in self.at else "total"
            raise self.refuse(column, "", "there is no score")
        total = self.number(cells, "total")
        try:
            return self.scores.read(code, total, answers)
        except Scores.Refused as refused:
            for name, why in refused.whys:
                field = self.items.get(name, name)
                value = (
                    self.text(cells, field) if field in self.at else self.constants.get(name, "")
                )
                self.bad(self.refuse(field, value, why))
            return None

    def _came(self, cells: tuple[str, ...]) -> bool:
        return self.word(cells, "attendance") == Session.Status.ATTENDED

    def born(self, cells: tuple[str, ...], day: date | None) -> tuple[int | None, bool]:
        """The year of birth, and whether it comes from an age on a day."""
        year = self.attempt(self.whole, cells, "birth_year", self.today.year - 120, self.today.year)
        age = self.attempt(self.whole, cells, "age", 0, 120)
        if year is None and age is not None and day is not None:
            return day.year - age, True
        return year, False

    def record(self, row: int, cells: tuple[str, ...]) -> Record | None:
        """The row's record; None when it has problems."""
        self.row = row
        before = len(self.problems)
        attempt, text = self.attempt, self.text
        client = attempt(text, cells, "client")
        if client == "":
            self.bad(self.refuse("client", "", "the row names no client"))
        opened_on = attempt(self.day, cells, "opened_on")
        held_on = attempt(self.held_on, cells, opened_on)
        status = attempt(self.word, cells, "attendance")
        score = attempt(self.score, cells)
        birth_year, by_age = self.born(cells, held_on and (opened_on or held_on))
        words = {name: attempt(self.word, cells, name) for name in ("gender", "ending")}
        relation = attempt(self.word, cells, "respondent")
        care_began_on = attempt(self.day, cells, "care_began_on")
        ended_on = attempt(self.day, cells, "ended_on")
        texts = {
            name: attempt(text, cells, name)
            for name in (
                "clinician", "programme", "site", "episode", "session", "language", "problem",
                "funder",
            )
        }  # fmt: skip
        if len(self.problems) > before:
            return None
        texts["programme"] = texts["programme"] or "Imported"
        texts["site"] = texts["site"] or "Imported"
        return Record(
            row=row,
            client=client,
            held_on=held_on,
            status=status,
            measure=score.measure if score else "",
            total=score.total if score else None,
            answers=score.answers if score else None,
            subscales=score.subscales if score else None,
            prorated=score.prorated if score else False,
            relation=relation,
            birth_year=birth_year,
            by_age=by_age,
            opened_on=opened_on,
            care_began_on=care_began_on,
            ended_on=ended_on,
            **words,
            **texts,
        )
