"""What is so at once and not after the night: an ending's flags, a session's number."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import reports_app.tasks  # noqa: F401 - the outbox's handlers
from measures_app import actions as measure_actions
from measures_app import flagging, measures
from measures_app.models import Flag, FlagEvent, Trajectory
from measures_app.series import scores
from sessions_app import actions, clinic_time, outbox
from sessions_app.context import acting_as
from tests.cast import BY, Clinic

TODAY = clinic_time.today()


def noticed(clinic: Clinic, kind: str) -> Flag:
    return Flag.objects.create(
        client=clinic.ana, episode=clinic.episodes["ana"], rule=f"overdue_{kind}", kind=kind,
        rule_set=flagging.current_rule_set(TODAY), evidence={}, raised_on=TODAY,
    )  # fmt: skip


def test_what_was_noticed_ends_with_the_episode_and_says_so(clinic: Clinic) -> None:
    with acting_as(BY):
        review, prompt, item = (noticed(clinic, kind) for kind in ("review", "prompt", "item"))
        measure_actions.take_up(episode=clinic.episodes["ana"], by=clinic.alice)
    with acting_as(clinic.alice):
        # So long ago that she sees the client no longer once it is said.
        actions.set_policy(key="former_assignment_days", value=0, by=BY)
        actions.close_episode(
            episode=clinic.episodes["ana"], on=TODAY - timedelta(days=20), ending="agreed",
            by=clinic.alice,
        )  # fmt: skip
    with acting_as(BY):
        for flag in (review, prompt):
            flag.refresh_from_db()
            assert (flag.state, flag.close_reason) == ("lapsed", flagging.EPISODE_ENDED)
            said = FlagEvent.objects.filter(flag=flag).last()
            assert said.actor == f"user:{clinic.alice.public_id}"
        item.refresh_from_db()
        assert item.state == "open"  # until somebody says what was done


def test_answers_from_the_waiting_room_belong_to_the_session_that_follows(clinic: Clinic) -> None:
    with acting_as(BY):
        measures.sync_library()
        episode, measure = clinic.episodes["ana"], measures.get_measure("outcome-adult")
        for session in clinic.sessions["ana"]:
            enter(episode, session, measure)
        booked = actions.book_session(episode=episode, starts_at=clinic_time.at(TODAY), by=BY)
        enter(episode, booked, measure)
        outbox.sweep()
        assert numbers(episode) == [1, 2, 3, 4, 5, 6, 7]
        # The client left before being seen: the answers count, at the last session there was.
        actions.set_attendance(session=booked, status="not_seen_by_us", by=BY)
        assert outbox.sweep() == 1
        assert numbers(episode) == [1, 2, 3, 4, 5, 6]
        actions.attend(session=booked, by=BY)
        assert outbox.sweep() == 1
        assert numbers(episode) == [1, 2, 3, 4, 5, 6, 7]


def enter(episode: Any, session: Any, measure: Any) -> None:
    measure_actions.record_administration(
        episode=episode, session=session, measure=measure, total=20, provenance="own_device", by=BY
    )


def numbers(episode: Any) -> list[int]:
    """Sessions of the scores, as computed anew and as stored."""
    computed = scores(episode_ids=[episode.pk])["t"].tolist()
    assert list(Trajectory.objects.get(episode=episode).t) == computed
    return computed


def test_attendance_without_answers_computes_nothing(clinic: Clinic) -> None:
    with acting_as(BY):
        booked = actions.book_session(
            episode=clinic.episodes["ana"], starts_at=clinic_time.at(TODAY), by=BY
        )
        outbox.sweep()
        actions.attend(session=booked, by=BY)
        assert outbox.sweep() == 0


def test_a_part_of_the_system_takes_a_score_out_of_every_reading(clinic: Clinic) -> None:
    with acting_as(BY):
        measures.sync_library()
        row = measure_actions.record_administration(
            episode=clinic.episodes["ana"], session=clinic.sessions["ana"][0], total=20,
            measure=measures.get_measure("outcome-adult"), provenance="api", by=BY,
        )  # fmt: skip
        row = measure_actions.void_administration(administration=row, reason="twice", by=BY)
    assert (row.voided, row.voided_by, row.void_reason) == (True, None, "twice")


@pytest.mark.django_db
def test_old_sign_ins_are_forgotten(clinic: Clinic) -> None:
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session as SignIn

    from sessions_app.tasks import forget_old_sign_ins

    over, current = SessionStore(), SessionStore()
    over.set_expiry(-1)
    for store in (over, current):
        store["x"] = 1
        store.save()
    forget_old_sign_ins()
    assert [row.pk for row in SignIn.objects.all()] == [current.session_key]
