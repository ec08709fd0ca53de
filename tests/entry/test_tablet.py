"""The reception tablet: it waits, shows one form, thanks without a picture, and waits again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from measures_app import measures
from measures_app.models import Administration
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Consent, Session, Tablet
from tests.cast import BY, Clinic
from tests.entry.test_alerts import CRISIS, asked_of_ana, made_ready

Sign = Callable[[str], Browser]


@pytest.fixture
def booked(clinic: Clinic) -> Session:
    with acting_as(BY):
        measures.sync_library()
        return actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.now() + timedelta(hours=1),
            by=BY,
        )


@pytest.fixture
def device(clinic: Clinic, browser_of: Sign) -> Browser:
    """A browser in which Fred signed in and enrolled the tablet."""
    browser = browser_of("fred")
    assert browser.post("/tablets/", {"name": "North door"})["Location"] == "/tablet/"
    return browser


def start(clinic: Clinic, fred: Browser, session: Session) -> Any:
    with acting_as(BY):
        ana, tablet = clinic.ana.respondents.get().pk, Tablet.objects.get().pk
    door = f"/sessions/{session.pk}/tablet/"
    return fred.post(door, {"respondent": ana, "tablet": tablet}, follow=True)


def filled(device: Browser, **more: str) -> dict[str, str]:
    """The form on the tablet with a mark on each line, as it is sent."""
    shown = device.get("/tablet/").context
    marks = {name: "6.0" for name in shown["form"].fields if "_" in name}
    marks |= {name: more[name.split("_")[1]] for name in marks if name.split("_")[1] in more}
    return {"key": str(shown["form"]["key"].value()), "link": str(shown["form_of"]), **marks}


def send(device: Browser, **more: str) -> Any:
    return device.post("/tablet/", filled(device, **more))


def test_it_waits_shows_the_form_thanks_and_waits_again(
    clinic: Clinic, booked: Session, device: Browser, browser_of: Sign
) -> None:
    assert "as soon as the front desk begins" in device.get("/tablet/").content.decode()
    assert device.get("/tablet/state/").json() == {"form": None}
    page = start(clinic, browser_of("fred"), booked).content.decode()
    assert "is on “North door” now" in page.replace("&ldquo;", "“")
    assert device.get("/tablet/state/").json()["form"] is not None
    form = device.get("/tablet/").content.decode()
    assert "Oliveira" not in form
    thanks = send(device).content.decode()
    assert "Thank you" in thanks
    assert "<svg" not in thanks  # no picture where nobody of the clinic is
    assert "24" not in thanks
    assert device.get("/tablet/state/").json() == {"form": None}
    assert "as soon as the front desk begins" in device.get("/tablet/").content.decode()
    with acting_as(BY):
        assert Administration.objects.get().provenance == "clinic_tablet"


def test_who_would_rather_not_leaves_the_tablet_waiting_for_the_next(
    clinic: Clinic, device: Browser, booked: Session, browser_of: Sign
) -> None:
    start(clinic, browser_of("fred"), booked)
    left = device.post("/tablet/", {**filled(device), "decline": "1"}).content.decode()
    assert "Nothing was sent" in left
    assert "Please give the device back." in left
    assert "as soon as the front desk begins" in device.get("/tablet/").content.decode()
    with acting_as(BY):
        assert not Administration.objects.filter(session=booked).exists()


def test_the_device_opens_nothing_but_its_form(
    clinic: Clinic, booked: Session, device: Browser
) -> None:
    for door in ("/schedule/", "/clients/", "/tablets/", f"/sessions/{booked.pk}/links/"):
        assert device.get(door)["Location"].startswith("/sign-in/")


def test_a_tablet_left_by_a_swipe_comes_back_to_waiting(
    clinic: Clinic, device: Browser, browser_of: Sign
) -> None:
    """It stood on the sign-in page, and the next client's form opened unseen."""
    assert device.get("/sign-in/?next=/tablets/")["Location"] == "/tablet/"
    with acting_as(BY):
        actions.retire_tablet(tablet=Tablet.objects.get(), by=clinic.fred)
    assert device.get("/tablet/").status_code == 404
    assert device.get("/sign-in/").status_code == 200


def test_no_other_browser_is_the_tablet(clinic: Clinic, device: Browser, browser_of: Sign) -> None:
    for browser in (Browser(), browser_of("fred")):
        assert browser.get("/tablet/").status_code == 404
        assert browser.get("/tablet/state/").status_code == 404


def test_a_form_taken_back_by_the_next_client_keeps_nothing(
    clinic: Clinic, booked: Session, device: Browser, browser_of: Sign
) -> None:
    start(clinic, browser_of("fred"), booked)
    sent = filled(device)
    with acting_as(BY):
        actions.clear_tablet(tablet=Tablet.objects.get(), by=clinic.fred)
    late = device.post("/tablet/", sent)
    assert late.status_code == 409
    assert "took this form back" in late.content.decode()
    with acting_as(BY):
        assert not Administration.objects.exists()


