"""Laws that hold for any measure: it comes back the same, and its answers do."""

from __future__ import annotations

import json
import random
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from measures_app.definition_reader import parse_definition, read_document
from measures_app.definitions import MeasureDefinition
from measures_app.fhir import (
    Answered,
    FhirProblem,
    read_measure,
    read_response,
    to_questionnaire,
    to_response,
    to_toml,
)

TEXTS = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), include_characters="\n\"'\\<>&"),
    min_size=1,
    max_size=12,
).map(str.strip).filter(bool)  # fmt: skip
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,6}", fullmatch=True)
LANGUAGES = st.lists(st.sampled_from(["en", "es", "de", "pt-br"]), min_size=1, unique=True)


@st.composite
def items(draw: st.DrawFn, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"id": name}
    if draw(st.booleans()):
        top = draw(st.integers(1, 4))
        found["choices"] = draw(st.permutations(range(top + 1)))
    else:
        found |= {
            "low": 0,
            "high": draw(st.integers(1, 10)),
            "step": draw(st.sampled_from([0.1, 1])),
        }
    if draw(st.booleans()):
        found["reverse"] = True
    if draw(st.booleans()):
        found["link_id"] = f"/{name}!"
    return found


@st.composite
def definitions(draw: st.DrawFn) -> MeasureDefinition:
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    asked = [draw(items(name)) for name in names]
    groups = draw(st.lists(st.sampled_from(["G1", "G2"]), unique=True))
    for item in asked:
        if groups and draw(st.booleans()):
            item["group"] = draw(st.sampled_from(groups))
    for item in asked[1:]:
        if draw(st.integers(0, 4)) == 0:
            item["scored"] = False
        if draw(st.booleans()):
            item["shows_number"] = True
    scored = [item for item in asked if item.get("scored", True)]
    multiplier = draw(st.sampled_from([1, 1, 4]))
    top = sum(max(item.get("choices", [item.get("high", 0)])) for item in scored) * multiplier
    wording = {}
    for language in draw(LANGUAGES):
        wording[language] = {
            "title": draw(TEXTS),
            "items": {
                item["id"]: {
                    "label": draw(TEXTS),
                    **({"hint": draw(TEXTS)} if draw(st.booleans()) else {}),
                    **(
                        {"choices": [draw(TEXTS) for _ in item["choices"]]}
                        if "choices" in item
                        else {"low": draw(TEXTS)}
                    ),
                }
                for item in asked
            },
        }
    return read_document(
        {
            "code": "law",
            "title": draw(TEXTS),
            "purpose": draw(st.sampled_from(["outcome", "alliance", "risk"])),
            "better": draw(st.sampled_from(["higher", "lower"])),
            "low": 0,
            "high": top,
            "step": 0.1,
            "multiplier": multiplier,
            "licence": draw(TEXTS),
            "sources": [draw(TEXTS)],
            "items": asked,
            "groups": [{"id": name} for name in groups],
            "subscales": {draw(TEXTS): [scored[0]["id"]]} if draw(st.booleans()) else {},
            "alerts": {},
            "wording": wording,
            "norms": [{"source": draw(TEXTS), "mean": 1.5, "sd": 2.0}],
        }
    )


def in_groups(definition: MeasureDefinition) -> MeasureDefinition:
    """Groups stand together in a form: items in the order in which it asks them."""
    written = json.dumps(to_questionnaire(definition), ensure_ascii=False)
    return read_measure(written.encode()).definition


@settings(max_examples=30, deadline=None)
@given(definitions())
def test_any_measure_comes_back_the_same(definition: MeasureDefinition) -> None:
    assert parse_definition(to_toml(definition)) == definition
    once = in_groups(definition)
    assert in_groups(once) == once
    assert {item.id: item for item in once.items} == {item.id: item for item in definition.items}
    assert once.wording == definition.wording
    answers = {item.id: (item.choices or (item.high,))[0] for item in definition.items}
    assert once.score(answers) == definition.score(answers)


@settings(max_examples=30, deadline=None)
@given(definitions(), st.randoms(use_true_random=False))
def test_any_answers_come_back_the_same(
    definition: MeasureDefinition, chance: random.Random
) -> None:
    answers: dict[str, Any] = {}
    for item in definition.items:
        values = item.choices or (item.low, item.high, item.low + item.step)
        answers[item.id] = chance.choice([None, *values])
    if all(value is None for value in answers.values()):
        return
    score = definition.score(answers)
    moment = datetime(2026, 3, 4, tzinfo=UTC)
    taken = Answered(
        definition, "1", uuid.UUID(int=1), "QX7", moment, moment, answers, score.total,
        {name: value for name, value in score.subscales.items() if value is not None},
    )  # fmt: skip
    back = read_response(definition, json.dumps(to_response(taken)).encode())
    expected = {k: None if v is None else Decimal(str(v)) for k, v in answers.items()}
    assert (back.answers, back.total) == (expected, score.total)


@settings(max_examples=40, deadline=None)
@given(definitions(), st.randoms(use_true_random=False))
def test_a_spoilt_response_is_refused_or_read(
    definition: MeasureDefinition, chance: random.Random
) -> None:
    answers = {item.id: (item.choices or (item.high,))[0] for item in definition.items}
    moment = datetime(2026, 3, 4, tzinfo=UTC)
    taken = Answered(
        definition, "1", uuid.UUID(int=1), "QX7", moment, moment, answers,
        definition.score(answers).total,
    )  # fmt: skip
    document = to_response(taken)
    node: Any = document
    key: Any = chance.choice(list(node))
    while isinstance(node[key], (dict, list)) and node[key] and chance.random() < 0.8:
        node = node[key]
        key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
    node[key] = chance.choice([None, 7, -1.5, "x", [], {}, [[]], [{"linkId": 3}], True])
    with suppress(FhirProblem):  # any other error is the reader's
        read_response(definition, json.dumps(document).encode())
