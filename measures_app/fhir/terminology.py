"""The answers a question offers: options in place, or a value set that the file contains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from measures_app.fhir.documents import number
from measures_app.fhir.report import Report
from measures_app.fhir.resource import as_list, extensions, tables, value_of
from measures_app.fhir.texts import Texts, Words
from measures_app.fhir.urls import SCORES

MAX_OPTIONS = 60
MAX_LOOKUPS = 5_000  # sets that name sets that name sets grow without a circle, too
SCORE_PROPERTIES = ("itemWeight", "ordinalValue")


@dataclass(frozen=True)
class Option:
    """One answer: its score (None where the file gives none), its words, its code.

    `answer` is the `value[x]` that a response would hold.
    """

    score: Decimal | None
    words: Words
    code: dict[str, str] | None
    answer: dict[str, Any]


def score_in(element: Any, where: str, out: Report) -> Decimal | None:
    """The score that an element's extensions give it."""
    found: list[Decimal] = []
    for extension in extensions(element, *SCORES):
        try:
            found.append(number(value_of(extension)[1]))
        except ValueError as problem:
            out.fault(where, f"its score: {problem}")
    if len(set(found)) > 1:
        out.fault(where, f"two scores, {found[0]} and {found[1]}: which one counts?")
    return found[0] if found else None


