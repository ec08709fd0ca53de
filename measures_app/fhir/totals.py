"""A form's own calculation, run on answers: what it adds up, and whether we add up the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from measures_app.fhir.fhirpath import Evaluation
from measures_app.fhir.fhirpath_parser import Node, NotUnderstood
from measures_app.fhir.questions import Calculated, Question
from measures_app.fhir.report import Report
from measures_app.fhir.resource import tables
from measures_app.fhir.urls import ORDINAL, UCUM

TENTH = Decimal("0.1")
MAX_STEPS = 4_000_000  # over all the answers that a measure is tried with
MAX_GAPS = 5  # questions left out, one by one, to see what a form makes of untouched
MEAN_TOLERANCE = Decimal("0.1")  # a mean that the form rounds is still a mean

Values = dict[str, Decimal | None]


@dataclass(frozen=True)
class Weights:
    """What a calculation makes of each question: total, mean or multiple, some reversed."""

    members: tuple[str, ...]
    reversed: frozenset[str]
    rule: str
    multiplier: int


class Runner:
    """Runs one questionnaire's calculations over responses made for it."""

    def __init__(self, questionnaire: dict[str, Any], questions: Sequence[Question]) -> None:
        self.questionnaire = questionnaire
        self.by_link = {question.link_id: question for question in questions}
        self.answers = {q.id: dict(q.answers()) for q in questions}
        self.steps = 0
        self.known: dict[tuple[Any, ...], Decimal | None] = {}

    def total(self, score: Calculated, values: Mapping[str, Decimal | None]) -> Decimal | None:
        """The score that the form gives these answers; None where it gives none.

        Raises
        ------
        NotUnderstood
        """
        if score.tree is None:
            raise NotUnderstood(score.why_not)
        key = (score.link_id, *values.items())
        if key not in self.known:
            self.known[key] = self._total(score, score.tree, values)
        return self.known[key]

    def _total(
        self, score: Calculated, tree: Node, values: Mapping[str, Decimal | None]
    ) -> Decimal | None:
        self.nodes: dict[str, dict[str, Any]] = {}
        response = {
            "resourceType": "QuestionnaireResponse",
            "item": self._items(self.questionnaire.get("item"), values),
        }
        self.nodes[""] = response
        run = Evaluation(
            values={
                "resource": [response],
                "rootResource": [response],
                "context": self._node(score.group),
                "questionnaire": [self.questionnaire],
                "qitem": [score.item],
                "ucum": [UCUM],
                "loinc": ["http://loinc.org"],
            },
            variables=score.variables,
            contexts={name: self._node(link) for name, link in score.within.items()},
        )
        found = run.run(tree)
        self.steps += run.steps
        if self.steps > MAX_STEPS:
            raise NotUnderstood("it takes too many steps")
        if not found:
            return None
        value = found[0]
        if isinstance(value, dict):
            value = value.get("value")
        if len(found) > 1 or isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise NotUnderstood("it comes to something that is no number")
        return Decimal(value)

    def _items(self, items: Any, values: Mapping[str, Decimal | None]) -> list[dict[str, Any]]:
        found = []
        for item in tables(items):
            entry: dict[str, Any] = {"linkId": item.get("linkId")}
            question = self.by_link.get(str(item.get("linkId")))
            value = values.get(question.id) if question else None
            inner = self._items(item.get("item"), values)
            if question is not None and value is not None:
                answer = self._answer(question, value)
                entry["answer"] = [{**answer, "item": inner} if inner else answer]
            elif inner and item.get("type") == "group":
                entry["item"] = inner
            else:
                continue
            found.append(entry)
            self.nodes[str(item.get("linkId"))] = entry
        return found

    def _node(self, link: str) -> list[dict[str, Any]]:
        return [self.nodes[link]] if link in self.nodes else []

    def _answer(self, question: Question, value: Decimal) -> dict[str, Any]:
        """The answer as a response holds it, its score beside it for `ordinal()`."""
        answer = self.answers[question.id].get(value, {"valueDecimal": value})
        if not question.has_scores:
            return answer
        score = {"extension": [{"url": ORDINAL, "valueDecimal": value}]}
        if "valueCoding" in answer:
            return {"valueCoding": {**answer["valueCoding"], **score}}
        return {**answer, **score}


