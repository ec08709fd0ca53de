"""The clinic's device in the client's hands: one form, no way into the clinic, a PIN back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser

from measures_app import measures
from measures_app.models import Administration
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Session
from tests.cast import BY, Clinic

Sign = Callable[[str], Browser]
PIN = "4711"


@pytest.fixture
def booked(clinic: Clinic) -> Session:
    with acting_as(BY):
        measures.sync_library()
        return actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.at(clinic_time.today(), 9),
            by=BY,
        )


@pytest.fixture
def tablet(clinic: Clinic, booked: Session, browser_of: Sign) -> Browser:
    """Alice's browser, in Ana's hands."""
    browser = browser_of("alice")
    with acting_as(BY):
        ana = clinic.ana.respondents.get(relation="self").pk
    response = browser.post(f"/sessions/{booked.pk}/hand-over/", {"respondent": ana, "pin": PIN})
    browser.door = response["Location"]
    return browser


def _send(tablet: Browser) -> Any:
    form = tablet.get(tablet.door).context["form"]
    marks = {name: "6.0" for name in form.fields if "_" in name}
    return tablet.post(tablet.door, {"key": str(form["key"].value()), **marks})


def test_the_handed_over_device_opens_its_form_and_nothing_else(
    clinic: Clinic, tablet: Browser, booked: Session, browser_of: Sign
) -> None:
    page = tablet.get(tablet.door)
    assert page.status_code == 200
    assert "Oliveira" not in page.content.decode()
    for door in (
        "/", "/today/", "/caseload/", f"/clients/{clinic.ana.code}/", f"/sessions/{booked.pk}/",
        f"/sessions/{booked.pk}/picture/", f"/sessions/{booked.pk}/links/",
    ):  # fmt: skip
        response = tablet.get(door)
        assert (response.status_code, response["Location"][:9]) == (302, "/sign-in/"), door
    assert tablet.get("/api/v1/clients/").status_code == 403
    assert Browser().get(tablet.door).status_code == 404
    assert browser_of("alice").get(tablet.door).status_code == 404


def test_the_session_handed_over_is_dead_on_the_server(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    browser = browser_of("alice")
    stolen = browser.cookies["sessionid"].value
    with acting_as(BY):
        ana = clinic.ana.respondents.get(relation="self").pk
    browser.post(f"/sessions/{booked.pk}/hand-over/", {"respondent": ana, "pin": PIN})
    thief = Browser()
    thief.cookies["sessionid"] = stolen
    assert thief.get("/caseload/").status_code == 302


def test_answers_from_the_tablet_end_in_the_picture_and_the_pin_brings_alice_back(
    tablet: Browser, booked: Session
) -> None:
    end = _send(tablet)
    assert end.status_code == 200
    assert "This is where you start" in end.content.decode()
    with acting_as(BY):
        assert Administration.objects.get(session=booked).provenance == "clinic_tablet"
    assert "Thank you" in tablet.get(tablet.door).content.decode()
    back = tablet.post(f"{tablet.door}return/", {"pin": PIN})
    assert back["Location"] == f"/sessions/{booked.pk}/picture/"
    assert tablet.get(back["Location"]).status_code == 200
    assert tablet.get(tablet.door).status_code == 404


def test_five_wrong_pins_leave_only_the_sign_in(tablet: Browser) -> None:
    for left in (4, 3, 2, 1):
        page = tablet.post(f"{tablet.door}return/", {"pin": "0000"})
        assert page.status_code == 422
        assert f"{left} tries are left" in page.content.decode()
    assert tablet.post(f"{tablet.door}return/", {"pin": "0000"})["Location"] == "/sign-in/"
    assert tablet.post(f"{tablet.door}return/", {"pin": PIN}).status_code == 404
    assert tablet.get("/caseload/").status_code == 302


def test_a_pin_that_is_none_is_refused_before_anything_is_given_away(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    alice = browser_of("alice")
    with acting_as(BY):
        ana = clinic.ana.respondents.get(relation="self").pk
    for pin in ("", "123", "12ab", "123456789"):
        asked = {"respondent": ana, "pin": pin}
        assert alice.post(f"/sessions/{booked.pk}/hand-over/", asked).status_code == 422
    assert alice.get("/today/").status_code == 200


def test_only_who_enters_scores_in_scope_hands_over(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    with acting_as(BY):
        asked = {"respondent": clinic.ana.respondents.get(relation="self").pk, "pin": PIN}
    for who in ("bob", "ruth", "dora", "fred", "adam"):
        door = f"/sessions/{booked.pk}/hand-over/"
        assert browser_of(who).post(door, asked).status_code == 404
