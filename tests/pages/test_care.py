"""Care ends, changes hands and begins again on pages of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sessions_app import clinic_time
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Episode
from tests.cast import BY


def _episode(clinic, key):
    with acting_as(BY):
        return Episode.objects.get(pk=clinic.episodes[key].pk)


def test_a_clinician_ends_an_episode(clinic, browser_of):
    today = clinic_time.today()
    response = browser_of("alice").post(
        f"/clients/{clinic.ana.code}/ending/", {"ending": "agreed", "on": today.isoformat()}
    )
    assert response.status_code == 302
    ended = _episode(clinic, "ana")
    assert (ended.closed_on, ended.ending) == (today, "agreed")
    with acting_as(BY):
        assert AuditEvent.objects.filter(action="episode closed", subject=clinic.ana.code).exists()


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"ending": "", "on": 0}, "ending", "required"),
        ({"ending": "vanished", "on": 0}, "ending", "not one of"),
        ({"ending": "agreed", "on": 40}, "on", "There was a session on"),
        ({"ending": "agreed", "on": 400}, "on", "between the opening and today"),
        ({"ending": "agreed", "on": -1}, "on", "between the opening and today"),
        ({"ending": "agreed", "on": None}, "on", "Enter a valid date"),
    ],
)
def test_a_wrong_ending_is_said_beside_its_field_and_nothing_is_written(
    clinic, browser_of, given, field, said
):
    on = given["on"]
    day = "tomorrow" if on is None else (clinic_time.today() - timedelta(days=on)).isoformat()
    response = browser_of("alice").post(
        f"/clients/{clinic.ana.code}/ending/", {"ending": given["ending"], "on": day}
    )
    assert response.status_code == 422
    assert said in str(response.context["form"].errors[field])
    assert day in response.content.decode()
    assert _episode(clinic, "ana").is_open


def test_an_ended_episode_has_no_ending_page(clinic, browser_of):
    browser = browser_of("alice")
    path = f"/clients/{clinic.ana.code}/ending/"
    browser.post(path, {"ending": "agreed", "on": clinic_time.today().isoformat()})
    assert browser.get(path).status_code == 404


def test_a_supervisor_hands_a_client_over_and_sees_loads_not_results(clinic, browser_of):
    browser = browser_of("sofia")
    path = f"/clients/{clinic.ana.code}/transfer/"
    choices = [label for value, label in browser.get(path).context["form"]["to"].field.choices]
    # Bob leads Boris, Clara and Dina, none of whom Sofia may see; Alice has the client already.
    assert "Bob Birch · 3 open clients" in choices
    assert not any("Alice" in label for label in choices)
    today = clinic_time.today()
    given = {"to": clinic.clinicians["bob"].pk, "on": today.isoformat(), "reason": "Evenings"}
    assert browser.post(path, given).status_code == 302
    with acting_as(BY):
        lead = _episode(clinic, "ana").assignments.get(part="lead", to_on=None)
        assert (lead.clinician_id, lead.from_on) == (clinic.clinicians["bob"].pk, today)


def test_a_transfer_to_whom_has_the_client_or_without_a_reason_is_refused(clinic, browser_of):
    path = f"/clients/{clinic.ana.code}/transfer/"
    day = clinic_time.today().isoformat()
    to_alice = {"to": clinic.clinicians["alice"].pk, "on": day, "reason": "again"}
    silent = {"to": clinic.clinicians["bob"].pk, "on": day, "reason": ""}
    early = {
        "to": clinic.clinicians["bob"].pk,
        "on": (clinic_time.today() - timedelta(days=90)).isoformat(),
        "reason": "before it began",
    }
    browser = browser_of("sofia")
    for given, field in ((to_alice, "to"), (silent, "reason"), (early, "on")):
        response = browser.post(path, given)
        assert response.status_code == 422
        assert list(response.context["form"].errors) == [field]


def test_somebody_who_comes_back_gets_a_new_episode(clinic, browser_of):
    today = clinic_time.today()
    browser_of("alice").post(
        f"/clients/{clinic.ana.code}/ending/", {"ending": "agreed", "on": today.isoformat()}
    )
    desk = browser_of("fred")
    path = f"/clients/{clinic.ana.code}/return/"
    assert path in desk.get("/clients/").content.decode()
    given = {
        "programme": clinic.therapy.pk,
        "lead": clinic.clinicians["bob"].pk,
        "opened_on": today.isoformat(),
        "purpose": "stay_well",
    }
    assert desk.post(path, given).status_code == 302
    with acting_as(BY):
        again = Episode.objects.get(client=clinic.ana, closed_on=None)
        assert (again.purpose, again.opened_on) == ("stay_well", today)


@pytest.mark.parametrize(
    ("who", "page"), [("ruth", "ending"), ("ruth", "transfer"), ("felix", "return")]
)
def test_a_stranger_gets_404(clinic, browser_of, who, page):
    path = f"/clients/{clinic.ana.code}/{page}/"
    browser = browser_of(who)
    assert browser.get(path).status_code == 404
    assert browser.post(path, {}).status_code == 404
