"""Whoever goes on with a client reads what the one before wrote."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import measures
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Assignment
from tests.cast import BY, Clinic

SECRET = "likes to begin with the week"


def _page(clinic: Clinic, name: str) -> Browser:
    browser = Browser()
    browser.force_login(getattr(clinic, name))
    return browser


def _scored(clinic: Clinic) -> None:
    with acting_as(BY):
        measures.sync_library()
        for session, total in zip(clinic.sessions["ana"], (18, 19, 21, 22, 24, 27), strict=True):
            measure_actions.record_administration(
                episode=clinic.episodes["ana"],
                session=session,
                measure=measures.get_measure("outcome-adult"),
                total=total,
                provenance="paper",
                by=BY,
            )
        actions.record_case_review(
            episode=clinic.episodes["ana"],
            decision="change_approach",
            note="goals anew",
            client_said="more about work",
            by=clinic.alice,
        )


def test_the_draft_says_purpose_course_and_what_was_decided(clinic: Clinic) -> None:
    _scored(clinic)
    text = _page(clinic, "sofia").get(f"/clients/{clinic.ana.code}/transfer/").content.decode()
    for words in ("Purpose agreed", "6 sessions", "at the start, 27", "change approach",
                  "goals anew", "more about work"):  # fmt: skip
        assert text.count(words) == 1, words
    assert ".." not in text


def test_whoever_goes_on_reads_it_and_nobody_reads_it_in_the_database(clinic: Clinic) -> None:
    sent = {
        "to": clinic.clinicians["carol"].pk,
        "on": clinic_time.today().isoformat(),
        "reason": "Alice leaves",
        "summary": f"Ana {SECRET}.",
    }
    answer = _page(clinic, "sofia").post(f"/clients/{clinic.ana.code}/transfer/", sent)
    assert answer.status_code == 302
    assert SECRET in _page(clinic, "carol").get(f"/clients/{clinic.ana.code}/").content.decode()
    with acting_as(BY), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sessions_app_assignment a WHERE a::text LIKE %s",
                       [f"%{SECRET}%"])  # fmt: skip
        assert cursor.fetchone() == (0,)


def test_what_was_typed_is_kept_when_the_day_is_wrong(clinic: Clinic) -> None:
    sent = {
        "to": clinic.clinicians["carol"].pk,
        "on": (clinic_time.today() - timedelta(days=4000)).isoformat(),
        "reason": "Alice leaves",
        "summary": f"Ana {SECRET}.",
    }
    answer = _page(clinic, "sofia").post(f"/clients/{clinic.ana.code}/transfer/", sent)
    assert answer.status_code == 422
    assert SECRET in answer.content.decode()
    with acting_as(BY):
        assert not Assignment.objects.filter(
            clinician=clinic.clinicians["carol"], episode=clinic.episodes["ana"]
        ).exists()
