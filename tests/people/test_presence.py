"""A sign-in rests after a pause, is taken up at the same page, is asked again, and ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import check_password
from django.test import Client as Browser
from django.urls import get_resolver

from sessions_app import actions, live_sign_ins, presence
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, User
from tests.cast import BY, PASSWORD, Clinic
from tests.people.test_second_factor import set_up, sign_in

PIN = "5083"


def pause(browser: Browser, minutes: float) -> None:
    """So long ago was the last sign of somebody; the sign-in began before it."""
    browser.get("/presence/")
    session = browser.session
    here = session[presence.HERE]
    session[presence.HERE] = here | {
        "seen": here["seen"] - minutes * 60,
        "began": here["began"] - minutes * 60,
    }
    session.save()


@pytest.fixture
def alice(clinic: Clinic, browser_of: Callable[[str], Browser]) -> Browser:
    with acting_as(BY):
        actions.set_unlock_pin(user=clinic.alice, pin=PIN, by=clinic.alice)
    return browser_of("alice")


def test_a_pause_lets_the_sign_in_rest_and_the_pin_brings_the_page_back(alice: Browser) -> None:
    pause(alice, 14)
    assert alice.get("/caseload/").status_code == 200
    pause(alice, 16)
    page = alice.get("/caseload/")
    assert page.status_code == 403
    assert b"unlock_with" in page.content
    assert b"Oliveira" not in page.content
    assert alice.get("/today/").status_code == 403, "it rests, and goes on resting"
    back = alice.post("/unlock/", {"unlock_with": PIN, "next": "/caseload/"})
    assert back["Location"] == "/caseload/"
    assert alice.get("/caseload/").status_code == 200


@pytest.mark.parametrize("shown", [PIN, PASSWORD])
def test_what_was_typed_is_kept_and_sent_on(shown: str, alice: Browser, clinic: Clinic) -> None:
    place = f"/clients/{clinic.ana.code}/ending/"
    typed = {"ending": "agreed", "on": "the end of <May>"}
    pause(alice, 60)
    page = alice.post(place, typed)
    assert page.status_code == 403
    assert f'action="{place}"' in page.content.decode()
    assert 'name="on" value="the end of &lt;May&gt;"' in page.content.decode()
    wrong = alice.post(place, typed | {"unlock_with": "4711"})
    assert wrong.status_code == 422
    assert b"4 tries are left" in wrong.content
    assert b"the end of &lt;May&gt;" in wrong.content
    there = alice.post(place, typed | {"unlock_with": shown})
    assert there.status_code == 422, "the form's own answer: that is no day"
    assert b"the end of &lt;May&gt;" in there.content
    assert shown.encode() not in there.content


def test_five_wrong_tries_end_the_sign_in(alice: Browser, clinic: Clinic) -> None:
    pause(alice, 60)
    for _ in range(presence.TRIES - 1):
        assert alice.post("/unlock/", {"unlock_with": "4711"}).status_code == 422
    assert alice.post("/unlock/", {"unlock_with": "4711"})["Location"].startswith("/sign-in/")
    assert alice.post("/unlock/", {"unlock_with": PIN})["Location"].startswith("/sign-in/")
    with acting_as(BY):
        assert AuditEvent.objects.filter(action="unlock refused").count() == presence.TRIES


def test_a_sign_in_ends_after_its_hours_however_busy(alice: Browser) -> None:
    pause(alice, 12 * 60 - 1)
    alice.post("/unlock/", {"unlock_with": PIN})
    assert alice.get("/today/").status_code == 200
    pause(alice, 2)
    assert alice.get("/today/")["Location"].startswith("/sign-in/")


def test_the_strictest_of_a_persons_roles_counts_and_a_policy_holds_at_once(
    alice: Browser, clinic: Clinic
) -> None:
    with acting_as(BY):
        assert presence.limits_of(clinic.alice) == (900, 12 * 3600)
        actions.grant_role(user=clinic.alice, role="administrator", by=BY)
        again = User.objects.get(pk=clinic.alice.pk)
        assert presence.limits_of(again) == (600, 8 * 3600)
        actions.set_policy(key="idle_minutes_clinician", value=2, by=BY)
    pause(alice, 1)
    alice.get("/today/")  # reads the policy anew
    pause(alice, 3)
    assert alice.get("/today/").status_code == 403


def test_a_page_that_asks_by_itself_keeps_nobody_there(alice: Browser) -> None:
    for _ in range(3):
        pause(alice, 6)
        answer = alice.get("/presence/", headers={"accept": "application/json"})
    assert answer.json()["rests"] is True
    assert alice.get("/today/").status_code == 403


def test_typing_keeps_somebody_there(alice: Browser) -> None:
    for _ in range(3):
        pause(alice, 6)
        assert alice.post("/presence/").json()["rests_in"] > 890
    assert alice.get("/today/").status_code == 200


def test_locking_waits_at_the_same_page_and_the_api_waits_too(alice: Browser) -> None:
    assert alice.post("/lock/", {"next": "/caseload/"})["Location"] == "/caseload/"
    assert alice.get("/caseload/").status_code == 403
    answer = alice.get("/api/v1/clients/")
    assert answer.status_code == 403
    assert "rests" in answer.json()["detail"]
    assert alice.post("/unlock/", {"unlock_with": PIN, "next": "//elsewhere.example"})[
        "Location"
    ] == ("/")


def test_a_pin_is_for_ones_own_devices(clinic: Clinic, settings: Any) -> None:
    """Where a second factor is asked, the PIN works on a device that was said to be one's own."""
    settings.SECOND_FACTORS = True
    alice = Browser()
    sign_in(alice)
    set_up(alice)
    with acting_as(BY):
        codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
        actions.set_unlock_pin(user=clinic.alice, pin=PIN, by=clinic.alice)
    for code, trusts, status in ((codes[0], "", 422), (codes[1], "trust", 302)):
        browser = Browser()
        sign_in(browser)
        browser.post("/sign-in/second-factor/", {"code": code})
        browser.post("/sign-in/device/", {"action": trusts})
        pause(browser, 20)
        assert browser.get("/today/").status_code == 403
        assert browser.post("/unlock/", {"unlock_with": PIN}).status_code == status, trusts
    pause(browser, 20)
    with acting_as(BY):
        actions.take_off_second_factor(user=clinic.alice, by=BY)
    assert not User.objects.get(pk=clinic.alice.pk).unlock_pin


