"""Everybody reads every rule; a clinician may look earlier, and anybody may ask for a change."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from measures_app import actions as measure_actions
from measures_app.models import Flag, FlagRuleSet, OwnCheckpoint, RuleProposal, WeeklyLine
from measures_app.rule_sets import current_rule_set, own_checkpoints
from reports_app import actions as report_actions
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time, policies
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Job
from tests.cast import BY, Clinic
from tests.night.stories import days, tell


def today() -> date:
    return clinic_time.today()


def _propose(clinic: Clinic, **more: Any) -> RuleProposal:
    given = {
        "rule": "checkpoint", "what": "Look a session later.", "why": "Three is early for groups.",
        "key": "first_checkpoint", "value": 4.0, "by": clinic.alice,
    } | more  # fmt: skip
    with acting_as(clinic.alice):
        return measure_actions.propose_rule_change(**given)


def test_an_own_checkpoint_moves_ones_own_prompts_alone(clinic: Clinic, browser_of: Any):
    browser = browser_of("alice")
    assert browser.post("/rules/own-checkpoint/", {"session": "2"}).status_code == 302
    assert "from session 2 on" in browser.get("/rules/").content.decode()
    with acting_as(BY):
        hers = tell(clinic, [18, 18], days(2), lead="alice")
        his = tell(clinic, [18, 18], days(2), lead="bob")
        run_night(today())
        prompts = Flag.objects.filter(rule="checkpoint")
        (flag,) = prompts.filter(episode__in=[hers.episode, his.episode])
        assert (flag.episode_id, flag.evidence["checkpoint"]) == (hers.episode.pk, 2)
    assert browser.post("/rules/own-checkpoint/", {"session": ""}).status_code == 302
    with acting_as(BY):
        assert own_checkpoints(today()) == {}
        assert OwnCheckpoint.objects.count() == 2  # what held before stays readable


@pytest.mark.parametrize("wrong", ["3", "9", "1", "two"])
def test_never_later_than_the_clinics_and_never_on_one_score(
    clinic: Clinic, browser_of: Any, wrong: str
):
    page = browser_of("alice").post("/rules/own-checkpoint/", {"session": wrong})
    assert page.status_code == 422
    assert f'value="{wrong}"' in page.content.decode()
    assert not OwnCheckpoint.objects.exists()


def test_a_checkpoint_is_ones_own_and_of_days_to_come(clinic: Clinic):
    with acting_as(clinic.alice):
        with pytest.raises(PermissionDenied):
            measure_actions.set_own_checkpoint(
                clinician=clinic.clinicians["bob"], session=2, by=clinic.alice
            )
        with pytest.raises(ValidationError, match="the past stays"):
            measure_actions.set_own_checkpoint(
                clinician=clinic.clinicians["alice"], session=2, by=clinic.alice,
                from_on=today() - timedelta(days=1),
            )  # fmt: skip
        with pytest.raises(ValidationError, match="no checkpoint of your own"):
            measure_actions.set_own_checkpoint(
                clinician=clinic.clinicians["alice"], session=None, by=clinic.alice
            )


def test_who_treats_nobody_has_no_checkpoint_of_their_own(clinic: Clinic, browser_of: Any):
    director = browser_of("dora")
    assert director.post("/rules/own-checkpoint/", {"session": "2"}).status_code == 404
    assert 'action="/rules/own-checkpoint/"' not in director.get("/rules/").content.decode()


def test_a_proposal_and_its_answer_are_everybodys_to_read(clinic: Clinic, browser_of: Any):
    asked = browser_of("alice").post(
        "/rules/proposals/",
        {"rule": "no_progress", "what": "Wait for session 8", "why": "Groups start slowly",
         "key": "second_checkpoint", "value": "8"},
    )  # fmt: skip
    assert asked.status_code == 302
    proposal = RuleProposal.objects.get()
    later = today() + timedelta(days=7)
    answered = browser_of("adam").post(
        f"/rules/proposals/{proposal.pk}/answer/",
        {f"p{proposal.pk}-answer": "accepted", f"p{proposal.pk}-words": "Agreed for a quarter",
         f"p{proposal.pk}-from_on": later.isoformat()},
    )  # fmt: skip
    assert answered.status_code == 302
    for who in ("alice", "sofia", "dora"):
        page = browser_of(who).get("/rules/").content.decode()
        for words in ("Wait for session 8", "Groups start slowly", "Agreed for a quarter"):
            assert words in page
    with acting_as(BY):
        # A new version of the rules from that day on; nothing of it before.
        assert policies.get("second_checkpoint", later - timedelta(days=1)) == 6
        assert policies.get("second_checkpoint", later) == 8
        assert current_rule_set(today()).rules["second_checkpoint"] == 6
        version = current_rule_set(later)
        assert (version.rules["second_checkpoint"], version.from_on) == (8, later)
        assert FlagRuleSet.objects.count() == 2
        said = set(AuditEvent.objects.values_list("action", flat=True))
        assert {"rule change proposed", "rule change accepted", "policy set"} <= said


def test_an_answer_is_given_once_and_a_no_has_words(clinic: Clinic, browser_of: Any):
    proposal = _propose(clinic, key="", value=None)
    admin, address = browser_of("adam"), f"/rules/proposals/{proposal.pk}/answer/"
    page = admin.post(address, {f"p{proposal.pk}-answer": "declined"})
    assert page.status_code == 422
    assert "Say why not" in page.content.decode()
    with acting_as(clinic.adam):
        measure_actions.answer_rule_proposal(
            proposal=proposal, answer="declined", words="Three is what the studies used.",
            by=clinic.adam,
        )  # fmt: skip
        with pytest.raises(ValidationError, match="meanwhile"):
            measure_actions.answer_rule_proposal(
                proposal=proposal, answer="accepted", by=clinic.adam
            )
    assert "what the studies used" in browser_of("alice").get("/rules/").content.decode()


def test_what_the_rules_cannot_be_is_not_accepted(clinic: Clinic):
    proposal = _propose(clinic, value=6.0)  # where the second checkpoint stands
    with acting_as(clinic.adam):
        for more in ({}, {"from_on": today() - timedelta(days=1)}):
            with pytest.raises(ValidationError):
                measure_actions.answer_rule_proposal(
                    proposal=proposal, answer="accepted", by=clinic.adam, **more
                )
        with pytest.raises(ValidationError):
            measure_actions.answer_rule_proposal(proposal=proposal, answer="", by=clinic.adam)
        proposal.refresh_from_db()
        assert proposal.answer == ""
        assert policies.get("first_checkpoint") == 3


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"rule": "item_alert"}, "rule"),
        ({"what": " "}, "what"),
        ({"why": ""}, "why"),
        ({"value": None}, "value"),
        ({"value": 3.5}, "value"),
        ({"value": 1000.0}, "value"),
        ({"key": "small_cell_limit", "value": 9.0}, "key"),
    ],
)
def test_a_proposal_says_which_rule_what_and_why(clinic: Clinic, more: Any, field: str):
    with pytest.raises(ValidationError) as refused:
        _propose(clinic, **more)
    assert field in refused.value.message_dict
    assert not RuleProposal.objects.exists()


def test_what_was_typed_is_kept(clinic: Clinic, browser_of: Any):
    page = browser_of("alice").post(
        "/rules/proposals/", {"rule": "overdue", "what": "Count holidays", "why": ""}
    )
    assert page.status_code == 422
    assert 'value="Count holidays"' in page.content.decode()


def test_only_those_allowed_answer(clinic: Clinic, browser_of: Any):
    proposal = _propose(clinic)
    for who in ("alice", "sofia", "dora"):
        browser = browser_of(who)
        assert browser.post(f"/rules/proposals/{proposal.pk}/answer/").status_code == 404
        assert "/answer/" not in browser.get("/rules/").content.decode()


def test_the_queue_says_how_many_wait_and_the_rules_page_why(clinic: Clinic, browser_of: Any):
    with acting_as(BY):
        actions.set_policy(key="notice_above", value=0.45, by=BY)
        tell(clinic, [18, 19, 18, 19, 18, 19])
        run_night(today())
    page = browser_of("alice").get("/review/").content.decode()
    assert "1 waits below the line" in page
    page = browser_of("alice").get("/rules/").content.decode()
    assert "from a benefit of 0.450 on" in page


def test_the_rules_page_says_where_the_line_lies_this_week_and_why(clinic: Clinic, browser_of: Any):
    with acting_as(BY):
        actions.set_policy(key="notice_above", value=0.45, by=BY)
        row = WeeklyLine(from_on=today(), rule_set=current_rule_set(today()), room=6.0, line=0.48)
        row.raised, row.ahead = 15, 1.5
        row.save()
    page = browser_of("alice").get("/rules/").content.decode()
    assert f"Since {today().day} {today():%b} it lies at 0.480" in page
    assert "ahead by then (with a minus sign: behind): 1.5" in page
    with acting_as(BY):
        actions.set_policy(key="line_follows_count", value=False, by=BY)
    page = browser_of("alice").get("/rules/").content.decode()
    assert "0.480" not in page
    assert "follows the count" not in page


LOOKED_BACK = {
    "from": "2025-11-27", "to": "2026-11-25", "every_days": 7, "weeks": 52.0, "supervisors": 1,
    "budget_per_week": 6, "entries_per_week": 3.1, "entries_per_supervisor_week": 3.1,
    "episodes": {"ended": 320, "judged": 280, "not_judged_yet": 40},
    "rules": [], "budget": {"weeks": 3.0, "settings": []},
    "bands": [{"session": 3, "n": 12}],
    "forecasts": [
        {"measure": "outcome-adult", "title": "Outcome", "session": 3, "n": 210, "growth": 5.71,
         "challenger": 5.66, "weighed": 5.64, "static": 5.91, "at_or_below_upper": 0.92,
         "above_floor": 49, "at_or_above_lower": 0.88},
        {"measure": "outcome-adult", "title": "Outcome", "session": 6, "n": 150, "growth": 4.96,
         "challenger": 4.98, "weighed": 4.94, "static": 5.8, "at_or_below_upper": 0.9,
         "above_floor": 12},
        {"measure": "outcome-adult", "title": "Outcome", "session": 8, "n": 21},
    ],
    "calibration": [
        {"session": session, "n": 210, "groups": [
            {"n": 42, "said": said, "seen": seen}
            for said, seen in ((0.08, 0.0), (0.22, 0.2857), (0.41, 0.3571), (0.63, 0.6667),
                               (0.88, 0.9286))
        ]} for session in (3, 6, 8)
    ],
    "notes": [],
}  # fmt: skip


def test_the_page_holds_the_curve_to_the_challenger_and_draws_what_came_of_the_chances(
    clinic: Clinic, browser_of: Any
):
    with acting_as(BY):
        Job.objects.create(
            kind=report_actions.BACKTEST, state=Job.State.DONE, result=LOOKED_BACK,
            finished_at=clinic_time.at(today(), 9),
        )  # fmt: skip
    page = browser_of("alice").get("/rules/").content.decode()
    for said in ("5.71", "5.66", "5.64", "5.91", "too few to say", "n 49"):
        assert said in page
    assert "At session 3 (Outcome) the challenger came nearer than the curve." in page
    assert "At session 6 (Outcome)" not in page
    assert page.count("Chances said and come true at session") == 6  # name and title of three
    # Every point stands in the table too, with the interval drawn beside it.
    assert page.count("c-score-mark") == 15
    assert "0 % – 8 %" in page
    assert "nan" not in re.sub("<[^>]*>", "", page).lower().split()


def test_a_back_test_of_before_is_shown_without_what_it_does_not_say(
    clinic: Clinic, browser_of: Any
):
    older = {key: value for key, value in LOOKED_BACK.items() if key != "forecasts"}
    with acting_as(BY):
        Job.objects.create(
            kind=report_actions.BACKTEST, state=Job.State.DONE,
            result=older | {"calibration": []}, finished_at=clinic_time.at(today(), 9),
        )  # fmt: skip
    page = browser_of("alice").get("/rules/").content.decode()
    assert "it takes 30 judged clients who came again" in page
    assert "it takes 30 judged clients to whom chances had been told" in page
