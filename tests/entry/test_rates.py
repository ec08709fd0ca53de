"""Doors that open by a token: tried too often they ask for patience, and lock no clinic out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache.backends.redis import RedisCache
from django.test import Client as Browser
from django.test import RequestFactory

from measures_app import measures
from sessions_app import actions, clinic_time, rates
from sessions_app.context import acting_as
from tests.cast import BY, Clinic

SOME_MOMENT = 1_800_000_100.0  # a hundred seconds into a stretch of ten minutes


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "now", lambda: SOME_MOMENT)


@pytest.fixture
def link(clinic: Clinic) -> str:
    with acting_as(BY):
        measures.sync_library()
        soon = clinic_time.now() + timedelta(hours=1)
        session = actions.book_session(episode=clinic.episodes["ana"], starts_at=soon, by=BY)
        person = clinic.ana.respondents.get(relation="self")
        _link, token = actions.make_link(session=session, respondent=person, by=clinic.alice)
    return f"/m/{token}/"


def test_unknown_links_bring_rest_while_a_known_one_opens_behind_the_same_address(
    link: str,
) -> None:
    phone = Browser(headers={"accept-language": "es"})
    for n in range(rates.UNKNOWN_TOKENS.times):
        assert phone.get(f"/m/made-up-{n}/").status_code == 404
    refused = phone.get("/m/made-up/")
    assert refused.status_code == 429
    assert refused["Retry-After"] == "500"
    assert "Espere diez minutos" in refused.content.decode()
    assert phone.get(link).status_code == 200, "the clinic isn't locked out"
    assert Browser(REMOTE_ADDR="192.0.2.9").get("/m/made-up/").status_code == 404


def test_the_rest_is_over_with_the_stretch(monkeypatch: pytest.MonkeyPatch, db: Any) -> None:
    for n in range(rates.UNKNOWN_TOKENS.times + 1):
        last = Browser().get(f"/m/made-up-{n}/").status_code
    assert last == 429
    monkeypatch.setattr(rates, "now", lambda: SOME_MOMENT + 500)
    assert Browser().get("/m/made-up/").status_code == 404


def test_a_link_has_a_count_of_its_own(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "ONE_LINK", rates.Limit("link", 3, 600))
    assert [Browser().get(link).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = Browser(REMOTE_ADDR="192.0.2.9").post(link, {})
    assert refused.status_code == 429, "from wherever it is opened"


@pytest.mark.parametrize("door", ["/first-administrator/x/", "/welcome/Mw/x-y/"])
def test_tokens_of_people_are_counted_too(door: str, db: Any) -> None:
    found = {Browser().get(door).status_code for _ in range(rates.UNKNOWN_TOKENS.times)}
    assert found <= {200, 404}
    assert Browser().get(door).status_code == 429


def test_codes_on_paper_are_counted_by_person(
    clinic: Clinic, browser_of: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "UNKNOWN_CODES", rates.Limit("code", 3, 600))
    alice = browser_of("alice")
    tried = [alice.post("/sessions/by-code/", {"code": "00000-0"}).status_code for _ in range(4)]
    assert tried == [422, 422, 422, 429]
    assert browser_of("bob").post("/sessions/by-code/", {"code": "0"}).status_code == 422


def test_unknown_keys_are_counted_and_a_known_one_opens(clinic: Clinic) -> None:
    with acting_as(clinic.alice):
        _key, text = actions.make_key(name="Records", days=9, may_write=False, by=clinic.alice)
    wrong = {"authorization": "Bearer oc_aaaaaaaa_" + "x" * 43}
    for _ in range(rates.UNKNOWN_KEYS.times):
        assert Browser().get("/api/v1/clients/", headers=wrong).status_code == 401
    refused = Browser().get("/api/v1/clients/", headers=wrong)
    assert (refused.status_code, refused["Retry-After"]) == (429, "500")
    right = {"authorization": f"Bearer {text}"}
    assert Browser().get("/api/v1/clients/", headers=right).status_code == 200


@pytest.fixture
def two_workers(settings: Any) -> Iterator[list[RedisCache]]:
    prefix = f"{settings.BROKER_PREFIX}rates-{time.time()}"
    caches = [RedisCache(settings.REDIS_URL, {"KEY_PREFIX": prefix}) for _ in range(2)]
    yield caches
    for cache in caches:
        cache.close()


def test_workers_count_together(
    two_workers: list[RedisCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, found = rates.Limit("together", 4, 600), []
    for n in range(6):
        monkeypatch.setattr(rates, "cache", two_workers[n % 2])
        found.append(rates.wait_for(limit, "192.0.2.1"))
    assert found == [0, 0, 0, 0, 500, 500]
    assert rates.wait_for(limit, "192.0.2.2") == 0


def test_without_a_store_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "cache", RedisCache("redis://127.0.0.1:1/0", {}))
    assert rates.wait_for(rates.Limit("away", 0, 600), "192.0.2.1") == 0


@pytest.mark.parametrize(
    ("proxies", "remote", "passed", "whose"),
    [
        (0, "192.0.2.1", "203.0.113.5", "192.0.2.1"),
        (1, "10.0.0.1", "198.51.100.9, 203.0.113.5", "203.0.113.5"),
        (2, "10.0.0.1", "198.51.100.9, 203.0.113.5, 10.0.0.2", "203.0.113.5"),
        (2, "10.0.0.1", "203.0.113.5", "10.0.0.1"),
        (0, "2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::"),
        (0, "", "", "unknown"),
    ],
)
def test_an_address_is_what_our_own_proxies_saw(
    proxies: int, remote: str, passed: str, whose: str, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory(headers={"x-forwarded-for": passed}).get("/", REMOTE_ADDR=remote)
    assert rates.address_of(request) == whose
