"""The one write of `/api/v1/`: a score, kept once however often it is sent."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from django.test import Client as Browser
from hypothesis import given
from hypothesis import strategies as st

from measures_app.models import Administration
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent
from tests.api.test_description import EXAMPLES
from tests.cast import BY, Clinic

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


@EXAMPLES
@given(body=st.dictionaries(st.sampled_from(FIELDS), ANYTHING), sane=st.booleans())
def test_no_body_brings_the_server_down(
    clinic: Clinic, rows: Any, browser_of: Any, body: dict[str, Any], sane: bool
) -> None:
    start = {"episode": clinic.episodes["ana"].pk, "measure": "outcome-adult"} if sane else {}
    assert send(browser_of("alice"), start | body).status_code in (200, 201, 400)
