"""Nothing noticed stays open silently: put off with a day, handed on, followed up, or lapsed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import flagging, followups
from measures_app.models import Flag, FlagEvent, FollowUp
from measures_app.models.flags import WAITED
from reports_app.nightly import run_night
from reports_app.queue import Lately, lately, queue_of
from sessions_app import access, actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import CaseReview, Episode, User
from tests.cast import BY, Clinic
from tests.reports.conftest import browser_text, score

pytestmark = pytest.mark.usefixtures("no_pages_made_ahead")

TODAY = clinic_time.today()


def later(days: int) -> date:
    return TODAY + timedelta(days=days)


def on_day(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    monkeypatch.setattr(clinic_time, "today", lambda: day)


def queue(clinic: Clinic, who: str = "sofia") -> Any:
    user = User.objects.get(pk=clinic.users[who].pk)
    with acting_as(user):
        return queue_of(user, 20)


def of_ana(clinic: Clinic) -> Any:
    return Flag.objects.filter(episode=clinic.episodes["ana"], kind="review")


# --- put off ----------------------------------------------------------------------------------


def test_what_is_put_off_leaves_the_list_says_why_and_comes_back_by_itself(
    flagged: Clinic, browser_of: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    sofia, code = browser_of("sofia"), flagged.ana.code
    given = {"later-until": later(14).isoformat(), "later-why": "Away until then"}
    assert sofia.post(f"/review/{code}/later/", given).status_code == 302
    assert (queue(flagged).talk_total, queue(flagged).put_off_total) == (0, 1)
    assert "1 put off, back on its day" in browser_text(sofia, "/review/")
    with acting_as(BY):
        assert {flag.snooze_why for flag in of_ana(flagged)} == {"Away until then"}
        whys = FlagEvent.objects.filter(episode=flagged.episodes["ana"]).values_list("why")
        assert (f"put off until {later(14).isoformat()}",) in set(whys)
        assert b"Away" not in bytes(of_ana(flagged)[0].snooze_why_sealed)
    on_day(monkeypatch, later(13))
    assert queue(flagged).talk_total == 0
    on_day(monkeypatch, later(14))
    assert (queue(flagged).talk_total, queue(flagged).put_off_total) == (1, 0)


@pytest.mark.parametrize(
    ("until", "why", "field"),
    [
        (TODAY, "today", "until"),
        (later(-3), "in the past", "until"),
        (later(85), "for long", "until"),
        (None, "no day", "until"),
        (later(3), "  ", "why"),
    ],
)
def test_a_day_that_is_past_too_far_or_without_a_reason_is_refused_beside_its_field(
    flagged: Clinic, browser_of: Callable[[str], Browser], until: date | None, why: str, field: str
) -> None:
    given = {"later-until": until.isoformat() if until else "soon", "later-why": why}
    answer = browser_of("sofia").post(f"/review/{flagged.ana.code}/later/", given)
    assert answer.status_code == 422
    assert list(answer.context["put_off_form"].errors) == [field]
    assert given["later-until"] in answer.content.decode()
    assert queue(flagged).talk_total == 1


def test_something_newly_noticed_is_not_put_off_with_the_rest(flagged: Clinic) -> None:
    with acting_as(BY):
        measure_actions.put_off(
            episode=flagged.episodes["ana"], until=later(14), why="away", by=flagged.sofia
        )
        flag = of_ana(flagged).first()
        Flag.objects.create(
            client=flagged.ana, episode=flag.episode, rule="lost_in_transfer", kind="review",
            rule_set=flag.rule_set, evidence={}, raised_on=TODAY,
        )  # fmt: skip
    found = queue(flagged)
    assert (found.talk_total, found.put_off_total) == (1, 0)


# --- handed on --------------------------------------------------------------------------------


def test_a_case_is_handed_to_a_colleague_who_may_see_the_client(
    flagged: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    sofia, code = browser_of("sofia"), flagged.ana.code
    page = sofia.get(f"/review/{code}/")
    with acting_as(flagged.sofia):
        assert list(page.context["hand_form"].fields["to"].queryset.all()) == [flagged.alice]
    answer = sofia.post(f"/review/{code}/hand-to/", {"hand-to": flagged.ruth.pk})
    assert answer.status_code == 422
    assert sofia.post(f"/review/{code}/hand-to/", {"hand-to": flagged.alice.pk}).status_code == 302
    with acting_as(BY):
        assert {(f.owner_id, f.state) for f in of_ana(flagged)} == {(flagged.alice.pk, "taken_up")}
    assert [row.owner for row in queue(flagged, "alice").talk] == [flagged.alice]


def test_the_action_itself_refuses_who_may_not_see_the_client(flagged: Clinic) -> None:
    for who in ("ruth", "bob", "fred", "dora"):
        with acting_as(BY), pytest.raises(ValidationError, match="may not see"):
            measure_actions.hand_to(
                episode=flagged.episodes["ana"], to=flagged.users[who], by=flagged.sofia
            )


def test_who_sees_an_episode_is_what_each_persons_scope_says(clinic: Clinic) -> None:
    """The question asked from the episode and from the person has one answer."""
    with acting_as(BY):
        for name, episode in clinic.episodes.items():
            found = set(access.people_seeing(episode).values_list("pk", flat=True))
            seeing = {
                user.pk
                for user in clinic.users.values()
                if access.clinical_episodes(user).filter(pk=episode.pk).exists()
            }
            assert found == seeing, name
            assert found, name


# --- nobody's ---------------------------------------------------------------------------------


def _raised(clinic: Clinic, days_ago: int) -> None:
    of_ana(clinic).update(raised_on=later(-days_ago))


def test_what_nobody_takes_up_lapses_after_the_clinics_time_with_its_reason(
    flagged: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    with acting_as(BY):
        actions.set_policy(key="open_flag_days", value=30, by=flagged.adam)
        _raised(flagged, 30)
        run_night(TODAY)
        assert {f.state for f in of_ana(flagged)} == {"open"}
        _raised(flagged, 31)
        run_night(TODAY)
        closed = {(f.state, f.close_reason) for f in of_ana(flagged)}
        assert closed == {("lapsed", f"{flagging.NOBODY_TOOK_IT} in 30 days")}
        before = of_ana(flagged).count()
        run_night(TODAY)
        assert of_ana(flagged).count() == before, "raised again the night after"
        assert lately(flagged.sofia).untaken == 1
    assert "1 left the list lately without anybody taking it up" in browser_text(
        browser_of("sofia"), "/review/"
    )


def test_the_share_taken_up_within_a_week_counts_what_was_raised_and_looked_at_in_time(
    flagged: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    """Raised 20 days ago: taken up on the seventh day counts, on the eighth it doesn't."""
    with acting_as(BY):
        ana = of_ana(flagged)
        rules = set(ana.values_list("rule", flat=True))
        assert len(rules) == 2
        _raised(flagged, 20)
        assert lately(flagged.sofia) == Lately(raised=2, in_time=0, untaken=0)
        measure_actions.take_up(episode=flagged.episodes["ana"], by=flagged.sofia)
        assert lately(flagged.sofia).in_time == 0, "today is the twentieth day"
        ana.update(taken_up_at=clinic_time.at(later(-12), 0, 30))
        assert lately(flagged.sofia).in_time == 0, "on the eighth day"
        ana.update(taken_up_at=clinic_time.at(later(-13), 23, 30))
        assert lately(flagged.sofia).in_time == 2
        ana.filter(rule="overdue").update(close_reason=f"{WAITED}: the reason is gone")
        assert lately(flagged.sofia) == Lately(raised=1, in_time=1, untaken=0)
        _raised(flagged, 6)
        assert lately(flagged.sofia).raised == 0, "its week isn't over"
        _raised(flagged, 36)
        assert lately(flagged.sofia).raised == 0, "long ago"
        ana.update(close_reason="", taken_up_at=clinic_time.now())
        _raised(flagged, 20)
    text = browser_text(browser_of("sofia"), "/review/")
    assert "0 of 2 noticed lately were taken up within a week" in text


