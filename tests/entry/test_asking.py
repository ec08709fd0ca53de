"""Whom we ask, and how: a wish not to be asked, sessions at a distance, how a form was answered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from measures_app import measures
from measures_app.due import due_at
from measures_app.models import Administration
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Session
from tests.cast import BY, Clinic

Sign = Callable[[str], Browser]


@pytest.fixture
def booked(clinic: Clinic) -> Session:
    with acting_as(BY):
        measures.sync_library()
        return actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.at(clinic_time.today(), 9),
            telehealth=True,
            by=BY,
        )


def _due(clinic: Clinic, days: int) -> set[str]:
    with acting_as(BY):
        on = clinic_time.today() + timedelta(days=days)
        return {due.respondent.relation for due in due_at(clinic.episodes["ana"], on)}


def test_who_asks_not_to_be_asked_is_left_alone_until_their_day(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    with acting_as(BY):
        ana = clinic.ana.respondents.get().pk
        actions.add_respondent(client=clinic.ana, relation="carer", by=BY)
    until = clinic_time.today() + timedelta(days=30)
    door = f"/sessions/{booked.pk}/not-before/"
    before = _due(clinic, 0)
    alice = browser_of("alice")
    page = alice.post(door, {"respondent": ana, "until": until.isoformat()}, follow=True)
    assert "asked until" in page.content.decode()
    assert _due(clinic, 0) == _due(clinic, 29) == before - {"self"}
    assert _due(clinic, 30) == _due(clinic, -7) == before
    form = alice.get(f"/sessions/{booked.pk}/").context["form"]
    assert all(due.respondent.pk != ana for due in form.due)
    alice.post(door, {"respondent": ana, "again": "1"})
    assert _due(clinic, 0) == before


@pytest.mark.parametrize("until", ["", "soon", "2020-01-01"])
def test_a_day_that_is_none_to_come_changes_nothing(
    clinic: Clinic, booked: Session, browser_of: Sign, until: str
) -> None:
    with acting_as(BY):
        ana = clinic.ana.respondents.get().pk
    door = f"/sessions/{booked.pk}/not-before/"
    browser_of("alice").post(door, {"respondent": ana, "until": until})
    assert "self" in _due(clinic, 0)


def _typed(browser: Browser, session: Session, **more: Any) -> Any:
    form = browser.get(f"/sessions/{session.pk}/").context["form"]
    marks = {name: "6.0" for name in form.fields if name[0] == "m" and name[1].isdigit()}
    marks = {name: "" if name.endswith("not_taken") else value for name, value in marks.items()}
    given = {"key": str(form["key"].value()), "status": "attended", **marks, **more}
    return browser.post(f"/sessions/{session.pk}/", given)


def test_a_session_at_a_distance_keeps_where_the_client_is_sealed(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    alice = browser_of("alice")
    asked = alice.get(f"/sessions/{booked.pk}/").content.decode().partition("<details open>")[2]
    assert 'name="where"' in asked  # without a tap: it is for when the line breaks off
    assert 'name="call_back"' in asked
    said = {"where": "at her sister's in Elm Road", "call_back": "555 02"}
    assert _typed(alice, booked, **said).status_code == 302
    with acting_as(BY):
        kept = Session.objects.get(pk=booked.pk)
        assert kept.whereabouts == said
        assert b"Elm" not in bytes(kept.whereabouts_sealed)
    page = alice.get(f"/sessions/{booked.pk}/").content.decode()
    assert "Elm Road" in page


@pytest.mark.parametrize("manner", ["read_aloud", "interpreter", "alone", ""])
def test_how_a_paper_form_was_answered_is_kept(
    clinic: Clinic, booked: Session, browser_of: Sign, manner: str
) -> None:
    _typed(browser_of("alice"), booked, manner=manner)
    with acting_as(BY):
        kept = {row.manner for row in Administration.objects.filter(session=booked)}
    assert kept == {manner}
