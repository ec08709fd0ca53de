"""A clinician's own page: private, shared by them alone, honest about small numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from measures_app import measures
from reports_app import figures, practice, practice_log
from reports_app.models import EpisodeSummary, PracticeEntry, PracticeShare
from reports_app.nightly import run_night
from reports_app.periods import Month
from sessions_app import clinic_time
from sessions_app.context import acting_as
from tests.cast import BY, PEOPLE, Clinic
from tests.reports.conftest import browser_text, end_one
from tests.stage import scene

TODAY = clinic_time.today()
IMPROVED, UNCHANGED, UNMEASURED = 9, 5, 2


@pytest.fixture
def noted(clinic: Clinic) -> PracticeEntry:
    """Alice practised the moving-on conversation; nobody knows."""
    with acting_as(clinic.alice):
        return practice_log.log_practice(
            on=TODAY - timedelta(days=20), skill="moving_on", hours=2, sessions_reviewed=3,
            tried="Ask first what a good ending is", by=clinic.alice,
        )  # fmt: skip


def _who_sees(clinic: Clinic) -> set[str]:
    """By the application's filter; that the database agrees is asserted on the way."""
    found = set()
    for who in PEOPLE:
        user = clinic.users[who]
        with acting_as(user):
            beneath = PracticeEntry.objects.count()
            assert PracticeEntry.objects.visible_to(user).count() == beneath, who
        if beneath:
            found.add(who)
    return found


def test_a_log_is_the_clinicians_own_until_they_share_it_and_when_they_stop(
    clinic: Clinic, noted: PracticeEntry, browser_of: Callable[[str], Browser]
) -> None:
    alice, sofia, door = browser_of("alice"), browser_of("sofia"), "/practice/of/alice/"
    assert "Ask first what a good ending is" in browser_text(alice, "/practice/")
    assert _who_sees(clinic) == {"alice"}
    assert sofia.get(door).status_code == 404
    assert "Share with Sofia Spruce" in browser_text(alice, "/practice/")
    alice.post("/practice/share/", {"supervisor": clinic.sofia.pk})
    assert _who_sees(clinic) == {"alice", "sofia"}
    assert "Ask first what a good ending is" in browser_text(sofia, door)
    assert "Note it" not in browser_text(sofia, door)
    page = browser_text(alice, "/practice/")
    assert "Sofia Spruce practice page" in page  # who looked at my numbers
    for who in ("bob", "ruth", "dora", "adam"):
        assert browser_of(who).get(door).status_code == 404
    alice.post("/practice/share/", {"supervisor": clinic.sofia.pk, "do": "end"})
    assert _who_sees(clinic) == {"alice"}
    assert sofia.get(door).status_code == 404


def test_a_share_ends_with_the_supervision(clinic: Clinic, noted: PracticeEntry) -> None:
    with acting_as(clinic.alice):
        practice_log.share_practice(supervisor=clinic.sofia, by=clinic.alice)
    assert _who_sees(clinic) == {"alice", "sofia"}
    clinic.supervision.to_on = TODAY - timedelta(days=1)
    with acting_as(BY):
        clinic.supervision.save()
    assert _who_sees(clinic) == {"alice"}


def test_it_is_shared_with_ones_own_supervisor_and_nobody_else(clinic: Clinic) -> None:
    with acting_as(clinic.alice):
        for stranger in (clinic.bob, clinic.dora):
            with pytest.raises(ValidationError, match="doesn't supervise you"):
                practice_log.share_practice(supervisor=stranger, by=clinic.alice)
        assert not PracticeShare.objects.exists()