def test_a_decision_within_the_week_counts_as_looked_at(flagged: Clinic) -> None:
    with acting_as(BY):
        decided(flagged)
        of_ana(flagged).update(raised_on=later(-14), closed_on=later(-7))
        assert lately(flagged.sofia) == Lately(raised=2, in_time=2, untaken=0)
        of_ana(flagged).update(closed_on=later(-6))
        assert lately(flagged.sofia).in_time == 0


def test_what_somebody_has_or_put_off_does_not_lapse(flagged: Clinic) -> None:
    with acting_as(BY):
        measure_actions.put_off(
            episode=flagged.episodes["ana"], until=later(5), why="away", by=flagged.sofia
        )
        _raised(flagged, 100)
        run_night(TODAY)
        assert {f.state for f in of_ana(flagged)} == {"open"}
        measure_actions.take_up(episode=flagged.episodes["ana"], by=flagged.sofia)
        assert {f.snoozed_until for f in of_ana(flagged)} == {None}
        run_night(TODAY)
        assert {f.state for f in of_ana(flagged)} == {"taken_up"}


def test_a_lapsed_reason_speaks_again_when_it_is_worse(flagged: Clinic) -> None:
    with acting_as(BY):
        _raised(flagged, 60)
        run_night(TODAY)
        held = actions.record_session(episode=flagged.episodes["ana"], held_on=TODAY, by=BY)
        score(flagged.episodes["ana"], held, "outcome-adult", 2.0)
        run_night(TODAY)
        live = of_ana(flagged).filter(state="open")
        assert "deteriorated" in set(live.values_list("rule", flat=True))


