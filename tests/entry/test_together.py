"""Couples and groups: one meeting on one page, each with their own form; nobody sees another's."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser

import reports_app.tasks  # noqa: F401 - the outbox's handlers
from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.due import due_at
from measures_app.models import Administration, Trajectory
from measures_app.respondents import people_of
from reports_app.selectors import hours_this_week
from sessions_app import actions, clinic_time, links, outbox
from sessions_app.context import acting_as
from sessions_app.models import (
    Assignment,
    ClientIdentity,
    EntryLink,
    Meeting,
    Respondent,
    Session,
)
from tests.cast import BY, Clinic
from tests.entry.test_links import Phone

Sign = Callable[[str], Browser]


@pytest.fixture
def couple(clinic: Clinic) -> list[Session]:
    """Boris and Dina with Bob in one hour."""
    with acting_as(BY):
        measures.sync_library()
        moment, meeting, found = clinic_time.at(clinic_time.today(), 9), None, []
        for name in ("boris", "dina"):
            session = actions.book_session(
                episode=clinic.episodes[name],
                starts_at=moment,
                format=Meeting.Format.COUPLE,
                meeting=meeting,
                clinicians=[clinic.clinicians["bob"]],
                by=BY,
            )
            meeting = session.meeting
            found.append(session)
    return found


def test_one_page_shows_everybody_and_whose_answers_are_in(
    clinic: Clinic, couple: list[Session], browser_of: Sign
) -> None:
    bob, door = browser_of("bob"), f"/meetings/{couple[0].meeting_id}/"
    assert door in bob.get("/today/").content.decode()
    page = bob.get(door).content.decode()
    assert "Boris Petrov" in page
    assert "Dina Haddad" in page
    assert "in:" not in page
    with acting_as(BY):
        measure_actions.record_administration(
            episode=clinic.episodes["dina"], session=couple[1], total=20, by=BY,
            measure=measures.get_measure("outcome-adult"), provenance="paper",
        )  # fmt: skip
    page = bob.get(door).content.decode()
    assert page.count("in:") == 1
    assert page.index("Dina Haddad") < page.index("in:")


def test_who_may_see_one_of_them_sees_that_one_alone(
    clinic: Clinic, couple: list[Session], browser_of: Sign
) -> None:
    door = f"/meetings/{couple[0].meeting_id}/"
    page = browser_of("alice").get(door).content.decode()  # she treated Boris until lately
    assert "Boris Petrov" in page
    assert "Dina" not in page
    assert browser_of("ruth").get(door).status_code == 404


def test_no_link_of_one_opens_anything_of_the_other(clinic: Clinic, couple: list[Session]) -> None:
    with acting_as(clinic.bob):
        tokens = [
            actions.make_link(
                session=session, respondent=session.client.respondents.get(), by=clinic.bob
            )[1]
            for session in couple
        ]
    one, other = (Phone(f"/m/{token}/") for token in tokens)
    assert not set(one.names.values()) & set(other.names.values())
    assert "Petrov" not in one.open().content.decode() + other.open().content.decode()


@pytest.fixture
def beside(clinic: Clinic) -> tuple[Session, dict[str, Respondent]]:
    """Ana (14), her mother, and a brother, in one family meeting with Alice today."""
    with acting_as(BY):
        measures.sync_library()
        clinic.ana.birth_year = clinic_time.today().year - 14
        clinic.ana.save()
        ClientIdentity.objects.filter(client=clinic.ana).update(sealed=b"")
        session = actions.book_session(
            episode=clinic.episodes["ana"], starts_at=clinic_time.at(clinic_time.today(), 9),
            format=Meeting.Format.FAMILY, by=BY,
        )  # fmt: skip
    with acting_as(clinic.alice):
        people = {"ana": clinic.ana.respondents.get()}
        for label, relation in (("mother", "carer"), ("brother", "other"), ("father", "partner")):
            people[label] = actions.add_respondent(
                client=clinic.ana, relation=relation, label=label, by=clinic.alice
            )
    return session, people


def link_of(clinic: Clinic, session: Session, person: Respondent) -> str:
    with acting_as(clinic.alice):
        _link, token = actions.make_link(session=session, respondent=person, by=clinic.alice)
    return f"/m/{token}/"


def test_each_of_a_family_answers_their_own_form_by_link_and_has_a_series_of_their_own(
    clinic: Clinic, beside: tuple[Session, dict[str, Respondent]], browser_of: Sign
) -> None:
    session, people = beside
    page = browser_of("alice").get(f"/sessions/{session.pk}/links/").content.decode()
    assert all(f"Link for {person}" in page for person in ("mother", "brother", "father"))
    for person, mark in (("ana", "2.0"), ("brother", "7.0"), ("father", "9.0")):
        phone = Phone(link_of(clinic, session, people[person]))
        assert phone.send(dict.fromkeys(phone.names, mark)).status_code == 200
    with acting_as(BY):
        rows = {
            str(row.respondent): row
            for row in Administration.objects.filter(session=session).select_related("measure")
        }
        outbox.sweep()
        series = Trajectory.objects.filter(episode=session.episode, measure__purpose="outcome")
        assert sorted(str(s.respondent) for s in series) == ["brother", "father", "the client"]
    assert rows["the client"].measure.code != rows["father"].measure.code  # the form for her age
    assert rows["father"].age_years is None


def test_a_link_shows_nothing_of_the_others_in_either_scope_layer(
    clinic: Clinic, beside: tuple[Session, dict[str, Respondent]]
) -> None:
    session, people = beside
    doors = {name: link_of(clinic, session, person) for name, person in people.items()}
    mine = Phone(doors["ana"])
    mine.send(dict.fromkeys(mine.names, "1.0"))
    for name in ("mother", "father", "brother"):
        with acting_as(BY):
            link = EntryLink.objects.get(respondent=people[name], revoked_at=None)
        with acting_as(links.holder_of(link.pk)):
            assert Administration.objects.count() == 0
            assert [row.pk for row in Respondent.objects.all()] == [people[name].pk]
        page = Phone(doors[name]).open().content.decode()
        text = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
        assert "1.0" not in text
        assert "Ana" not in text


def test_who_is_beside_a_client_is_asked_at_meetings_of_couples_and_families_alone(
    clinic: Clinic, beside: tuple[Session, dict[str, Respondent]], browser_of: Sign
) -> None:
    session, people = beside
    alice, door = browser_of("alice"), f"/meetings/{session.meeting_id}/"
    assert "father" in alice.get(door).content.decode().partition('id="came')[0]
    for page in ("/today/", f"/sessions/{session.pk}/"):  # a family of one client is one too
        assert f'href="{door}"' in alice.get(page).content.decode()
    typed = alice.get(f"/sessions/{session.pk}/").content.decode()
    assert f"r{people['father'].pk}_" in typed  # from paper
    assert alice.post(door, {"do": "format", "format": "individual"}).status_code == 302
    with acting_as(BY):
        session = Session.objects.select_related("meeting", "episode__client").get(pk=session.pk)
        asked = {str(due.respondent) for due in due_at(session.episode, session.held_on, session)}
        assert asked == {"the client", "mother"}
        assert people["father"] not in people_of(session)


def test_a_partner_answers_on_the_clinics_device_and_sees_no_picture_of_the_clients(
    clinic: Clinic, beside: tuple[Session, dict[str, Respondent]], browser_of: Sign
) -> None:
    session, people = beside
    device = browser_of("alice")
    answer = device.post(
        f"/sessions/{session.pk}/hand-over/", {"respondent": people["father"].pk, "pin": "4711"}
    )
    phone = Phone(answer["Location"])
    phone.browser = device
    phone.open()
    shown = phone.send(dict.fromkeys(phone.names, "6.0")).content.decode()
    assert "<svg" not in shown
    with acting_as(BY):
        row = Administration.objects.filter(respondent=people["father"]).first()
        assert row is not None
        assert row.provenance == "clinic_tablet"


def test_the_meeting_page_makes_a_couple_of_two_clients_and_takes_attendance_of_both(
    clinic: Clinic, browser_of: Sign
) -> None:
    with acting_as(BY):
        measures.sync_library()
        session = actions.book_session(
            episode=clinic.episodes["boris"], starts_at=clinic_time.at(clinic_time.today(), 9),
            by=BY,
        )  # fmt: skip
    bob, door = browser_of("bob"), f"/meetings/{session.meeting_id}/"
    dina = {"do": "client", "client": clinic.dina.code}
    answer = bob.post(door, dina)
    assert answer.status_code == 422
    assert "First say" in answer.content.decode()
    assert bob.post(door, {"do": "format", "format": "couple"}).status_code == 302
    refused = bob.post(door, {"do": "client", "client": clinic.ana.code})  # Alice's
    assert refused.status_code == 422
    assert f'value="{clinic.ana.code}"' in refused.content.decode()
    assert bob.post(door, dina).status_code == 302
    assert bob.post(door, dina).status_code == 422
    with acting_as(BY):
        both = list(Session.objects.filter(meeting=session.meeting_id).order_by("pk"))
    given = {f"came-{one.pk}": "attended" for one in both}
    assert bob.post(door, {"do": "attendance", **given}).status_code == 302
    with acting_as(clinic.bob):
        assert {s.status for s in Session.objects.filter(meeting=session.meeting_id)} == {
            "attended"
        }
        assert hours_this_week(clinic.clinicians["bob"]) == 50 / 60  # one meeting
    assert bob.post(door, {"do": "format", "format": "individual"}).status_code == 422
    given = {"do": "person", "place": both[0].pk, "relation": "partner", "label": "wife",
             "language": "es", "email": "wife@mail.example"}  # fmt: skip
    assert bob.post(door, given).status_code == 302
    # Who came is seen at once among those present, also one of whom nothing is asked.
    given |= {"relation": "carer", "label": "brother"}
    assert bob.post(door, given).status_code == 302
    present = bob.get(door).content.decode().partition('id="came')[0]
    assert "<li>wife · " in present
    assert '<li>brother · <span class="muted">nothing is due</span>' in present
    with acting_as(BY):
        assert Respondent.objects.get(label="wife").contact == {"email": "wife@mail.example"}
    assert browser_of("ruth").post(door, given).status_code == 404


def test_a_joint_first_session_lets_the_receiving_clinician_see_the_client_dated(
    clinic: Clinic, browser_of: Sign
) -> None:
    today = clinic_time.today()
    with acting_as(BY):
        measures.sync_library()
        session = actions.book_session(
            episode=clinic.episodes["ana"], starts_at=clinic_time.at(today), by=BY
        )
    door = f"/meetings/{session.meeting_id}/"
    ruth = {"do": "colleague", "clinician": clinic.clinicians["ruth"].pk}
    assert browser_of("ruth").get(door).status_code == 404
    assert browser_of("alice").post(door, ruth).status_code == 302
    assert "Ruth Rowan" in browser_of("alice").get(door).content.decode()
    assert browser_of("ruth").get(door).status_code == 200
    assert clinic.ana.code in browser_of("ruth").get("/today/").content.decode()
    with acting_as(BY):
        part = Assignment.objects.get(clinician=clinic.clinicians["ruth"])
        assert (part.part, part.from_on, part.to_on) == ("co_therapist", today, today)
        lead = Assignment.objects.get(episode=clinic.episodes["ana"], part="lead")
        assert (lead.clinician, lead.to_on) == (clinic.clinicians["alice"], None)
        actions.set_attendance(session=session, status="attended", by=BY)
        # The meeting is an hour of each of the two, and the client's session is one.
        assert hours_this_week(clinic.clinicians["ruth"]) == 50 / 60
        assert Session.objects.filter(meeting=session.meeting_id).count() == 1


def test_a_second_clinician_doesnt_open_a_restricted_programme(clinic: Clinic) -> None:
    with acting_as(clinic.carol), pytest.raises(ValidationError, match="restricted"):
        actions.join_meeting(
            meeting=clinic.sessions["emil"][0].meeting, clinician=clinic.clinicians["ruth"],
            by=clinic.carol,
        )  # fmt: skip
