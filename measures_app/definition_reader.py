"""A definition document read and checked: everything wrong is said at once, each with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from fractions import Fraction
from itertools import islice
from typing import Any

from measures_app import schema_check
from measures_app.definitions import (
    LISTS,
    DefinitionProblem,
    Fault,
    ItemDefinition,
    MeasureDefinition,
)
from measures_app.psychometrics.scoring import to_tenths

LONGEST = 1_000_000  # characters of a document
DEEPEST = 40  # parts of a dotted key; a definition has four, a code's number a dozen
MOST_FAULTS = 100  # said at once
RESERVED = ("load", "plans")  # addresses beside the measures'
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,4})?")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
Place = schema_check.Place

_PART = r"""(?:"[^"]*"|'[^']*'|[\w-]+)"""
_SIMPLE = re.compile(_PART)
_KEYS = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]")


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, dotted)]


class Lines:
    """Where each table and key of a TOML text stands."""

    def __init__(self, text: str) -> None:
        self._at: dict[Place, int] = {}
        arrays: dict[Place, int] = {}
        table: Place = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.match(line):
                table = self._open(_parts(header[2]), header[1] == "[[", arrays)
                self._at.setdefault(table, number)
            elif key := _KEYS.match(line):
                for end in range(1, len(parts := _parts(key[1])) + 1):
                    self._at.setdefault((*table, *parts[:end]), number)

    @staticmethod
    def _open(parts: list[str], another: bool, arrays: dict[Place, int]) -> Place:
        place: Place = ()
        for position, part in enumerate(parts, start=1):
            place = (*place, part)
            if another and position == len(parts):
                arrays[place] = arrays.get(place, -1) + 1
            if place in arrays:
                place = (*place, arrays[place])
        return place

    def of(self, place: Place) -> int:
        """The line of a place, or of the nearest table around it."""
        while place and place not in self._at:
            place = place[:-1]
        return self._at.get(place, 1)


def too_deep(text: str) -> bool:
    """Whether a dotted key goes on and on: the TOML reader's time grows with its square."""
    for line in text.splitlines():
        run = 0
        for part in line.split(".") if line.count(".") > DEEPEST else ():
            run = run + 1 if _SIMPLE.fullmatch(part.strip()) else 0
            if run > DEEPEST:
                return True
    return False


