"""Couples and groups: one meeting on one page, each with their own form; nobody sees another's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import measures
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Meeting, Session
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
