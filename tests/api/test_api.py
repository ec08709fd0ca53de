"""`/api/v1/`: the pages' scope, written again as JSON; one description that holds."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.routers import SimpleRouter

from measures_app import actions as measure_actions
from measures_app import flagging, measures
from measures_app.api.filters import PAGING
from measures_app.api.urls import router
from measures_app.models import Administration, Flag
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Client, ClientKey
from tests.cast import BY, PEOPLE, Clinic

OWN = {  # who -> the clients whose rows they get, by kind of row
    "alice": ({"ana", "boris"}, {"ana", "boris"}),
    "bob": ({"boris", "clara", "dina"}, {"boris", "clara", "dina"}),
    "carol": ({"dina", "emil"}, {"dina", "emil"}),
    "ruth": (set(), set()),
    "sofia": ({"ana", "boris"}, {"ana", "boris"}),
    "dora": None,
    "adam": None,
    "fred": ({"ana", "boris", "clara", "dina"}, None),
    "felix": ({"clara"}, None),
}  # registry rows (clients, episodes, sessions), clinical rows (administrations, flags)
CLINICAL = ("administrations", "flags")
TRIED = ("ana", "clara", "emil")  # of every role somebody's own and somebody else's
KINDS = tuple(prefix for prefix, _viewset, _name in router.registry)


@pytest.fixture
def rows(clinic: Clinic) -> dict[str, dict[str, Any]]:
    """kind -> client's name -> the key of one of their rows."""
    found: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    today = clinic_time.today()
    with acting_as(BY):
        measures.sync_library()
        measure = measures.get_measure("outcome-adult")
        for name, client in clinic.clients.items():
            episode = clinic.episodes[name]
            session = actions.record_session(episode=episode, held_on=today, by=BY)
            score = measure_actions.record_administration(
                episode=episode,
                session=session,
                measure=measure,
                total=20,
                provenance="paper",
                by=BY,
            )
            flag = Flag.objects.create(
                client=client,
                episode=episode,
                rule="no_progress",
                kind="review",
                rule_set=flagging.current_rule_set(today),
                evidence={},
                raised_on=today,
            )
            for kind, key in (
                ("clients", client.code),
                ("episodes", episode.pk),
                ("sessions", session.pk),
                ("administrations", score.pk),
                ("flags", flag.pk),
            ):
                found[kind][name] = key
    return found


def status_for(who: str, kind: str, name: str | None) -> int:
    """What a role gets from a list (no name) or from one client's row."""
    scope = OWN[who]
    of = None if scope is None else scope[kind in CLINICAL]
    if of is None:
        return 403
    return 200 if name is None or name in of else 404


def test_every_route_has_its_place_in_the_table() -> None:
    """A new kind of row must be added to the table above before it can be served."""
    assert isinstance(router, SimpleRouter)
    assert set(KINDS) == {"clients", "episodes", "sessions", *CLINICAL}


def test_every_role_gets_its_own_rows_and_no_others(
    clinic: Clinic, rows: dict[str, dict[str, Any]], browser_of: Callable[[str], Browser]
) -> None:
    for who in PEOPLE:
        browser = browser_of(who)
        for kind in KINDS:
            answer = browser.get(f"/api/v1/{kind}/")
            assert answer.status_code == status_for(who, kind, None), (who, kind)
            if answer.status_code == 200:
                listed = {row.get("client", row.get("code")) for row in answer.json()["results"]}
                scope = OWN[who][kind in CLINICAL]  # type: ignore[index]  # not None: 200
                assert listed == {clinic.clients[name].code for name in scope}, (who, kind)
            for name in TRIED:
                key = rows[kind][name]
                answer = browser.get(f"/api/v1/{kind}/{key}/")
                assert answer.status_code == status_for(who, kind, name), (who, kind, name)
                assert "detail" in answer.json() or answer.status_code == 200
            absent = "ZZZZ-999" if kind == "clients" else 10**17
            assert browser.get(f"/api/v1/{kind}/{absent}/").status_code in (403, 404)


def test_nobody_signed_out_gets_anything(rows: dict[str, dict[str, Any]]) -> None:
    browser = Browser()
    for kind in KINDS:
        for path in (f"/api/v1/{kind}/", f"/api/v1/{kind}/{rows[kind]['ana']}/"):
            for method in ("get", "post", "put", "patch", "delete", "options"):
                answer = getattr(browser, method)(path)
                assert answer.status_code in (401, 403), (method, path)
                assert set(answer.json()) == {"detail"}