def _plain(value: Any) -> Any:
    """TOML values as JSON knows them: days as text."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    return value


def _texts(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _texts(entry, (*place, key))
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _texts(entry, (*place, number))


class _Reader:
    def __init__(self, document: dict[str, Any], line_of: Callable[[Place], int]) -> None:
        self.document, self.line_of = document, line_of
        self.faults: list[Fault] = []

    def fault(self, place: Place, reason: str) -> None:
        self.faults.append(Fault(self.line_of(place), reason))

    def stop(self) -> None:
        if self.faults:
            raise DefinitionProblem(sorted(self.faults, key=lambda fault: fault.line))

    def read(self) -> MeasureDefinition:
        for place, reason in islice(schema_check.problems(self.document), MOST_FAULTS):
            self.fault(place, reason)
        self.stop()
        for place, text in _texts(self.document):
            if CONTROL.search(text):
                self.fault(place, f"“{place[-1]}” holds a control character")
        document = self.document
        plain = {
            key: value
            for key, value in document.items()
            if key not in ("items", "norms", "item_scale", "wording")
        }
        for key in set(LISTS) - {"norms"}:
            plain[key] = tuple(plain.get(key, ()))
        self.check_groups()
        items = self.items()
        definition = MeasureDefinition(
            **plain, items=items, wording=self.wording(items), norms=self.norms()
        )
        self.check_measure(definition)
        if self.check_numbers(definition) and (items or definition.subscales):
            self.check_scoring(definition)
        self.stop()
        return definition

    def items(self) -> tuple[ItemDefinition, ...]:
        shared = self.document.get("item_scale", {})
        found: dict[str, ItemDefinition] = {}
        for number, table in enumerate(self.document.get("items", [])):
            place = ("items", number)
            settings = {**shared, **table}
            if settings["id"] in found:
                self.fault((*place, "id"), f"item “{settings['id']}” is defined twice")
                continue
            choices = settings.pop("choices", None)
            if settings.setdefault("kind", "choice" if choices else "vas") == "vas" and choices:
                self.fault(place, f"item “{settings['id']}” is a line and has choices")
                continue
            if choices:
                settings.update(low=min(choices), high=max(choices), step=1.0)
            for key in ("codes", "answer_codes"):
                settings[key] = tuple(settings.get(key, ()))
            item = ItemDefinition(**settings, choices=tuple(choices) if choices else None)
            self._check_item(place, item)
            found[item.id] = item
        return tuple(found.values())

    def _check_item(self, place: Place, item: ItemDefinition) -> None:
        if item.group and item.group not in self.group_ids():
            self.fault(place, f"item “{item.id}” is in group “{item.group}”, not defined")
        values = {float(choice) for choice in item.choices or ()}
        for coded in item.answer_codes:
            if values and float(coded["value"]) not in values:
                self.fault(place, f"a code of item “{item.id}” names no choice of it")

    def group_ids(self) -> list[str]:
        return [group["id"] for group in self.document.get("groups", [])]

    def check_groups(self) -> None:
        """One within another comes after it; each has its own name."""
        known: set[str] = set()
        for number, group in enumerate(self.document.get("groups", [])):
            name, within = group["id"], group.get("within", "")
            if name in known:
                self.fault(("groups", number), f"group “{name}” is defined twice")
            if within and within not in known:
                self.fault(
                    ("groups", number),
                    f"group “{name}” is within “{within}”, not defined before it",
                )
            known.add(name)

    def wording(self, items: tuple[ItemDefinition, ...]) -> dict[str, Any]:
        """Words by language; what all items share is written into each of them."""
        ids = {item.id for item in items}
        found: dict[str, Any] = {}
        if items and not self.document.get("wording"):
            self.fault(("items",), "the items have no wording: add [wording.en] or another")
        for language, words in self.document.get("wording", {}).items():
            place: Place = ("wording", language)
            if not LANGUAGE.fullmatch(language):
                self.fault(place, f"“{language}” is no language code such as en, es or pt-br")
            asked = words.get("items", {})
            for item in asked.keys() - ids:
                self.fault(
                    (*place, "items", item), f"wording {language} names item “{item}”, not defined"
                )
            shared = {key: words[key] for key in ("low", "high") if key in words}
            texts = {}
            for item in items:
                if item.id not in asked:
                    self.fault(place, f"wording {language} lacks item “{item.id}”")
                    continue
                text = {**shared, **asked[item.id]}
                if item.choices and "choices" in words:
                    text.setdefault("choices", words["choices"])
                self._check_labels(language, item, text)
                texts[item.id] = text
            found[language] = {**words, "items": texts}
        return found

    def _check_labels(self, language: str, item: ItemDefinition, text: dict[str, Any]) -> None:
        labels, values = len(text.get("choices", ())), len(item.choices or ())
        if labels and labels != values:
            place = ("wording", language, "items", item.id)
            self.fault(
                place,
                f"wording {language} has {labels} labels for the {values} choices of item "
                f"“{item.id}”",
            )

    def norms(self) -> tuple[dict[str, Any], ...]:
        rows = self.document.get("norms", [])
        for number, row in enumerate(rows):
            for reason in norm_problems(row, self.document["low"], self.document["high"]):
                self.fault(("norms", number), f"norm row {number + 1} {reason}")
            self._check_day(("norms", number, "from_on"), row.get("from_on"))
        return tuple(rows)

    def _check_day(self, place: Place, text: str | None) -> None:
        try:
            date.fromisoformat(text or "2000-01-01")
        except ValueError:
            self.fault(place, f"“{text}” is not a day of the calendar")

    def check_measure(self, definition: MeasureDefinition) -> None:
        if definition.code in RESERVED:
            self.fault(("code",), f"“{definition.code}” is an address of the application")
        if definition.low >= definition.high:
            self.fault(("low",), "low must be below high")
        if None not in (definition.age_from, definition.age_to) and (
            definition.age_from > definition.age_to  # type: ignore[operator]  # both are there
        ):
            self.fault(("age_from",), "age_from lies above age_to")
        if definition.comparable_with and not definition.checked_by:
            self.fault(("comparable_with",), "comparable_with joins two series: say who checked it")
        for name in definition.scores:
            if name != "total" and name not in definition.subscales:
                reason = f"the score “{name}” is neither the total nor a subscale"
                self.fault(("scores", name), reason)
        self._check_day(("next_review",), definition.next_review)
        items = {item.id: item for item in definition.items}
        for name, threshold in definition.alerts.items():
            if name not in items:
                self.fault(("alerts", name), f"the alert names item “{name}”, not defined")
            elif not items[name].low <= threshold <= items[name].high:
                reason = f"the alert of item “{name}” lies outside its range"
                self.fault(("alerts", name), reason)

    def check_numbers(self, definition: MeasureDefinition) -> bool:
        """Whether range and step are whole tenths, so that totals can be exact."""
        exact = True
        for key in ("low", "high", "step"):
            try:
                to_tenths(getattr(definition, key))
            except ValueError as problem:
                self.fault((key,), f"{key}: {problem}")
                exact = False
        return exact

    def check_scoring(self, definition: MeasureDefinition) -> None:
        if definition.items and not any(item.scored for item in definition.items):
            self.fault(("items",), "no item is scored")
            return
        try:
            attainable = definition.instrument().range_of("total")
        except ValueError as problem:
            self.fault(("items",), str(problem))
            return
        if attainable != (float(definition.low), float(definition.high)):
            self.fault(
                ("high",),
                f"the items come to {attainable[0]:g} to {attainable[1]:g}, the measure says "
                f"{definition.low:g} to {definition.high:g}",
            )
        if definition.rule == "total":
            self._check_step(definition)

    def _check_step(self, definition: MeasureDefinition) -> None:
        step = Fraction(to_tenths(definition.step))
        for number, item in enumerate(definition.items):
            if not item.scored:
                continue
            values = item.choices or (item.low, item.low + item.step)
            for value in values:
                apart = (to_tenths(value) - to_tenths(item.low)) * definition.multiplier
                if apart % step:
                    self.fault(
                        ("items", number),
                        f"item “{item.id}” moves the total between two steps of "
                        f"{definition.step:g}",
                    )
                    break


def norm_problems(row: dict[str, Any], low: float, high: float) -> list[str]:
    """What is wrong with the constants of a norm row; the page that adds one asks the same."""
    found = []
    if not str(row["source"]).strip():
        found.append("has no source")
    constants = [row.get(key) for key in ("cutoff", "reliable_change", "mean", "sd")]
    if all(value is None for value in constants):
        found.append("states no constant: give a cutoff, a reliable change, or mean and SD")
    cutoff, change = row.get("cutoff"), row.get("reliable_change")
    if cutoff is not None and not low <= cutoff <= high:
        found.append(f"has its cutoff {cutoff:g} outside {low:g} to {high:g}")
    if change is not None and change > high - low:
        found.append(f"has a reliable change of {change:g} on a scale {high - low:g} wide")
    youngest, oldest = row.get("age_from"), row.get("age_to")
    if youngest is not None and oldest is not None and youngest > oldest:
        found.append("has age_from above age_to")
    return found


def read_document(
    document: dict[str, Any], line_of: Callable[[Place], int] = lambda place: 0
) -> MeasureDefinition:
    """A definition from plain values, as TOML or another format gave them.

    Raises
    ------
    DefinitionProblem
        With the reason of everything that is wrong, and its line where `line_of` knows it.
    """
    return _Reader(document, line_of).read()


def why_no_toml(problem: ValueError) -> str:
    """What tomllib found wrong; of a number that Python won't read it would say how to."""
    if isinstance(problem, tomllib.TOMLDecodeError):
        return str(problem)
    return "a number in it has thousands of digits"


def parse_definition(text: str) -> MeasureDefinition:
    """Read a definition document (TOML).

    Raises
    ------
    DefinitionProblem
        With the line and the reason of everything that is wrong.
    """
    if len(text) > LONGEST:
        raise DefinitionProblem([Fault(1, f"the text is longer than {LONGEST:,} characters")])
    if too_deep(text):
        raise DefinitionProblem([Fault(1, "the tables are nested too deep")])
    try:
        document = _plain(tomllib.loads(text))
    except ValueError as problem:
        line = re.search(r"at line (\d+)", str(problem))
        number = int(line[1]) if line else max(1, text.count("\n"))
        raise DefinitionProblem(
            [Fault(number, f"this is not TOML: {why_no_toml(problem)}")]
        ) from None
    except RecursionError:
        raise DefinitionProblem([Fault(1, "the tables are nested too deep")]) from None
    return read_document(document, Lines(text).of)