@pytest.mark.parametrize("pin", ["123", "1111", "12345", "987654", "abcd", "123456789"])
def test_a_pin_that_is_guessed_at_once_is_refused(pin: str, alice: Browser) -> None:
    assert alice.post("/my-sign-ins/pin/", {"pin": pin}).status_code == 422
    with acting_as(BY):
        kept = User.objects.get(email="alice@clinic.example").unlock_pin
    assert not check_password(pin, kept)


def test_my_sign_ins_are_listed_and_ended_and_nobody_elses(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    here = Browser(headers={"user-agent": "Mozilla/5.0 (X11; Linux) Firefox/130.0"})
    here.force_login(clinic.alice)
    there, bob = browser_of("alice"), browser_of("bob")
    page = here.get("/my-sign-ins/").content.decode()
    assert there.session.session_key not in page
    bobs = live_sign_ins.handle_of(bob.session.session_key)
    assert bobs not in page
    here.post("/my-sign-ins/end/", {"handle": bobs})
    assert bob.get("/today/").status_code == 200
    here.post("/my-sign-ins/end/", {"handle": live_sign_ins.handle_of(there.session.session_key)})
    assert there.get("/today/").status_code == 302
    assert here.get("/today/").status_code == 200


def test_an_administrator_ends_a_persons_sign_ins(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    alice, adam, bob = browser_of("alice"), browser_of("adam"), browser_of("bob")
    door = f"/people/{clinic.alice.pk}/sign-ins/"
    assert bob.get(door).status_code == 404
    assert live_sign_ins.handle_of(alice.session.session_key) in adam.get(door).content.decode()
    assert bob.post(door, {}).status_code == 404
    assert alice.get("/today/").status_code == 200
    adam.post(door, {})
    assert alice.get("/today/").status_code == 302


def test_settings_and_exports_ask_again_and_keep_what_was_typed(
    clinic: Clinic, browser_of: Callable[[str], Browser], settings: Any
) -> None:
    settings.ASK_AGAIN = True
    adam, dora = browser_of("adam"), browser_of("dora")
    typed = {"form": "place", "kind": "site", "name": "East"}
    page = adam.post("/settings/", typed)
    assert page.status_code == 403
    assert b'name="name" value="East"' in page.content
    assert adam.get("/settings/").status_code == 200, "looking asks nothing"
    assert adam.post("/settings/", typed | {"unlock_with": PASSWORD, "again": 1}).status_code == 302
    assert b"East" in adam.get("/settings/").content
    assert adam.post("/settings/", typed | {"name": "West"}).status_code == 302, "for some minutes"
    export = dora.get("/reports/2026-10/csv/")
    assert export.status_code == 403
    back = dora.post("/unlock/", {"unlock_with": PASSWORD, "next": "/reports/2026-10/csv/"})
    assert dora.get(back["Location"])["Content-Type"].startswith("text/csv")


def test_every_door_of_settings_and_exports_asks_again() -> None:
    doors = {
        pattern.name: getattr(pattern.callback, "asks_again", ())
        for resolver in get_resolver().url_patterns
        for pattern in getattr(resolver, "url_patterns", [resolver])
    }
    for name in ("settings", "safety", "people", "invitation", "account_unlock", "factor_reset",
                 "account_close", "account_open", "role_give", "grant_end", "keys", "key_revoke",
                 "sign_ins_of", "unlock_pin"):  # fmt: skip
        assert doors[name] == ("POST",), name
    for name in ("report_download", "report_edition"):
        assert doors[name] == ("GET",), name