def test_nothing_is_changed_but_by_the_one_write_there_is(
    rows: dict[str, dict[str, Any]], browser_of: Callable[[str], Browser]
) -> None:
    browser = browser_of("alice")
    for kind in KINDS:
        row = f"/api/v1/{kind}/{rows[kind]['ana']}/"
        for method in ("post", "put", "patch", "delete"):
            assert getattr(browser, method)(row).status_code == 405, (method, row)
            if kind != "administrations":
                assert getattr(browser, method)(f"/api/v1/{kind}/").status_code == 405


def test_no_name_or_contact_leaves_through_the_api(
    clinic: Clinic, rows: dict[str, dict[str, Any]], browser_of: Callable[[str], Browser]
) -> None:
    for who in ("alice", "fred"):
        browser = browser_of(who)
        for kind in KINDS:
            for path in (f"/api/v1/{kind}/", f"/api/v1/{kind}/{rows[kind]['ana']}/"):
                text = browser.get(path).content.decode()
                assert not any(word in text for word in ("Oliveira", "Ana", "@mail")), path


def test_the_desk_is_not_told_what_the_care_is_about(
    clinic: Clinic, rows: dict[str, dict[str, Any]], browser_of: Callable[[str], Browser]
) -> None:
    with acting_as(BY):
        episode = clinic.episodes["ana"]
        episode.problem = "panic"
        episode.save(update_fields=["problem"])
    path = f"/api/v1/episodes/{episode.pk}/"
    treating, desk = browser_of("alice").get(path).json(), browser_of("fred").get(path).json()
    assert (treating["problem"], treating["purpose"], treating["ending"]) == ("panic", "change", "")
    assert (desk["problem"], desk["purpose"], desk["ending"]) == (None, None, None)
    assert desk["opened_on"] == treating["opened_on"]


def test_lists_come_in_pages_that_join_up(
    rows: dict[str, dict[str, Any]], browser_of: Callable[[str], Browser]
) -> None:
    browser = browser_of("bob")
    path, seen = "/api/v1/clients/?limit=2", []
    while path:
        page = browser.get(path).json()
        assert page["count"] == 3
        assert len(page["results"]) <= 2
        seen += [row["code"] for row in page["results"]]
        path = page["next"]
    assert seen == sorted(set(seen))
    assert len(seen) == 3


BAD = {
    "/api/v1/clients/?limit=0": "limit",
    "/api/v1/clients/?limit=201": "limit",
    "/api/v1/clients/?limit=many": "limit",
    "/api/v1/clients/?offset=-1": "offset",
    "/api/v1/clients/?offset=99999999999999999999": "offset",
    "/api/v1/clients/?name=Ana": "name",
    "/api/v1/episodes/?open=perhaps": "open",
    "/api/v1/episodes/?opened_since=2026-02-31": "opened_since",
    "/api/v1/sessions/?status=asleep": "status",
    "/api/v1/sessions/?episode=99999999999999999999": "episode",
    "/api/v1/sessions/?client=%00": "client",
    "/api/v1/administrations/?measure=%00": "measure",
    "/api/v1/administrations/?since=yesterday": "since",
    "/api/v1/flags/?state=": "state",
}


def test_a_filter_that_cannot_be_read_is_named(browser_of: Callable[[str], Browser]) -> None:
    browser = browser_of("alice")
    for path, name in BAD.items():
        answer = browser.get(path)
        assert answer.status_code == 400, path
        assert list(answer.json()) == [name], path


def test_filters_narrow_a_list(
    clinic: Clinic, rows: dict[str, dict[str, Any]], browser_of: Callable[[str], Browser]
) -> None:
    browser = browser_of("alice")
    ana, today = clinic.ana.code, clinic_time.today()
    later = today + timedelta(days=1)
    with acting_as(clinic.alice):
        score = Administration.objects.get(pk=rows["administrations"]["ana"])
        measure_actions.correct_administration(
            administration=score, total=21, reason="typing", by=clinic.alice
        )

    def count(path: str) -> int:
        answer = browser.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.json()
        return int(answer.json()["count"])

    assert count(f"episodes/?client={ana}") == 1
    assert count("episodes/?open=true") == 2
    assert count("episodes/?open=false") == 0
    assert count(f"episodes/?opened_since={later}") == 0
    assert count(f"sessions/?client={ana}&status=attended&since={today}&until={today}") == 1
    assert count("sessions/?status=no_show") == 0
    assert count(f"administrations/?client={ana}") == 2
    assert count(f"administrations/?client={ana}&superseded=false") == 1
    assert count(f"administrations/?client={ana}&superseded=true&voided=false") == 1
    assert count("administrations/?measure=phq-9") == 0
    assert count("flags/?state=open&kind=review") == 2
    assert count("flags/?state=decided") == 0
    assert count(f"flags/?client={clinic.emil.code}") == 0  # another's: nothing, and no word of it


