"""A measure as a reviewed document: TOML read into a checked, immutable definition.

Knows no database. What changes a score is hashed apart from what changes words: a corrected
typo is a new version of the same series, changed scoring is another series.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from measures_app.psychometrics import scoring

LISTS = ("sources", "authored_by", "checked_by", "norms", "codes", "groups")


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a definition, with the line it stands on (0 where there are no lines)."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}" if self.line else self.reason


class DefinitionProblem(ValueError):
    """The definition is refused; `faults` says where and why."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = faults


@dataclass(frozen=True)
class ItemDefinition:
    id: str
    kind: str = "vas"  # vas | choice
    low: float = 0.0
    high: float = 10.0
    step: float = 0.1
    reverse: bool = False
    choices: tuple[float, ...] | None = None
    # What other systems call it, and where it stands; none of this changes a score.
    scored: bool = True  # False: asked, and part of no total
    shows_number: bool = False  # the respondent reads the number of their mark on a line
    group: str = ""
    link_id: str = ""  # where a questionnaire elsewhere names it otherwise
    unit: str = ""
    codes: tuple[dict[str, Any], ...] = ()
    answer_codes: tuple[dict[str, Any], ...] = ()  # each with the `value` it stands for


@dataclass(frozen=True)
class Score:
    """A scored administration: exact total, what is missing, which alert items are raised."""

    total: Decimal | None
    prorated: bool
    missing: tuple[str, ...]
    subscales: dict[str, Decimal | None]
    alerts: tuple[str, ...]


@dataclass(frozen=True)
class MeasureDefinition:
    """Everything a measure says, as plain values; `to_dict` and `from_dict` are inverse."""

    code: str
    title: str
    purpose: str
    better: str
    low: float
    high: float
    licence: str
    sources: tuple[str, ...]
    rater: str = "client"
    step: float = 1.0
    rule: str = "total"
    max_missing: int = 0
    multiplier: int = 1
    age_from: int | None = None
    age_to: int | None = None
    authored_by: tuple[str, ...] = ()
    checked_by: tuple[str, ...] = ()
    next_review: str = ""
    comparable_with: str = ""
    items: tuple[ItemDefinition, ...] = ()
    subscales: dict[str, list[str]] = field(default_factory=dict)
    alerts: dict[str, float] = field(default_factory=dict)
    wording: dict[str, Any] = field(default_factory=dict)
    norms: tuple[dict[str, Any], ...] = ()
    codes: tuple[dict[str, Any], ...] = ()
    url: str = ""
    groups: tuple[dict[str, Any], ...] = ()
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)  # by "total" or subscale

    def instrument(self) -> scoring.Instrument:
        """The items and scales in the core's terms."""
        items = tuple(
            scoring.Item(i.id, i.low, i.high, i.step, i.reverse, i.choices) for i in self.items
        )
        ids = tuple(i.id for i in self.items if i.scored)
        rule: Any = self.rule
        scales = [scoring.Scale("total", ids, rule, self.max_missing, self.multiplier)]
        scales += [
            scoring.Scale(name, tuple(members), rule) for name, members in self.subscales.items()
        ]
        return scoring.Instrument(items, tuple(scales))

    def score(self, answers: Mapping[str, Any]) -> Score:
        """Score answers by item; untouched (None, empty or absent) is missing.

        Raises
        ------
        scoring.AnswerProblem
            Naming the item, for an answer that can't be scored.
        """
        if not self.items:
            for item in answers:
                raise scoring.AnswerProblem(item, "is not asked: this measure takes totals only")
            return Score(None, False, (), {}, ())
        given = {item: _answer(item, value) for item, value in answers.items()}
        scores = scoring.score_one(self.instrument(), given)
        total = scores["total"]
        return Score(
            total=total.decimal,
            prorated=total.prorated,
            missing=tuple(i.id for i in self.items if i.scored and given.get(i.id) is None),
            subscales={name: scores[name].decimal for name in self.subscales},
            alerts=tuple(
                item
                for item, threshold in self.alerts.items()
                if (answer := given.get(item)) is not None and float(answer) >= threshold
            ),
        )

    @property
    def scoring_hash(self) -> str:
        """Hash of what changes a score, and of nothing else: 10 and 10.0 are one number."""
        content = {
            "items": [
                [
                    i.id,
                    *(float(value) for value in (i.low, i.high, i.step)),
                    bool(i.reverse),
                    [float(choice) for choice in i.choices or ()],
                ]
                for i in self.items
                if i.scored
            ],
            "rule": [self.rule, int(self.max_missing), int(self.multiplier)],
            "range": [float(value) for value in (self.low, self.high, self.step)],
            "better": self.better,
            "subscales": self.subscales,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def spoken(self, language: str) -> str:
        """The language that is shown to whoever speaks this one: where the measure hasn't it,
        that of no country (pt for pt-br), English, or else the first there is."""
        tried = (language, language.split("-")[0], "en", *self.wording)
        return next((one for one in tried if self.wording.get(one)), "")

    def words(self, language: str) -> dict[str, Any]:
        """The wording in a language, see `spoken`. The words above a group head its first item."""
        found: dict[str, Any] = self.wording.get(self.spoken(language), {})
        above: dict[str, str] = found.get("groups", {})
        if not above:
            return found
        within = {str(group["id"]): str(group.get("within", "")) for group in self.groups}
        items = dict(found.get("items", {}))
        opened: set[str] = set()
        for item in self.items:
            heads, group = [], item.group
            while group and group not in opened:
                opened.add(group)
                heads.append(above.get(group, ""))
                group = within.get(group, "")
            text = items.get(item.id, {})
            lines = [line for line in (*reversed(heads), text.get("heading")) if line]
            if lines:
                items[item.id] = {**text, "heading": "\n".join(lines)}
        return {**found, "items": items}

    def to_dict(self) -> dict[str, Any]:
        content = dict(self.__dict__)
        content["items"] = [
            {
                **item.__dict__,
                "choices": list(item.choices) if item.choices else None,
                "codes": list(item.codes),
                "answer_codes": list(item.answer_codes),
            }
            for item in self.items
        ]
        for name in LISTS:
            content[name] = list(content[name])
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> MeasureDefinition:
        kept = dict(content)
        kept["items"] = tuple(
            ItemDefinition(
                **{
                    **item,
                    "choices": tuple(item["choices"]) if item.get("choices") else None,
                    "codes": tuple(item.get("codes", ())),
                    "answer_codes": tuple(item.get("answer_codes", ())),
                }
            )
            for item in kept.get("items", ())
        )
        for name in LISTS:
            kept[name] = tuple(kept.get(name, ()))
        return cls(**kept)


def _answer(item: str, value: Any) -> Decimal | None:
    if value is None or value == "":
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise scoring.AnswerProblem(item, f"“{value}” is not a number") from None
