"""Registering, inviting, deciding: what goes wrong is said in its place, twice is once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser

from sessions_app import clinic_time, policies
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Client, User
from tests.cast import BY, Clinic

Sign = Callable[[str], Browser]
LONG = "another long enough pass phrase"


class Desk:
    def __init__(self, clinic: Clinic, browser: Browser) -> None:
        self.browser = browser
        self.typed = {
            "key": str(browser.get("/clients/new/").context["form"]["key"].value()),
            "name": "Nora Lind",
            "birth_date": "1991-02-03",
            "language": "es",
            "own_number": "A-17",
            "site": str(clinic.north.pk),
            "programme": str(clinic.therapy.pk),
            "lead": str(clinic.clinicians["alice"].pk),
            "opened_on": clinic_time.today().isoformat(),
            "purpose": "change",
        }

    def send(self, **other: str) -> Any:
        return self.browser.post("/clients/new/", self.typed | other)


@pytest.fixture
def desk(clinic: Clinic, browser_of: Sign) -> Desk:
    return Desk(clinic, browser_of("fred"))


def _clients() -> int:
    with acting_as(BY):
        return Client.objects.count()


def test_a_client_is_registered_with_an_episode_and_found_by_name(desk: Desk) -> None:
    assert desk.send().status_code == 302
    found = desk.browser.post("/clients/", {"text": "nora lind"}).content.decode()
    assert "Nora Lind" in found
    assert "Alice Alder" in found


def test_a_double_press_registers_one_client(desk: Desk) -> None:
    before = _clients()
    assert [desk.send().status_code for _ in range(2)] == [302, 302]
    assert _clients() == before + 1
    other = desk.send(name="Someone Else")
    assert "was sent before with other details" in other.content.decode()
    assert _clients() == before + 1


def test_a_namesake_born_the_same_day_is_asked_about(clinic: Clinic, browser_of: Sign) -> None:
    Desk(clinic, browser_of("fred")).send()
    before, second = _clients(), Desk(clinic, browser_of("fred"))
    response = second.send(own_number="")
    assert response.status_code == 422
    assert "is this somebody else?" in response.content.decode()
    assert _clients() == before
    assert second.send(own_number="", namesake="on").status_code == 302
    assert _clients() == before + 1


REGISTERED_WRONG = [
    ({"birth_date": "2100-01-01"}, "birth_date", "lies in the future"),
    ({"birth_date": "1800-01-01"}, "birth_date", "can't be right"),
    ({"birth_date": "31/31/1990"}, "birth_date", "Enter a valid date"),
    ({"opened_on": "2100-01-01"}, "opened_on", "can't open in the future"),
    ({"email": "nobody"}, "email", "valid email"),
    ({"site": ""}, "site", "required"),
]


def test_what_cannot_be_registered_is_said_beside_its_field(desk: Desk) -> None:
    before = _clients()
    for change, field, words in REGISTERED_WRONG:
        response = desk.send(**change)
        assert response.status_code == 422
        assert words in " ".join(response.context["form"].errors[field])
        assert 'value="Nora Lind"' in response.content.decode()
    assert _clients() == before


def test_an_own_number_names_one_client_only(clinic: Clinic, desk: Desk, browser_of: Sign) -> None:
    desk.send()
    response = Desk(clinic, browser_of("fred")).send(name="Otto Berg")
    assert response.status_code == 422
    assert "There is already a client A-17." in response.context["form"].errors["own_number"]


def test_the_invited_choose_a_password_once_and_come_in(clinic: Clinic, browser_of: Sign) -> None:
    adam = browser_of("adam")
    response = adam.post(
        "/people/", {"name": "Nils Neu", "email": "nils@clinic.example", "role": "clinician"}
    )
    link = response.context["link"]
    guest = Browser()
    page = guest.get(link, follow=True)
    door = page.redirect_chain[-1][0]
    assert guest.post(door, {"new_password1": "short", "new_password2": "other"}).status_code == 200
    done = guest.post(door, {"new_password1": LONG, "new_password2": LONG})
    assert done["Location"] == "/sign-in/"
    assert "was used or is too old" in Browser().get(link, follow=True).content.decode()
    into = {"username": "nils@clinic.example", "password": LONG}
    assert guest.post("/sign-in/", into, follow=True).status_code == 200
    assert guest.get("/today/").status_code == 200


def test_two_people_of_one_name_can_be_invited(clinic: Clinic, browser_of: Sign) -> None:
    adam = browser_of("adam")
    for address in ("one@clinic.example", "two@clinic.example"):
        invited = {"name": "Alice Alder", "email": address, "role": "clinician"}
        assert "/welcome/" in adam.post("/people/", invited).context["link"]
    again = adam.post("/people/", invited)
    assert again.status_code == 422
    assert again.context["form"]["email"].value() == "two@clinic.example"


def test_a_lost_link_is_made_anew_by_administrators_only(clinic: Clinic, browser_of: Sign) -> None:
    door = f"/people/{clinic.alice.pk}/invitation/"
    assert "/welcome/" in browser_of("adam").post(door).context["link"]
    assert AuditEvent.objects.filter(action="invitation made").count() == 1
    for who in ("alice", "sofia", "dora", "fred", "ruth"):
        assert browser_of(who).post(door).status_code == 404
    with acting_as(BY):
        User.objects.filter(pk=clinic.alice.pk).update(is_active=False)
    assert browser_of("adam").post(door).status_code == 404


DECIDED_WRONG = [
    ("small_cell_limit", "-1", "A whole number between 1 and 100."),
    ("small_cell_limit", "2.5", "A whole number between 1 and 100."),
    ("overdue_factor", "nan", "A number between 1 and 20."),
    ("clinician_numbers_for_directors", "perhaps", "This policy takes yes or no."),
]


def test_a_policy_takes_only_what_makes_sense(clinic: Clinic, browser_of: Sign) -> None:
    adam = browser_of("adam")
    for key, value, words in DECIDED_WRONG:
        response = adam.post(
            "/settings/", {"form": "policy", "key": key, "value": value, "from_on": "2026-01-01"}
        )
        assert response.status_code == 422
        assert response.context["form"].errors["value"] == [words]
        assert response.context["form"]["value"].value() == value


def test_every_policy_has_words_and_every_number_a_range() -> None:
    assert set(policies.WORDS) == set(policies.DEFAULTS)
    numbers = {k for k, v in policies.DEFAULTS.items() if not isinstance(v, bool)}
    assert set(policies.RANGES) == numbers


def test_the_audit_trail_names_people_and_keeps_codes(clinic: Clinic, browser_of: Sign) -> None:
    browser_of("alice").get(f"/clients/{clinic.ana.code}/sessions/new/")
    page = browser_of("adam").get("/audit/", {"subject": clinic.ana.code}).content.decode()
    assert "Alice Alder" in page
    assert clinic.ana.code in page
    assert "Ana Oliveira" not in page


def test_wrong_words_at_the_door_say_so_and_keep_the_address(clinic: Clinic) -> None:
    response = Browser().post(
        "/sign-in/", {"username": "alice@clinic.example", "password": "not this"}
    )
    page = response.content.decode()
    assert "don&#x27;t belong together" in page
    assert 'value="alice@clinic.example"' in page
    assert "not this" not in page


def test_a_name_is_never_in_an_address(clinic: Clinic, browser_of: Sign) -> None:
    page = browser_of("fred").post("/clients/", {"text": "Ana"})
    assert "Ana Oliveira" in page.content.decode()
    assert 'method="post"' in page.content.decode()


def test_a_form_from_before_signing_in_says_what_to_do(clinic: Clinic) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(clinic.fred)
    page = browser.post("/clients/", {"text": "Ana"})
    assert page.status_code == 403
    assert "This page was open too long" in page.content.decode()
    assert "Fred Fir" in page.content.decode()
