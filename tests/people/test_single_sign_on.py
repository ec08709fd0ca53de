"""Single sign-on against a provider that speaks real HTTP and signs with a key of its own."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings as site_settings
from django.test import Client as Browser

from outcomes_site import environment
from sessions_app import actions, second_factor, single_sign_on
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent
from tests.cast import BY, PASSWORD, Clinic
from tests.openid_provider import CLIENT, SECRET, OpenIDProvider, running
from tests.people.test_presence import pause
from tests.people.test_second_factor import sign_in

ALICE = {"sub": "a-1", "email": "Alice@clinic.example", "email_verified": True}


@pytest.fixture(scope="module")
def server() -> Iterator[OpenIDProvider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(server: OpenIDProvider, settings: Any, monkeypatch: Any) -> OpenIDProvider:
    """Configured as a clinic would, and its person is Alice."""
    for name, value in (("ISSUER", server.issuer), ("CLIENT_ID", CLIENT), ("CLIENT_SECRET", SECRET),
                        ("NAME", "Clinic login"), ("SECOND_FACTOR_ACR", "phr")):  # fmt: skip
        monkeypatch.setenv(f"SSO_{name}", value)
    settings.SSO = environment.single_sign_on(plain_http=True)
    server.signs_with, server.claims, server.userinfo = server.key, dict(ALICE), {}
    server.description = {}
    single_sign_on._described.clear()
    return server


def there(address: str) -> str:
    """What the browser is told at the provider: the address it comes back to."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname, place.port)
    connection.request("GET", f"{place.path}?{place.query}")
    answer = connection.getresponse()
    connection.close()
    assert answer.status == 302
    return answer.headers["Location"]


def go(browser: Browser, to: str = "/caseload/") -> str:
    """Off to the provider and through it: the path back here, not yet opened."""
    back = urlsplit(there(browser.post("/sign-in/elsewhere/", {"next": to})["Location"]))
    assert f"{back.scheme}://{back.netloc}{back.path}" == (
        "http://testserver/sign-in/elsewhere/back/"
    )
    return f"{back.path}?{back.query}"


def come_by_it(browser: Browser, to: str = "/caseload/") -> Any:
    return browser.get(go(browser, to))


def events(action: str) -> list[dict[str, Any]]:
    with acting_as(BY):
        return list(
            AuditEvent.objects.filter(action=action).order_by("pk").values_list("detail", flat=True)
        )


def refused(answer: Any, why: str) -> None:
    assert answer.status_code in (403, 429), answer.content.decode()
    assert answer.context["why"] == why
    assert events("sign-in refused")[-1] == {"how": "single sign-on", "why": why}
    browser = answer.client
    assert browser.get("/caseload/")["Location"].startswith("/sign-in/")


def test_it_is_off_unless_the_settings_name_a_provider(clinic: Clinic) -> None:
    assert site_settings.SSO is None
    page = Browser().get("/sign-in/")
    assert b"/sign-in/elsewhere/" not in page.content
    assert "form-action 'self';" in page["Content-Security-Policy"]
    assert Browser().post("/sign-in/elsewhere/").status_code == 404
    assert Browser().get("/sign-in/elsewhere/back/?code=1&state=2").status_code == 404


def test_whoever_has_an_account_comes_in_by_it(provider: OpenIDProvider, clinic: Clinic) -> None:
    alice = Browser()
    page = alice.get("/sign-in/")
    assert b"Sign in with Clinic login" in page.content
    assert f"form-action 'self' {provider.issuer};" in page["Content-Security-Policy"]
    assert alice.get("/sign-in/elsewhere/").status_code == 405, "no other site begins it"
    answer = come_by_it(alice)
    assert answer["Location"] == "/caseload/"
    assert alice.get("/caseload/").status_code == 200
    assert provider.asked["scope"].split() in (["openid", "email"], ["email", "openid"])
    assert provider.asked["code_challenge_method"] == "S256"
    assert len(provider.asked["nonce"]) > 20
    assert events("signed in") == [{"how": "single sign-on"}]
    assert events("single sign-on linked") == [{"how": "address"}]
    with acting_as(BY):
        link = SocialAccount.objects.get()
    assert (link.user, link.uid, link.extra_data) == (clinic.alice, "a-1", {}), "nothing else kept"


