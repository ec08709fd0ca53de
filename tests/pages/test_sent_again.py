"""An error page still holds what was typed, for whoever sent it, and no password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client as Browser

from sessions_app import context
from tests.cast import Clinic

TYPED = {"ending": "agreed", "on": 'the end of <May> "or" so', "note": ["she slept", "and ate"]}
AGAIN = "Send it again"


@pytest.fixture
def alice(browser_of: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch) -> Browser:
    """Signed in; the database goes away afterwards, before any view is reached."""
    browser = browser_of("alice")
    browser.raise_request_exception = False

    def away(*args: Any, **how: Any) -> Any:
        raise OperationalError("could not connect")

    monkeypatch.setattr(context, "acting_as", away)
    return browser


def test_what_was_typed_is_on_the_page_and_goes_where_it_was_sent(
    alice: Browser, clinic: Clinic
) -> None:
    path = f"/clients/{clinic.ana.code}/ending/?from=<here>"
    answer = alice.post(path, {**TYPED, "csrfmiddlewaretoken": "as-it-came"})
    page = answer.content.decode()
    assert answer.status_code == 503
    assert AGAIN in page
    assert f'action="/clients/{clinic.ana.code}/ending/?from=%3Chere%3E"' in page
    for name, value in (
        ("csrfmiddlewaretoken", "as-it-came"),
        ("ending", "agreed"),
        ("on", "the end of &lt;May&gt; &quot;or&quot; so"),
        ("note", "she slept"),
        ("note", "and ate"),
    ):
        assert page.count(f'name="{name}" value="{value}"') == 1
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/sign-in/", {"username": "alice@clinic.example", "password": "heron"}),
        ("/first-administrator/a-token/", {"name": "Ada", "password": "heron"}),
        ("/welcome/a/token/", {"password1": "heron", "password2": "heron"}),
        ("/unlock/", {"pin": "heron"}),
        ("/elsewhere/", {"code": "heron", "credential": "heron"}),
    ],
)
def test_no_password_is_on_a_page(alice: Browser, path: str, sent: dict[str, str]) -> None:
    page = alice.post(path, sent).content.decode()
    assert "heron" not in page
    assert AGAIN not in page


def test_a_file_has_to_be_chosen_again_and_a_question_asked_again(
    alice: Browser, clinic: Clinic
) -> None:
    file = SimpleUploadedFile("scores.csv", b"client,total\n")
    sent = alice.post("/imports/", {"name": "ours", "file": file})
    assert AGAIN not in sent.content.decode()
    asked = alice.get(f"/clients/{clinic.ana.code}/")
    assert asked.status_code == 503
    assert AGAIN not in asked.content.decode()


def test_a_machine_gets_its_own_words(alice: Browser) -> None:
    answer = alice.post("/api/v1/administrations/", {"total": 4}, content_type="application/json")
    assert answer.json()["detail"] == "The database doesn't answer: try again."
