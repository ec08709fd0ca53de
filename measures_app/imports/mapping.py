"""What a file's columns mean: the clinic's own names and constants, as a TOML document."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

from measures_app.definition_reader import too_deep, why_no_toml
from measures_app.imports.dates import check_format

ITEM = re.compile(r"item_(\w{1,20})")

# What a row can say. `day`, `month` and `session_date` are three ways to say when.
FIELDS = (
    "client",
    "session_date",
    "day",
    "month",
    "measure",
    "total",
    "clinician",
    "programme",
    "site",
    "episode",
    "session",
    "attendance",
    "respondent",
    "birth_year",
    "age",
    "gender",
    "language",
    "problem",
    "funder",
    "opened_on",
    "care_began_on",
    "ended_on",
    "ending",
    "referred_on",
    "referral_source",
    "first_offer_on",
    "referral_outcome",
    "referral_outcome_on",
)
DATES = (
    "opened_on", "care_began_on", "ended_on", "session_date", "referred_on", "first_offer_on",
    "referral_outcome_on",
)  # fmt: skip
SETTINGS = ("source", "date_format", "ended_after_days", "encoding")
# What a file of rows set aside says beside the rows themselves; no row's own content.
HELD = ("held_row", "held_why")
WHEN = ("session_date", "day", "month")


class MappingProblem(ValueError):
    """The mapping can't be used; the message names the key and what it may be."""


@dataclass(frozen=True)
class Mapping:
    """Field -> column name; field -> constant; field -> {value in the file: value here}.

    A constant stands for all rows, or fills the empty cells of a column.
    """

    columns: dict[str, str]
    constants: dict[str, Any] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    source: str = ""  # of the clients' numbers; left empty they may be the clinic's own
    date_format: str = ""
    ended_after_days: int | None = None
    encoding: str = ""

    def check_against(self, columns: tuple[str, ...]) -> None:
        """Every column named here is in the file; a row can say who, when, what.

        Raises
        ------
        MappingProblem
            Naming the column that isn't there, with the nearest one that is.
        """
        for name, column in self.columns.items():
            if column not in columns:
                near = difflib.get_close_matches(column, columns, 1, 0.5)
                hint = f" Did you mean “{near[0]}”?" if near else ""
                raise MappingProblem(
                    f"There is no column “{column}” (for {name}) in the file: it has "
                    f"{', '.join(columns)}.{hint}"
                )
        known = set(self.columns) | set(self.constants)
        when = [name for name in WHEN if name in known]
        problems = []
        if "client" not in self.columns:
            problems.append("which column holds the client")
        # A file of referrals alone needs no session: without a way to say when, there is none.
        if "referred_on" in self.columns and not when:
            known |= {"session_date", "measure", "total"}
            when = ["session_date"]
        if not when:
            problems.append("which column holds the session's date (session_date, day or month)")
        if len(when) > 1:
            problems.append(f"one way to say when, not {' and '.join(when)}")
        if when and when[0] != "session_date" and "opened_on" not in known:
            problems.append("opened_on: days or months count from it")
        if "measure" not in known:
            problems.append("which measure it is")
        if not ({"total", "attendance"} & known or any(ITEM.fullmatch(n) for n in self.columns)):
            problems.append("which column holds the total, or the items")
        if problems:
            raise MappingProblem("The mapping doesn't say " + "; nor ".join(problems) + ".")


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    table = document.pop(name, {})
    if not isinstance(table, dict):
        raise MappingProblem(f"[{name}] must be a section: [{name}] and lines of name = value.")
    return dict(table)


def _known(name: str, allowed: tuple[str, ...], where: str) -> None:
    if name in allowed or ITEM.fullmatch(name):
        return
    near = difflib.get_close_matches(name, allowed, 1, 0.5)
    hint = f" Did you mean “{near[0]}”?" if near else f" It may be: {', '.join(allowed)}."
    raise MappingProblem(f"“{name}” in {where} is nothing a row can say.{hint}")