def test_the_linked_number_counts_from_then_on_and_an_address_that_passes_on_opens_nothing(
    provider: OpenIDProvider, clinic: Clinic
) -> None:
    come_by_it(Browser())
    provider.claims |= {"email": "alice.new@elsewhere.example", "email_verified": False}
    assert come_by_it(Browser())["Location"] == "/caseload/"
    provider.claims = ALICE | {"sub": "another person's"}
    refused(come_by_it(Browser()), "linked otherwise")


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"email": "stranger@clinic.example"}, "unknown"),
        ({"email_verified": False}, "unverified"),
        ({"email_verified": "true"}, "unverified"),
        ({"email": None}, "unverified"),
    ],
)
def test_whoever_has_no_account_is_told_whom_to_ask(
    claims: dict[str, Any], why: str, provider: OpenIDProvider, clinic: Clinic
) -> None:
    provider.claims |= claims
    answer = come_by_it(Browser())
    refused(answer, why)
    assert b"Ask whoever looks after accounts" in answer.content
    assert b"a-1" in answer.content, "the number that an administrator can link"
    with acting_as(BY):
        assert not SocialAccount.objects.exists()


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another-site"},
        {"aud": [CLIENT, "another-site"]},
        {"azp": "another-site"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
    ],
)
def test_a_token_that_is_not_for_us_now_opens_nothing(
    claims: dict[str, Any], provider: OpenIDProvider, clinic: Clinic
) -> None:
    provider.claims |= claims
    refused(come_by_it(Browser()), "not signed")


def test_a_token_signed_by_another_key_opens_nothing(
    provider: OpenIDProvider, clinic: Clinic
) -> None:
    provider.signs_with = ec.generate_private_key(ec.SECP256R1())
    refused(come_by_it(Browser()), "not signed")


def test_a_wrong_nonce_state_or_browser_opens_nothing(
    provider: OpenIDProvider, clinic: Clinic
) -> None:
    provider.claims["nonce"] = "of another sign-in"
    refused(come_by_it(Browser()), "unasked")
    del provider.claims["nonce"]
    alice = Browser()
    place = go(alice)
    refused(Browser().get(place), "unasked")  # a link that somebody else began
    code = parse_qs(urlsplit(place).query)["code"][0]
    refused(alice.get(f"/sign-in/elsewhere/back/?code={code}&state=guessed"), "unasked")
    assert alice.get(place).status_code == 302
    alice.post("/sign-out/")
    refused(alice.get(place), "unasked")  # and nothing opens twice
    bob = Browser()
    refused(bob.get(go(bob).replace("code=", "code=x")), "no answer")
    refused(bob.get(go(bob).replace("iss=http", "iss=https")), "no answer")
    state = parse_qs(urlsplit(go(bob)).query)["state"][0]
    refused(bob.get(f"/sign-in/elsewhere/back/?error=access_denied&state={state}"), "turned down")


def test_a_closed_account_and_one_that_rests_are_refused(
    provider: OpenIDProvider, clinic: Clinic, settings: Any
) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in(Browser(), password="not this one at all")
    refused(come_by_it(Browser()), "waits")
    with acting_as(BY):
        actions.unlock_account(user=clinic.alice, by=BY)
    inside = Browser()
    assert come_by_it(inside).status_code == 302
    clinic.alice.is_active = False
    clinic.alice.save()
    refused(come_by_it(Browser()), "closed")
    assert inside.get("/caseload/").status_code == 302


def test_an_address_that_only_the_userinfo_tells_is_read_there(
    provider: OpenIDProvider, clinic: Clinic
) -> None:
    provider.claims = {"sub": "a-1"}
    provider.userinfo = ALICE | {"sub": "somebody else"}
    refused(come_by_it(Browser()), "unverified")
    provider.userinfo = dict(ALICE)
    assert come_by_it(Browser()).status_code == 302


@pytest.mark.parametrize(
    "description",
    [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": ""},
        {"jwks_uri": "http://[::1]:1/"},
    ],
)
def test_a_provider_that_is_away_or_another_is_said(
    description: dict[str, str], provider: OpenIDProvider, clinic: Clinic
) -> None:
    provider.description = description
    browser = Browser()
    answer = browser.post("/sign-in/elsewhere/", {"next": "/"})
    if answer.status_code == 302:  # found out on the way back
        back = urlsplit(there(answer["Location"]))
        answer = browser.get(f"{back.path}?{back.query}")
    assert answer.status_code == 503
    assert b"sign in with your password" in answer.content