class Terminology:
    """The value sets and code systems that a questionnaire contains."""

    def __init__(self, contained: Any, texts: Texts, out: Report) -> None:
        self.texts, self.out = texts, out
        self.lookups = 0
        self.sets: dict[str, dict[str, Any]] = {}
        self.systems: dict[str, list[dict[str, Any]]] = {}
        for resource in tables(contained):
            kind, name = resource.get("resourceType"), str(resource.get("id", ""))
            if kind == "ValueSet":
                for called in filter(None, (f"#{name}", str(resource.get("url") or ""))):
                    if called in self.sets:
                        out.fault("contained", f"two value sets are called “{called}”")
                    self.sets[called] = resource
            elif kind == "CodeSystem":
                self.systems[str(resource.get("url", ""))] = list(_concepts(resource))
            else:
                out.note(f"a contained {kind} isn't kept")

    def options(self, item: dict[str, Any], where: str) -> list[Option]:
        """Every answer of an item, in order."""
        reference = item.get("answerValueSet")
        if reference is not None and item.get("answerOption"):
            self.out.fault(where, "has both answerOption and answerValueSet")
        if reference is None:
            found = [
                option
                for at, entry in enumerate(tables(item.get("answerOption")), start=1)
                if (option := self._option(entry, f"{where}, option {at}"))
            ]
        elif (name := self._contained(reference)) is None:
            self.out.fault(
                where,
                f"its answers are in the value set {str(reference)[:120]}, which isn't in the "
                "file and can't be fetched: ask for a file that contains it, or leave the item "
                "out (leave_out)",
            )
            found = []
        else:
            found = [
                self._concept(system, entry, where)
                for system, entry in self._members(name, where, ())
            ]
        if len(found) > MAX_OPTIONS:
            self.out.fault(where, f"{len(found)} answers; {MAX_OPTIONS} are the most")
            return []
        return found

    def _contained(self, reference: Any) -> str | None:
        """The name under which the file holds a value set; None for one that is elsewhere."""
        if not isinstance(reference, str):
            return None
        if reference.startswith("#"):
            return reference
        found = self.sets.get(reference.split("|")[0])
        return None if found is None else f"#{found.get('id', '')}"

    def _option(self, entry: dict[str, Any], where: str) -> Option | None:
        kind, value = value_of(entry)
        score = score_in(entry, where, self.out)
        if entry.get("initialSelected"):
            self.out.note("answers chosen beforehand aren't: untouched is missing here", where)
        if kind == "Coding" and isinstance(value, dict):
            inner = score_in(value, where, self.out)
            if score is not None and inner is not None and score != inner:
                self.out.fault(where, f"two scores, {score} and {inner}: which one counts?")
            return self._coded(value, score if score is not None else inner, where, value)
        if kind == "Integer":
            try:
                said = number(value)
            except ValueError as problem:
                self.out.fault(where, str(problem))
                return None
            words = {self.texts.base: str(value)}
            return Option(said if score is None else score, words, None, {"valueInteger": value})
        if kind == "String":
            return Option(
                score, self.texts.of(entry, "valueString", where), None, {"valueString": value}
            )
        self.out.fault(where, f"an answer of the kind “{kind or 'none'}” can't be scored")
        return None

    def _coded(
        self, coding: dict[str, Any], score: Decimal | None, where: str, source: dict[str, Any]
    ) -> Option:
        code, system = coding.get("code"), coding.get("system")
        if score is None and isinstance(code, str):
            known = self._in_system(str(system or ""), code)
            score = self._weight(known, where) if known else None
        words = self.texts.designations(source, where)
        if not words:
            words = {self.texts.base: str(code or "")}
        kept = {
            key: str(coding[key])
            for key in ("system", "version", "code", "display")
            if isinstance(coding.get(key), str)
        }
        if not kept.get("code") and not kept.get("display"):
            self.out.fault(where, "the answer has neither code nor display")
        return Option(score, words, kept if "code" in kept else None, {"valueCoding": dict(kept)})

    def _concept(self, system: str, concept: dict[str, Any], where: str) -> Option:
        known = self._in_system(system, str(concept.get("code", "")))
        score = self._weight(concept, where)
        source = {**(known or {}), **concept}
        coding = {
            key: value
            for key, value in (
                ("system", system), ("code", source.get("code")), ("display", source.get("display"))
            )
            if value
        }  # fmt: skip
        return self._coded(coding, score, where, source)

    def _weight(self, concept: dict[str, Any], where: str) -> Decimal | None:
        score = score_in(concept, where, self.out)
        for entry in tables(concept.get("property")):
            if score is None and entry.get("code") in SCORE_PROPERTIES:
                try:
                    score = number(value_of(entry)[1])
                except ValueError as problem:
                    self.out.fault(where, f"its score: {problem}")
        return score

    def _in_system(self, system: str, code: str) -> dict[str, Any] | None:
        return next((c for c in self.systems.get(system, []) if c.get("code") == code), None)

    def _members(
        self, name: str, where: str, within: tuple[str, ...]
    ) -> list[tuple[str, dict[str, Any]]]:
        """(system, concept) of a contained value set, those of the sets it names among them."""
        if name in within:
            chain = " -> ".join((*within, name))
            self.out.fault(where, f"its value sets refer to one another in a circle: {chain}")
            return []
        self.lookups += 1
        if self.lookups > MAX_LOOKUPS:
            self.out.fault("contained", "its value sets refer to one another too many times")
            return []
        found = self.sets.get(name)
        if found is None:
            self.out.fault(where, f"the value set “{name}” isn't contained in the file")
            return []
        expansion = found.get("expansion")
        if isinstance(expansion, dict) and expansion.get("contains"):
            return [
                (str(entry.get("system", "")), entry)
                for entry in _nested(expansion.get("contains"), "contains")
                if not entry.get("abstract")
            ]
        compose = found.get("compose")
        compose = compose if isinstance(compose, dict) else {}
        members = [
            member
            for part in tables(compose.get("include"))
            for member in self._include(part, where, (*within, name))
        ]
        left_out = {
            (system, str(concept.get("code")))
            for part in tables(compose.get("exclude"))
            for system, concept in self._include(part, where, (*within, name))
        }
        members = [m for m in members if (m[0], str(m[1].get("code"))) not in left_out]
        if not members and not self.out.faults:
            self.out.fault(where, f"the value set “{name}” offers no answers")
        return members

    def _include(
        self, part: dict[str, Any], where: str, within: tuple[str, ...]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        system = str(part.get("system", ""))
        if part.get("filter"):
            self.out.fault(where, "its value set is a filter over a code system, not a list")
            return
        yield from ((system, concept) for concept in tables(part.get("concept")))
        for reference in as_list(part.get("valueSet")):
            if (name := self._contained(reference)) is not None:
                yield from self._members(name, where, within)
            else:
                self.out.fault(
                    where, f"its value set refers to {str(reference)[:120]}, which can't be fetched"
                )
        if system and not part.get("concept") and not part.get("valueSet"):
            if system not in self.systems:
                self.out.fault(
                    where, f"its value set is all of {system[:120]}, which can't be fetched"
                )
            yield from ((system, concept) for concept in self.systems.get(system, []))


def _nested(entries: Any, key: str) -> Iterator[dict[str, Any]]:
    for entry in tables(entries):
        yield entry
        yield from _nested(entry.get(key), key)


def _concepts(system: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return _nested(system.get("concept"), "concept")