def parse_mapping(text: str) -> Mapping:
    """Read a mapping document.

    Raises
    ------
    MappingProblem
        No TOML, an unknown key, a value of the wrong kind.
    """
    if too_deep(text):
        raise MappingProblem("The mapping's tables are nested too deep.")
    try:
        document = tomllib.loads(text)
    except ValueError as problem:
        raise MappingProblem(f"The mapping is no TOML: {why_no_toml(problem)}.") from None
    except RecursionError:
        raise MappingProblem("The mapping's tables are nested too deep.") from None
    constants = _section(document, "constants")
    columns = _section(document, "columns")
    values = _section(document, "values")
    if "measure" in document:
        constants["measure"] = document.pop("measure")
    if document:
        _known(next(iter(document)), ("measure", "columns", "constants", "values"), "the mapping")
    for name, column in columns.items():
        _known(name, FIELDS, "[columns]")
        if not isinstance(column, str):
            raise MappingProblem(f"[columns] {name} must be a column's name in quotes.")
    settings = {name: constants.pop(name) for name in SETTINGS if name in constants}
    for name, value in constants.items():
        _known(name, FIELDS + SETTINGS, "[constants]")
        if name in DATES and not isinstance(value, date):
            raise MappingProblem(f"[constants] {name} must be a date such as 2024-01-31.")
        if isinstance(value, dict | list):
            raise MappingProblem(f"[constants] {name} must be one value.")
    for name, table in values.items():
        _known(name, FIELDS, "[values]")
        if not isinstance(table, dict):
            raise MappingProblem(f'[values.{name}] must say "value in the file" = "value here".')
    days = settings.get("ended_after_days")
    if days is not None and (not isinstance(days, int) or isinstance(days, bool) or days < 1):
        raise MappingProblem("[constants] ended_after_days must be a whole number of days.")
    date_format = str(settings.get("date_format", ""))
    try:
        check_format(date_format)
    except ValueError as problem:
        raise MappingProblem(f"[constants] date_format: {problem}.") from None
    return Mapping(
        columns=columns,
        constants=constants,
        values={n: {str(k): str(v) for k, v in table.items()} for n, table in values.items()},
        source=str(settings.get("source", "")),
        date_format=date_format,
        ended_after_days=days,
        encoding=str(settings.get("encoding", "")),
    )


def long_form(columns: tuple[str, ...]) -> Mapping:
    """The mapping of a file that uses our own names.

    Raises
    ------
    MappingProblem
        When a column isn't one of ours: nothing is left out silently.
    """
    for number, name in enumerate(columns, start=1):
        if not name:
            raise MappingProblem(
                f"Column {number} has no name: name it, take it out, or say in a mapping which "
                "columns count."
            )
        if name not in HELD:
            _known(name, FIELDS, "the header")
    return Mapping(columns={name: name for name in columns if name not in HELD})


def as_toml(mapping: Mapping) -> str:
    """A mapping as the document that `parse_mapping` reads."""
    # A JSON string is a TOML string; a day is written bare.
    quote = partial(json.dumps, ensure_ascii=False)
    settings = {name: getattr(mapping, name) for name in SETTINGS if getattr(mapping, name)}
    constants = dict(mapping.constants)
    lines = [f"measure = {quote(str(constants.pop('measure')))}"] if "measure" in constants else []
    lines += ["", "[columns]"]
    lines += [f"{name} = {quote(column)}" for name, column in mapping.columns.items()]
    for name, table in mapping.values.items():
        lines += ["", f"[values.{name}]"]
        lines += [f"{quote(theirs)} = {quote(ours)}" for theirs, ours in table.items()]
    if constants or settings:
        lines += ["", "[constants]"]
        for name, value in (constants | settings).items():
            bare = name in DATES or isinstance(value, int)
            lines.append(f"{name} = {value if bare else quote(str(value))}")
    return "\n".join(lines).strip() + "\n"
