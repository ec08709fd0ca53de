"""What a form asks and works out, between its items and the definition they become."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from measures_app.fhir.fhirpath_parser import Node
from measures_app.fhir.resource import tables
from measures_app.fhir.terminology import Option
from measures_app.fhir.texts import Words


@dataclass
class Question:
    """Something that is asked: its answers, its words by language, and what it may count for."""

    id: str
    link_id: str
    where: str
    words: dict[str, dict[str, Any]]
    options: list[Option] = field(default_factory=list)
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    step: Decimal = Decimal(1)
    has_scores: bool = False
    may_score: bool = True  # False: several answers at once
    group: str = ""
    unit: str = ""
    codes: list[dict[str, str]] = field(default_factory=list)
    ours: dict[str, Any] = field(default_factory=dict)

    def answers(self) -> list[tuple[Decimal, dict[str, Any]]]:
        """(value, `value[x]` of a response) from the lowest to the highest, no value twice."""
        if self.options:
            by_value = {o.score: o.answer for o in reversed(self.options) if o.score is not None}
            return sorted(by_value.items(), key=lambda pair: pair[0])
        middle = self.low + self.step * ((self.high - self.low) / self.step // 2)
        return [(v, {"valueDecimal": v}) for v in dict.fromkeys((self.low, middle, self.high))]


@dataclass
class Calculated:
    """A score that the form works out itself."""

    link_id: str
    where: str
    words: Words
    item: dict[str, Any]
    codes: list[dict[str, str]]
    unit: str
    name: str  # what we called it, where the file is ours
    tree: Node | None
    variables: dict[str, Node]
    within: dict[str, str]  # link id of the group a variable stands in; "" is the form itself
    why_not: str  # why the calculation can't be run here
    group: str = ""  # link id of the group it stands in


@dataclass
class Questions:
    asked: list[Question] = field(default_factory=list)
    scores: list[Calculated] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)
    group_words: dict[str, Words] = field(default_factory=dict)
    instruction: Words = field(default_factory=dict)
    totals_only: Calculated | None = None


def tidy(link_id: str) -> str:
    """A link id as an id of ours: letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", link_id).strip("-.") or "item"


def codings(value: Any) -> list[dict[str, str]]:
    """Codings with a code, reduced to what a definition keeps."""
    keys = ("system", "version", "code", "display")
    found = [{k: str(c[k]) for k in keys if isinstance(c.get(k), str)} for c in tables(value)]
    return [coding for coding in found if "code" in coding]
