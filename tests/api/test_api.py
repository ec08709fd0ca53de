"""`/api/v1/`: the pages' scope, written again as JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.test import Client as Browser
from rest_framework.routers import SimpleRouter

from measures_app import actions as measure_actions
from measures_app import flagging, measures
from measures_app.api.urls import router
from measures_app.models import Administration, Flag
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Client, ClientKey
from tests.api import KINDS
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
