"""A row's total and item answers under its measure, each reading made once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError

from measures_app import measures
from measures_app.actions.administrations import read_answers, read_total
from measures_app.definitions import MeasureDefinition
from measures_app.models import MeasureVersion


@dataclass(frozen=True, slots=True)
class Score:
    """What a row's cells come to."""

    measure: str
    total: Decimal | None
    answers: dict[str, Any] | None
    subscales: dict[str, str] | None
    prorated: bool


class Refused(ValueError):
    """`whys` are (item or `total` or `measure`, reason)."""

    def __init__(self, *whys: tuple[str, str]) -> None:
        super().__init__("; ".join(why for _name, why in whys))
        self.whys = whys


class Scores:
    """Reads scores with the versions of the measures that are known here."""

    Refused = Refused

    def __init__(self, versions: Mapping[str, MeasureVersion]) -> None:
        self.versions = versions
        self.codes = {code.lower(): code for code in versions}
        self.totals: dict[tuple[str, Decimal], Decimal | Refused] = {}

    def _code(self, named: str) -> str:
        code = self.codes.get(named.lower())
        if code is not None:
            return code
        if not named:
            raise Refused(("measure", "the row names no measure"))
        near = difflib.get_close_matches(named.lower(), self.codes, 1, 0.6)
        hint = (
            f"did you mean “{self.codes[near[0]]}”?"
            if near
            else f"known: {', '.join(sorted(self.versions))}; load another with load_measure"
        )
        raise Refused(("measure", f"is no measure here; {hint}"))

    def _total(self, code: str, number: Decimal) -> Decimal:
        found = self.totals.get((code, number))
        if found is None:
            try:
                found = read_total(self.versions[code], number)
            except ValidationError as problem:
                why = problem.message_dict["total"][0]
                found = Refused(("total", why.removeprefix(f"{number} ").rstrip(".")))
            self.totals[code, number] = found
        if isinstance(found, Refused):
            raise found
        return found

    def read(
        self, named: str, total: Decimal | None, answers: Mapping[str, Decimal | None]
    ) -> Score:
        """The score of a row.

        Parameters
        ----------
        answers : mapping
            By place (`"1"`) or item id; None is untouched. Blank items beyond the measure's own
            (a file of several measures has as many columns as the longest) say nothing.

        Raises
        ------
        Refused
        """
        code = self._code(named)
        stated = None if total is None else self._total(code, total)
        if all(answer is None for answer in answers.values()):
            return Score(code, stated, None, None, False)
        version = self.versions[code]
        definition = measures.definition_of(version)
        given = self._by_item(definition, answers)
        try:
            reading = read_answers(version, given)
        except ValidationError as problem:
            names = {v: k for k, v in self._names(definition, answers).items()}
            raise Refused(
                *((names.get(i, i), whys[0]) for i, whys in problem.message_dict.items())
            ) from None
        if stated is not None:
            self._compare(definition, given, stated, reading.total)
        return Score(
            code,
            reading.total if reading.total is not None else stated,
            reading.answers,
            reading.subscales,
            reading.prorated,
        )

    @staticmethod
    def _names(definition: MeasureDefinition, answers: Mapping[str, Any]) -> dict[str, str]:
        """The file's name of an item -> the item's id."""
        by_place = {str(n): item.id for n, item in enumerate(definition.items, start=1)}
        ids = {item.id for item in definition.items}
        return {
            name: name if name in ids else by_place[name]
            for name in answers
            if name in ids or name in by_place
        }

    def _by_item(
        self, definition: MeasureDefinition, answers: Mapping[str, Decimal | None]
    ) -> dict[str, Decimal | None]:
        names = self._names(definition, answers)
        many = len(definition.items)
        unknown = [
            name for name, answer in answers.items() if answer is not None and name not in names
        ]
        if unknown:
            has = f"has {many} items" if many else "is known by its totals alone, without items"
            raise Refused(*((name, f"{definition.code} {has}") for name in unknown))
        return {
            # 1.0 is kept as 1, as other ways of entering it do.
            names[name]: None if answer is None else Decimal(f"{answer.normalize():f}")
            for name, answer in answers.items()
            if name in names
        }

    @staticmethod
    def _compare(
        definition: MeasureDefinition,
        given: Mapping[str, Decimal | None],
        stated: Decimal,
        computed: Decimal | None,
    ) -> None:
        """Refuse a stated total that the answers don't come to.

        Items that the file has no column for leave the total as stated; items left blank don't:
        then the measure has no total, or a pro-rated one.
        """
        if computed is None:
            blank = [
                str(n)
                for n, item in enumerate(definition.items, start=1)
                if item.id in given and given[item.id] is None
            ]
            if blank:
                raise Refused(
                    (
                        "total",
                        f"the file says {stated}, the answers come to no total: item "
                        f"{', '.join(blank)} is blank",
                    )
                )
        elif computed != stated:
            raise Refused(("total", f"the file says {stated}, the items come to {computed}"))
