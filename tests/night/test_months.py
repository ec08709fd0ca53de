"""Months of sessions are counted again where anything changed, by whomever, and only there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import transaction

from measures_app import actions as measure_actions
from reports_app import session_months
from reports_app.models import SessionMonth
from sessions_app import actions, clinic_time
from sessions_app.models import Episode, Meeting, MeetingClinician, Session
from tests.cast import BY, Clinic

from .stories import Story, add_score, add_session, days, tell

COLUMNS = [f.attname for f in SessionMonth._meta.fields if f.attname != "id"]


def months() -> list[tuple[Any, ...]]:
    return sorted(SessionMonth.objects.values_list(*COLUMNS), key=repr)


def counted_whole() -> list[tuple[Any, ...]]:
    session_months.rebuild()
    return months()


def attend(story: Story, clinic: Clinic) -> date:
    add_session(story, clinic_time.today(), 5)
    return clinic_time.today()


def move_a_session(story: Story, clinic: Clinic) -> date:
    session = story.sessions[0]
    before = session.held_on
    Session.objects.filter(pk=session.pk).update(held_on=before.replace(year=before.year - 1))
    return before


def complete_a_session(story: Story, clinic: Clinic) -> date:
    add_score(story, story.sessions[1], 33, measure="alliance-adult")
    return story.sessions[1].held_on


def void_a_score(story: Story, clinic: Clinic) -> date:
    measure_actions.void_administration(
        administration=story.scores[2], reason="wrong person", by=clinic.users["alice"]
    )
    return story.sessions[2].held_on


def stay_longer(story: Story, clinic: Clinic) -> date:
    Meeting.objects.filter(sessions=story.sessions[1]).update(minutes=95)
    return story.sessions[1].held_on


def hand_a_meeting_over(story: Story, clinic: Clinic) -> date:
    row = MeetingClinician.objects.get(meeting__sessions=story.sessions[1])
    MeetingClinician.objects.filter(pk=row.pk).update(clinician=clinic.clinicians["bob"])
    return story.sessions[1].held_on


def change_the_programme(story: Story, clinic: Clinic) -> date:
    other = actions.add_programme(name="Somewhere else", by=BY)
    Episode.objects.filter(pk=story.episode.pk).update(programme=other)
    return story.sessions[0].held_on


CHANGES = [
    attend, move_a_session, complete_a_session, void_a_score, stay_longer, hand_a_meeting_over,
    change_the_programme,
]  # fmt: skip


@pytest.fixture
def story(at_work: Clinic) -> Story:
    """Four sessions, four weeks apart, with both measures at each but the second."""
    found = tell(at_work, [18, 19, 19, 20], days(4, every=28), alliance=[38, None, 39, 36])
    tell(at_work, [20, 22, 24], days(3, every=28, last=80), alliance=[38, 38, 39])
    return found


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_counts_its_months_again(
    at_work: Clinic, story: Story, change: Callable[[Story, Clinic], date]
):
    session_months.count()
    before = months()
    change(story, at_work)
    assert months() == before
    assert session_months.count() > 0
    found = months()
    assert found != before
    assert found == counted_whole()


def test_only_months_with_a_change_are_counted(at_work: Clinic, story: Story):
    session_months.count()
    earlier = SessionMonth.objects.order_by("month").first()
    assert earlier is not None
    SessionMonth.objects.filter(pk=earlier.pk).update(minutes=1)  # a mark: it stays if untouched
    assert session_months.count() == 0
    attend(story, at_work)
    assert session_months.count() == 1
    earlier.refresh_from_db()
    assert earlier.minutes == 1


def test_a_change_that_is_rolled_back_counts_nothing(at_work: Clinic, story: Story):
    session_months.count()
    with transaction.atomic():
        attend(story, at_work)
        transaction.set_rollback(True)
    assert session_months.count() == 0
