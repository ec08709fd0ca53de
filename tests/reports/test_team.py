"""The supervisor's team page and what a caseload says beside the course."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import flagging, measures
from measures_app.models import Flag
from reports_app import workload
from reports_app.models import EpisodeSummary, SessionMonth
from reports_app.selectors import add_alliance, add_steps, hours_of_week, rows_of
from reports_app.team import team_of
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent
from tests.cast import BY, Clinic

BrowserOf = Callable[[str], Browser]


def ago(days: int) -> Any:
    return clinic_time.today() - timedelta(days=days)


def notice(clinic: Clinic, key: str, days: int, **more: Any) -> Flag:
    episode = clinic.episodes[key]
    return Flag.objects.create(
        client=episode.client, episode=episode, rule="no_progress", kind="review",
        rule_set=flagging.current_rule_set(clinic_time.today()), evidence={},
        raised_on=ago(days), **more,
    )  # fmt: skip


def test_a_team_stands_by_name_with_load_flags_and_measures(clinic: Clinic) -> None:
    with acting_as(BY):
        measures.sync_library()
        actions.supervise(supervisor=clinic.sofia, clinician=clinic.clinicians["bob"], by=BY)
        notice(clinic, "ana", 20, taken_up_at=clinic_time.at(ago(15)), owner=clinic.alice)
        notice(clinic, "boris", 20)
        notice(clinic, "dina", 2)
        for code, total in (("outcome-adult", 20.0), ("alliance-adult", 30.0)):
            measure_actions.record_administration(
                episode=clinic.episodes["ana"], session=clinic.sessions["ana"][-1],
                measure=measures.get_measure(code), total=total, provenance="paper", by=BY,
            )  # fmt: skip
        recent = [s for s in clinic.sessions["ana"] if s.held_on >= ago(28)]
        actions.book_session(
            episode=clinic.episodes["ana"], starts_at=clinic_time.at(ago(3)), by=BY
        )
        actions.record_case_review(
            episode=clinic.episodes["dina"], decision="consult", by=clinic.bob
        )
    with acting_as(clinic.sofia):
        team = team_of(clinic.sofia)
    alice, bob = team.members
    assert [m.clinician.code for m in team.members] == ["alice", "bob"]
    assert (alice.open, bob.open) == (1, 3)
    assert (alice.noticed, alice.nobodys, bob.noticed, bob.nobodys) == (1, 0, 2, 2)
    assert (alice.in_time, alice.judged) == (1, 1)
    assert (bob.in_time, bob.judged) == (0, 1)
    assert (alice.both, alice.sessions) == (1, len(recent))
    assert (alice.unsaid, bob.unsaid) == (1, 0)
    assert [(a.review.client, a.clinician.code) for a in team.asked] == [(clinic.dina, "bob")]


def test_nobody_sees_anothers_team_and_each_finds_who_looked(
    clinic: Clinic, browser_of: BrowserOf
) -> None:
    page = browser_of("sofia").get("/team/").content.decode()
    assert "Alice Alder" in page
    assert "Bob Birch" not in page
    with acting_as(BY):
        looked = AuditEvent.objects.filter(subject_kind="clinician", action="read")
        assert list(looked.values_list("subject", flat=True)) == ["alice"]
    assert "team page" in browser_of("alice").get("/practice/").content.decode()


def test_a_supervisor_of_nobody_is_told_what_to_do(clinic: Clinic, browser_of: BrowserOf) -> None:
    clinic.supervision.to_on = ago(1)
    clinic.supervision.save()
    assert "You supervise nobody today" in browser_of("sofia").get("/team/").content.decode()


def test_a_caseload_says_the_alliance_lately_and_the_next_step(
    clinic: Clinic, browser_of: BrowserOf
) -> None:
    ana, boris = clinic.episodes["ana"], clinic.episodes["boris"]
    with acting_as(BY):
        measures.sync_library()
        for session, total in zip(clinic.sessions["ana"][-2:], (32.0, 26.5), strict=True):
            measure_actions.record_administration(
                episode=ana, session=session, measure=measures.get_measure("alliance-adult"),
                total=total, provenance="paper", by=BY,
            )  # fmt: skip
        review = actions.record_case_review(
            episode=ana, decision="continue", follow_up_on=clinic_time.today(), by=clinic.alice
        )
    with acting_as(clinic.alice):
        rows = {r.episode.pk: r for r in rows_of([ana.pk, boris.pk])}
        add_alliance(list(rows.values()))
        add_steps(list(rows.values()), clinic.alice)
    assert rows[ana.pk].alliance == "alliance 26.5, 32 before"
    assert rows[boris.pk].alliance == ""
    assert len(rows[ana.pk].steps) == 1
    assert rows[ana.pk].steps[0].startswith("look again at a decision")
    assert rows[boris.pk].steps == ["nothing measured at the last session: ask at the next"]
    alice = browser_of("alice")
    both = alice.get("/caseload/?show=todo").content.decode()
    assert clinic.ana.code in both
    assert clinic.boris.code in both
    assert "alliance 26.5, 32 before" in both
    with acting_as(BY):
        actions.record_review_result(review=review, result="better", by=clinic.alice)
    left = alice.get("/caseload/?show=todo").content.decode()
    assert clinic.ana.code not in left
    assert clinic.boris.code in left


def test_a_weeks_hours_count_a_meeting_once_held_or_booked(clinic: Clinic) -> None:
    today, alice = clinic_time.today(), clinic.clinicians["alice"]
    with acting_as(BY):
        before = hours_of_week(alice)
        held = actions.record_session(episode=clinic.episodes["ana"], held_on=today, by=BY)
        actions.book_session(
            episode=clinic.episodes["ana"], starts_at=clinic_time.at(today, 23), by=BY
        )
        actions.book_session(
            episode=clinic.episodes["boris"], starts_at=held.meeting.starts_at,
            meeting=held.meeting, by=BY,
        )  # fmt: skip
        after = hours_of_week(alice)
    assert after[0] - before[0] == 50 / 60
    assert after[1] - before[1] == 50 / 60


def test_hours_and_outcome_are_held_against_each_clinicians_own(db: Any, monkeypatch: Any) -> None:
    """Five clinicians, one hour more a week a quarter, an outcome .1 SD lower with each."""
    today = clinic_time.today()
    start, end = workload._since(today)
    assert (end.month - 1) % 3 == 0
    assert end <= today
    assert (end.year - start.year) * 12 + end.month - start.month == 36
    with acting_as(BY):
        nothing = workload.count(today)
        assert (nothing.difference, nothing.episodes) == (None, 0)
        made = _busy_quarters(end)
        monkeypatch.setattr("reports_app.spread._units", lambda: {made: 1.0})
        found = workload.count(today)
    assert found.clinicians == 5
    assert (found.quarters, found.episodes) == (10, 20)
    assert found.difference == pytest.approx(-0.5, rel=1e-3)
    assert found.low == pytest.approx(-0.5, rel=1e-3)


def _busy_quarters(end: date) -> int:
    """Two quarters of five clinicians as the night writes them; the measure's id."""
    measures.sync_library()
    measure = measures.get_measure("outcome-adult")
    site = actions.add_site(name="North", by=BY)
    programme = actions.add_programme(name="Therapy", by=BY)
    for n in range(5):
        clinician = actions.add_clinician(name=f"C{n}", code=f"c{n}", by=BY)
        for quarter, hours, outcome in ((1, 10 + n, 1.0), (2, 11 + n, 0.9)):
            closed = end - timedelta(days=92 * quarter - 40)
            SessionMonth.objects.create(
                month=closed.replace(day=1), programme=programme, site=site, clinician=clinician,
                minutes=round(hours * 60 * workload.WEEKS),
            )  # fmt: skip
            for _each in range(2):
                client = actions.register_client(by=BY, site=site, name="Somebody")
                episode = actions.open_episode(
                    client=client, programme=programme, opened_on=closed, by=BY
                )
                EpisodeSummary.objects.create(
                    episode=episode, client=client, programme=programme, site=site,
                    clinician=clinician, purpose="change", opened_on=closed, closed_on=closed,
                    ending="agreed", measure=measure, outcome_class="improved", first_score=10,
                    last_score=20 + outcome, expected_last=20, as_of=end,
                )  # fmt: skip
    return int(measure.pk)
