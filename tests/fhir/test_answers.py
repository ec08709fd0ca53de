"""Answers go out with their scores and come in checked against them; scope holds at this door."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from measures_app import actions, answers_out, measures
from measures_app.definition_reader import parse_definition
from measures_app.definitions import MeasureDefinition
from measures_app.fhir import FhirProblem, Reading, read_response, to_observations, to_response
from measures_app.models import Measure
from sessions_app.context import acting_as, system
from sessions_app.models import AuditEvent
from tests.fhir.papers import ADDS_UP, form, library, option, question, read, total
from tests.fhir.test_independent_reader import administration
from tests.fhir.test_independent_reader import measures as all_measures
from tests.fhir.test_round_trip import RICH

DEFINITION = read(form(question("a"), question("b"), total(ADDS_UP))).definition


def given(**changes: Any) -> dict[str, Any]:
    return {**to_response(administration(DEFINITION, 1)), **changes}


def coded(link: str, code: str, **coding: Any) -> dict[str, Any]:
    value = {"system": "http://codes.example", "code": code, **coding}
    return {"linkId": link, "answer": [{"valueCoding": value}]}


def summed(value: Any) -> dict[str, Any]:
    return {"linkId": "sum", "answer": [{"valueDecimal": value}]}


def reading(resource: Any, definition: MeasureDefinition = DEFINITION) -> Reading:
    return read_response(definition, json.dumps(resource).encode())


def told(resource: Any, definition: MeasureDefinition = DEFINITION) -> str:
    with pytest.raises(FhirProblem) as refused:
        reading(resource, definition)
    return str(refused.value)


@pytest.mark.parametrize("definition", all_measures(), ids=lambda d: f"{d.code}-{len(d.items)}")
@pytest.mark.parametrize("turn", range(3))
def test_a_response_says_the_answers_and_reads_back_the_same(
    definition: MeasureDefinition, turn: int
) -> None:
    taken = administration(definition, turn)
    back = reading(to_response(taken), definition)
    assert back.total == taken.total
    assert back.subscales == taken.subscales
    if taken.answers is None:
        assert back.answers is None
    else:
        assert back.answers == {k: Decimal(str(v)) for k, v in taken.answers.items()}
    assert back.authored == "2026-03-04T10:30:00+00:00"
    assert back.notes == ()


def test_untouched_items_are_absent_and_zero_is_an_answer() -> None:
    taken = administration(DEFINITION, answers={"a": 0, "b": None}, total=None)
    response = to_response(taken)
    assert [item["linkId"] for item in response["item"]] == ["a"]
    assert reading(response).answers == {"a": Decimal(0), "b": None}


def test_answers_stand_in_the_groups_of_their_questionnaire() -> None:
    response = to_response(administration(parse_definition(RICH)))
    week = response["item"][0]
    assert week["linkId"] == "/week"
    assert [item["linkId"] for item in week["item"]] == ["q/1", "night"]
    assert week["item"][1]["item"][0]["linkId"] == "/two"


def test_each_score_is_an_observation_with_the_codes_it_has_elsewhere() -> None:
    rich = parse_definition(RICH)
    whole, part = to_observations(administration(rich, 1, prorated=True))
    assert whole["code"]["coding"][0]["code"] == "sum"
    assert whole["valueQuantity"]["code"] == "{score}"
    assert whole["derivedFrom"] == part["derivedFrom"]
    assert "Pro-rated" in whole["note"][0]["text"]
    assert part["code"]["coding"][1]["code"] == "rich:first two"
    missing = to_observations(administration(rich, total=None, subscales={}))[0]
    assert missing["dataAbsentReason"]["text"] == "too few items answered"
    assert "valueQuantity" not in missing


def test_a_stated_total_that_differs_from_the_items_is_refused_naming_both() -> None:
    items = [coded("a", "often"), coded("b", "never")]
    assert reading(given(item=[*items, summed(2)])).total == 2
    assert "item “sum”: states 5, but the items come to 2" in told(given(item=[*items, summed(5)]))
    partly = given(item=[coded("a", "often"), summed(1)])
    assert "states 1, but the items come to 2" in told(partly)
    kept = reading(given(item=[coded("a", "often"), summed(2)]))
    assert kept.total is None
    assert "unanswered" in kept.notes[0]


def test_a_stated_subscale_is_checked_too() -> None:
    rich = parse_definition(RICH)
    response = to_response(administration(rich, 1))
    response["item"][-1]["answer"] = [{"valueDecimal": 99}]
    assert "first two" in told(response, rich)
    assert "states 99" in told(response, rich)


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([coded("a", "sometimes")], "“sometimes” is none of its answers"),
        ([coded("a", "often", system="http://other.example")], "none of its answers"),
        ([coded("a", "often"), coded("a", "never")], "is answered twice"),
        ([{**coded("a", "often"), "answer": coded("a", "often")["answer"] * 2}], "takes one"),
        ([{"linkId": "a", "answer": [{"valueDecimal": "2"}]}], "without quotes"),
        ([{"linkId": "a", "answer": [{"valueDecimal": 7}]}], "outside 0 to 2"),
        ([{"linkId": "a", "answer": [{"valueDecimal": 0.5}]}], "not one of its choices"),
        ([{"linkId": "zz", "answer": [{"valueString": "x"}]}], "answers none of the questions"),
        ([], "answers none of the questions"),
        ([{"linkId": "sum", "answer": [{"valueDecimal": 70}]}], "outside 0 to 4"),
        ([{"linkId": "sum"}], "neither answers nor a total"),
    ],
)
def test_answers_that_do_not_fit_are_told(items: list[Any], why: str) -> None:
    assert why in told(given(item=items))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "in-progress"}, "not finished"),
        ({"status": "entered-in-error"}, "not finished"),
        ({"questionnaire": "http://elsewhere.example/form|1"}, "http://elsewhere.example/form"),
        ({"resourceType": "Questionnaire"}, "not a QuestionnaireResponse"),
    ],
)
def test_what_is_no_answer_to_this_measure_is_told(changes: dict[str, Any], why: str) -> None:
    assert why in told(given(**changes))


def test_answers_by_words_and_answers_to_other_questions() -> None:
    by_words = {"linkId": "a", "answer": [{"valueString": "often"}]}
    other = {"linkId": "remarks", "answer": [{"valueString": "a remark"}]}
    found = reading(given(item=[by_words, coded("b", "never"), other], questionnaire=None))
    assert found.answers == {"a": Decimal(2), "b": Decimal(0)}
    notes = " ".join(found.notes)
    assert "remarks" in notes
    assert "names no questionnaire" in notes


def test_options_that_share_a_score_are_both_understood() -> None:
    same = [option(0, "no"), option(1, "more"), option(1, "less")]
    definition = read(form(question("a", answerOption=same), question("b"))).definition
    for code in ("more", "less"):
        items = [coded("a", code), coded("b", "never")]
        response = given(item=items, questionnaire=None)
        assert reading(response, definition).total == 1


# With the database


def take(clinic: Any, session: Any, value: str, **options: Any) -> Any:
    with acting_as(system("tests")):
        measures.sync_library()
        measure = Measure.objects.get(code="outcome-adult")
        answers = dict.fromkeys(("individual", "close", "social", "overall"), value)
        return actions.record_administration(
            episode=session.episode,
            session=session,
            measure=measure,
            provenance="clinic_tablet",
            answers=answers,
            by=system("tests"),
            **options,
        )


def kinds(bundle: dict[str, Any]) -> list[str]:
    return [entry["resource"]["resourceType"] for entry in bundle.get("entry", [])]


def test_a_clients_answers_leave_as_one_bundle_without_a_name(
    clinic: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = clinic.sessions["ana"][:2]
    take(clinic, first, "2.5")
    wrong = take(clinic, second, "9.0")
    with acting_as(system("tests")):
        actions.correct_administration(
            administration=wrong,
            answers=dict(wrong.answers, overall="8.0"),
            reason="misread",
            by=system("tests"),
        )
    path = tmp_path / "ana.json"
    call_command("export_answers", clinic.ana.code, "--output", str(path))
    bundle = json.loads(path.read_text(encoding="utf-8"))
    expected = ["Questionnaire", *["QuestionnaireResponse", "Observation"] * 2]
    assert kinds(bundle) == expected
    values = [
        (e["resource"]["status"], e["resource"]["valueQuantity"]["value"])
        for e in bundle["entry"]
        if e["resource"]["resourceType"] == "Observation"
    ]
    assert values == [("final", 10), ("corrected", 35)]
    assert "Oliveira" not in path.read_text(encoding="utf-8")
    assert clinic.ana.code in path.read_text(encoding="utf-8")
    with acting_as(system("tests")):
        event = AuditEvent.objects.filter(action="exported").latest("pk")
        assert event.subject == clinic.ana.code
    form_of_it = bundle["entry"][0]["resource"]
    response = bundle["entry"][1]["resource"]
    adult = next(definition for definition in library() if definition.code == "outcome-adult")
    assert response["questionnaire"] == f"{form_of_it['url']}|{form_of_it['version']}"
    assert reading(response, adult).total == Decimal("10.0")
    call_command("export_answers", clinic.ana.code)
    again = json.loads(capsys.readouterr().out.split("\n", 0)[-1])
    assert again["entry"] == bundle["entry"]


def test_answers_out_of_scope_are_not_in_the_bundle(clinic: Any) -> None:
    session = clinic.sessions["dina_restricted"][0]
    take(clinic, session, "5.0")
    take(clinic, clinic.sessions["ana"][0], "5.0")
    for name, client, seen in (
        ("carol", clinic.dina, True),
        ("bob", clinic.dina, False),
        ("alice", clinic.ana, True),
        ("ruth", clinic.ana, False),
        ("dora", clinic.ana, False),
    ):
        with acting_as(clinic.users[name]):
            assert bool(kinds(answers_out.bundle_of(client, clinic.users[name]))) is seen, name


def test_reading_a_clients_answers_takes_few_queries(
    clinic: Any, django_assert_max_num_queries: Any
) -> None:
    for session in clinic.sessions["ana"]:
        take(clinic, session, "4.0")
    with acting_as(clinic.alice), django_assert_max_num_queries(12):
        assert len(kinds(answers_out.bundle_of(clinic.ana, clinic.alice))) == 13


def test_what_was_not_taken_or_is_void_does_not_leave(clinic: Any) -> None:
    void = take(clinic, clinic.sessions["ana"][0], "4.0")
    with acting_as(clinic.alice):
        actions.void_administration(administration=void, reason="another client's", by=clinic.alice)
        actions.record_administration(
            episode=clinic.episodes["ana"],
            session=clinic.sessions["ana"][1],
            measure=Measure.objects.get(code="outcome-adult"),
            provenance="clinic_tablet",
            not_taken="declined",
            by=clinic.alice,
        )
        assert kinds(answers_out.bundle_of(clinic.ana, clinic.alice)) == []


def test_an_unknown_client_and_a_folder_that_is_not_there_are_told(clinic: Any) -> None:
    with pytest.raises(CommandError, match="There is no client"):
        call_command("export_answers", "nobody")
    with pytest.raises(CommandError, match="No such file"):
        call_command("export_answers", clinic.ana.code, "--output", "/nowhere/at/all.json")
