"""A client changes hands: a first session with both clinicians, and a series that goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from measures_app import actions as measure_actions
from measures_app import measures
from sessions_app import clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Session
from tests.cast import BY


def _hand_over(clinic, browser, **more):
    today = clinic_time.today().isoformat()
    given = {"to": clinic.clinicians["bob"].pk, "on": today, "reason": "Evenings", **more}
    return browser.post(f"/clients/{clinic.ana.code}/transfer/", given)


def test_a_first_session_together_is_one_meeting_in_both_diaries(clinic, browser_of):
    day = clinic_time.today() + timedelta(days=5)
    answer = _hand_over(
        clinic, browser_of("sofia"), together_on=day.isoformat(), together_time="17:00"
    )
    assert answer.status_code == 302
    with acting_as(BY):
        session = Session.objects.get(episode=clinic.episodes["ana"], held_on=day)
        present = session.meeting.clinicians.values_list("pk", flat=True)
        assert set(present) == {clinic.clinicians[who].pk for who in ("alice", "bob")}
        assert session.meeting.starts_at == clinic_time.at(day, 17)


@pytest.mark.parametrize(
    ("days", "time", "field"),
    [(5, "", "together_time"), (None, "17:00", "together_on"), (-1, "17:00", "together_on")],
)
def test_half_a_first_session_or_one_in_the_past_is_said_beside_it_and_nothing_changes(
    clinic, browser_of, days, time, field
):
    day = "" if days is None else (clinic_time.today() + timedelta(days=days)).isoformat()
    answer = _hand_over(clinic, browser_of("sofia"), together_on=day, together_time=time)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert answer.context["form"]["reason"].value() == "Evenings"
    with acting_as(BY):
        lead = clinic.episodes["ana"].assignments.get(part="lead", to_on=None)
        assert lead.clinician_id == clinic.clinicians["alice"].pk


def test_the_series_goes_on_across_a_transfer_with_a_mark(clinic, browser_of):
    with acting_as(BY):
        measures.sync_library()
        for session in clinic.sessions["ana"]:
            measure_actions.record_administration(
                episode=clinic.episodes["ana"],
                session=session,
                measure=measures.get_measure("outcome-adult"),
                total=18,
                provenance="paper",
                by=BY,
            )
    _hand_over(clinic, browser_of("sofia"))
    [shown] = browser_of("bob").get(f"/clients/{clinic.ana.code}/").context["pictures"]
    assert len(shown.picture.series.scores) == len(clinic.sessions["ana"])
    assert "transfer" in [event.label for event in shown.picture.figure.events]
