"""Sign-in: the second factor by policy, sealed and asked; rest after wrong passwords."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.core.management import call_command
from django.test import Client as Browser

from sessions_app import actions, lock_out, second_factor
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Installation
from tests.cast import BY, PASSWORD, Clinic


@pytest.fixture(autouse=True)
def _asked(settings: Any) -> None:
    settings.SECOND_FACTORS = True


def code_of(secret: str) -> str:
    """The app's code now; at a half minute's very end, the next one's."""
    left = app_settings.TOTP_PERIOD - time.time() % app_settings.TOTP_PERIOD
    if left < 3:
        time.sleep(left)
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(secret, counter))


def sign_in(browser: Browser, name: str = "alice", password: str = PASSWORD, **extra: Any) -> Any:
    return browser.post(
        "/sign-in/", {"username": f"{name}@clinic.example", "password": password}, **extra
    )


def set_up(browser: Browser) -> str:
    """Go the way of a person who was told to: the app's secret."""
    page = browser.get("/second-factor/app/", follow=True).content.decode()
    secret = re.search(r'<code class="wrap">(\w+)</code>', page)[1]
    done = browser.post("/second-factor/app/", {"code": code_of(secret)})
    assert done["Location"] == "/second-factor/codes/", done.content.decode()
    return secret


@pytest.fixture
def secret(clinic: Clinic) -> str:
    """Alice has set up an app; she isn't signed in."""
    browser = Browser()
    sign_in(browser)
    return set_up(browser)


def events(action: str) -> list[str]:
    with acting_as(BY):
        return list(AuditEvent.objects.filter(action=action).values_list("actor", flat=True))


def test_who_must_have_a_second_factor_is_led_to_it_first(clinic: Clinic) -> None:
    alice = Browser()
    sign_in(alice)
    assert alice.get("/today/")["Location"] == "/second-factor/"
    assert alice.get("/api/v1/clients/").status_code == 403
    set_up(alice)
    assert alice.get("/today/").status_code == 200
    assert alice.get("/api/v1/clients/").status_code == 200


def test_the_policy_says_of_whom_it_is_asked(clinic: Clinic) -> None:
    with acting_as(BY):
        actions.set_policy(key="second_factor_clinician", value=False, by=BY)
    alice, adam = Browser(), Browser()
    sign_in(alice)
    sign_in(adam, "adam")
    assert alice.get("/today/").status_code == 200
    assert adam.get("/people/")["Location"] == "/second-factor/"


def test_a_demo_on_loopback_waives_it_and_no_other_settings_do(
    clinic: Clinic, settings: Any
) -> None:
    with acting_as(BY):
        Installation.objects.update_or_create(id=1, defaults={"demo": True})
    alice = Browser()
    sign_in(alice)
    assert alice.get("/today/").status_code == 302
    settings.IS_LOCAL = True
    assert alice.get("/today/").status_code == 200


def test_the_password_alone_opens_nothing_once_a_factor_is_set_up(secret: str) -> None:
    alice = Browser()
    assert sign_in(alice)["Location"] == "/sign-in/second-factor/"
    assert alice.get("/today/")["Location"].startswith("/sign-in/")
    wrong = alice.post("/sign-in/second-factor/", {"code": "000000"})
    assert wrong.status_code == 200
    assert b"wait for the next" in wrong.content
    assert alice.get("/today/")["Location"].startswith("/sign-in/")


def test_on_ones_own_device_it_is_asked_once_a_day(secret: str, clinic: Clinic) -> None:
    alice = Browser()
    sign_in(alice)
    there = alice.post("/sign-in/second-factor/", {"code": code_of(secret)})
    assert there["Location"] == "/sign-in/device/"
    assert alice.post("/sign-in/device/", {"action": "trust"})["Location"] == "/"
    assert alice.cookies["mfa_trusted"]["httponly"]
    assert alice.cookies["mfa_trusted"]["max-age"] == 24 * 3600
    assert "cookies" not in alice.post("/sign-out/")["Clear-Site-Data"]
    assert sign_in(alice)["Location"] == "/"
    # Taking off the factor ends what the device was trusted for, and her sessions.
    with acting_as(BY):
        actions.take_off_second_factor(user=clinic.alice, by=BY)
    assert alice.get("/today/")["Location"].startswith("/sign-in/")
    sign_in(alice)
    assert alice.get("/today/")["Location"] == "/second-factor/"