# --- what came of it --------------------------------------------------------------------------


def decided(clinic: Clinic) -> CaseReview:
    with acting_as(clinic.sofia):
        return measure_actions.decide(
            episode=Episode.objects.get(pk=clinic.episodes["ana"].pk), decision="change_approach",
            note="goals", follow_up_on=later(14), by=clinic.sofia,
        )  # fmt: skip


def test_a_decision_keeps_the_forecast_of_its_day(flagged: Clinic) -> None:
    review = decided(flagged)
    with acting_as(BY):
        kept = FollowUp.objects.get(review=review)
        night = flagged.episodes["ana"].trajectories.get(measure=kept.measure)
        assert (kept.t, kept.score) == (6, 12.0)
        assert kept.forecast_t == night.forecast_t == [7, 8, 9, 10, 11, 12]
        assert kept.forecast_mean == night.forecast_mean
        assert kept.forecast_low80 == night.forecast_low80


def test_a_decision_comes_back_on_its_day_with_what_happened_since(
    flagged: Clinic, browser_of: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    review, code = decided(flagged), flagged.ana.code
    with acting_as(BY):
        kept = FollowUp.objects.get(review=review)
    asked = "Decided before: what came of it?"
    for who, page in (("sofia", "/review/"), ("alice", "/today/")):
        assert asked not in browser_text(browser_of(who), page)
    on_day(monkeypatch, later(14))
    with acting_as(BY):
        for day, total in ((7, 15.0), (14, 19.0)):
            held = actions.record_session(
                episode=flagged.episodes["ana"], held_on=later(day), by=BY
            )
            score(flagged.episodes["ana"], held, "outcome-adult", total)
        run_night(later(14))
    shown = f"12 then, 19 now; forecast {kept.forecast_mean[1]:.1f}".removesuffix(".0")
    for who, page in (("sofia", "/review/"), ("alice", "/today/"), ("alice", f"/review/{code}/")):
        text = browser_text(browser_of(who), page)
        assert shown in text, (page, text)
    with acting_as(BY):
        due = followups.look(followups.due_reviews(flagged.sofia))[0]
    assert (due.sessions, due.scores) == (2, ((7, 15.0), (8, 19.0)))
    sofia = browser_of("sofia")
    empty = sofia.post(f"/review/{code}/result/", {"review": review.pk, "result-result": " "})
    assert (empty.status_code, list(empty.context["result_form"].errors)) == (422, ["result"])
    said = {"review": review.pk, "result-result": "Goals agreed anew"}
    assert sofia.post(f"/review/{code}/result/", said).status_code == 302
    assert asked not in browser_text(sofia, "/review/")
    assert "What came of it: Goals agreed anew" in browser_text(sofia, f"/review/{code}/")
    assert sofia.post(f"/review/{code}/result/", said).status_code == 422  # said once


def test_an_ending_or_a_newer_decision_is_what_came_of_an_older_one(
    flagged: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(flagged)
    on_day(monkeypatch, later(20))
    with acting_as(BY):
        assert followups.due_reviews(flagged.sofia).count() == 1
        newer = actions.record_case_review(
            episode=flagged.episodes["ana"], decision="continue", by=flagged.sofia
        )
        assert not followups.due_reviews(flagged.sofia).exists()
        assert not FollowUp.objects.filter(review=newer).exists()
        again = measure_actions.decide(
            episode=flagged.episodes["ana"], decision="consult", note="x", by=flagged.sofia,
            follow_up_on=later(20),
        )  # fmt: skip
        assert list(followups.due_reviews(flagged.sofia)) == [again]
        actions.close_episode(
            episode=flagged.episodes["ana"], on=later(20), ending="agreed", by=flagged.alice
        )
        assert not followups.due_reviews(flagged.sofia).exists()


def test_a_stranger_can_neither_put_off_nor_hand_on_nor_answer(
    flagged: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    ruth, code = browser_of("ruth"), flagged.ana.code
    for act in ("later", "hand-to", "result"):
        assert ruth.post(f"/review/{code}/{act}/", {}).status_code == 404
        assert browser_of("dora").post(f"/review/{code}/{act}/", {}).status_code == 404
        assert browser_of("sofia").get(f"/review/{code}/{act}/").status_code == 405