def test_a_page_of_twenty_takes_as_many_queries_as_a_page_of_one(
    clinic: Clinic,
    rows: dict[str, dict[str, Any]],
    browser_of: Callable[[str], Browser],
    django_assert_max_num_queries: Any,
) -> None:
    with acting_as(BY):
        measure = measures.get_measure("outcome-adult")
        for _number in range(20):
            client = actions.register_client(by=BY, site=clinic.north)
            episode = actions.open_episode(
                client=client,
                programme=clinic.therapy,
                opened_on=clinic_time.today(),
                lead=clinic.clinicians["ruth"],
                by=BY,
            )
            session = actions.record_session(episode=episode, held_on=clinic_time.today(), by=BY)
            measure_actions.record_administration(
                episode=episode,
                session=session,
                measure=measure,
                total=20,
                provenance="paper",
                by=BY,
            )
            Flag.objects.create(
                client=client, episode=episode, rule="no_progress", kind="review",
                rule_set=flagging.current_rule_set(clinic_time.today()), evidence={},
                raised_on=clinic_time.today(),
            )  # fmt: skip
    for kind in KINDS:
        for limit, least in ((1, 1), (20, 20)):
            browser = browser_of("ruth")
            with django_assert_max_num_queries(BUDGET):
                answer = browser.get(f"/api/v1/{kind}/?limit={limit}")
            assert len(answer.json()["results"]) == least, kind


# Sign-in, who acts, savepoints, grants, policy, count, which rows, the rows, audit: the same for
# any page.
BUDGET = 13


# --- the write ----------------------------------------------------------------------------------


def send(browser: Browser, body: Any, key: Any = None) -> Any:
    return browser.post(
        "/api/v1/administrations/",
        data=body if isinstance(body, str) else json.dumps(body),
        content_type="application/json",
        headers={"Idempotency-Key": str(key or uuid.uuid4())},
    )


