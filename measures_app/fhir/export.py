"""A measure's definition as a FHIR R4 Questionnaire that other software renders and scores.

A visual analogue line is a `decimal` with a slider, its ends as `minValue` and `maxValue` and
one decimal: R4's slider step is a whole number, so it is written only where the step is one.
What FHIR has no word for goes into extensions of ours, so that the file reads back the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from measures_app.definitions import ItemDefinition, MeasureDefinition
from measures_app.fhir import own
from measures_app.fhir.calculation import calculation, is_boolean, link_of
from measures_app.fhir.documents import plain
from measures_app.fhir.urls import (
    DECIMAL_PLACES,
    ITEM,
    ITEM_CONTROL,
    ITEM_CONTROL_SYSTEM,
    MAX_VALUE,
    MEASURE,
    MIN_VALUE,
    ORDINAL,
    SLIDER_STEP,
    TRANSLATION,
    UNIT,
    canonical,
)

TAKEN = ("label", "choices", "low", "high", "hint", "heading")
SAID_ELSEWHERE = frozenset(
    (
        "title", "items", "scores", "groups", "wording", "codes", "url", "licence", "subscales",
        "alerts",
    )
)  # fmt: skip
Words = dict[str, str]


def url_of(definition: MeasureDefinition) -> str:
    """The canonical name of a measure's questionnaire: its own, or one made from its code."""
    return definition.url or canonical(definition.code)


def score_link(definition: MeasureDefinition, name: str) -> str:
    return str(definition.scores.get(name, {}).get("link_id") or name)


def score_names(definition: MeasureDefinition) -> list[str]:
    return ["total", *definition.subscales]


def to_questionnaire(definition: MeasureDefinition, *, version: str = "") -> dict[str, Any]:
    """The Questionnaire of a definition, as plain values for `json.dumps`.

    Parameters
    ----------
    definition : MeasureDefinition
    version : str
        What the clinic calls this version, such as "2".
    """
    return _Writer(definition).questionnaire(version)


def answer_of(item: ItemDefinition, value: Any, words: dict[str, Any]) -> dict[str, Any]:
    """The `value[x]` with which a response answers an item."""
    number = plain(value)
    if not item.choices:
        whole = float(item.step).is_integer() and float(item.low).is_integer()
        return {"valueInteger" if whole else "valueDecimal": number}
    if is_boolean(item):
        return {"valueBoolean": bool(number)}
    coding = next((c for c in item.answer_codes if float(c["value"]) == float(number)), None)
    labels = list(words.get("choices", []))
    at = [float(choice) for choice in item.choices].index(float(number))
    label = str(labels[at]) if at < len(labels) else ""
    return {"valueCoding": _coding(coding or {"code": f"{number:g}"}, label)}


def _coding(coding: dict[str, Any], label: str) -> dict[str, Any]:
    kept = {key: coding[key] for key in ("system", "version", "code") if coding.get(key)}
    display = coding.get("display") or label
    return {**kept, **({"display": display} if display else {})}


def _named(key: str, words: Words, base: str) -> dict[str, Any]:
    """A text element and its translations."""
    found: dict[str, Any] = {key: words[base]} if words.get(base) else {}
    others = [
        {
            "url": TRANSLATION,
            "extension": [
                {"url": "lang", "valueCode": language},
                {"url": "content", "valueString": text},
            ],
        }
        for language, text in words.items()
        if language != base and text
    ]
    return {**found, f"_{key}": {"extension": others}} if others else found


def _control(code: str) -> dict[str, Any]:
    coding = {"system": ITEM_CONTROL_SYSTEM, "code": code}
    return {"url": ITEM_CONTROL, "valueCodeableConcept": {"coding": [coding]}}


def _unit(unit: str) -> list[dict[str, Any]]:
    return [{"url": UNIT, "valueCoding": {"display": unit}}] if unit else []


def _codes(codes: Any) -> dict[str, Any]:
    return {"code": [dict(code) for code in codes]} if codes else {}


