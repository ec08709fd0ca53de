"""A measure as a reviewed document: TOML read into a checked, immutable definition.

Knows no database. What changes a score is hashed apart from what changes words: a corrected
typo is a new version of the same series, changed scoring is another series.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from measures_app.psychometrics import scoring

PURPOSES = ("outcome", "alliance", "symptom", "functioning", "risk")
RATERS = ("client", "carer", "clinician", "other")
TOP_KEYS = (
    "code", "title", "purpose", "rater", "better", "low", "high", "step", "age_from", "age_to",
    "licence", "authored_by", "checked_by", "next_review", "sources", "rule", "max_missing",
    "multiplier", "comparable_with", "item_scale", "items", "subscales", "alerts", "wording",
    "norms", "codes", "url", "groups", "scores",
)  # fmt: skip
NORM_KEYS = (
    "population", "country", "age_from", "age_to", "mean", "sd", "reliability", "cutoff",
    "at_cutoff", "reliable_change", "rc_inclusive", "provisional", "source", "from_on", "default",
)  # fmt: skip
ITEM_KEYS = (
    "id", "kind", "low", "high", "step", "reverse", "choices", "scored", "group", "link_id",
    "unit", "codes", "answer_codes",
)  # fmt: skip
CODE_KEYS = ("system", "code", "display", "version")
ANSWER_CODE_KEYS = ("value", *CODE_KEYS)
GROUP_KEYS = ("id", "within", "link_id", "codes")
SCORE_KEYS = ("link_id", "codes", "unit")
LISTS = ("sources", "authored_by", "checked_by", "norms", "codes", "groups")
REQUIRED = ("code", "title", "purpose", "better", "low", "high", "licence", "sources")


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a definition, with the line it stands on."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


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
        """Hash of what changes a score, and of nothing else."""
        content = {
            "items": [
                [i.id, i.low, i.high, i.step, i.reverse, list(i.choices or ())]
                for i in self.items
                if i.scored
            ],
            "rule": [self.rule, self.max_missing, self.multiplier],
            "range": [self.low, self.high, self.step],
            "better": self.better,
            "subscales": self.subscales,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def words(self, language: str) -> dict[str, Any]:
        """The wording in a language; English, or else the first there is, where it has none."""
        first: dict[str, Any] = next(iter(self.wording.values()), {})
        found: dict[str, Any] = self.wording.get(language) or self.wording.get("en") or first
        return found

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


def _line_of(text: str, key: str) -> int:
    """The line a key first stands on: good enough to find it again."""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith((f"{key} ", f"{key}=", f"[{key}", f"[[{key}", f'"{key}"')) or (
            f'"{key}"' in stripped
        ):
            return number
    return 1


class _Reader:
    def __init__(self, text: str, document: dict[str, Any]) -> None:
        self.text, self.document = text, document
        self.faults: list[Fault] = []

    def fault(self, key: str, reason: str) -> None:
        self.faults.append(Fault(_line_of(self.text, key), reason))

    def check_keys(self, table: dict[str, Any], allowed: tuple[str, ...], where: str) -> None:
        for key in table:
            if key not in allowed:
                near = difflib.get_close_matches(key, allowed, 1, 0.6)
                hint = f"; did you mean “{near[0]}”?" if near else ""
                self.fault(key, f"“{key}” is unknown in {where}{hint}")

    def items(self) -> tuple[ItemDefinition, ...]:
        scale = self.document.get("item_scale", {})
        found: list[ItemDefinition] = []
        for number, table in enumerate(self.document.get("items", []), start=1):
            self.check_keys(table, ITEM_KEYS, f"item {number}")
            settings = {**scale, **{k: v for k, v in table.items() if k in ITEM_KEYS}}
            if "id" not in settings:
                self.fault("items", f"item {number} has no id")
                continue
            if any(settings["id"] == item.id for item in found):
                self.fault(settings["id"], f"item “{settings['id']}” is defined twice")
                continue
            choices = settings.pop("choices", None)
            if choices:
                settings.setdefault("kind", "choice")
                settings.update(low=min(choices), high=max(choices), step=1.0)
            for key, allowed in (("codes", CODE_KEYS), ("answer_codes", ANSWER_CODE_KEYS)):
                settings[key] = self.codes(settings.get(key, []), allowed, f"item {number}")
            found.append(
                ItemDefinition(**{**settings, "choices": tuple(choices) if choices else None})
            )
        return tuple(found)

    def codes(
        self, tables: list[dict[str, Any]], allowed: tuple[str, ...], where: str
    ) -> tuple[dict[str, Any], ...]:
        for table in tables:
            self.check_keys(table, allowed, f"a code of {where}")
            if not table.get("code"):
                self.fault("codes", f"a code of {where} is empty")
        return tuple(tables)

    def groups(self, items: tuple[ItemDefinition, ...]) -> tuple[dict[str, Any], ...]:
        """Groups in the order in which they open; one within another comes after it."""
        known: set[str] = set()
        groups = self.document.get("groups", [])
        for group in groups:
            self.check_keys(group, GROUP_KEYS, "a group")
            self.codes(group.get("codes", []), CODE_KEYS, "a group")
            name, within = group.get("id", ""), group.get("within", "")
            if not name or name in known:
                self.fault("groups", f"the group id “{name}” is empty or stands twice")
            if within and within not in known:
                self.fault("groups", f"group “{name}” is within “{within}”, not defined before it")
            known.add(name)
        for item in items:
            if item.group and item.group not in known:
                self.fault(item.id, f"item “{item.id}” is in group “{item.group}”, not defined")
        return tuple(groups)

    def norms(self) -> tuple[dict[str, Any], ...]:
        rows = []
        for row in self.document.get("norms", []):
            self.check_keys(row, NORM_KEYS, "a norm row")
            if not str(row.get("source", "")).strip():
                self.fault("norms", f"the norm row “{row.get('population', '')}” has no source")
            if row.get("at_cutoff", "functional") not in ("clinical", "functional", "neither"):
                self.fault("at_cutoff", "at_cutoff must be clinical, functional or neither")
            rows.append({k: v.isoformat() if isinstance(v, date) else v for k, v in row.items()})
        return tuple(rows)

    def read(self) -> MeasureDefinition:
        document = self.document
        self.check_keys(document, TOP_KEYS, "a measure")
        for key in REQUIRED:
            if document.get(key) in (None, "", []):
                self.fault(key, f"“{key}” is missing")
        if document.get("purpose") not in PURPOSES and "purpose" in document:
            self.fault("purpose", f"purpose must be one of {', '.join(PURPOSES)}")
        if document.get("rater", "client") not in RATERS:
            self.fault("rater", f"rater must be one of {', '.join(RATERS)}")
        if document.get("better") not in ("higher", "lower") and "better" in document:
            self.fault("better", "better must be “higher” or “lower”")
        items, norms = self.items(), self.norms()
        groups = self.groups(items)
        codes = self.codes(document.get("codes", []), CODE_KEYS, "the measure")
        for name, table in document.get("scores", {}).items():
            self.check_keys(table, SCORE_KEYS, f"score {name}")
            self.codes(table.get("codes", []), CODE_KEYS, f"score {name}")
            if name != "total" and name not in document.get("subscales", {}):
                self.fault(name, f"the score “{name}” is neither the total nor a subscale")
        if self.faults:
            raise DefinitionProblem(self.faults)
        plain = {
            key: document[key]
            for key in TOP_KEYS
            if key in document
            and key not in ("items", "norms", "item_scale", "next_review", "codes", "groups")
        }
        for key in ("sources", "authored_by", "checked_by"):
            plain[key] = tuple(plain.get(key, ()))
        definition = MeasureDefinition(
            **plain,
            items=items,
            norms=norms,
            codes=codes,
            groups=groups,
            next_review=str(document.get("next_review", "")),
        )
        self._check_whole(definition)
        if self.faults:
            raise DefinitionProblem(self.faults)
        return definition

    def _check_whole(self, definition: MeasureDefinition) -> None:
        if definition.low >= definition.high:
            self.fault("low", "low must be below high")
        if not any(item.scored for item in definition.items):
            if definition.items:
                self.fault("items", "no item is scored")
            return
        try:
            attainable = definition.instrument().range_of("total")
        except ValueError as problem:
            self.fault("items", str(problem))
            return
        if attainable != (float(definition.low), float(definition.high)):
            self.fault(
                "high",
                f"the items come to {attainable[0]:g} to {attainable[1]:g}, the measure says "
                f"{definition.low:g} to {definition.high:g}",
            )
        for item in definition.items:
            values = {float(choice) for choice in item.choices or ()}
            for coded in item.answer_codes:
                if values and float(coded.get("value", "nan")) not in values:
                    self.fault(item.id, f"a code of item “{item.id}” names no choice of it")
        self._check_wording(definition)

    def _check_wording(self, definition: MeasureDefinition) -> None:
        ids = {item.id for item in definition.items}
        for item in definition.alerts:
            if item not in ids:
                self.fault(item, f"the alert names item “{item}”, which is not defined")
        for language, words in definition.wording.items():
            for item in words.get("items", {}):
                if item not in ids:
                    self.fault(item, f"wording {language} names item “{item}”, not defined")
            for item in ids - set(words.get("items", {})):
                self.fault(f"wording.{language}", f"wording {language} lacks item “{item}”")


def parse_definition(text: str) -> MeasureDefinition:
    """Read a definition document.

    Raises
    ------
    DefinitionProblem
        With the line and the reason of everything that is wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise DefinitionProblem([Fault(1, f"no TOML: {problem}")]) from None
    return _Reader(text, document).read()
