"""A QuestionnaireResponse read against a measure; what it says of its own total is checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from measures_app.definitions import ItemDefinition, MeasureDefinition
from measures_app.fhir.documents import number, plain, read_json
from measures_app.fhir.export import (
    link_of,
    score_link,
    score_names,
    to_questionnaire,
    url_of,
)
from measures_app.fhir.report import Report, refuse
from measures_app.fhir.resource import tables, value_of, walk
from measures_app.psychometrics.scoring import AnswerProblem

READABLE = ("completed", "amended")


@dataclass(frozen=True)
class Reading:
    """Answers as `record_administration` takes them.

    `answers` is by item id, None for untouched; None where the response states a total only.
    """

    answers: dict[str, Decimal | None] | None
    total: Decimal | None
    subscales: dict[str, Decimal | None]
    authored: str
    notes: tuple[str, ...]


def read_response(definition: MeasureDefinition, data: bytes) -> Reading:
    """Read a FHIR R4 QuestionnaireResponse to a measure.

    Raises
    ------
    FhirProblem
        For what is no response to this measure, an answer that can't be scored, and a stated
        total that differs from what the items come to (naming both).
    """
    resource = read_json(data)
    kind = resource.get("resourceType")
    if kind != "QuestionnaireResponse":
        raise refuse(f"not a QuestionnaireResponse: resourceType is “{str(kind)[:60]}”")
    return _Answers(definition, resource).read()


class _Answers:
    def __init__(self, definition: MeasureDefinition, resource: dict[str, Any]) -> None:
        self.of, self.resource = definition, resource
        self.out = Report()
        self.items = {link_of(item): item for item in definition.items}
        self.scores = {score_link(definition, name): name for name in score_names(definition)}
        self.known = {str(item["linkId"]) for item, _ in walk(to_questionnaire(definition)["item"])}

    def read(self) -> Reading:
        self._envelope()
        answers: dict[str, Decimal | None] = dict.fromkeys(item.id for item in self.of.items)
        stated: dict[str, Decimal] = {}
        seen: set[str] = set()
        for entry, where in _entries(self.resource.get("item")):
            link = str(entry.get("linkId"))
            if link in seen:
                self.out.fault(where, "is answered twice")
            seen.add(link)
            given = tables(entry.get("answer"))
            if not given:
                continue
            if link in self.items:
                if len(given) > 1:
                    self.out.fault(where, f"has {len(given)} answers, and takes one")
                    continue
                answers[self.items[link].id] = self._value(self.items[link], given[0], where)
            elif link in self.scores:
                stated[self.scores[link]] = self._number(given[0], where)
            elif link not in self.known:
                self.out.note("an answer to what isn't asked here isn't kept", where)
        if not seen & (self.items.keys() | self.scores.keys()):
            self.out.fault("", f"answers none of the questions of “{self.of.code}”")
        self.out.stop_if_faulty()
        if not self.items or not any(value is not None for value in answers.values()):
            return self._total_only(stated)
        return self._scored(answers, stated)

    def _envelope(self) -> None:
        status = self.resource.get("status")
        if status not in READABLE:
            self.out.fault("status", f"“{str(status)[:40]}” is not finished; completed is read")
        said = self.resource.get("questionnaire")
        url = said.split("|")[0] if isinstance(said, str) else ""
        if not url:
            self.out.note(f"names no questionnaire: taken as one to “{self.of.code}”")
        elif url != url_of(self.of):
            self.out.fault("", f"answers {url[:200]}, and “{self.of.code}” is {url_of(self.of)}")

    def _number(self, answer: dict[str, Any], where: str) -> Decimal:
        kind, value = value_of(answer)
        value = value.get("value") if kind == "Quantity" and isinstance(value, dict) else value
        try:
            return number(value)
        except ValueError as problem:
            self.out.fault(where, str(problem))
            return Decimal(0)

    def _value(self, item: ItemDefinition, answer: dict[str, Any], where: str) -> Decimal | None:
        kind, value = value_of(answer)
        if kind == "Coding" and isinstance(value, dict):
            return self._coded(item, value, where)
        if kind == "Boolean" and isinstance(value, bool):
            return Decimal(int(value))
        if kind == "String" and item.choices:
            return self._coded(item, {"display": value}, where)
        return self._number(answer, where)

    def _coded(self, item: ItemDefinition, coding: dict[str, Any], where: str) -> Decimal | None:
        """The choice that a coding names: by code, by a code that is the score, or by words."""
        code, system = coding.get("code"), coding.get("system")
        for coded in item.answer_codes:
            if coded["code"] == code and system in (None, coded.get("system")):
                return Decimal(str(coded["value"]))
        for at, choice in enumerate(item.choices or ()):
            if not item.answer_codes and code == f"{plain(choice):g}":
                return Decimal(str(choice))
            if code is None and coding.get("display") in self._labels(item, at):
                return Decimal(str(choice))
        named = code or coding.get("display")
        self.out.fault(where, f"“{str(named)[:60]}” is none of its answers")
        return None

    def _labels(self, item: ItemDefinition, at: int) -> list[str]:
        found = []
        for words in self.of.wording.values():
            labels = words.get("items", {}).get(item.id, {}).get("choices", [])
            found += [str(label) for label in labels[at : at + 1]]
        return found

    def _total_only(self, stated: dict[str, Decimal]) -> Reading:
        total = stated.get("total")
        if total is None:
            raise refuse("holds neither answers nor a total")
        if not self.of.low <= total <= self.of.high:
            raise refuse(f"the total {total} is outside {self.of.low:g} to {self.of.high:g}")
        return Reading(None, total, {}, self._authored(), self.out.notes)

    def _scored(self, answers: dict[str, Decimal | None], stated: dict[str, Decimal]) -> Reading:
        try:
            score = self.of.score(answers)
        except AnswerProblem as problem:
            raise refuse(problem.reason, f"item “{problem.item}”") from None
        ours = {"total": score.total, **score.subscales}
        for name, said in stated.items():
            found = ours[name]
            if found is None:
                self.out.note(
                    f"a {name} of {said} is stated although items are unanswered: it isn't kept"
                )
                found = self._so_far(name, answers)
            if found is not None and found != said:
                self.out.fault(
                    f"item “{score_link(self.of, name)}”",
                    f"states {said.normalize():f}, but the items come to {found.normalize():f}",
                )
        self.out.stop_if_faulty()
        return Reading(answers, score.total, score.subscales, self._authored(), self.out.notes)

    def _so_far(self, name: str, answers: dict[str, Decimal | None]) -> Decimal | None:
        """What the answered items add up to: forms elsewhere give that for a total."""
        if self.of.rule != "total":
            return None
        items = {item.code: item for item in self.of.instrument().items}
        scale = next(s for s in self.of.instrument().scales if s.code == name)
        tenths = sum(
            items[code].scored_tenths(value)
            for code in scale.items
            if (value := answers[code]) is not None
        )
        return Decimal(tenths * scale.multiplier).scaleb(-1)

    def _authored(self) -> str:
        return str(self.resource.get("authored") or "")


def _entries(items: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Every answered item, those within groups and beneath answers too."""
    for entry in tables(items):
        yield entry, f"item “{str(entry.get('linkId'))[:80]}”"
        yield from _entries(entry.get("item"))
        for answer in tables(entry.get("answer")):
            yield from _entries(answer.get("item"))
