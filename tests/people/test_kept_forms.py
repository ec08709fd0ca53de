"""What was typed when a sign-in was over waits sealed, for the same person, for minutes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client as Browser

from sessions_app import actions, kept_forms
from sessions_app.context import acting_as
from tests.cast import BY, Clinic
from tests.people.test_presence import pause
from tests.people.test_second_factor import sign_in

TYPED = {"ending": "agreed", "on": "the end of <May>", "note": ["she slept", "and ate"]}


@pytest.fixture
def place(clinic: Clinic) -> str:
    return f"/clients/{clinic.ana.code}/ending/"


@pytest.fixture
def alice(clinic: Clinic, browser_of: Callable[[str], Browser]) -> Browser:
    """Her sign-in's hours are over."""
    browser = browser_of("alice")
    pause(browser, 13 * 60)
    return browser


def fields_of(page: Any) -> list[tuple[str, str]]:
    return page.context["form"].fields


def test_a_form_sent_after_the_hours_are_over_is_sent_on_after_signing_in(
    alice: Browser, place: str
) -> None:
    answer = alice.post(place, TYPED)
    assert answer["Location"] == "/sign-in/?next=/kept/"
    assert b"What you typed is kept for you alone" in alice.get(answer["Location"]).content
    assert b"she slept" not in alice.get(answer["Location"]).content
    there = alice.post(
        "/sign-in/",
        {"username": "alice@clinic.example", "password": "a long enough pass phrase",
         "next": "/kept/"},
    )  # fmt: skip
    assert there["Location"] == "/kept/"
    page = alice.get("/kept/")
    assert f'action="{place}"' in page.content.decode()
    assert b"the end of &lt;May&gt;" in page.content
    assert fields_of(page) == [("ending", "agreed"), ("on", TYPED["on"]), ("note", "she slept"),
                               ("note", "and ate")]  # fmt: skip
    sent = alice.post(place, dict(fields_of(page)) | {kept_forms.SENT_ON: "1"})
    assert sent.status_code == 422, "the form's own answer: that is no day"
    assert b"the end of &lt;May&gt;" in sent.content
    assert alice.get("/kept/")["Location"] == "/", "it was sent on, and is kept no longer"


def test_a_form_sent_after_a_page_noticed_the_end_by_itself_is_kept_too(
    alice: Browser, place: str
) -> None:
    noticed = alice.get("/presence/", headers={"accept": "application/json"})
    assert noticed.json()["over"] is True
    assert alice.post("/lock/", {"next": "/"})["Location"].startswith("/sign-in/?next=/lock")
    assert alice.post(place, TYPED)["Location"] == "/sign-in/?next=/kept/"
    sign_in(alice)
    assert fields_of(alice.get("/kept/"))


def test_nobody_else_gets_it_and_it_is_gone_then(alice: Browser, place: str) -> None:
    alice.post(place, TYPED)
    sign_in(alice, "bob")
    assert alice.get("/kept/")["Location"] == "/"
    assert kept_forms.KEPT not in alice.session
    sign_in(alice)
    assert alice.get("/kept/")["Location"] == "/"


def test_it_lies_sealed_and_opens_for_nobody_else_by_any_trick(
    alice: Browser, place: str, clinic: Clinic
) -> None:
    alice.post(place, TYPED)
    stored = Session.objects.get(pk=alice.session.session_key).get_decoded()
    assert "slept" not in json.dumps(stored)
    assert place not in json.dumps(stored)
    sign_in(alice, "bob")
    session = alice.session  # a copy is put back under another name
    session[kept_forms.KEPT] = stored[kept_forms.KEPT] | {"who": str(clinic.bob.public_id)}
    session.save()
    assert alice.get("/kept/")["Location"] == "/"


def test_minutes_later_it_is_gone(
    alice: Browser, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.post(place, TYPED)
    late = kept_forms.now() + kept_forms.SECONDS + 1
    monkeypatch.setattr(kept_forms, "now", lambda: late)
    sign_in(alice)
    assert alice.get("/kept/")["Location"] == "/"


def test_a_form_that_was_never_somebodys_is_not_kept(
    alice: Browser, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Browser().post(place, TYPED)["Location"] == f"/sign-in/?next={place}"
    alice.get("/today/")
    late = kept_forms.now() + kept_forms.SECONDS + 1
    monkeypatch.setattr(kept_forms, "now", lambda: late)
    assert alice.post(place, TYPED)["Location"] == f"/sign-in/?next={place}"


def test_it_can_be_thrown_away_and_a_sign_out_throws_it_away(alice: Browser, place: str) -> None:
    alice.post(place, TYPED)
    sign_in(alice)
    assert alice.post("/kept/")["Location"] == "/"
    assert kept_forms.KEPT not in alice.session


def test_a_sign_in_that_an_administrator_ended_keeps_nothing(
    clinic: Clinic, browser_of: Callable[[str], Browser], place: str
) -> None:
    alice = browser_of("alice")
    alice.get("/today/")
    with acting_as(BY):
        actions.end_sign_in(user=clinic.alice, handle="", by=clinic.adam)
    assert alice.post(place, TYPED)["Location"] == f"/sign-in/?next={place}"