def _low(questions: Sequence[Question]) -> Values:
    return {question.id: question.answers()[0][0] for question in questions}


def weights_of(runner: Runner, score: Calculated, questions: Sequence[Question]) -> Weights | str:
    """What the calculation adds up, found by trying it; a sentence where it can't be kept.

    Raises
    ------
    NotUnderstood
    """
    lowest = _low(questions)
    base = runner.total(score, lowest)
    if base is None:
        raise NotUnderstood("it gives no score when every question is answered")
    weights: dict[str, Decimal] = {}
    for question in questions:
        top = question.answers()[-1][0]
        raised = runner.total(score, {**lowest, question.id: top})
        if raised is None:
            raise NotUnderstood("it gives no score when every question is answered")
        if raised != base:
            weights[question.id] = (raised - base) / (top - lowest[question.id])  # type: ignore[operator]
    if not weights:
        return "it depends on none of the questions"
    sizes = {abs(weight) for weight in weights.values()}
    n = len(weights)
    size = max(sizes)
    members = tuple(weights)
    turned = frozenset(name for name, weight in weights.items() if weight < 0)
    if n > 1 and all(abs(one * n - 1) < MEAN_TOLERANCE for one in sizes):
        return Weights(members, turned, "mean", 1)
    if size - min(sizes) > Decimal("1e-9"):
        few = ", ".join(
            f"“{name}” counts {weight:.3g}" for name, weight in list(weights.items())[:3]
        )
        return f"it weights questions differently ({few})"
    if size != int(size):
        return f"it counts each question {size:.3g} times"
    return Weights(members, turned, "total", int(size))


def trials(questions: Sequence[Question]) -> Iterator[Values]:
    """Answers to compare two calculations with: the ends, each alone, and mixtures."""
    lowest = _low(questions)
    yield lowest
    yield {question.id: question.answers()[-1][0] for question in questions}
    for question in questions:
        yield {**lowest, question.id: question.answers()[-1][0]}
    for turn in range(4):
        mixed: Values = {}
        for at, question in enumerate(questions):
            answers = question.answers()
            mixed[question.id] = answers[(at * 3 + turn * 2 + at // 2) % len(answers)][0]
        yield mixed


def compare(
    runner: Runner,
    score: Calculated,
    questions: Sequence[Question],
    ours: Callable[[Values], Decimal | None],
    out: Report,
) -> None:
    """Fault where the form's own calculation and ours differ; note how it treats untouched."""
    try:
        for values in trials(questions):
            theirs, mine = runner.total(score, values), ours(values)
            theirs = theirs if theirs is None else theirs.quantize(TENTH, ROUND_HALF_UP)
            if theirs != mine:
                told = ", ".join(f"{name} {value:g}" for name, value in list(values.items())[:12])
                out.fault(
                    score.where,
                    f"the form's own calculation gives {_said(theirs)} where the items come to "
                    f"{_said(mine)} (answers: {told})",
                )
                return
        for question in questions[:MAX_GAPS]:
            gap = {**_low(questions), question.id: None}
            if runner.total(score, gap) is not None and ours(gap) is None:
                out.note(
                    "the form's own calculation counts an untouched question as nothing; here "
                    "there is no total until all are answered (max_missing allows pro-rating)",
                    score.where,
                )
                return
    except NotUnderstood as problem:
        out.note(f"the form's own calculation wasn't checked: {problem}", score.where)


def _said(value: Decimal | None) -> str:
    return "no score" if value is None else f"{value.normalize():f}"
