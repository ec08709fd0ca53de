"""One weekly room for all rules: below the line a reason waits, climbs, and is raised later.

Without a model of the chances one in two stands for them: "reliably worse" then weighs .5, "no
clear change by the second checkpoint" .3; each week of waiting adds .02.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from measures_app import actions as measure_actions
from measures_app.models import Flag
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time
from tests.cast import BY, Clinic

from .stories import add_score, add_session, days, tell

pytestmark = pytest.mark.usefixtures("no_pages_made_ahead")

WORSE, SAME = [18, 14, 11.4], [18, 19, 18, 19, 18, 19]


@pytest.fixture
def lined(at_work: Clinic) -> Clinic:
    day = clinic_time.today() - timedelta(days=120)
    actions.set_policy(key="notice_above", value=0.45, from_on=day, by=BY)
    # It stands still here; how it follows the count: test_weekly_line.
    actions.set_policy(key="line_follows_count", value=False, from_on=day, by=BY)
    return at_work


def of_review(report: dict[str, dict[str, int]], name: str) -> dict[str, int]:
    return {rule: n for rule, n in report[name].items() if rule in ("deteriorated", "no_progress")}


def test_the_stronger_reason_is_raised_and_the_weaker_one_waits_and_climbs(lined: Clinic):
    first = clinic_time.today() - timedelta(days=70)
    tell(lined, WORSE, days(3, last=70))
    same = tell(lined, SAME, days(6, last=70))
    told = run_night(first)["flags"]
    assert of_review(told, "raised") == {"deteriorated": 1}
    assert of_review(told, "waiting") == {"no_progress": 1}
    flag = Flag.objects.get(episode=same.episode, rule="no_progress")
    assert (flag.state, flag.raised_on, flag.benefit) == ("waiting", first, 0.3)
    assert flag not in Flag.objects.live()
    # Seven weeks on .30 has become .44, eight weeks on .46.
    assert of_review(run_night(first + timedelta(weeks=7))["flags"], "raised") == {}
    told = run_night(first + timedelta(weeks=8))["flags"]
    assert of_review(told, "raised") == {"no_progress": 1}
    flag.refresh_from_db()
    assert (flag.state, flag.raised_on) == ("open", first + timedelta(weeks=8))
    assert list(flag.events.values_list("from_state", "to_state")) == [
        ("", "waiting"),
        ("waiting", "open"),
    ]
    assert flag.events.last().basis["waited_since"] == first.isoformat()
    assert of_review(run_night(first + timedelta(weeks=8))["flags"], "raised") == {}


def test_what_only_waited_goes_without_a_word_and_may_come_back(lined: Clinic):
    on = days(6, last=30)
    same = tell(lined, SAME, on)
    run_night(on[-1])
    better = on[-1] + timedelta(days=7)
    add_score(same, add_session(same, better), 27)
    told = run_night(better)["flags"]
    assert of_review(told, "lapsed") == {} == of_review(told, "waiting")
    flag = Flag.objects.get(episode=same.episode, rule="no_progress")
    assert (flag.state, flag.close_reason) == ("lapsed", "while it waited: the reason is gone")
    assert flag not in Flag.objects.noticed()
    again = better + timedelta(days=7)
    add_score(same, add_session(same, again), 19)
    assert of_review(run_night(again)["flags"], "waiting") == {"no_progress": 1}


def test_who_looks_at_a_case_decides_on_what_waits_too(lined: Clinic):
    story = tell(lined, [18, 14, 13, 12, 12, 11], days(6, last=1))
    told = run_night(clinic_time.today())["flags"]
    assert of_review(told, "raised") == {"deteriorated": 1}
    assert of_review(told, "waiting") == {"no_progress": 1}
    measure_actions.decide(episode=story.episode, decision="continue", by=lined.alice)
    assert set(
        Flag.objects.for_review().filter(episode=story.episode).values_list("state", flat=True)
    ) == {"decided"}
    told = run_night(clinic_time.today())["flags"]
    assert of_review(told, "raised") == {} == of_review(told, "waiting")


def test_a_line_of_tomorrow_holds_nothing_back_tonight(at_work: Clinic):
    tomorrow = clinic_time.today() + timedelta(days=1)
    actions.set_policy(key="notice_above", value=5.0, from_on=tomorrow, by=BY)
    tell(at_work, SAME)
    told = run_night(clinic_time.today())["flags"]
    assert (of_review(told, "raised"), told["waiting"]) == ({"no_progress": 1}, {})


def test_a_score_that_swings_about_a_limit_is_raised_once_in_four_sessions(at_work: Clinic):
    on = days(10)
    story = tell(at_work, [18, 19, 19, 19, 20, 19, 26, 19, 26, 19], on)
    raised = []
    for day in on:
        told = run_night(day)["flags"]
        raised.append(told["raised"].get("no_progress", 0))
    # At session 6; not at 8 (two sessions on), and at 10 it is four since it last spoke.
    assert raised == [0, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    assert Flag.objects.filter(episode=story.episode, rule="no_progress").count() == 2
