"""Spoilt, foreign and hostile files: refused with a reason that says where and what to do."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from typing import Any

import pytest

from measures_app.fhir import FhirProblem, Loaded, read_side
from measures_app.fhir.documents import MAX_BYTES
from tests.fhir.papers import ORDINAL, form, option, question, read, total


def told(resource: Any, **side: Any) -> str:
    with pytest.raises(FhirProblem) as refused:
        read(resource, **side)
    return str(refused.value)


def spoilt(old: str, new: str) -> bytes:
    text = json.dumps(form())
    assert old in text
    return text.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "line 1: no JSON"),
        (b"{", "no JSON"),
        (b'{"resourceType": "Questionnaire",}', "line 1: no JSON"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b"<Questionnaire/>", "is XML"),
        (json.dumps(form()).encode("utf-16"), "UTF-16"),
        ('{"resourceType": "Questionnaire", "title": "Größe"}'.encode("latin-1"), "not UTF-8"),
        (b'{"resourceType": "Questionnaire", "title": "a\\u0000b"}', "U+0000"),
        (b'{"resourceType": "Questionnaire", "title": "\\ud800"}', "U+D800"),
        (spoilt('"status": "active"', '"status": "active", "status": "draft"'), "stands twice"),
        (spoilt('"valueDecimal": 1', '"valueDecimal": NaN'), "NaN is no JSON number"),
        (spoilt('"valueDecimal": 1', '"valueDecimal": -Infinity'), "-Infinity is no JSON number"),
        (spoilt('"valueDecimal": 1', '"valueDecimal": ' + "9" * 5000), "too long"),
        (spoilt('"valueDecimal": 1', '"valueDecimal": 1e999999999'), "too large"),
        (spoilt('"valueDecimal": 1', '"valueDecimal": "1"'), "without quotes"),
        (spoilt('"valueDecimal": 1', '"valueDecimal": true'), "no number"),
        (spoilt('"valueDecimal": 1', '"valueDecimal": 0.25'), "finer than a tenth"),
        (spoilt('"linkId": "b"', '"linkId": "a"'), "stands twice"),
        (spoilt('"linkId": "b"', '"linkId": ""'), "no linkId"),
        (spoilt('"linkId": "b"', '"linkid": "b"'), "did you mean “linkId”?"),
        (spoilt('"title"', '"titel"'), "did you mean “title”?"),
        (spoilt('"type": "choice"', '"type": "chioce"'), "none of FHIR R4"),
        (spoilt('"text": "Question a"', '"text": 7'), "a text is expected"),
        (spoilt('"text": "Question a"', '"text": "' + "x" * 3000 + '"'), "3000 characters"),
        (spoilt('"type": "choice"', '"type": "choice", "required": "true"'), "without quotes"),
        (spoilt('"type": "choice"', '"type": "choice", "item": {}'), "array of objects"),
    ],
)  # fmt: skip
def test_a_spoilt_file_is_refused_with_its_reason(data: bytes, why: str) -> None:
    assert why in told(data)


def test_a_byte_order_mark_is_no_fault() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps(form()).encode()).definition.code == "small-form"


def test_ten_megabytes_are_refused_before_they_are_read() -> None:
    assert "larger than 5 MB" in told(b" " * (MAX_BYTES + 1))
    many = form(*(question(f"q{n}") for n in range(401)))
    assert "more than 400 questions" in told(many)


def deep(levels: int) -> dict[str, Any]:
    inner = question("a")
    for level in range(levels):
        inner = {"linkId": f"g{level}", "type": "group", "item": [inner]}
    return form(inner)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b'{"a":' * 100_000,
        b"[" * 500_000,
        b'{"resourceType": "Questionnaire", "item": ' + b"[" * 3000 + b"]" * 3000 + b"}",
        json.dumps(deep(40)).encode(),
    ],
)
def test_depth_bombs_are_refused(data: bytes) -> None:
    assert "nested deeper" in told(data)


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        ({"resourceType": "Bundle", "entry": [{"resource": form()}]}, "1 Questionnaires inside"),
        ({"resourceType": "QuestionnaireResponse"}, "a measure is a Questionnaire"),
        ({"resourceType": "Patient"}, "resourceType is “Patient”"),
        ({"status": "active"}, "resourceType is missing"),
        (form(versionAlgorithmString="semver"), "FHIR R5"),
        (form(question("a", type="coding")), "FHIR R5"),
        (form(question("a", answerConstraint="optionsOnly")), "FHIR R5"),
        (form(question("a", option=[])), "FHIR STU3"),
        (form(question("a", options={"reference": "x"})), "FHIR STU3"),
        (form(question("a", enableWhen=[{"question": "b", "hasAnswer": True}])), "FHIR STU3"),
        (form(group={"title": "old"}), "DSTU2"),
        (form(implicitRules="http://x.example"), "implicitRules"),
        (form(question("a", modifierExtension=[{"url": "http://x"}])), "modifierExtension"),
        (form(modifierExtension=[{"url": "http://x"}]), "modifierExtension"),
    ],
)
def test_other_resources_and_versions_are_named(resource: Any, why: str) -> None:
    said = told(resource)
    assert why in said
    if "FHIR " in why:
        assert "ask the sender for FHIR R4" in said


def of_set(*sets: dict[str, Any], reference: str = "#one") -> dict[str, Any]:
    asked = {"linkId": "a", "type": "choice", "text": "?", "answerValueSet": reference}
    return form(asked, contained=list(sets))


def value_set(name: str, *others: str, **include: Any) -> dict[str, Any]:
    parts = [{"valueSet": [f"#{other}"]} for other in others] or [include]
    return {"resourceType": "ValueSet", "id": name, "compose": {"include": parts}}


def test_a_value_set_elsewhere_is_named_and_what_to_do() -> None:
    said = told(of_set(reference="http://loinc.org/vs/LL358-3"))
    assert "http://loinc.org/vs/LL358-3" in said
    assert "can't be fetched" in said
    rest = read(form(of_set(reference="http://x.example")["item"][0], question("b")),
                leave_out=["a"])  # fmt: skip
    assert [item.id for item in rest.definition.items] == ["b"]


@pytest.mark.parametrize(
    ("sets", "why"),
    [
        ([value_set("one", "one")], "in a circle: #one -> #one"),
        ([value_set("one", "two"), value_set("two", "one")], "#one -> #two -> #one"),
        ([value_set("one", "gone")], "“#gone” isn't contained"),
        ([value_set("one", system="http://snomed.info/sct")], "all of http://snomed.info/sct"),
        ([value_set("one", system="http://x", filter=[{"op": "is-a"}])], "is a filter"),
        ([value_set("one"), value_set("one")], "two value sets are called “#one”"),
        ([value_set("one", valueSet=["http://x.example/vs"])], "http://x.example/vs"),
    ],
)
def test_contained_sets_that_lead_nowhere_are_told(sets: list[Any], why: str) -> None:
    assert why in told(of_set(*sets))


def test_sets_that_multiply_without_a_circle_are_stopped() -> None:
    names = ["one", *(f"v{n}" for n in range(20)), "last"]
    sets = [value_set(a, *[b] * 8) for a, b in pairwise(names)]
    sets.append(value_set("last", system="http://x", concept=[{"code": "c"}]))
    assert "too many times" in told(of_set(*sets))


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (question("a", answerOption=[option(None, "x"), option(None, "y")]), "no answer carries"),
        (question("a", answerValueSet="#x"), "both answerOption and answerValueSet"),
        (question("a", answerOption=[{"valueDate": "2026-01-01"}]), "can't be scored"),
        (question("a", answerOption=[{"valueCoding": {}}]), "neither code nor display"),
        ({"linkId": "g", "type": "group", "repeats": True, "item": [question("a")]}, "repeats"),
        ({"linkId": "n", "type": "decimal", "text": "?", "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/minValue", "valueDecimal": 5},
            {"url": "http://hl7.org/fhir/StructureDefinition/maxValue", "valueDecimal": 5},
        ]}, "range is empty"),
    ],
)  # fmt: skip
def test_questions_that_cannot_be_scored_are_told(item: dict[str, Any], why: str) -> None:
    assert why in told(form(item))


def test_two_scores_for_one_answer_are_refused() -> None:
    both = option(1, "x")
    both["valueCoding"]["extension"] = [{"url": ORDINAL, "valueDecimal": 2}]
    assert "two scores, 1 and 2" in told(form(question("a", answerOption=[both, option(0, "y")])))


def test_all_faults_are_told_at_once() -> None:
    bad = form(question("a", type="odd"), question("a"), {"type": "display"})
    said = told(bad)
    assert "none of FHIR R4" in said
    assert "stands twice" in said
    assert "no linkId" in said


def test_a_calculation_that_takes_too_long_is_cut_off() -> None:
    nested = (
        "%resource.descendants().where(%resource.descendants().where(" * 20 + "true" + "))" * 20
    )
    loaded = read(form(question("a"), question("b"), total(nested)))
    assert any("wasn't checked" in note for note in loaded.notes)
    long = read(form(question("a"), total("1+" * 20_000 + "1")))
    assert any("longer than" in note for note in long.notes)
    deep_expression = read(form(question("a"), total("(" * 5000 + "1" + ")" * 5000)))
    assert any("nested too deeply" in note for note in deep_expression.notes)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("better = ", "no TOML"),
        ("beter = 'lower'", "did you mean “better”?"),
        ("items = []", "can't be added"),
        ("[[norms]]\npopulation = 'adults'\ncutoff = 3", "“adults” has no source"),
        ("leave_out = [3]", "list of item ids"),
    ],
)
def test_what_is_added_is_checked_too(text: str, why: str) -> None:
    with pytest.raises(FhirProblem, match=why):
        read_side(text)


def test_additions_that_do_not_fit_are_told() -> None:
    assert "no question of the file" in told(form(), scored=["zz"])
    assert "come to 0 to 6" in told(form(), high=27)
    row = {"population": "adults", "cutoff": 30, "source": "somewhere"}
    assert "cutoff 30 outside" in told(form(), norms=[row])
    assert "better" in told(form(), better="sideways")


def test_markup_is_kept_as_text() -> None:
    loaded: Loaded = read(form(question("a", text="<script>alert(1)</script>")))
    assert loaded.definition.wording["en"]["items"]["a"]["label"] == "<script>alert(1)</script>"


def test_any_spoiling_of_a_form_is_refused_or_read_never_an_error() -> None:
    chance = random.Random(7)
    whole = json.dumps(form(question("a"), total("%resource.item.answer.value.ordinal().sum()")))
    values = ["null", "7", '"x"', "[]", "{}", "true", "[[]]", '[{"url": 3}]', "-1.5"]
    loaded = refused = 0
    for _ in range(400):
        document = json.loads(whole)
        places: list[tuple[Any, Any]] = []
        stack: list[Any] = [document]
        while stack:
            node = stack.pop()
            keys = list(node) if isinstance(node, dict) else range(len(node))
            for key in keys:
                places.append((node, key))
                if isinstance(node[key], (dict, list)):
                    stack.append(node[key])
        node, key = chance.choice(places)
        node[key] = json.loads(chance.choice(values))
        try:
            read(document)
            loaded += 1
        except FhirProblem:
            refused += 1
    assert loaded > 20
    assert refused > 20
