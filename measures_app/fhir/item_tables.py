"""A question as the table of a definition document, and the range that such tables come to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from measures_app.fhir.documents import plain
from measures_app.fhir.questions import Question
from measures_app.psychometrics import scoring


def item_table(question: Question, scored: bool, turned: bool) -> dict[str, Any]:
    """The table of a question in a definition document."""
    ours = question.ours
    table: dict[str, Any] = {"id": question.id}
    if isinstance(ours.get("kind"), str):
        table["kind"] = ours["kind"]
    if question.options:
        table["choices"] = [
            plain(value) for value in dict.fromkeys(o.score for o in question.options) if
            value is not None
        ]  # fmt: skip
        table["answer_codes"] = _answer_codes(question)
    else:
        for key, value in (
            ("low", question.low), ("high", question.high), ("step", question.step)
        ):  # fmt: skip
            said = ours.get(key)
            table[key] = said if isinstance(said, (int, float)) else plain(value)
    if turned:
        table["reverse"] = True
    if not scored:
        table["scored"] = False
    if ours.get("shows_number") is True:
        table["shows_number"] = True
    if question.link_id != question.id:
        table["link_id"] = question.link_id
    table.update(group=question.group, unit=question.unit, codes=question.codes)
    return {key: value for key, value in table.items() if value not in ("", [])}


def _answer_codes(question: Question) -> list[dict[str, Any]]:
    values = [option.score for option in question.options]
    found = []
    for option in question.options:
        value = plain(option.score or Decimal(0))
        if option.code is None or option.code == {
            **({"display": option.code["display"]} if "display" in option.code else {}),
            "code": f"{value:g}",
        }:
            continue  # a code that only repeats the score
        coded: dict[str, Any] = {"value": value, **option.code}
        if values.count(option.score) == 1:
            coded.pop("display", None)  # the wording says it
        found.append(coded)
    return found


def add_range(document: dict[str, Any]) -> None:
    """Lowest, highest and step of the total, from its items; what the document says stays.

    Raises
    ------
    ValueError
        For items that make no total.
    """
    scored = [item for item in document["items"] if item.get("scored", True)]
    rule: Any = document.get("rule", "total")
    multiplier = int(document.get("multiplier", 1))
    scale = scoring.Scale("total", tuple(item["id"] for item in scored), rule, 0, multiplier)
    items = tuple(_core_item(item) for item in document["items"])
    low, high = scoring.Instrument(items, (scale,)).range_of("total")
    steps = [_step_of(item) for item in scored]
    step = 0.1 if rule == "mean" else math.gcd(*steps) * multiplier / 10
    for key, value in (("low", low), ("high", high), ("step", step)):
        document.setdefault(key, plain(value))


def _core_item(item: Mapping[str, Any]) -> scoring.Item:
    choices = item.get("choices")
    if choices:
        return scoring.Item(item["id"], min(choices), max(choices), 1.0, False, tuple(choices))
    return scoring.Item(item["id"], item["low"], item["high"], item["step"])


def _step_of(item: Mapping[str, Any]) -> int:
    """Tenths between neighbouring answers."""
    choices = item.get("choices")
    if not choices:
        return scoring.to_tenths(item["step"])
    tenths = sorted(scoring.to_tenths(choice) for choice in choices)
    return math.gcd(*(b - a for a, b in pairwise(tenths))) or 1
