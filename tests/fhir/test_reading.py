"""What a Questionnaire becomes: its scores, words and codes kept, the rest told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from measures_app.fhir import FhirProblem
from tests.fhir.papers import (
    ADDS_UP,
    IN_THE_WILD,
    LABELS,
    ORDINAL,
    WEIGHT,
    form,
    library,
    option,
    question,
    read,
    total,
)


def told(resource: Any, **side: Any) -> str:
    with pytest.raises(FhirProblem) as refused:
        read(resource, **side)
    return str(refused.value)


def test_options_with_ordinal_values_become_choices_with_codes_and_words() -> None:
    loaded = read(form())
    item = loaded.definition.items[0]
    assert item.choices == (0, 1, 2)
    assert [code["code"] for code in item.answer_codes] == list(LABELS)
    assert loaded.definition.wording["en"]["items"]["a"]["choices"] == list(LABELS)
    assert (loaded.definition.low, loaded.definition.high, loaded.definition.step) == (0, 6, 1)
    assert loaded.definition.score({"a": 2, "b": 0, "c": 1}).total == Decimal("3.0")


@pytest.mark.parametrize("url", [ORDINAL, WEIGHT])
@pytest.mark.parametrize("place", ["option", "coding"])
def test_a_score_may_stand_on_the_option_or_on_its_coding(url: str, place: str) -> None:
    options = []
    for at, label in enumerate(LABELS):
        plain = option(None, label)
        element = plain if place == "option" else plain["valueCoding"]
        element["extension"] = [{"url": url, "valueDecimal": at}]
        options.append(plain)
    loaded = read(form(question("a", answerOption=options)))
    assert loaded.definition.items[0].choices == (0, 1, 2)


def contained(*concepts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "ValueSet",
        "id": "often",
        "status": "active",
        "compose": {"include": [{"system": "http://codes.example", "concept": list(concepts)}]},
        **changes,
    }


def concept(at: int, url: str = ORDINAL) -> dict[str, Any]:
    return {
        "extension": [{"url": url, "valueDecimal": at}],
        "code": f"c{at}",
        "display": LABELS[at],
        "designation": [{"language": "es", "value": f"es {at}"}],
    }


def asked_of(value_set: str = "#often") -> dict[str, Any]:
    return {"linkId": "a", "text": "How often?", "type": "choice", "answerValueSet": value_set}


def test_scores_and_translations_are_found_in_a_contained_value_set() -> None:
    loaded = read(form(asked_of(), contained=[contained(*(concept(at) for at in range(3)))]))
    item = loaded.definition.items[0]
    assert item.choices == (0, 1, 2)
    assert [code["code"] for code in item.answer_codes] == ["c0", "c1", "c2"]
    words = loaded.definition.wording
    assert words["es"]["items"]["a"] == {
        "label": "How often?",
        "choices": ["es 0", "es 1", "es 2"],
    }


def test_scores_are_found_in_a_contained_code_system_and_in_an_expansion() -> None:
    system = {
        "resourceType": "CodeSystem",
        "id": "codes",
        "url": "http://codes.example",
        "status": "active",
        "content": "complete",
        "concept": [
            {"code": "c0", "display": "never", "extension": [{"url": WEIGHT, "valueDecimal": 0}]},
            {
                "code": "c1",
                "display": "often",
                "property": [{"code": "itemWeight", "valueDecimal": 3}],
            },
        ],
    }
    plain = contained({"code": "c0"}, {"code": "c1"})
    whole = contained(compose={"include": [{"system": "http://codes.example"}]})
    expanded = contained(
        expansion={
            "contains": [{"system": "http://codes.example", "code": code} for code in ("c0", "c1")]
        }
    )
    for value_set in (plain, whole, expanded):
        loaded = read(form(asked_of(), contained=[value_set, system]))
        assert loaded.definition.items[0].choices == (0, 3)
        assert loaded.definition.wording["en"]["items"]["a"]["choices"] == ["never", "often"]


def test_nested_groups_keep_their_place_and_words() -> None:
    inner = {"linkId": "g2", "type": "group", "text": "At night", "item": [question("b")]}
    outer = {
        "linkId": "g1",
        "type": "group",
        "text": "Over two weeks",
        "code": [{"system": "http://codes.example", "code": "weeks"}],
        "item": [question("a"), inner],
    }
    definition = read(form(outer)).definition
    assert [item.group for item in definition.items] == ["g1", "g2"]
    assert [group.get("within") for group in definition.groups] == [None, "g1"]
    assert definition.wording["en"]["groups"] == {"g1": "Over two weeks", "g2": "At night"}


def test_displays_become_the_words_beside_what_they_explain() -> None:
    def display(link: str, text: str, control: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {"linkId": link, "type": "display", "text": text}
        if control:
            found["extension"] = [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/questionnaire-itemControl",
                    "valueCodeableConcept": {"coding": [{"code": control}]},
                }
            ]
        return found

    line = {
        "linkId": "line",
        "type": "decimal",
        "text": "Mark the line",
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/minValue", "valueDecimal": 0},
            {"url": "http://hl7.org/fhir/StructureDefinition/maxValue", "valueDecimal": 10},
        ],
        "item": [
            display("l", "badly", "lower"),
            display("u", "well", "upper"),
            display("h", "today included", "help"),
        ],
    }
    loaded = read(form(display("top", "Think of this week."), display("d", "First"), line))
    words = loaded.definition.wording["en"]
    assert words["instruction"] == "Think of this week.\nFirst"
    assert words["items"]["line"] == {
        "label": "Mark the line",
        "low": "badly",
        "high": "well",
        "hint": "today included",
    }
    item = loaded.definition.items[0]
    assert (item.kind, item.low, item.high, item.step) == ("vas", 0, 10, 0.1)


def test_a_total_with_its_own_calculation_is_recognised_and_named() -> None:
    coded = total(ADDS_UP, code=[{"system": "http://codes.example", "code": "tot"}])
    definition = read(form(question("a"), question("b"), coded)).definition
    assert definition.scores["total"]["link_id"] == "sum"
    assert definition.scores["total"]["codes"][0]["code"] == "tot"
    assert [item.id for item in definition.items] == ["a", "b"]


def answer(link: str) -> str:
    return f"%resource.item.where(linkId = '{link}').answer.value.ordinal()"


def test_a_calculation_says_what_counts_which_way_and_how_often() -> None:
    items = [question("a"), question("b"), question("c")]
    part = read(form(*items, total(f"{answer('a')} + {answer('b')}"))).definition
    assert [item.scored for item in part.items] == [True, True, False]
    turned = read(form(*items[:2], total(f"{answer('a')} + (2 - {answer('b')})"))).definition
    assert [item.reverse for item in turned.items] == [False, True]
    many = read(form(*items, total(f"({ADDS_UP}) * 4"))).definition
    assert (many.multiplier, many.high, many.step) == (4, 24, 4)
    mean = read(form(*items, total("%resource.item.answer.value.ordinal().avg().round(1)")))
    assert (mean.definition.rule, mean.definition.high) == ("mean", 2)


def test_further_calculations_become_subscales() -> None:
    items = [question("a"), question("b"), question("c")]
    sub = total(f"{answer('a')} + {answer('b')}", "sub", text="First two")
    definition = read(form(*items, total(ADDS_UP), sub)).definition
    assert definition.subscales == {"sub": ["a", "b"]}
    assert definition.wording["en"]["scores"] == {"total": "Sum", "sub": "First two"}


def test_a_calculation_that_adds_up_otherwise_is_refused_naming_both() -> None:
    items = [question("a"), question("b")]
    bonus = total(f"{ADDS_UP} + 1")
    assert "gives 1 where the items come to 0" in told(form(*items, bonus))
    weighted = total(f"{answer('a')} + 2 * {answer('b')}")
    assert "weights questions differently" in told(form(*items, weighted))
    assert read(form(*items, weighted), leave_out=["sum"]).definition.high == 4


def test_a_calculation_that_ignores_untouched_questions_is_told() -> None:
    notes = " ".join(read(form(question("a"), question("b"), total(ADDS_UP))).notes)
    assert "counts an untouched question as nothing" in notes


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("fancy().sum()", "function fancy() is not known"),
        ("%resource.item.", "is not known here"),
        ("%other", "variable %other is not defined"),
        ("'text'", "no number"),
    ],
)
def test_a_calculation_that_is_not_understood_is_told_not_trusted(
    expression: str, why: str
) -> None:
    loaded = read(form(question("a"), question("b"), total(expression)))
    assert any("wasn't checked" in note and why in note for note in loaded.notes)
    assert loaded.definition.high == 4


def test_variables_that_refer_to_themselves_end() -> None:
    circle = total("%x")
    circle["extension"].append(
        {
            "url": "http://hl7.org/fhir/StructureDefinition/variable",
            "valueExpression": {"name": "x", "language": "text/fhirpath", "expression": "%x + 1"},
        }
    )
    notes = " ".join(read(form(question("a"), circle)).notes)
    assert "refers to itself" in notes


def test_questions_without_scores_are_asked_and_counted_in_no_total() -> None:
    plain = question("d", answerOption=[option(None, label) for label in LABELS])
    loaded = read(form(question("a"), plain))
    assert [item.scored for item in loaded.definition.items] == [True, False]
    assert loaded.definition.score({"a": 2}).total == 2
    assert any("part of no score" in note and "“d”" in note for note in loaded.notes)


def test_yes_and_no_score_where_the_calculation_says_so() -> None:
    yes = {"linkId": "y", "type": "boolean", "text": "Any?"}
    counted = total(f"{answer('a')} + iif(%resource.item.where(linkId='y').answer.value, 1, 0)")
    definition = read(form(question("a"), yes, counted)).definition
    assert definition.high == 3
    assert definition.wording["en"]["items"]["y"]["choices"] == ["No", "Yes"]
    assert read(form(question("a"), yes)).definition.items[1].scored is False
    assert read(form(question("a"), yes), scored=["y"]).definition.high == 3


def test_whole_numbers_between_ends_score() -> None:
    rating = {
        "linkId": "pain",
        "type": "integer",
        "text": "Pain?",
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/minValue", "valueInteger": 0},
            {"url": "http://hl7.org/fhir/StructureDefinition/maxValue", "valueInteger": 10},
            {
                "url": "http://hl7.org/fhir/StructureDefinition/questionnaire-unit",
                "valueCoding": {"display": "points"},
            },
        ],
    }
    item = read(form(rating)).definition.items[0]
    assert (item.low, item.high, item.step, item.unit) == (0, 10, 1, "points")
    numbers = {"linkId": "n", "type": "integer", "text": "?"}
    numbers["answerOption"] = [{"valueInteger": value} for value in (1, 2, 5)]
    assert read(form(numbers)).definition.items[0].choices == (1, 2, 5)


def test_translations_are_kept_beside_the_texts() -> None:
    def translated(text: str) -> dict[str, Any]:
        return {
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/translation",
                    "extension": [
                        {"url": "lang", "valueCode": "pt-BR"},
                        {"url": "content", "valueString": text},
                    ],
                }
            ]
        }

    first = question("a", _text=translated("Pergunta"))
    first["answerOption"][0]["valueCoding"]["_display"] = translated("nunca")
    loaded = read(form(first, question("b"), _title=translated("Formulário")))
    words = loaded.definition.wording["pt-br"]
    assert words["title"] == "Formulário"
    assert words["items"]["a"]["label"] == "Pergunta"
    assert words["items"]["a"]["choices"] == ["nunca", "now and then", "often"]
    assert words["items"]["b"]["label"] == "Question b"
    assert any("keeps its first language" in note for note in loaded.notes)


def test_answers_that_share_a_score_are_told_and_come_back() -> None:
    same = [option(0, "no"), option(1, "more"), option(1, "less"), option(2, "much")]
    loaded = read(form(question("a", answerOption=same)))
    item = loaded.definition.items[0]
    assert item.choices == (0, 1, 2)
    assert loaded.definition.wording["en"]["items"]["a"]["choices"][1] == "more / less"
    assert [code["code"] for code in item.answer_codes] == ["no", "more", "less", "much"]
    assert any("isn't told apart" in note for note in loaded.notes)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"enableWhen": [{"question": "b", "operator": "exists", "answerBoolean": True}]},
         "asked always"),
        ({"initial": [{"valueCoding": {"code": "never"}}]}, "filled in beforehand"),
        ({"prefix": "1."}, "prefix"),
        ({"repeats": True}, "one answer is taken"),
        ({"extension": [{"url": "http://x.example/odd", "valueString": "x"}]}, "extension odd"),
        ({"type": "open-choice"}, "own words"),
        ({"text": "<b>How</b> often?"}, "never rendered"),
        ({"_text": {"extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/rendering-xhtml",
            "valueString": "<script>alert(1)</script>"}]}}, "styled renderings"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_told_with_its_place(changes: dict[str, Any], note: str) -> None:
    notes = read(form(question("a", **changes), question("b"))).notes
    assert any(note in told and "“a”" in told for told in notes), notes


@pytest.mark.parametrize("kind", ["text", "date", "attachment", "quantity", "decimal"])
def test_questions_that_are_no_scores_are_told(kind: str) -> None:
    notes = read(form(question("a"), {"linkId": "x", "type": kind, "text": "?"})).notes
    assert any("“x”" in note for note in notes)


def test_hidden_questions_and_trailing_texts_are_told() -> None:
    hidden = question("h", extension=[
        {"url": "http://hl7.org/fhir/StructureDefinition/questionnaire-hidden",
         "valueBoolean": True}])  # fmt: skip
    last = {"linkId": "end", "type": "display", "text": "Thank you"}
    loaded = read(form(question("a"), hidden, last, description="d", text={"div": "<div/>"}))
    notes = " ".join(loaded.notes)
    assert "hidden question" in notes
    assert "after the last question" in notes
    assert "not kept: description" in notes
    assert "narrative" in notes
    assert [item.id for item in loaded.definition.items] == ["a"]


def test_direction_is_said_or_refused_never_guessed() -> None:
    assert "--better" in told(form(), better="")
    assert read(form(), better="higher").definition.better == "higher"


def test_a_known_code_lends_direction_and_norms_with_their_sources() -> None:
    phq = {"system": "http://loinc.org", "code": "44249-1"}
    nine = [question(f"q{n}", answerOption=[option(v, str(v)) for v in range(4)]) for n in range(9)]
    loaded = read(form(*nine, code=[phq]), known=library(), better="")
    assert (loaded.definition.code, loaded.definition.better) == ("phq-9", "lower")
    assert loaded.definition.norms[0]["cutoff"] == 10
    assert any("recognised by its code" in note for note in loaded.notes)
    short = form(*nine[:3], code=[phq])
    assert not read(short, known=library()).definition.norms
    assert any("nothing is taken over" in n for n in read(short, known=library()).notes)


def test_what_a_clinic_adds_goes_first_and_needs_sources() -> None:
    row = {"population": "adults", "cutoff": 3, "source": "our licence, table 2"}
    loaded = read(form(), norms=[row], alerts={"c": 1}, purpose="outcome", code="small")
    assert loaded.definition.norms == (row,)
    assert loaded.definition.score({"c": 2}).alerts == ("c",)
    assert (loaded.definition.code, loaded.definition.purpose) == ("small", "outcome")
    bare = read(form())
    assert bare.definition.norms == ()
    assert any("no cutoff" in note for note in bare.notes)


def test_the_words_above_a_group_are_shown_above_its_first_question() -> None:
    inner = {"linkId": "g2", "type": "group", "text": "At night", "item": [question("b")]}
    outer = {"linkId": "g1", "type": "group", "text": "Over two weeks", "item": [inner]}
    definition = read(form(outer, question("c"))).definition
    words = definition.words("fr")["items"]
    assert words["b"]["heading"] == "Over two weeks\nAt night"
    assert "heading" not in words["c"]
    assert definition.spoken("fr") == "en"


def test_a_further_score_that_cannot_be_kept_is_told_and_the_total_stands() -> None:
    weighted = total(f"{answer('a')} + 3 * {answer('b')}", "risk")
    loaded = read(form(question("a"), question("b"), total(ADDS_UP), weighted))
    assert loaded.definition.high == 4
    assert any("a further score isn't kept: it weights" in note for note in loaded.notes)


def test_totals_entered_before_are_told_apart_unless_somebody_joins_them() -> None:
    phq = {"system": "http://loinc.org", "code": "44249-1"}
    nine = [question(f"q{n}", answerOption=[option(v, str(v)) for v in range(4)]) for n in range(9)]
    known = next(definition for definition in library() if definition.code == "phq-9")
    loaded = read(form(*nine, code=[phq]), known=[known])
    assert any(known.scoring_hash in note for note in loaded.notes)
    joined = read(
        form(*nine, code=[phq]),
        known=[known],
        comparable_with=known.scoring_hash,
        checked_by=["C. Checker"],
    )
    assert joined.definition.comparable_with == known.scoring_hash


@pytest.mark.parametrize("expression", IN_THE_WILD)
def test_calculations_as_they_are_found_in_the_wild_are_understood(expression: str) -> None:
    loaded = read(form(question("a"), question("b"), total(expression)))
    assert loaded.definition.scores["total"]["link_id"] == "sum"
    assert not any("wasn't checked" in note for note in loaded.notes)


def test_context_is_the_group_that_a_calculation_or_a_variable_stands_in() -> None:
    counted = total("%raw", "score")
    variable = {
        "url": "http://hl7.org/fhir/StructureDefinition/variable",
        "valueExpression": {
            "name": "raw",
            "language": "text/fhirpath",
            "expression": "%context.item.where(linkId = 'a').answer.value.ordinal()",
        },
    }
    group = {
        "linkId": "g",
        "type": "group",
        "extension": [variable],
        "item": [question("a"), question("b"), counted],
    }
    definition = read(form(group)).definition
    assert [item.scored for item in definition.items] == [True, False]


def test_a_derived_score_and_a_band_beside_the_total_are_told() -> None:
    derived = total("iif(%resource.item.answer.value.ordinal().sum() < 3, 37.4, 50.1)", "t-score")
    band = {**total("iif(true, 'mild', 'severe')", "band"), "type": "string"}
    loaded = read(form(question("a"), question("b"), total(ADDS_UP), derived, band))
    assert loaded.definition.high == 4
    assert loaded.definition.subscales == {}
    assert any("“t-score”" in note for note in loaded.notes)
    assert any("“band”" in note and "no score" in note for note in loaded.notes)
    alone = told(form(question("a"), question("b"), derived))
    assert "can't be kept" in alone


@pytest.mark.parametrize("pattern", ["(a+)+$", "a*a*b", "(?=a)", "[", "x" * 400])
def test_patterns_that_could_run_away_are_not_run(pattern: str) -> None:
    expression = f"%resource.item.where(linkId.matches('{pattern}')).answer.value.ordinal().sum()"
    notes = read(form(question("a" * 60), question("b"), total(expression))).notes
    assert any("wasn't checked" in note for note in notes)


def test_a_contained_value_set_may_be_named_by_its_address() -> None:
    named = contained(*(concept(at) for at in range(3)), url="http://sets.example/often")
    loaded = read(form(asked_of("http://sets.example/often|1.0"), contained=[named]))
    assert loaded.definition.items[0].choices == (0, 1, 2)