@pytest.mark.parametrize("more", [{}, {"as_it_is": "1"}, {"decline": "1"}, {"link": "nonsense"}])
def test_a_form_left_open_says_nothing_for_whoever_is_started_next(
    clinic: Clinic, booked: Session, device: Browser, browser_of: Sign, more: dict[str, str]
) -> None:
    """Ana's page was still there when Boris's form was put on the tablet."""
    fred = browser_of("fred")
    start(clinic, fred, booked)
    sent = filled(device)
    with acting_as(BY):
        theirs = actions.book_session(
            episode=clinic.episodes["boris"], starts_at=clinic_time.now(), by=BY
        )
        boris = theirs.client.respondents.get()
        tablet = Tablet.objects.get()
    fred.post(f"/sessions/{theirs.pk}/tablet/", {"respondent": boris.pk, "tablet": tablet.pk})
    late = device.post("/tablet/", {**sent, **more})
    assert late.status_code == 409
    assert "took this form back" in late.content.decode()
    with acting_as(BY):
        assert not Administration.objects.exists()
        assert not Consent.objects.filter(respondent=boris).exists()
    assert device.get("/tablet/").context["form"].due[0].respondent == boris
    assert send(device).status_code == 200


def test_a_form_whose_answer_was_lost_on_the_way_is_thanked_for_when_it_comes_again(
    clinic: Clinic, booked: Session, device: Browser, browser_of: Sign
) -> None:
    """It was said to be taken back, and the crisis text wasn't seen."""
    start(clinic, browser_of("fred"), booked)
    sent = filled(device)
    for _time in range(2):
        answer = device.post("/tablet/", sent)
        assert answer.status_code == 200
        assert "Your answers are in." in answer.content.decode()
    session = asked_of_ana(clinic)
    made_ready(clinic)
    start(clinic, browser_of("fred"), session)
    sent = filled(device, sleep="1", alive="2")
    for _time in range(2):
        assert CRISIS["en"] in device.post("/tablet/", sent).content.decode()
    with acting_as(BY):
        assert Administration.objects.filter(session=booked).count() == 1


def test_two_tablets_of_one_name_would_be_mixed_up(
    clinic: Clinic, device: Browser, browser_of: Sign
) -> None:
    assert browser_of("fred").post("/tablets/", {"name": "North door"}).status_code == 422
    with acting_as(BY):
        assert Tablet.objects.count() == 1


def test_a_retired_tablet_shows_nothing(clinic: Clinic, device: Browser, browser_of: Sign) -> None:
    with acting_as(BY):
        tablet = Tablet.objects.get().pk
    browser_of("fred").post(f"/tablets/{tablet}/retire/")
    assert device.get("/tablet/").status_code == 404


def test_only_the_desk_starts_somebody_and_only_its_own(
    clinic: Clinic, booked: Session, device: Browser, browser_of: Sign
) -> None:
    for who in ("alice", "felix", "adam"):  # Felix has the southern site
        assert start(clinic, browser_of(who), booked).status_code == 404


def test_nothing_due_is_said_to_the_desk_and_not_to_the_client(
    clinic: Clinic, booked: Session, device: Browser, browser_of: Sign
) -> None:
    start(clinic, browser_of("fred"), booked)
    send(device)
    page = start(clinic, browser_of("fred"), booked).content.decode()
    assert "Nothing is to be answered" in page
    assert device.get("/tablet/state/").json() == {"form": None}


def test_an_answer_that_cannot_wait_keeps_the_crisis_text_on_the_tablet(
    clinic: Clinic, device: Browser, browser_of: Sign
) -> None:
    session = asked_of_ana(clinic)
    start(clinic, browser_of("fred"), session)
    assert not any("alive" in n for n in device.get("/tablet/").context["form"].fields)
    made_ready(clinic)
    assert CRISIS["en"] in device.get("/tablet/").content.decode()
    over = send(device, sleep="1", alive="2").content.decode()
    assert CRISIS["en"] in over
    assert "data-then" not in over  # it stays until somebody has read it


def test_the_desk_starts_the_next_client_from_the_day_on_a_tablet_of_their_site(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    with acting_as(BY):
        measures.sync_library()
        session = actions.book_session(
            episode=clinic.episodes["ana"], starts_at=clinic_time.now(), by=BY
        )
        north, south, _both = (
            actions.enrol_tablet(name=name, site=site, by=clinic.fred)
            for name, site in (("N-1", clinic.north), ("S-1", clinic.south), ("Roaming", None))
        )
    fred, door = browser_of("fred"), f"/sessions/{session.pk}/tablet/"
    page = fred.get("/schedule/").content.decode()
    assert "On “N-1”" in page
    assert "On “Roaming”" in page
    assert "S-1" not in page
    assert fred.post(door, {"tablet": south.pk, "back": "schedule"}).status_code == 404
    answer = fred.post(door, {"tablet": north.pk, "back": "schedule"})
    assert answer["Location"].startswith("/schedule/?day=")
    north.refresh_from_db()
    with acting_as(BY):
        assert north.link.respondent == clinic.ana.respondents.get()
    listed = browser_of("felix").get("/tablets/").content.decode()  # the southern desk's
    assert "S-1" in listed
    assert "N-1" not in listed


def test_a_tablet_is_enrolled_where_it_stays(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    browser_of("felix").post("/tablets/", {"name": "S2"})  # one site: it is there
    browser_of("fred").post("/tablets/", {"name": "N2", "site": clinic.north.pk})
    found = {tablet.name: tablet.site for tablet in Tablet.objects.all()}
    assert found == {"S2": clinic.south, "N2": clinic.north}