def test_what_was_typed_stays_when_nothing_was_said_or_the_day_is_to_come(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    alice = browser_of("alice")
    form = {"on": (TODAY + timedelta(days=1)).isoformat(), "skill": "ending", "tried": "kept"}
    answer = alice.post("/practice/", form)
    assert answer.status_code == 422
    assert "this day is to come" in answer.content.decode()
    assert ">\nkept</textarea>" in answer.content.decode()
    answer = alice.post("/practice/", {"on": TODAY.isoformat(), "skill": "ending"})
    assert "Say at least one" in answer.content.decode()
    assert alice.post("/practice/", form | {"on": TODAY.isoformat()}).status_code == 302
    with acting_as(clinic.alice):
        entry = PracticeEntry.objects.get()
    assert browser_of("bob").post(f"/practice/log/{entry.pk}/take-back/").status_code == 404
    assert alice.post(f"/practice/log/{entry.pk}/take-back/").status_code == 302
    with acting_as(clinic.alice):
        assert not PracticeEntry.objects.exists()


@scene
def ended(clinic: Clinic) -> Clinic:
    """Sixteen of Bob's care ended four months ago: more than he may still open."""
    measures.sync_library()
    month = Month(TODAY.replace(day=1))
    for _n in range(5):
        month = month.previous()
    lasts = [30.0] * IMPROVED + [16.0] * UNCHANGED + [None] * UNMEASURED
    for place, last in enumerate(lasts):
        ending = "client_stopped" if last is None else "agreed"
        end_one(clinic, month, place, 15.0, last, ending)
    run_night(TODAY)
    return clinic


def test_ones_own_numbers_are_of_all_who_ended_and_not_of_those_one_may_still_open(
    ended: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    with acting_as(ended.bob):
        clinician = ended.clinicians["bob"]
        assert not EpisodeSummary.objects.filter(clinician=clinician, closed_on__isnull=False)
        found = practice.read(clinician, [])
    assert (found["total"], found["measured"], found["stopped"]) == (16, 14, UNMEASURED)
    page = browser_of("bob").get("/practice/")
    rows = {row.label: row for row in page.context["rows"]}
    improved = rows["reliably better"]
    assert improved.value == pytest.approx(IMPROVED / 14)
    assert improved.low < IMPROVED / 16 < improved.value < improved.high
    assert rows["stopped coming"].value == pytest.approx(UNMEASURED / 16)
    groups = dict(page.context["for_whom"])
    (age,) = groups["Age"]
    assert (age.label, age.n, age.value) == ("26-64", 16, pytest.approx(IMPROVED / 14))
    assert sum(group.n for group in groups["Where they started"]) == 16
    stranger = browser_of("ruth").get("/practice/")
    assert stranger.context["total"] == 0


def test_fewer_than_fifteen_say_nothing(ended: Clinic) -> None:
    with acting_as(BY):
        rows = practice.ended_rows(ended.clinicians["bob"])
        for group in [g for _name, groups in practice.for_whom(rows[:14]) for g in groups]:
            assert (group.value, group.low) == (None, None)
        effect = practice.own_effect(ended.clinicians["bob"], rows[:14])
        assert effect.value is None


def test_the_effect_is_drawn_towards_the_clinics_and_signed_for_the_better(ended: Clinic) -> None:
    bob = ended.clinicians["bob"]
    with acting_as(BY):
        EpisodeSummary.objects.filter(closed_on__isnull=False).update(expected_last=20.0)
        bobs = EpisodeSummary.objects.filter(clinician=bob, closed_on__isnull=False)
        for row in bobs.filter(last_score=None):
            # As if measured, so that fifteen and more count.
            bobs.filter(pk=row.pk).update(last_score=30.0, outcome_class="recovered")
        bobs.update(first_score=15.0)
        bobs.filter(pk=bobs.first().pk).update(first_score=25.0)
        figures.refresh_by_day(clinic_time.today())
        effect = practice.own_effect(bob, practice.ended_rows(bob))
    assert effect.n == 16
    raw = (11 * 10 - 5 * 4) / 16 / 2.5  # SD of fifteen 15s and a 25
    assert effect.value == pytest.approx(effect.weight * raw)
    assert 0 < effect.weight < 1
    assert effect.low < effect.value < effect.high


def test_a_skills_pattern_stands_before_and_since_and_says_when_they_are_few(
    ended: Clinic,
) -> None:
    bob = ended.clinicians["bob"]
    with acting_as(ended.bob):
        entry = practice_log.log_practice(on=TODAY, skill="ending", hours=1, by=ended.bob)
        (course,) = practice.read(bob, [entry])["courses"]
    assert course.before.n == 16
    assert course.before.value == pytest.approx(UNMEASURED / 16)
    assert (course.after.n, course.after.value) == (0, None)
