"""Referrals in rows of a file: what a row says of one, and what the rows say together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from measures_app.imports.mapping import ITEM, WHEN
from measures_app.imports.rows import Problem, RowReader, reference_of
from sessions_app.models import Referral

FIELDS = (
    "referred_on", "referral_source", "first_offer_on", "referral_outcome", "referral_outcome_on",
)  # fmt: skip
# Of one referral rows may leave these blank and must not differ.
SAID = ("source", "first_offer_on", "outcome", "outcome_on", "episode", "funder")
OF_A_SESSION = (*WHEN, "total", "attendance")
LEFT = frozenset(Referral.Outcome.values) - {Referral.Outcome.WAITING, Referral.Outcome.ACCEPTED}
COLUMNS = {"source": "referral_source", "outcome": "referral_outcome",
           "outcome_on": "referral_outcome_on"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Referred:
    """What a row says of a referral; blank is not said."""

    row: int
    client: str
    programme: str
    site: str
    episode: str
    received_on: date
    source: str
    first_offer_on: date | None
    outcome: str
    outcome_on: date | None
    funder: str
    birth_year: int | None
    by_age: bool
    gender: str
    language: str

    @property
    def reference(self) -> str:
        """What tells the care that came of it from the client's other care, as for a record."""
        return reference_of(self.episode, self.programme)

    # As records have them, for what is said of a client.
    @property
    def held_on(self) -> date:
        return self.received_on

    @property
    def opened_on(self) -> None:
        return None


def is_alone(reader: RowReader, cells: tuple[str, ...]) -> bool:
    """Whether a row is a referral and no session: neither when, nor how it was, nor a score."""
    said = {name for name, place in reader.at.items() if cells[place]}
    of_a_session = {*OF_A_SESSION, *(name for name in said if ITEM.fullmatch(name))}
    return bool(said & {*FIELDS}) and not said & of_a_session


def read_referral(reader: RowReader, row: int, cells: tuple[str, ...]) -> Referred | None:
    """The row's referral; None where it says none, or where it has problems."""
    reader.row = row
    before, attempt = len(reader.problems), reader.attempt
    days = {
        name: attempt(reader.day, cells, name)
        for name in ("referred_on", "first_offer_on", "referral_outcome_on")
    }
    words = {
        name: attempt(reader.word, cells, name)
        for name in ("referral_source", "referral_outcome", "gender")
    }
    received, offered, outcome_on = days.values()
    if len(reader.problems) == before:
        if received is None:
            said = next((n for n in FIELDS if n in reader.at and cells[reader.at[n]]), "")
            if said:
                reader.bad(reader.refuse("referred_on", "", "the referral has no date"))
            return None
        for name, day in list(days.items())[1:]:
            if day is not None and day < received:
                why = f"lies before the referral on {received}"
                reader.bad(reader.refuse(name, str(day), why))
        outcome = words["referral_outcome"]
        if outcome in LEFT and outcome_on is None:
            reader.bad(reader.refuse("referral_outcome_on", "", f"when was it {outcome}?"))
        if not outcome and outcome_on is not None:
            reader.bad(reader.refuse("referral_outcome", "", f"what came of it on {outcome_on}?"))
        if outcome == Referral.Outcome.DECLINED and offered is None:
            why = "nothing was offered: say first_offer_on, or withdrawn"
            reader.bad(reader.refuse("referral_outcome", outcome, why))
    client = attempt(reader.text, cells, "client")
    if client == "":
        reader.bad(reader.refuse("client", "", "the row names no client"))
    birth_year, by_age = reader.born(cells, received)
    texts = {
        name: attempt(reader.text, cells, name)
        for name in ("programme", "site", "episode", "funder", "language")
    }
    if len(reader.problems) > before:
        return None
    return Referred(
        row=row,
        client=client,
        programme=texts["programme"] or "Imported",
        site=texts["site"] or "Imported",
        episode=texts["episode"],
        received_on=received,
        source=words["referral_source"],
        first_offer_on=offered,
        outcome=words["referral_outcome"],
        outcome_on=outcome_on,
        funder=texts["funder"],
        birth_year=birth_year,
        by_age=by_age,
        gender=words["gender"],
        language=texts["language"],
    )


def merged(referred: list[Referred]) -> Iterator[tuple[Referred, list[Problem]]]:
    """Each referral once, its rows said together; with what they say against one another."""
    groups: dict[tuple[str, str, date], list[Referred]] = defaultdict(list)
    for one in referred:
        groups[one.client, one.programme, one.received_on].append(one)
    for rows in groups.values():
        values, problems = {}, []
        for name in SAID:
            said = [one for one in rows if getattr(one, name) not in (None, "")]
            values[name] = getattr(said[0], name) if said else getattr(rows[0], name)
            problems += [
                Problem(
                    one.row,
                    COLUMNS.get(name, name),
                    str(getattr(one, name)),
                    f"row {said[0].row} says “{values[name]}” of the same referral",
                )
                for one in said
                if getattr(one, name) != values[name]
            ]
        first = rows[0]
        yield (
            first
            if len(rows) == 1
            else Referred(
                **{
                    name: values.get(name, getattr(first, name))
                    for name in Referred.__dataclass_fields__
                }
            ),
            problems,
        )