def test_a_score_is_written_once_however_often_it_is_sent(
    clinic: Clinic, rows: dict[str, dict[str, Any]], browser_of: Callable[[str], Browser]
) -> None:
    browser, key = browser_of("alice"), uuid.uuid4()
    body = {"episode": clinic.episodes["ana"].pk, "measure": "outcome-adult", "total": "22.5"}
    first, again = send(browser, body, key), send(browser, body, key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (first.json()["total"], first.json()["provenance"]) == ("22.50", "api")
    other = send(browser, {**body, "total": "23"}, key)
    assert (other.status_code, set(other.json())) == (409, {"detail"})
    with acting_as(BY):
        assert Administration.objects.filter(client=clinic.ana, provenance="api").count() == 1
        assert AuditEvent.objects.filter(
            action="score entered", actor=f"user:{clinic.alice.public_id}"
        ).exists()


def test_a_score_that_cannot_be_is_refused_by_its_field(
    clinic: Clinic, rows: dict[str, dict[str, Any]], browser_of: Callable[[str], Browser]
) -> None:
    browser = browser_of("alice")
    good = {"episode": clinic.episodes["ana"].pk, "measure": "outcome-adult", "total": "22.5"}
    with acting_as(BY):
        emils = clinic.emil.respondents.get().pk
        before = Administration.objects.count()
    for change, field in (
        ({"total": "41"}, "total"),
        ({"total": "x"}, "total"),
        ({"total": None}, "total"),
        ({"measure": "no-such"}, "measure"),
        ({"episode": 10**17}, "episode"),
        ({"episode": clinic.episodes["emil"].pk}, "episode"),
        ({"session": clinic.sessions["emil"][0].pk}, "session"),
        ({"respondent": emils}, "respondent"),
        ({"not_taken": "asleep"}, "not_taken"),
        ({"taken_at": "0001-01-01T00:00:00+14:00"}, "taken_at"),
        ({"taken_at": "2999-01-01T00:00:00Z"}, "taken_at"),
        ({"taken_at": "yesterday"}, "taken_at"),
        ({"answers": {"no-such-item": 3}}, None),
    ):
        answer = send(browser, good | change)
        assert answer.status_code == 400, (change, answer.content)
        assert field is None or field in answer.json(), (change, answer.json())
    for body, field in (("[]", "non_field_errors"), ("{", "detail"), ('"x"', "non_field_errors")):
        answer = send(browser, body)
        assert (answer.status_code, field in answer.json()) == (400, True), body
    assert send(browser, good, "no-uuid").json().keys() == {"Idempotency-Key"}
    for who, status in (("ruth", 400), ("fred", 403), ("dora", 403), ("adam", 403)):
        assert send(browser_of(who), good).status_code == status, who
    with acting_as(BY):
        assert Administration.objects.count() == before


def test_another_form_of_body_or_answer_is_refused(browser_of: Callable[[str], Browser]) -> None:
    browser = browser_of("alice")
    assert browser.post("/api/v1/administrations/", {"total": 3}).status_code == 415
    page = browser.get("/api/v1/clients/", headers={"Accept": "text/html"})
    assert page.status_code == 406  # no browsable API
    assert page["Content-Type"].startswith("application/json")


def test_writing_needs_the_sites_own_form_token(
    clinic: Clinic, rows: dict[str, dict[str, Any]]
) -> None:
    """A session cookie alone, sent along by another site, writes nothing."""
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(clinic.alice)
    assert send(browser, {"episode": clinic.episodes["ana"].pk}).status_code == 403


# --- the description ----------------------------------------------------------------------------


def test_the_schema_is_valid_whole_and_silent(tmp_path: Any) -> None:
    """drf-spectacular has no warning, and every route stands in the document."""
    file = tmp_path / "schema.json"
    call_command("spectacular", validate=True, fail_on_warn=True, format="openapi-json",
                 file=str(file))  # fmt: skip
    schema = json.loads(file.read_text())
    for kind in KINDS:
        lookup = "code" if kind == "clients" else "id"
        assert set(schema["paths"][f"/api/v1/{kind}/{{{lookup}}}/"]) == {"get"}
        listing = schema["paths"][f"/api/v1/{kind}/"]["get"]
        offered = {p["name"] for p in listing["parameters"]}
        viewset = next(v for prefix, v, _name in router.registry if prefix == kind)
        assert offered == {"limit", "offset", *(f.name for f in viewset.offered)}
        assert {"200", "400", "403"} <= set(listing["responses"])
    written = schema["paths"]["/api/v1/administrations/"]["post"]
    assert set(written["responses"]) == {"200", "201", "400", "401", "403", "406", "409", "415"}
    assert schema["components"]["schemas"].keys() >= {"Detail", "Problems", "NewAdministration"}


def test_an_answer_has_the_fields_that_the_schema_says(
    rows: dict[str, dict[str, Any]], browser_of: Callable[[str], Browser]
) -> None:
    browser = browser_of("alice")
    schema = browser.get(
        reverse("api_schema"), headers={"Accept": "application/vnd.oai.openapi+json"}
    ).json()
    for kind in KINDS:
        row = browser.get(f"/api/v1/{kind}/").json()["results"][0]
        path = next(p for p in schema["paths"] if p.startswith(f"/api/v1/{kind}/{{"))
        answer = schema["paths"][path]["get"]["responses"]["200"]
        name = answer["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        described = schema["components"]["schemas"][name]
        assert set(row) == set(described["properties"]), kind
        for field, value in row.items():
            rule = described["properties"][field]
            assert value is not None or rule.get("nullable"), (kind, field)


EXAMPLES = hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=5), st.integers()),
)  # fmt: skip
FIELDS = (
    "episode",
    "session",
    "respondent",
    "measure",
    "answers",
    "total",
    "not_taken",
    "taken_at",
)


@EXAMPLES
@given(body=st.dictionaries(st.sampled_from(FIELDS), ANYTHING), sane=st.booleans())
def test_no_body_brings_the_server_down(
    clinic: Clinic, rows: Any, browser_of: Any, body: dict[str, Any], sane: bool
) -> None:
    start = {"episode": clinic.episodes["ana"].pk, "measure": "outcome-adult"} if sane else {}
    assert send(browser_of("alice"), start | body).status_code in (200, 201, 400)


@EXAMPLES
@given(
    kind=st.sampled_from(KINDS),
    name=st.text(max_size=8),
    value=st.text(max_size=30),
    data=st.data(),
)
def test_no_filter_brings_the_server_down(
    browser_of: Any, kind: str, name: str, value: str, data: Any
) -> None:
    viewset = next(v for prefix, v, _name in router.registry if prefix == kind)
    browser = browser_of("alice")
    for known in (name, data.draw(st.sampled_from([*PAGING, *(f.name for f in viewset.offered)]))):
        answer = browser.get(f"/api/v1/{kind}/", {known: value})
        assert answer.status_code in (200, 400), (known, value)


def test_the_api_never_reads_an_identity(
    clinic: Clinic, rows: Any, browser_of: Callable[[str], Browser]
) -> None:
    """It answers for clients whose keys are gone just the same."""
    with acting_as(BY):
        ClientKey.objects.update(wrapped=b"", destroyed_at=clinic_time.now())
        assert Client.objects.get(pk=clinic.ana.pk).name == ""
    for kind in KINDS:
        assert browser_of("alice").get(f"/api/v1/{kind}/").status_code == 200
    assert settings.REST_FRAMEWORK["DEFAULT_RENDERER_CLASSES"] == [
        "rest_framework.renderers.JSONRenderer"
    ]