class _Writer:
    def __init__(self, definition: MeasureDefinition) -> None:
        self.of = definition
        self.base = "en" if "en" in definition.wording else next(iter(definition.wording), "en")
        self.used: set[str] = {link_of(item) for item in definition.items}

    def _link(self, wanted: str) -> str:
        link, number = wanted, 2
        while link in self.used:
            link, number = f"{wanted}-{number}", number + 1
        self.used.add(link)
        return link

    def _said(self, *path: str) -> Words:
        """A text of the wording, by language."""
        found: Words = {}
        for language, words in self.of.wording.items():
            node: Any = words
            for key in path:
                node = node.get(key) if isinstance(node, dict) else None
            if isinstance(node, str) and node:
                found[language] = node
        return found

    def questionnaire(self, version: str) -> dict[str, Any]:
        of = self.of
        titles = {self.base: of.title} | {
            language: text for language, text in self._said("title").items()
        }
        further: list[dict[str, Any]] = []
        for language, words in of.wording.items():
            further += own.encode_words(language, self._beyond(words))
        name = "".join(part.capitalize() for part in of.code.replace("_", "-").split("-"))
        found: dict[str, Any] = {
            "resourceType": "Questionnaire",
            "language": self.base,
            "extension": [*own.encode(MEASURE, self._ours()), *further],
            "url": url_of(of),
            "version": version or of.scoring_hash[:8],
            "name": name if name[:1].isalpha() else f"Measure{name}",
            **_named("title", titles, self.base),
            "status": "active",
            "subjectType": ["Patient"],
            "copyright": of.licence,
            **_codes(of.codes),
            "item": list(self._items()),
        }
        return found

    def _beyond(self, words: dict[str, Any]) -> dict[str, Any]:
        """Words of a language that no element of FHIR carries."""
        rest = dict(words)
        for key in ("title", "instruction", "items", "groups", "scores"):
            rest.pop(key, None)
        return rest

    def _ours(self) -> dict[str, Any]:
        of = self.of
        plain_values = {
            key: value
            for key, value in of.to_dict().items()
            if key not in SAID_ELSEWHERE and value not in (None, "", [], {})
        }
        return {
            **plain_values,
            "title": of.title,
            **({} if self.base in self._said("title") else {"untitled": True}),
            "subscale": [{"name": k, "item": list(v)} for k, v in of.subscales.items()],
            "alert": [{"item": k, "from": v} for k, v in of.alerts.items()],
        }

    def _items(self) -> Iterator[dict[str, Any]]:
        of = self.of
        if instruction := self._said("instruction"):
            yield self._display("instruction", instruction)
        opened: dict[str, dict[str, Any]] = {}
        top: list[dict[str, Any]] = []
        for item in of.items:
            place = self._group(item.group, opened, top) if item.group else top
            if heading := self._said("items", item.id, "heading"):
                place.append(self._display(f"{link_of(item)}-heading", heading))
            place.append(self._question(item))
        yield from top
        if not of.items:
            yield self._totals_only()
            return
        for name in score_names(of):
            yield self._score(name)

    def _group(
        self, name: str, opened: dict[str, dict[str, Any]], top: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """The items of a group, opened where it first stands."""
        if name not in opened:
            group = next(g for g in self.of.groups if g["id"] == name)
            link = self._link(str(group.get("link_id") or name))
            within = str(group.get("within", ""))
            place = self._group(within, opened, top) if within else top
            entry: dict[str, Any] = {
                "linkId": link,
                **({"extension": own.encode(ITEM, {"id": name})} if link != name else {}),
                **_codes(group.get("codes")),
                **_named("text", self._said("groups", name), self.base),
                "type": "group",
                "item": [],
            }
            place.append(entry)
            opened[name] = entry
        found: list[dict[str, Any]] = opened[name]["item"]
        return found

    def _display(self, link: str, words: Words, control: str = "") -> dict[str, Any]:
        return {
            **({"extension": [_control(control)]} if control else {}),
            "linkId": self._link(link),
            **_named("text", words, self.base),
            "type": "display",
        }

    def _question(self, item: ItemDefinition) -> dict[str, Any]:
        link = link_of(item)
        words = {
            lang: dict(w.get("items", {}).get(item.id, {})) for lang, w in self.of.wording.items()
        }
        beside = [
            self._display(f"{link}-{key}", self._said("items", item.id, key), control)
            for key, control in (("hint", "help"), ("low", "lower"), ("high", "upper"))
            if self._said("items", item.id, key)
        ]
        values = [float(coding["value"]) for coding in item.answer_codes]
        # Options that share a score come back as one choice: its label is kept as it is.
        taken = TAKEN if len(set(values)) == len(values) else tuple(set(TAKEN) - {"choices"})
        further = [
            extension
            for language, said in words.items()
            for extension in own.encode_words(
                language, {k: v for k, v in said.items() if k not in taken}
            )
        ]
        ours = {
            "id": item.id if item.id != link else "",
            "kind": item.kind if item.kind != ("choice" if item.choices else "vas") else "",
            **({"reverse": True} if item.reverse else {}),
            **({"scored": False} if not item.scored else {}),
            **({"shows_number": True} if item.shows_number else {}),
            # Without scores the answers would be read as 0, 1, 2 in their order.
            **({"value": list(item.choices or ())} if not item.scored else {}),
            **({} if item.choices else {"step": item.step, "low": item.low, "high": item.high}),
        }
        labels = {language: said.get("choices", []) for language, said in words.items()}
        answers = self._choices(item, labels) if item.choices else self._line(item)
        extension = [*answers.pop("extension", []), *own.encode(ITEM, ours), *further]
        return {
            "extension": [*extension, *_unit(item.unit)],
            "linkId": link,
            **_codes(item.codes),
            **_named("text", self._said("items", item.id, "label"), self.base),
            **answers,
            "required": False,
            **({"item": beside} if beside else {}),
        }

    def _line(self, item: ItemDefinition) -> dict[str, Any]:
        """A line to mark or a number between two ends."""
        whole = float(item.step).is_integer() and float(item.low).is_integer()
        kind, value = ("integer", "valueInteger") if whole else ("decimal", "valueDecimal")
        extension = [
            _control("slider"),
            {"url": MIN_VALUE, value: plain(item.low)},
            {"url": MAX_VALUE, value: plain(item.high)},
            {"url": SLIDER_STEP, "valueInteger": int(item.step)}
            if whole
            else {"url": DECIMAL_PLACES, "valueInteger": 1},
        ]
        return {"type": kind, "extension": extension}

    def _choices(self, item: ItemDefinition, labels: dict[str, list[Any]]) -> dict[str, Any]:
        if is_boolean(item):
            return {"type": "boolean"}
        options = []
        for at, value in enumerate(item.choices or ()):
            said = {lang: str(texts[at]) for lang, texts in labels.items() if at < len(texts)}
            codes = [c for c in item.answer_codes if float(c["value"]) == float(value)]
            for coding in codes or [{"code": f"{value:g}"}]:
                display = said if "display" not in coding else {self.base: str(coding["display"])}
                options.append(
                    {
                        **(
                            {"extension": [{"url": ORDINAL, "valueDecimal": plain(value)}]}
                            if item.scored
                            else {}
                        ),
                        "valueCoding": {
                            **{k: coding[k] for k in ("system", "version", "code") if k in coding},
                            **_named("display", display, self.base),
                        },
                    }
                )
        return {"type": "choice", "answerOption": options}

    def _score(self, name: str) -> dict[str, Any]:
        """A score that whoever renders the form can work out as we do."""
        members = [
            item
            for item in self.of.items
            if (item.scored if name == "total" else item.id in self.of.subscales[name])
        ]
        table = self.of.scores.get(name, {})
        words = self._said("scores", name)
        label = words or {self.base: "Total" if name == "total" else name}
        return {
            "extension": [
                *_unit(str(table.get("unit", ""))),
                *calculation(self.of, name, members),
                *own.encode(ITEM, {"score": name, **({} if words else {"unnamed": True})}),
            ],
            "linkId": self._link(score_link(self.of, name)),
            **_codes(table.get("codes")),
            **_named("text", label, self.base),
            "type": "decimal",
            "required": False,
            "readOnly": True,
        }

    def _totals_only(self) -> dict[str, Any]:
        """A measure whose wording isn't ours to ship: its total can be typed in."""
        of = self.of
        table = of.scores.get("total", {})
        words = self._said("scores", "total")
        return {
            "extension": [
                {"url": MIN_VALUE, "valueDecimal": plain(of.low)},
                {"url": MAX_VALUE, "valueDecimal": plain(of.high)},
                {"url": DECIMAL_PLACES, "valueInteger": 0 if float(of.step).is_integer() else 1},
                *_unit(str(table.get("unit", ""))),
                *own.encode(
                    ITEM,
                    {"totals_only": True, "score": "total", **({} if words else {"unnamed": True})},
                ),
            ],
            "linkId": self._link(score_link(of, "total")),
            **_codes(table.get("codes")),
            **_named("text", words or {self.base: of.title}, self.base),
            "type": "decimal",
            "required": False,
        }
