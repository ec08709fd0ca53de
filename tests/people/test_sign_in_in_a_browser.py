"""Signing in and coming back in a real browser: passkeys, a kept form, single sign-on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore

from outcomes_site import environment
from sessions_app import presence
from sessions_app.context import acting_as
from tests.browsers import OpenPage, broken_rules
from tests.cast import BY, PASSWORD, Clinic, build
from tests.openid_provider import CLIENT, SECRET, OpenIDProvider, running

pytestmark = [pytest.mark.browser, pytest.mark.processes]

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def site(live_site: str) -> tuple[str, Clinic]:
    with acting_as(BY):
        return live_site, build()


@pytest.fixture
def page(site: Any, open_page: OpenPage, settings: Any) -> Any:
    """A browser on a machine with a fingerprint reader; nobody is signed in."""
    settings.SECOND_FACTORS = True
    opened = open_page()
    opened.set_default_timeout(10_000)
    return opened


def reader_of(page: Any) -> tuple[Any, str]:
    """The page's own authenticator: what it is driven by, and its id."""
    driver = page.context.new_cdp_session(page)
    driver.send("WebAuthn.enable")
    made = driver.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    return driver, made["authenticatorId"]


def sign_in(page: Any, url: str, name: str = "alice") -> None:
    if "/sign-in/" not in page.url:
        page.goto(f"{url}/sign-in/")
    page.fill("[name=username]", f"{name}@clinic.example")
    page.fill("[name=password]", PASSWORD)
    page.click("form:has([name=password]) button[type=submit]")
    page.wait_for_url(lambda there: "/sign-in/" not in there)


def change(page: Any, **here: Any) -> None:
    """Put back the clock of the page's own sign-in, as if hours had gone by."""
    cookie = next(c for c in page.context.cookies() if c["name"] == "sessionid")
    session = SessionStore(cookie["value"])
    known = session[presence.HERE]
    session[presence.HERE] = known | {name: known[name] - by for name, by in here.items()}
    session.save()


def test_a_passkey_is_added_signs_in_and_takes_up_a_sign_in_that_rests(
    site: Any, page: Any, settings: Any
) -> None:
    url, clinic = site
    driver, reader = reader_of(page)
    sign_in(page, url)
    assert page.url == f"{url}/second-factor/", "nothing else opens before one is set up"
    page.click("text=Add a passkey")
    assert not broken_rules(page)
    page.click("#passkey_add")
    page.wait_for_selector("code, .log li")
    assert len(driver.send("WebAuthn.getCredentials", {"authenticatorId": reader})["credentials"])
    page.goto(f"{url}/today/")
    page.click("form[action='/sign-out/'] button")

    # Without name and password.
    page.goto(f"{url}/sign-in/")
    page.click("#passkey_button")
    page.wait_for_url(lambda there: "/sign-in/" not in there)
    ending = f"{url}/clients/{clinic.ana.code}/ending/"
    assert page.goto(ending).status == 200

    # The page was covered: the passkey uncovers it, with what was typed.
    page.fill("[name=on]", "2026-01-31")
    page.click("[data-lock] button")
    page.wait_for_selector("#resting[open] [data-passkey]:not([hidden])")
    page.click("[data-passkey]")
    page.wait_for_selector("#resting:not([open])", state="attached")
    assert page.input_value("[name=on]") == "2026-01-31"

    # A page that was asked for while it rested: the passkey opens that page.
    page.click("[data-lock] button")
    page.wait_for_selector("#resting[open]")
    assert page.goto(f"{url}/caseload/").status == 403
    page.click("#passkey_button")
    page.wait_for_selector("h1:not(:has-text('Still you'))")
    assert page.url == f"{url}/caseload/"
    assert "Ana Oliveira" in page.content()

    # Another reader's keys open nothing.
    driver.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": reader})
    reader_of(page)
    page.click("[data-lock] button")
    page.wait_for_selector("#resting[open] [data-passkey]:not([hidden])")
    page.click("[data-passkey]")
    page.wait_for_timeout(300)
    assert page.locator("#resting[open]").count() == 1


def test_what_was_typed_when_the_sign_in_was_over_is_sent_on_by_the_same_person(
    site: Any, page: Any, settings: Any
) -> None:
    settings.SECOND_FACTORS = False
    url, clinic = site
    sign_in(page, url, "bob")
    page.goto(f"{url}/clients/{clinic.boris.code}/ending/")
    page.fill("[name=on]", "2026-01-31")
    change(page, began=13 * 3600)
    # The page looks by itself: it is covered, and left for nothing.
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector("#resting[open] [data-over]:not([hidden])")
    assert not broken_rules(page)
    page.click("[data-over] button")
    page.wait_for_url(lambda there: "/sign-in/" in there)
    assert page.get_by_text("What you typed is kept for you alone").is_visible()
    assert "2026-01-31" not in page.content()
    sign_in(page, url, "bob")
    assert page.url == f"{url}/kept/"
    assert not broken_rules(page)
    page.click("text=Send it on")
    page.wait_for_selector("[name=on]")
    assert page.input_value("[name=on]") == "2026-01-31", "the form's own page, with what was typed"


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIDProvider]:
    with running() as started:
        yield started


def test_single_sign_on_leads_there_and_back_under_the_strict_policy(
    site: Any, page: Any, provider: OpenIDProvider, settings: Any, monkeypatch: Any
) -> None:
    settings.SECOND_FACTORS = False
    url, clinic = site
    for name, value in (("ISSUER", provider.issuer), ("CLIENT_ID", CLIENT),
                        ("CLIENT_SECRET", SECRET), ("NAME", "Clinic login")):  # fmt: skip
        monkeypatch.setenv(f"SSO_{name}", value)
    settings.SSO = environment.single_sign_on(plain_http=True)
    provider.claims = {"sub": "b-1", "email": "bob@clinic.example", "email_verified": True}
    page.goto(f"{url}/caseload/")
    assert not broken_rules(page)
    page.click("text=Sign in with Clinic login")
    page.wait_for_url(f"{url}/caseload/")
    assert "Bob Birch" in page.content()

    # A pause: what was typed goes along, is kept sealed meanwhile, and is there afterwards.
    page.goto(f"{url}/clients/{clinic.boris.code}/ending/")
    page.fill("[name=on]", "2026-01-31")
    page.click("[data-lock] button")
    page.click("#resting [data-elsewhere]")
    page.wait_for_url(f"{url}/kept/")
    page.click("text=Send it on")
    page.wait_for_selector("[name=on]")
    assert page.input_value("[name=on]") == "2026-01-31"

    provider.claims["sub"] = "another"
    page.click("form[action='/sign-out/'] button")
    page.wait_for_url(lambda there: there.startswith(f"{provider.issuer}/out?"))
    page.goto(f"{url}/sign-in/")
    page.click("text=Sign in with Clinic login")
    page.wait_for_selector("text=belongs to another number")
    assert not broken_rules(page)
