"""`/fhir/`: the same scope as the pages, in the standard's words."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.fhir_doors.resources import KINDS
from measures_app.fhir_doors.views import JSON
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent
from tests.cast import BY, PEOPLE, Clinic
from tests.fhir.papers import ADDS_UP, form, question, read, total
from tests.fhir.test_reading import answer


def _score(clinic: Clinic, name: str, total: float, days_ago: int, measure: Any) -> Any:
    session = actions.record_session(
        episode=clinic.episodes[name],
        held_on=clinic_time.today() - timedelta(days=days_ago),
        by=BY,
    )
    return measure_actions.record_administration(
        episode=clinic.episodes[name],
        session=session,
        measure=measure,
        total=total,
        provenance="paper",
        by=BY,
    )


@pytest.fixture
def answered(clinic: Clinic) -> Clinic:
    with acting_as(BY):
        measures.sync_library()
        measure = measures.get_measure("outcome-adult")
        clinic.measure = measure
        clinic.scores = {
            name: [_score(clinic, name, 18 + n, 30 - 7 * n, measure) for n in range(3)]
            for name in ("ana", "clara", "emil")
        }
    return clinic


def signed_in(clinic: Clinic, name: str) -> Browser:
    browser = Browser()
    browser.force_login(getattr(clinic, name))
    return browser


def get(browser: Browser, address: str, status: int = 200, **headers: str) -> dict[str, Any]:
    answer = browser.get(address, headers=headers)
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"].startswith(JSON)
    return dict(json.loads(answer.content))


def found(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    assert bundle["resourceType"] == "Bundle"
    assert bundle["type"] == "searchset"
    return [entry["resource"] for entry in bundle.get("entry", [])]


SEES = {"alice": {"ana"}, "bob": {"clara"}, "carol": {"emil"}, "sofia": {"ana"}, "ruth": set()}


@pytest.mark.parametrize("name", sorted(PEOPLE))
def test_each_person_finds_their_own_clients_and_no_others(answered: Clinic, name: str) -> None:
    browser = signed_in(answered, name)
    for kind in ("QuestionnaireResponse", "Observation"):
        if name not in SEES:
            assert get(browser, f"/fhir/{kind}", 403)["resourceType"] == "OperationOutcome"
            continue
        codes = {answered.clients[who].code for who in SEES[name]}
        seen = {r["subject"]["identifier"]["value"] for r in found(get(browser, f"/fhir/{kind}"))}
        assert seen & {answered.clients[w].code for w in answered.scores} == codes
        for who, rows in answered.scores.items():
            suffix = "" if kind == "QuestionnaireResponse" else "-1"
            status = 200 if who in SEES[name] else 404
            get(browser, f"/fhir/{kind}/{rows[0].pk}{suffix}", status)


def test_absent_and_out_of_scope_look_the_same(answered: Clinic) -> None:
    browser = signed_in(answered, "alice")
    hidden = get(browser, f"/fhir/Patient/{answered.clara.code}", 404)
    absent = get(browser, "/fhir/Patient/ZZZZ-999", 404)
    hidden["issue"][0].pop("diagnostics"), absent["issue"][0].pop("diagnostics")
    assert hidden == absent


def test_nobody_unknown_reads_anything_but_what_the_server_does(clinic: Clinic) -> None:
    for kind in KINDS:
        assert get(Browser(), f"/fhir/{kind}", 401)["issue"][0]["code"] == "login"
    statement = get(Browser(), "/fhir/metadata")
    assert statement["fhirVersion"] == "4.0.1"


def test_every_parameter_that_is_promised_is_taken_and_no_other(answered: Clinic) -> None:
    browser = signed_in(answered, "alice")
    resources = get(browser, "/fhir/metadata")["rest"][0]["resource"]
    assert {r["type"] for r in resources} == set(KINDS)
    for resource in resources:
        offered = KINDS[resource["type"]]().offered()
        assert {p["name"] for p in resource["searchParam"]} == set(offered)
        said = get(browser, f"/fhir/{resource['type']}?nonsense=1", 400)
        assert said["issue"][0]["code"] == "not-supported"


def test_a_patient_is_a_code_and_nothing_else(answered: Clinic) -> None:
    patient = get(signed_in(answered, "alice"), f"/fhir/Patient/{answered.ana.code}")
    assert set(patient) == {"resourceType", "id", "identifier"}
    assert answered.ana.name.split()[0] not in json.dumps(patient)


def test_a_score_is_the_same_here_as_in_the_api(answered: Clinic) -> None:
    browser = signed_in(answered, "alice")
    row = answered.scores["ana"][1]
    seen = get(browser, f"/fhir/Observation/{row.pk}-1")
    there = browser.get(f"/api/v1/administrations/{row.pk}/").json()
    assert seen["valueQuantity"]["value"] == float(there["total"]) == 19
    assert seen["derivedFrom"] == [{"reference": f"QuestionnaireResponse/{row.pk}"}]
    form = get(browser, f"/fhir/QuestionnaireResponse/{row.pk}")["questionnaire"]
    url, version = form.split("|")
    questionnaires = found(get(browser, f"/fhir/Questionnaire?url={url}&version={version}"))
    assert [q["id"] for q in questionnaires] == [f"outcome-adult.{version}"]
    assert get(browser, f"/fhir/Questionnaire/outcome-adult.{version}") == questionnaires[0]


def test_pages_follow_one_another_without_gap_or_repetition(answered: Clinic) -> None:
    browser = signed_in(answered, "alice")
    address, ids = f"/fhir/Observation?_count=2&patient={answered.ana.code}", []
    for _ in range(10):
        bundle = get(browser, address)
        assert len(found(bundle)) <= 2
        ids += [r["id"] for r in found(bundle)]
        following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
        if not following:
            break
        address = following[0].removeprefix("http://testserver")
    rows = answered.scores["ana"]
    assert ids == [f"{row.pk}-1" for row in rows]


def test_searches_by_day_status_code_and_change(answered: Clinic) -> None:
    browser, rows = signed_in(answered, "alice"), answered.scores["ana"]
    day = rows[1].taken_on
    with acting_as(answered.alice):
        newer = measure_actions.correct_administration(
            administration=rows[1], total=21, reason="a slip of the pen", by=answered.alice
        )

    def ids(query: str, kind: str = "Observation") -> list[str]:
        return [r["id"] for r in found(get(browser, f"/fhir/{kind}?{query}"))]

    assert ids(f"date={day}") == [f"{rows[1].pk}-1", f"{newer.pk}-1"]
    assert ids(f"date=gt{day}&status=final") == [f"{rows[2].pk}-1"]
    assert ids("status=corrected") == [f"{newer.pk}-1"]
    assert ids("status=entered-in-error") == [f"{rows[1].pk}-1"]
    assert ids("code=outcome-adult:total&status=final,corrected") == [
        f"{rows[0].pk}-1", f"{rows[2].pk}-1", f"{newer.pk}-1",
    ]  # fmt: skip
    assert ids("code=http://loinc.org|44261-6") == []
    assert ids(f"_id={rows[0].pk}-1,{rows[2].pk}-9") == [f"{rows[0].pk}-1"]
    assert ids("_lastUpdated=lt2001") == []
    assert len(ids("_lastUpdated=ge2001", "QuestionnaireResponse")) == 4
    amended = get(browser, f"/fhir/QuestionnaireResponse/{newer.pk}")
    assert amended["status"] == "amended"
    assert get(browser, f"/fhir/QuestionnaireResponse/{rows[1].pk}")["status"] == (
        "entered-in-error"
    )


def test_subscales_are_found_by_their_own_code(clinic: Clinic) -> None:
    """A measure with parts gives an Observation each, counted as results of their own."""
    items = [question("a"), question("b"), question("c")]
    part = total(f"{answer('a')} + {answer('b')}", "sub", text="First two")
    loaded = read(form(*items, total(ADDS_UP), part))
    with acting_as(BY):
        measure = measures.load_definition(loaded.definition, source_text="{}", by=BY).measure
        answers = {item.id: 1 for item in loaded.definition.items}
        row = measure_actions.record_administration(
            episode=clinic.episodes["ana"],
            session=clinic.sessions["ana"][0],
            measure=measure,
            answers=answers,
            provenance="paper",
            by=BY,
        )
    browser = signed_in(clinic, "alice")
    all_of = found(get(browser, f"/fhir/Observation?patient=Patient/{clinic.ana.code}"))
    assert [r["id"] for r in all_of] == [f"{row.pk}-{n}" for n in range(1, len(all_of) + 1)]
    assert len(all_of) > 1
    own = all_of[1]["code"]["coding"][-1]["code"]
    assert found(get(browser, f"/fhir/Observation?code={own}")) == [all_of[1]]
    assert len(found(get(browser, "/fhir/Observation?_count=1"))) == 1


@pytest.mark.parametrize(
    "query",
    [
        "date=yesterday", "date=2026-13", "date=2026-02-30", "date=ge1066", "_count=0", "_count=x",
        "_after=1", "status=done", "code=a&code=b", "date=ge9999-12-31", "patient=%00",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(answered: Clinic, query: str) -> None:
    said = get(signed_in(answered, "alice"), f"/fhir/Observation?{query}", 400)
    assert said["issue"][0]["diagnostics"]


def test_only_get_and_only_json(answered: Clinic) -> None:
    browser = signed_in(answered, "alice")
    assert browser.post("/fhir/Observation", {}).status_code == 405
    get(browser, "/fhir/Observation", 406, accept="application/fhir+xml")
    get(browser, "/fhir/Observation?_format=xml", 406)
    get(browser, "/fhir/Medication", 404)


def test_reading_leaves_an_audit_row(answered: Clinic) -> None:
    browser = signed_in(answered, "alice")
    get(browser, f"/fhir/QuestionnaireResponse/{answered.scores['ana'][0].pk}")
    get(browser, "/fhir/Observation")
    with acting_as(BY):
        assert AuditEvent.objects.filter(
            action="read", subject=answered.ana.code, detail__what="fhir QuestionnaireResponse"
        ).exists()
        assert AuditEvent.objects.get(subject_kind="fhir").detail == {"rows": 3}


@hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    name=st.sampled_from(
        [
            "_id",
            "patient",
            "date",
            "authored",
            "status",
            "code",
            "_lastUpdated",
            "url",
            "version",
            "_count",
            "_after",
            "identifier",
            "questionnaire",
            "category",
        ]
    ),
    text=st.text(max_size=30),
    key=st.text(alphabet=st.characters(exclude_characters="/?#"), min_size=1, max_size=30),
)
def test_no_question_brings_the_server_down(
    answered: Clinic, kind: str, name: str, text: str, key: str
) -> None:
    browser = signed_in(answered, "alice")
    assert browser.get(f"/fhir/{kind}", {name: text}).status_code in (200, 400)
    from urllib.parse import quote

    assert browser.get(f"/fhir/{kind}/{quote(key, safe='')}").status_code in (200, 404)


def test_a_search_asks_the_database_as_often_for_many_as_for_one(
    answered: Clinic, django_assert_max_num_queries: Any
) -> None:
    browser = signed_in(answered, "alice")
    get(browser, "/fhir/Observation")
    with django_assert_max_num_queries(12):
        get(browser, "/fhir/Observation?_count=200")
