"""Which questions count, and how: from the form's own calculations, or what stands in for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from measures_app.fhir import own
from measures_app.fhir.fhirpath_parser import NotUnderstood
from measures_app.fhir.questions import Calculated, Question, Questions, tidy
from measures_app.fhir.report import Report
from measures_app.fhir.totals import Runner, Weights, weights_of


@dataclass
class Counted:
    """The questions of the total, which are reversed, and the scores by name.

    `by_rule` holds `rule`, `multiplier`, `subscales` and `scores` of a definition document.
    """

    scored: list[Question] = field(default_factory=list)
    turned: frozenset[str] = frozenset()
    named: list[tuple[Calculated, str]] = field(default_factory=list)
    by_rule: dict[str, Any] = field(default_factory=lambda: {"subscales": {}, "scores": {}})

    def name(self, score: Calculated, name: str) -> None:
        """Call a calculated item the total or a subscale, with what others call it."""
        table: dict[str, Any] = {}
        if score.link_id != name:
            table["link_id"] = score.link_id
        if score.codes:
            table["codes"] = score.codes
        if score.unit:
            table["unit"] = score.unit
        if table:
            self.by_rule["scores"][name] = table
        self.named.append((score, name))


def count_ours(found: Questions, ours: Mapping[str, Any]) -> Counted:
    """As a file of our own says it outright."""
    counted = Counted(
        scored=[q for q in found.asked if q.ours.get("scored", True)],
        turned=frozenset(q.id for q in found.asked if q.ours.get("reverse")),
    )
    for score in found.scores:
        counted.name(score, score.name or "total")
    counted.by_rule["subscales"] = {
        str(table.get("name")): [str(item) for item in own.as_list(table.get("item"))]
        for table in own.as_list(ours.get("subscale"))
        if isinstance(table, dict)
    }
    return counted


def count(runner: Runner, found: Questions, side: Mapping[str, Any], out: Report) -> Counted:
    """As the form's calculations work it out; without one, every question with scores counts."""
    counted = Counted()
    read, refused = _weighed(runner, found, out)
    scored = [q for q in found.asked if q.has_scores] or [q for q in found.asked if not q.options]
    ids = {question.id for question in scored}
    whole = next(((s, w) for s, w in read if ids <= set(w.members) or len(found.scores) == 1), None)
    if whole is not None:
        score, weights = whole
        scored = [q for q in found.asked if q.id in weights.members]
        counted.by_rule |= {"rule": weights.rule, "multiplier": weights.multiplier}
        counted.turned = weights.reversed
        counted.name(score, "total")
    elif read:
        out.note("no calculation covers all the items: the total here is their sum")
    for score, why in refused:
        if whole is not None:
            out.note(f"a further score isn't kept: {why}", score.where)
        else:
            out.fault(
                score.where,
                f"its calculation can't be kept: {why}; leave it out (leave_out) to load the "
                "questions without it",
            )
    counted.scored = _as_told(found, scored, side, out)
    for score, weights in read:
        if whole is None or score is not whole[0]:
            _subscale(counted, score, weights, out)
    return counted


def _weighed(
    runner: Runner, found: Questions, out: Report
) -> tuple[list[tuple[Calculated, Weights]], list[tuple[Calculated, str]]]:
    """Scores with what they add up, the widest first; and those that can't be kept, with why."""
    questions = [question for question in found.asked if question.may_score]
    read: list[tuple[Calculated, Weights]] = []
    refused: list[tuple[Calculated, str]] = []
    for score in found.scores:
        try:
            weights = weights_of(runner, score, questions)
        except NotUnderstood as problem:
            out.note(f"the form's own calculation wasn't checked: {problem}", score.where)
            continue
        if isinstance(weights, str):
            refused.append((score, weights))
        else:
            read.append((score, weights))
    return sorted(read, key=lambda pair: -len(pair[1].members)), refused


def _as_told(
    found: Questions, scored: list[Question], side: Mapping[str, Any], out: Report
) -> list[Question]:
    """The side file's word on which questions count goes before the form's."""
    names = {question.id for question in scored}
    for key, change in (("scored", names.add), ("unscored", names.discard)):
        for told in side.get(key, ()):
            question = next((q for q in found.asked if told in (q.id, q.link_id)), None)
            if question is None:
                out.fault(str(told), f"named in “{key}”, and no question of the file")
            else:
                change(question.id)
    return [question for question in found.asked if question.id in names]


def _subscale(counted: Counted, score: Calculated, weights: Weights, out: Report) -> None:
    members = set(weights.members)
    turned = counted.turned & members == weights.reversed
    rule = counted.by_rule.get("rule", "total")
    within = members <= {question.id for question in counted.scored}
    if not within or not turned or weights.multiplier != 1 or weights.rule != rule:
        out.note("a further score isn't kept: it is no plain subscale of the total", score.where)
        return
    name = tidy(score.link_id)
    counted.by_rule["subscales"][name] = list(weights.members)
    counted.name(score, name)