def test_a_recovery_code_opens_once(secret: str, clinic: Clinic) -> None:
    with acting_as(BY):
        codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    for expected in (302, 200):
        alice = Browser()
        sign_in(alice)
        answer = alice.post("/sign-in/second-factor/", {"code": codes[0]})
        assert answer.status_code == expected


def test_secrets_lie_sealed_and_a_rotation_takes_them_along(
    secret: str, settings: Any, capsys: Any
) -> None:
    with acting_as(BY):
        factor = Authenticator.objects.get(type="totp")
        assert secret not in str(factor.data)
        assert second_factor.unseal(factor.data["secret"]) == secret
    old = dict(settings.MASTER_KEYS)
    new = {"next": "bmV4dCBrZXkgZm9yIHRlc3RzLCBub3QgY2xpZW50cyE="}
    settings.MASTER_KEYS, settings.MASTER_KEY_ID = new | old, "next"
    call_command("rotate_keys")
    settings.MASTER_KEYS = new
    with acting_as(BY):
        assert second_factor.unseal(Authenticator.objects.get(type="totp").data["secret"]) == secret


def test_a_passkey_is_asked_of_this_site_alone(clinic: Clinic) -> None:
    alice = Browser()
    sign_in(alice)
    page = alice.get("/second-factor/passkeys/new/", headers={"host": "localhost"})
    assert page.status_code == 200
    assert b'"id": "localhost"' in page.content
    asked = Browser().get("/sign-in/passkey/", headers={"accept": "application/json"})
    assert asked.json()["request_options"]["publicKey"]["challenge"]


@pytest.mark.parametrize(
    "page",
    ["", "app/", "codes/", "codes/new/", "app/remove/", "passkeys/new/", "again/", "again/code/"],
)
def test_every_page_of_it_is_ours(page: str, secret: str, clinic: Clinic) -> None:
    alice = Browser()
    alice.force_login(clinic.alice)
    answer = alice.get(f"/second-factor/{page}", follow=True)
    assert answer.status_code == 200
    assert b"css/tokens.css" in answer.content


def test_nothing_of_allauth_is_reachable_that_is_not_wanted() -> None:
    for page in ("accounts/signup/", "signup/", "accounts/login/", "accounts/email/", "mfa/"):
        assert Browser().get(f"/{page}").status_code == 404


def test_ten_wrong_passwords_bring_rest_here_and_nowhere_else(
    clinic: Clinic, settings: Any, browser_of: Callable[[str], Browser]
) -> None:
    settings.SECOND_FACTORS = False
    here, elsewhere = Browser(), Browser(REMOTE_ADDR="192.0.2.7")
    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in(here, password="not this one at all")
    refused = sign_in(here)
    assert refused.status_code == 429
    assert b"15 minutes" in refused.content
    assert sign_in(here, "bob").status_code == 302, "a colleague behind the same address"
    assert sign_in(elsewhere).status_code == 302, "Alice herself, elsewhere"
    assert events("locked out")


def test_an_administrator_unlocks(
    clinic: Clinic, settings: Any, browser_of: Callable[[str], Browser]
) -> None:
    settings.SECOND_FACTORS = False
    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in(Browser(), password="not this one at all")
    assert sign_in(Browser()).status_code == 429
    assert browser_of("alice").post(f"/people/{clinic.alice.pk}/unlock/").status_code == 404
    assert browser_of("adam").post(f"/people/{clinic.alice.pk}/unlock/").status_code == 302
    assert sign_in(Browser()).status_code == 302
    assert events("account unlocked")


def test_the_name_typed_is_kept_as_a_hash_alone(clinic: Clinic) -> None:
    from axes.models import AccessAttempt

    Browser().post("/sign-in/", {"username": "my-password@x.example", "password": "wrong wrong"})
    with acting_as(BY):
        row = AccessAttempt.objects.get()
    assert row.username == lock_out.name_hash("my-password@x.example")
    assert "my-password" not in f"{row.post_data}{row.get_data}"


def test_the_page_of_factors_says_that_one_has_to_be_set_up_to_whom_it_is_asked_of(
    clinic: Clinic,
) -> None:
    alice = Browser()
    sign_in(alice)
    assert b"Your clinic asks a second factor" in alice.get("/second-factor/").content
    set_up(alice)
    assert b"Your clinic asks a second factor" not in alice.get("/second-factor/").content
    with acting_as(BY):
        actions.set_policy(key="second_factor_clinician", value=False, by=BY)
    bob = Browser()
    sign_in(bob, "bob")
    assert b"Your clinic asks a second factor" not in bob.get("/second-factor/").content