def test_it_leads_back_to_this_site_alone(provider: OpenIDProvider, clinic: Clinic) -> None:
    assert come_by_it(Browser(), "https://elsewhere.example/")["Location"] == "/"


@pytest.mark.parametrize(
    ("counts", "claims", "opens"),
    [
        (False, {"amr": ["pwd", "mfa"]}, False),
        (True, {"amr": ["pwd"]}, False),
        (True, {"amr": "mfa"}, False),
        (True, {"amr": ["pwd", "mfa"]}, True),
        (True, {"acr": "phr"}, True),
    ],
)
def test_the_policy_says_whether_the_providers_second_factor_counts(
    counts: bool, claims: Any, opens: bool, provider: OpenIDProvider, clinic: Clinic, settings: Any
) -> None:
    settings.SECOND_FACTORS = True
    with acting_as(BY):
        actions.set_policy(key="provider_second_factor", value=counts, by=BY)
    provider.claims |= claims
    alice = Browser()
    assert come_by_it(alice)["Location"] == "/caseload/"
    page = alice.get("/caseload/")
    assert (page.status_code == 200) is opens
    # With a factor of her own, it is asked unless theirs counts.
    with acting_as(BY):
        Authenticator.objects.create(
            user=clinic.alice, type="totp", data={"secret": second_factor.seal("JBSWY3DPEHPK3PXP")}
        )
    other = Browser()
    come_by_it(other)
    assert (other.get("/caseload/").status_code == 200) is opens
    # Theirs counts for whoever showed it, and not for who signs in by password after them.
    other.post("/sign-out/")
    assert sign_in(other)["Location"] == "/sign-in/second-factor/"


def test_a_sign_in_that_rests_is_taken_up_there_and_what_was_typed_is_kept(
    provider: OpenIDProvider, clinic: Clinic, settings: Any
) -> None:
    settings.ASK_AGAIN = True
    alice = Browser()
    come_by_it(alice)
    place = f"/clients/{clinic.ana.code}/ending/"
    pause(alice, 20)
    page = alice.post(place, {"on": "the end of May"})
    assert page.status_code == 403
    assert b"Use Clinic login" in page.content
    sent = alice.post(place, {"on": "the end of May", "unlock_elsewhere": "1"})
    back = urlsplit(there(sent["Location"]))
    assert (provider.asked["prompt"], provider.asked["max_age"]) == ("login", "0")
    answer = alice.get(f"{back.path}?{back.query}")
    assert answer["Location"] == "/kept/"
    assert ("on", "the end of May") in alice.get("/kept/").context["form"].fields
    assert events("unlocked") == [{"how": "single sign-on"}]
    # It counts as shown anew where settings and exports ask.
    assert alice.post("/my-sign-ins/pin/", {"pin": "5083"}).status_code == 302


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"sub": "b-2", "email": "bob@clinic.example"}, "somebody else"),
        ({"auth_time": 1}, "not anew"),
        ({"auth_time": None}, "not anew"),
    ],
)
def test_only_the_same_person_asked_anew_takes_it_up(
    claims: dict[str, Any], why: str, provider: OpenIDProvider, clinic: Clinic
) -> None:
    alice = Browser()
    come_by_it(alice)
    pause(alice, 20)
    sent = alice.post("/unlock/", {"unlock_elsewhere": "1", "next": "/today/"})
    provider.claims |= claims
    back = urlsplit(there(sent["Location"]))
    answer = alice.get(f"{back.path}?{back.query}")
    assert answer.context["why"] == why
    assert alice.get("/today/").status_code == 403, "it rests on"


def test_a_silent_sign_in_is_no_showing_who_sits_there(
    provider: OpenIDProvider, clinic: Clinic, settings: Any
) -> None:
    settings.ASK_AGAIN = True
    provider.claims["auth_time"] = 1
    alice = Browser()
    come_by_it(alice)
    asked = alice.post("/my-sign-ins/pin/", {"pin": "5083"})
    assert asked.status_code == 403
    assert b"Use Clinic login" in asked.content


def test_signing_out_ends_it_there_too(
    provider: OpenIDProvider, clinic: Clinic, settings: Any
) -> None:
    alice = Browser()
    come_by_it(alice)
    answer = alice.post("/sign-out/")
    assert answer["Location"].startswith(f"{provider.issuer}/out?client_id={CLIENT}&post_logout")
    assert "storage" in answer["Clear-Site-Data"]
    assert alice.get("/today/").status_code == 302
    sign_in(alice)
    assert alice.post("/sign-out/")["Location"] == "/sign-in/", "who came by password stays here"
    settings.SSO = settings.SSO | {"sign_out": False}
    come_by_it(alice)
    assert alice.post("/sign-out/")["Location"] == "/sign-in/"


