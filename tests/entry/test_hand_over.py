"""The clinic's device in the client's hands: one form, no way into the clinic, a PIN back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from measures_app import measures
from measures_app.actions import record_administration
from measures_app.models import Administration
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Session
from tests.cast import BY, Clinic

Sign = Callable[[str], Browser]
PIN = "4711"
FORM, SENT = 17, 32  # queries at most


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


def test_a_clients_form_and_its_sending_with_the_picture_keep_their_budgets(
    tablet: Browser,
) -> None:
    tablet.get(tablet.door)  # what is read once a process isn't a form's own
    with CaptureQueriesContext(connection) as asked:
        tablet.get(tablet.door)
    with CaptureQueriesContext(connection) as kept:
        assert _send(tablet).status_code == 200
    assert len(asked) <= FORM
    # Nobody, the system that finds the link, its holder for all that follows; and whoever was
    # before the request, as a test's transaction goes on after it.
    assert sum("set_config" in query["sql"] for query in asked.captured_queries) <= 4
    assert len(kept) - len(asked) <= SENT  # sending opens the form first


def test_who_would_rather_not_gives_the_device_back_all_the_same(tablet: Browser) -> None:
    """The page that said so had no way back to the clinician."""
    form = tablet.get(tablet.door).context["form"]
    left = tablet.post(tablet.door, {"key": str(form["key"].value()), "decline": "1"})
    assert left.context["pin"]
    words = left.content.decode()
    assert "Please give the device back." in words
    assert f'href="{tablet.door}"' in words  # to the questions, for a change of mind
    assert tablet.get(tablet.door).context["form"]
    assert tablet.post(f"{tablet.door}return/", {"pin": PIN}).status_code == 302
    assert tablet.get("/today/").status_code == 200


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


def test_whoever_swipes_back_on_the_device_finds_the_form_again(tablet: Browser) -> None:
    """The page before was the sign-in's, and the client sat before a password."""
    for answer in (tablet.get("/sign-in/?next=/today/"), tablet.post("/sign-in/", {})):
        assert (answer.status_code, answer["Location"]) == (302, tablet.door)
    for _try in range(5):
        tablet.post(f"{tablet.door}return/", {"pin": "0000"})
    assert tablet.get("/sign-in/").status_code == 200  # the way back that is left


def test_a_pin_too_long_is_refused_and_not_cut_short_unseen(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    browser = browser_of("alice")
    page = browser.get(f"/sessions/{booked.pk}/links/").content.decode()
    assert "maxlength" not in page.split('name="pin"')[1].split(">")[0]
    with acting_as(BY):
        ana = clinic.ana.respondents.get(relation="self").pk
    given = {"respondent": ana, "pin": "123456789"}
    answer = browser.post(f"/sessions/{booked.pk}/hand-over/", given)
    assert answer.status_code == 422
    assert "Four to eight digits." in answer.content.decode()


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
    seen = tablet.get(back["Location"])
    assert seen.status_code == 200
    # The alliance is asked at the session's end: the page leads there.
    assert f'href="/sessions/{booked.pk}/">To the end of the session' in seen.content.decode()
    assert tablet.get(tablet.door).status_code == 404


def test_five_wrong_pins_leave_only_the_sign_in(tablet: Browser) -> None:
    for left in (4, 3, 2, 1):
        page = tablet.post(f"{tablet.door}return/", {"pin": "0000"})
        assert page.status_code == 422
        tries = "try is" if left == 1 else "tries are"
        assert f"{left} {tries} left" in page.content.decode()
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


def test_a_client_who_wont_answer_gives_the_device_back_and_nothing_is_kept(
    tablet: Browser, booked: Session
) -> None:
    form = tablet.get(tablet.door).content.decode()
    assert f'href="{tablet.door}return/"' in form
    page = tablet.get(f"{tablet.door}return/").content.decode()
    assert "Nothing was sent" in page
    assert "Oliveira" not in page
    assert tablet.post(f"{tablet.door}return/", {"pin": PIN}).status_code == 302
    assert tablet.get("/today/").status_code == 200
    with acting_as(BY):
        assert not Administration.objects.filter(session=booked).exists()


def test_a_wrong_pin_leaves_the_clients_page_as_it_was_in_their_language(
    clinic: Clinic, tablet: Browser
) -> None:
    with acting_as(BY):
        clinic.ana.respondents.update(language="es")
    before = tablet.post(f"{tablet.door}return/", {"pin": "0000"}).content.decode()
    assert "Ese no es el PIN. Quedan 4 intentos." in before
    assert "Volver a las preguntas" in before
    end = _send(tablet).content.decode()
    after = tablet.post(f"{tablet.door}return/", {"pin": "12"}).content.decode()
    assert "Ese no es el PIN. Quedan 3 intentos." in after
    for part in ('<html lang="es"', "Gracias", "Este es su punto de partida", "<svg"):
        assert part in end
        assert part in after


def test_a_client_may_look_at_their_picture_without_what_was_expected(
    clinic: Clinic, booked: Session, tablet: Browser, browser_of: Sign
) -> None:
    with acting_as(BY):
        for session, total in zip(clinic.sessions["ana"][:3], (18, 19, 17), strict=True):
            record_administration(
                episode=clinic.episodes["ana"], session=session, total=total, by=BY,
                measure=measures.get_measure("outcome-adult"), provenance="paper",
            )  # fmt: skip
        run_night(clinic_time.today())
        ana = clinic.ana.respondents.get().pk
    expected = "expected from your start"
    assert expected in _send(tablet).content.decode()
    fred, door = browser_of("fred"), f"/sessions/{booked.pk}/how-asked/"
    assert fred.post(door, {"respondent": ana, "language": "en"}).status_code == 302
    page = tablet.get(tablet.door).content.decode()
    assert expected not in page
    assert "18 at the start, 24 now." in page
    picture = browser_of("alice").get(f"/sessions/{booked.pk}/picture/").content.decode()
    assert expected not in picture
    for who in ("ruth", "bob", "dora", "adam"):
        assert browser_of(who).post(door, {"respondent": ana}).status_code == 404


def test_the_language_somebody_is_asked_in_is_chosen_by_the_desk_and_may_change(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    with acting_as(BY):
        ana = clinic.ana.respondents.get().pk
    fred, door = browser_of("fred"), f"/sessions/{booked.pk}/how-asked/"
    page = fred.post(door, {"respondent": ana, "language": "tlh"}, follow=True).content.decode()
    assert "Choose one of the languages." in page
    fred.post(door, {"respondent": ana, "language": "es", "sees_expected": "on"})
    with acting_as(BY):
        _link, token = actions.make_link(
            session=booked, respondent=clinic.ana.respondents.get(), by=clinic.alice
        )
    assert "Enviar" in Browser().get(f"/m/{token}/").content.decode()
