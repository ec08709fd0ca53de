"""The waiting list: from a referral to the first session, or to why nobody was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.test import Client as Browser

from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Client, Episode, Referral
from tests.cast import BY, Clinic

BrowserOf = Callable[[str], Browser]


def ago(days: int) -> Any:
    return clinic_time.today() - timedelta(days=days)


def refer(clinic: Clinic, name: str, days: int, **more: Any) -> Referral:
    site = more.pop("site", clinic.north)
    client = actions.register_client(by=BY, site=site, name=name)
    given = {"programme": clinic.therapy, "source": "doctor", "site": site, **more}
    return actions.receive_referral(client=client, received_on=ago(days), by=BY, **given)


@pytest.fixture
def list_of(clinic: Clinic) -> Iterator[dict[str, Referral]]:
    with acting_as(BY):
        yield {
            "ivo": refer(clinic, "Ivo Lang", 50),
            "jana": refer(clinic, "Jana Marek", 9),
            "kai": refer(clinic, "Kai Olsen", 20, programme=clinic.restricted, site=clinic.south),
        }


def test_the_longest_waits_first_and_stands_out_beyond_the_limit(
    clinic: Clinic, list_of: dict[str, Referral], browser_of: BrowserOf
) -> None:
    page = browser_of("fred").get("/waiting/").content.decode()
    assert page.index("Ivo Lang") < page.index("Jana Marek")
    assert page.count("over the limit") == 1
    assert "2 people wait" in page
    assert "the longest for 50 days" in page
    assert "1 longer than the clinic&#x27;s 42 days" in page.replace("clinic's", "clinic&#x27;s")
    assert "0 with a first appointment offered" in page
    assert "Kai Olsen" not in page


@pytest.mark.parametrize(
    ("who", "sees"),
    [("fred", {"ivo", "jana"}), ("felix", set()), ("alice", set()), ("dora", set())],
)
def test_application_and_database_show_the_same_referrals(
    clinic: Clinic, list_of: dict[str, Referral], who: str, sees: set[str]
) -> None:
    user = clinic.users[who]
    with acting_as(user):
        beneath = {r.pk for r in Referral.objects.all()}
        above = {r.pk for r in Referral.objects.registered_to(user)}
        clients = {c.pk for c in Client.objects.all()} & {r.client_id for r in list_of.values()}
        registered = {c.pk for c in Client.objects.registered_to(user)}
    assert beneath == above == {list_of[name].pk for name in sees}
    assert clients == {list_of[name].client_id for name in sees}
    assert clients <= registered


def test_a_desk_with_a_grant_sees_who_waits_for_a_restricted_programme(
    clinic: Clinic, list_of: dict[str, Referral], browser_of: BrowserOf
) -> None:
    with acting_as(BY):
        actions.grant_role(user=clinic.felix, role="front_desk", programme=clinic.restricted, by=BY)
    clinic.felix.__dict__.pop("_grants_in_force", None)
    kai = list_of["kai"]
    with acting_as(clinic.felix):
        assert list(Client.objects.filter(pk=kai.client_id)) == list(
            Client.objects.registered_to(clinic.felix).filter(pk=kai.client_id)
        )
        assert Client.objects.filter(pk=kai.client_id).exists()
    page = browser_of("felix").get(f"/waiting/?programme={clinic.restricted.pk}")
    assert "Kai Olsen" in page.content.decode()
    assert browser_of("fred").get(kai.get_absolute_url()).status_code == 404
    assert browser_of("fred").get(f"/waiting/?programme={clinic.restricted.pk}").status_code == 404


def test_nobody_refers_into_a_programme_they_dont_see(clinic: Clinic) -> None:
    with acting_as(clinic.fred):
        client = actions.register_client(by=clinic.fred, site=clinic.north, name="Lea Moor")
        hidden = {"client": client, "programme": clinic.restricted, "received_on": ago(1)}
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            actions.receive_referral(**hidden, by=clinic.fred)


def new(clinic: Clinic, **changed: Any) -> dict[str, Any]:
    return {
        "name": "Mia Nord", "birth_date": "1990-02-03", "language": "en", "phone": "555 01",
        "received_on": ago(3).isoformat(), "source": "school", "site": clinic.north.pk,
        "programme": clinic.therapy.pk, "key": "6a3f1f0e-6a51-4f4f-9d0a-000000000001",
    } | changed  # fmt: skip


def test_a_new_person_is_referred_once_however_often_the_button_is_pressed(
    clinic: Clinic, browser_of: BrowserOf
) -> None:
    fred = browser_of("fred")
    for _press in range(2):
        assert fred.post("/waiting/new/", new(clinic)).status_code == 302
    with acting_as(BY):
        referral = Referral.objects.get()
        assert referral.client.name == "Mia Nord"
        assert (referral.source, referral.received_on) == ("school", ago(3))
        assert referral.client.episodes.count() == 0


def test_what_was_typed_stays_when_something_is_wrong(
    clinic: Clinic, browser_of: BrowserOf
) -> None:
    fred = browser_of("fred")
    tomorrow = (clinic_time.today() + timedelta(days=1)).isoformat()
    for changed, said in (
        ({"received_on": tomorrow}, "lies in the future"),
        ({"name": ""}, "Write the name"),
        ({"client": "ZZZZ-999"}, "Either a client known here"),
        ({"client": "ZZZZ-999", "name": ""}, "No client here has"),
        ({"email": "nobody"}, "Enter a valid email address"),
    ):
        answer = fred.post("/waiting/new/", new(clinic, **changed))
        assert answer.status_code == 422
        page = answer.content.decode()
        assert said in page
        assert "555 01" in page
    with acting_as(BY):
        assert Referral.objects.count() == 0
        assert Client.objects.named("Mia Nord").count() == 0


def test_a_person_of_the_same_name_and_birth_date_is_asked_about(
    clinic: Clinic, browser_of: BrowserOf
) -> None:
    fred = browser_of("fred")
    fred.post("/waiting/new/", new(clinic))
    again = new(clinic, key="6a3f1f0e-6a51-4f4f-9d0a-000000000002")
    answer = fred.post("/waiting/new/", again)
    assert answer.status_code == 422
    assert "is this somebody else?" in answer.content.decode()
    assert fred.post("/waiting/new/", again | {"namesake": "on"}).status_code == 302


def test_a_client_known_here_waits_once_for_a_programme(
    clinic: Clinic, browser_of: BrowserOf
) -> None:
    fred = browser_of("fred")
    known = new(clinic, client=clinic.ana.code, name="", birth_date="")
    assert fred.post("/waiting/new/", known).status_code == 302
    again = fred.post("/waiting/new/", known | {"key": "6a3f1f0e-6a51-4f4f-9d0a-000000000003"})
    assert again.status_code == 422
    assert "waits for this programme already" in again.content.decode()


def test_from_offer_to_care_the_wait_ends_in_an_episode(
    clinic: Clinic, list_of: dict[str, Referral], browser_of: BrowserOf
) -> None:
    fred, address = browser_of("fred"), list_of["ivo"].get_absolute_url()
    assert fred.post(address, {"do": "offer", "offer-on": ago(12)}).status_code == 302
    begin = {
        "do": "begin", "begin-opened_on": ago(5), "begin-lead": clinic.clinicians["bob"].pk,
        "begin-purpose": "change",
    }  # fmt: skip
    early = fred.post(address, begin | {"begin-opened_on": ago(20)})
    assert early.status_code == 422
    assert "A first appointment was offered on" in early.content.decode()
    assert fred.post(address, begin).status_code == 302
    with acting_as(BY):
        referral = Referral.objects.get(pk=list_of["ivo"].pk)
        assert (referral.outcome, referral.outcome_on) == ("accepted", ago(5))
        assert referral.episode.programme == clinic.therapy
        assert referral.first_offer_on == ago(12)
        assert set(AuditEvent.objects.filter(action__startswith="referral").values_list(
            "action", flat=True)) == {"referral received", "referral ended"}  # fmt: skip
    with acting_as(clinic.bob):
        assert Referral.objects.visible_to(clinic.bob).get() == referral == Referral.objects.get()
    assert "Ivo Lang" not in fred.get("/waiting/").content.decode()
    again = fred.post(address, {"do": "leave", "leave-outcome": "withdrawn", "leave-on": ago(1)})
    assert again.status_code == 422
    assert "was recorded already" in again.content.decode()


def test_why_nobody_was_seen_is_recorded_with_its_day(
    clinic: Clinic, list_of: dict[str, Referral], browser_of: BrowserOf
) -> None:
    fred, jana = browser_of("fred"), list_of["jana"]
    address = jana.get_absolute_url()
    unoffered = {"do": "leave", "leave-outcome": "declined", "leave-on": ago(1)}
    answer = fred.post(address, unoffered)
    assert answer.status_code == 422
    assert "Nothing was offered yet" in answer.content.decode()
    early = fred.post(address, unoffered | {"leave-outcome": "not_reached", "leave-on": ago(10)})
    assert early.status_code == 422
    assert "after that day" in early.content.decode()
    assert fred.post(address, unoffered | {"leave-outcome": "not_reached"}).status_code == 302
    with acting_as(BY):
        jana.refresh_from_db()
        assert (jana.outcome, jana.outcome_on, jana.episode) == ("not_reached", ago(1), None)
        assert actions.receive_referral(
            client=jana.client, programme=clinic.therapy, received_on=ago(0), by=BY
        ).waits


def test_whoever_has_died_waits_no_longer(clinic: Clinic) -> None:
    with acting_as(BY):
        referral = actions.receive_referral(
            client=clinic.ana, programme=clinic.restricted, received_on=ago(1), by=BY
        )
        actions.close_episode(
            episode=clinic.episodes["ana"], on=clinic_time.today(), ending="died", by=BY
        )
        referral.refresh_from_db()
        assert (referral.outcome, referral.outcome_on) == ("withdrawn", clinic_time.today())
        with pytest.raises(ValidationError, match="has died"):
            actions.receive_referral(
                client=clinic.ana, programme=clinic.therapy, received_on=ago(0), by=BY
            )
        assert Episode.objects.filter(client=clinic.ana).open().count() == 0