def test_an_administrator_links_a_number_and_takes_it_off(
    provider: OpenIDProvider, clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    adam, door = browser_of("adam"), f"/people/{clinic.alice.pk}/single-sign-on/"
    assert browser_of("alice").post(door, {"subject": "a-9"}).status_code == 404
    provider.claims = {"sub": "a-9"}
    refused(come_by_it(Browser()), "unverified")
    assert adam.post(door, {"subject": " a-9 "}).status_code == 302
    assert b'value="a-9"' in adam.get("/people/").content
    alice = Browser()
    assert come_by_it(alice)["Location"] == "/caseload/"
    taken = adam.post(f"/people/{clinic.bob.pk}/single-sign-on/", {"subject": "a-9"}, follow=True)
    assert b"Another account has this number" in taken.content
    own = adam.post(f"/people/{clinic.adam.pk}/single-sign-on/", {"subject": "x"}, follow=True)
    assert b"Another administrator links yours" in own.content
    adam.post(door, {"subject": ""})
    assert alice.get("/caseload/").status_code == 302
    refused(come_by_it(Browser()), "unverified")


def test_a_password_still_signs_in_beside_it(provider: OpenIDProvider, clinic: Clinic) -> None:
    alice = Browser()
    alice.post("/sign-in/", {"username": "alice@clinic.example", "password": PASSWORD})
    assert alice.get("/today/").status_code == 200
    assert events("signed in") == [{}]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SSO_CLIENT_ID": "x"}, "SSO_ISSUER: SSO_CLIENT_ID is set without it"),
        ({"SSO_ISSUER": "http://login.example.org"}, "has to begin with https"),
        ({"SSO_ISSUER": "https://login.example.org/?a=b"}, "isn't the address of a provider"),
        ({"SSO_ISSUER": "https://login.example.org"}, "SSO_CLIENT_ID: is not set"),
        ({"SSO_ISSUER": "https://login.example.org", "SSO_CLIENT_ID": "x"}, "SSO_CLIENT_SECRET"),
        ({"SSO_ISSUER": "https://login.example.org", "SSO_ORIGINS": "'self' *"}, "SSO_ORIGINS"),
    ],
)
def test_a_mistake_in_its_settings_is_said(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(environment.SettingsError, match=said):
        environment.single_sign_on(plain_http=False)


def test_addresses_without_tls_are_refused_in_production(
    provider: OpenIDProvider, settings: Any
) -> None:
    settings.SSO = settings.SSO | {"plain_http": False}
    with pytest.raises(single_sign_on.Away, match="without https"):
        single_sign_on.description()


def test_whoever_is_known_there_alone_is_asked_there_before_a_factor_is_added(
    provider: OpenIDProvider, clinic: Clinic, settings: Any
) -> None:
    settings.ASK_AGAIN = True
    clinic.alice.set_unusable_password()
    clinic.alice.save()
    provider.claims["auth_time"] = 1  # signed in there this morning: anybody may sit here now
    alice = Browser()
    come_by_it(alice)
    away = alice.post("/second-factor/passkeys/new/", {"name": "mine"})
    provider.claims.pop("auth_time")
    back = urlsplit(there(away["Location"]))
    assert provider.asked["prompt"] == "login"
    answer = alice.get(f"{back.path}?{back.query}")
    assert answer["Location"] == "/second-factor/passkeys/new/"
    assert alice.get(answer["Location"], headers={"host": "localhost"}).status_code == 200


def test_whoever_has_a_password_too_may_be_asked_there_instead(
    provider: OpenIDProvider, clinic: Clinic
) -> None:
    alice = Browser()
    come_by_it(alice)
    asked = alice.get("/second-factor/app/", follow=True)
    assert b"Is it still you?" in asked.content
    way = "/second-factor/again/elsewhere/?next=%2Fsecond-factor%2Fapp%2F"
    assert f'href="{way}"' in asked.content.decode()
    back = urlsplit(there(alice.get(way)["Location"]))
    assert alice.get(f"{back.path}?{back.query}")["Location"] == "/second-factor/app/"
    assert b"Authenticator code" in alice.get("/second-factor/app/").content
