"""Flag rules as tables: when each speaks, when it keeps silent, and what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from measures_app.psychometrics.alliance import AllianceLimits, alliance_limits
from measures_app.psychometrics.change import ChangeCriteria
from measures_app.psychometrics.rules import (
    AllianceSeries,
    Constants,
    History,
    LastDecision,
    ModelNumbers,
    alliance_falling,
    alliance_low,
    at_risk_of_stopping,
    checkpoint,
    deteriorated,
    item_alert,
    lost_in_transfer,
    may_raise,
    no_progress,
    not_on_track,
    not_on_track_by_band,
    not_on_track_by_posterior,
    overdue,
    prompts,
    ready_to_finish,
    review_flags,
)
from measures_app.psychometrics.rules_attendance import rhythm_days

UP = ChangeCriteria("higher", 6.6, 25.0, True, "functional", 0.0, 40.0)
DOWN = ChangeCriteria("lower", 6.0, 10.0, True, "clinical", 0.0, 27.0)
NOT_CHANGE = ("stay_well", "assess", "crisis")


def series(*scores, t=None, criteria=UP, **known):
    return History(
        criteria=criteria,
        t=tuple(range(1, len(scores) + 1)) if t is None else t,
        scores=tuple(float(score) for score in scores),
        **known,
    )


def band(history, low, high, expected=20.0):
    n = len(history.scores)
    return ModelNumbers(
        expected=np.full(n, expected), low80=np.full(n, low), high80=np.full(n, high)
    )


@pytest.mark.parametrize(
    ("history", "speaks"),
    [
        (series(15, 16, 17), True),
        (series(15, 16, 21.6), False),  # reliably better, exactly at the threshold
        (series(15, 16), False),  # session 2 is before the checkpoint
        (series(15, 16, 17, 18), False),  # said at session 3 already
        (series(15, 17, t=(1, 4)), True),  # the first score after a checkpoint not measured
        (series(15, 17, t=(1, 6)), False),  # by then it is no_progress
        (series(15), False),
        (series(26, 26, 26), False),  # started on the functional side
        (series(15, 16, 17, mid_care=True), False),
        (series(18, 18, 18, criteria=DOWN), True),
        (series(18, 18, 12, criteria=DOWN), False),
        *((series(15, 16, 17, purpose=purpose), False) for purpose in NOT_CHANGE),
    ],
)
def test_the_checkpoint_asks_once_for_reliable_improvement(history, speaks):
    reason = checkpoint(history)
    assert (reason is not None) is speaks
    if reason is not None:
        assert reason.code == "checkpoint"
        assert reason.numbers["checkpoint"] == 3
        assert reason.numbers["first"] == history.first


def test_a_clinician_can_set_an_earlier_checkpoint():
    assert checkpoint(series(15, 16), Constants(first_checkpoint=2)) is not None


@pytest.mark.parametrize(
    ("history", "speaks"),
    [
        (series(15, 16, 17, 16, 18, 17), True),
        (series(15, 16, 17, 16, 18), False),  # session 5
        (series(15, 23, 17, 16, 18, 17), True),  # improved once, not now
        (series(15, 16, 17, 16, 18, 21.6), False),
        (series(15, 16, t=(1, 9)), True),
        (series(15), False),
        (series(30, 30, t=(1, 9)), False),  # functional side
        (series(15, 16, t=(1, 9), mid_care=True), False),
        (series(18, 18, t=(1, 9), criteria=DOWN), True),
        *((series(15, 16, t=(1, 9), purpose=purpose), False) for purpose in NOT_CHANGE),
    ],
)
def test_no_progress_is_raised_from_the_second_checkpoint(history, speaks):
    reason = no_progress(history)
    assert (reason is not None) is speaks
    if reason is not None:
        assert (reason.code, reason.numbers["checkpoint"]) == ("no_progress", 6)
        best = min if history.criteria.better == "lower" else max
        assert reason.numbers["best"] == best(history.scores)


def test_a_start_without_room_on_the_scale_is_never_asked_to_improve():
    child = ChangeCriteria("higher", 10.0, 32.0, True, "functional", 0.0, 40.0)
    stuck = series(31, 31, 31, 31, 31, 31, criteria=child)
    assert no_progress(stuck) is None
    assert checkpoint(series(31, 31, 31, criteria=child)) is None
    assert not_on_track_by_band(stuck, band(stuck, 33, 40)) is None
    assert deteriorated(series(31, 21, criteria=child)) is not None


@pytest.mark.parametrize(
    ("history", "speaks", "numbers"),
    [
        (series(20, 13.4), True, {"guarded": 0, "mid_care": 0, "crossed": 0, "change": -6.6}),
        (series(20, 13.5), False, {}),
        (series(20, 10, 14), False, {}),  # worse once, not now
        (series(20), False, {}),
        (series(30, 22), True, {"guarded": 0, "crossed": 1}),
        (series(36, 26), True, {"guarded": 1, "crossed": 0}),  # a very high first score
        (series(20, 10, mid_care=True), True, {"mid_care": 1}),
        (series(12, 18, criteria=DOWN), True, {"crossed": 0, "change": 6.0}),
        (series(9, 15, criteria=DOWN), True, {"crossed": 1}),
        *((series(20, 10, purpose=purpose), True, {}) for purpose in NOT_CHANGE),
    ],
)
def test_reliably_worse_than_the_baseline_is_raised_for_everyone(history, speaks, numbers):
    reason = deteriorated(history)
    assert (reason is not None) is speaks
    if reason is not None:
        assert reason.code == "deteriorated"
        assert numbers.items() <= dict(reason.numbers).items()
        assert reason.numbers["first"] == history.scores[0]  # the baseline is never moved


@pytest.mark.parametrize(
    ("history", "low", "high", "speaks"),
    [
        (series(15, 14.9), 15.0, 25.0, True),
        (series(15, 15.0), 15.0, 25.0, False),  # on the line is inside
        (series(15, 30), 15.0, 25.0, False),  # better than the band is no reason
        (series(15), 16.0, 25.0, False),
        (series(26, 10), 15.0, 25.0, False),  # functional side: the deterioration rules only
        (series(15, 10, mid_care=True), 15.0, 25.0, False),
        (series(18, 16.1, criteria=DOWN), 8.0, 16.0, True),
        (series(18, 7, criteria=DOWN), 8.0, 16.0, False),
        (series(15, 14), np.nan, np.nan, False),
        *((series(15, 10, purpose=purpose), 15.0, 25.0, False) for purpose in NOT_CHANGE),
    ],
)
def test_a_score_worse_than_the_worse_end_of_the_band_is_not_on_track(history, low, high, speaks):
    reason = not_on_track(history, band(history, low, high))
    assert (reason is not None) is speaks
    if reason is not None:
        assert (reason.code, reason.numbers["by"]) == ("not_on_track", "band")
        assert reason.numbers["limit"] == (low if history.criteria.better == "higher" else high)
        assert reason.numbers["expected"] == 20.0


def test_a_band_belongs_to_its_history():
    with pytest.raises(ValueError, match="one entry a score"):
        not_on_track_by_band(series(15, 14), band(series(15, 14, 13), 15, 25))
    assert not_on_track(series(15, 14), ModelNumbers()) is None


@pytest.mark.parametrize(
    ("history", "p_not_improved", "p_deteriorated", "by"),
    [
        (series(15, 14), 0.66, 0.10, "not_improved"),
        (series(15, 14), 0.65, 0.25, None),  # at the thresholds is not above them
        (series(15, 14), 0.10, 0.26, "deteriorated"),
        (series(15, 14), 0.66, 0.26, "both"),
        (series(15, 14), 0.66, None, "not_improved"),
        (series(15, 14), None, 0.26, "deteriorated"),
        (series(15), 0.99, 0.99, None),
        (series(26, 20), 0.99, 0.10, None),
        (series(26, 20), 0.99, 0.26, "deteriorated"),
        (series(15, 14, mid_care=True), 0.99, 0.99, None),  # no forecast
        *((series(15, 14, purpose=purpose), 0.99, 0.1, None) for purpose in NOT_CHANGE),
        *((series(15, 14, purpose=purpose), 0.99, 0.3, "deteriorated") for purpose in NOT_CHANGE),
    ],
)
def test_probabilities_above_their_thresholds_are_not_on_track(
    history, p_not_improved, p_deteriorated, by
):
    model = ModelNumbers(p_not_improved=p_not_improved, p_deteriorated=p_deteriorated)
    reason = not_on_track(history, model)
    assert reason == not_on_track_by_posterior(history, model)
    assert (reason and reason.numbers["by"]) == by
    if reason is not None:
        assert reason.numbers.get("p_not_improved") == p_not_improved
        assert reason.numbers.get("p_deteriorated") == p_deteriorated


def test_known_probabilities_are_preferred_to_the_band():
    history = series(15, 10)
    model = replace(band(history, 15, 25), p_not_improved=0.1, p_deteriorated=0.1)
    assert not_on_track(history, model) is None


@pytest.mark.parametrize(
    ("history", "by"),
    [
        (series(15, 26, 27), "recovered"),
        (series(15, 26, 24), None),  # not recovered at the last score
        (series(15, 24, 27), None),
        (series(15, 27), None),  # recovered once
        (series(15, 26, 27, mid_care=True), "recovered"),
        (series(30, 30, 31), "stable"),
        (series(30, 31), None),  # three sessions are asked for
        (series(30, 24, 31), None),
        (series(30, 26, 33), None),  # 7 apart is no agreement
        (series(39, 31, 30, 30), None),  # stable, but reliably worse than the start
        (series(34, 36, 35, criteria=DOWN), None),
        *((series(15, 26, 27, purpose=purpose), None) for purpose in NOT_CHANGE),
    ],
)
def test_ready_to_finish_is_recovered_and_stable(history, by):
    reason = ready_to_finish(history)
    assert (reason and reason.numbers["by"]) == by
    if reason is not None:
        assert reason.code == "ready_to_finish"
        assert reason.numbers["sessions"] == (2 if by == "recovered" else 3)


def alliance(*scores, **known):
    return series(
        15,
        alliance=AllianceSeries(
            t=tuple(range(1, len(scores) + 1)), scores=tuple(map(float, scores)), **known
        ),
    )


@pytest.mark.parametrize(
    ("history", "speaks", "first"),
    [
        (alliance(35.9), True, 1),
        (alliance(36.0), False, 0),
        (alliance(38, 30), True, 0),
        (alliance(30, 38), False, 0),
        (alliance(), False, 0),
        (alliance(18.9, cutoff=19.0), True, 1),
        (alliance(19.0, cutoff=19.0), False, 0),
        (alliance(6, cutoff=5.0, better="lower"), True, 1),
        *((replace(alliance(30), purpose=purpose), False, 0) for purpose in NOT_CHANGE),
    ],
)
def test_an_alliance_below_its_cutoff_prompts_from_the_first_score(history, speaks, first):
    reason = alliance_low(history)
    assert (reason is not None) is speaks
    if reason is not None:
        assert (reason.code, reason.numbers["first"]) == ("alliance_low", first)


@pytest.mark.parametrize(
    ("history", "speaks"),
    [
        (alliance(39, 34.9, error=4.0), True),
        (alliance(39, 35.0, error=4.0), False),  # the error itself is noise
        (alliance(39, 38, error=4.0), False),  # one point in 40 is noise
        (alliance(30, 39, error=4.0), False),
        (alliance(39, 20), False),  # no known error, nothing to say
        (alliance(39, error=4.0), False),
        (alliance(5, 10, error=4.0, better="lower"), True),
        *((replace(alliance(39, 30, error=4.0), purpose=purpose), False) for purpose in NOT_CHANGE),
    ],
)
def test_an_alliance_falling_beyond_its_error_prompts(history, speaks):
    reason = alliance_falling(history)
    assert (reason is not None) is speaks
    if reason is not None:
        assert reason.numbers["drop"] == pytest.approx(
            abs(history.alliance.scores[-2] - history.alliance.scores[-1])
        )


def test_the_clinics_own_limits_replace_cutoff_and_error():
    own = ModelNumbers(alliance_limits=AllianceLimits(300, 30.0, (30.0, 38.0), (24.0, 34.0)))
    assert alliance_low(alliance(33), own) is None
    assert alliance_low(alliance(29), own).numbers["by"] == "centile"
    assert alliance_falling(alliance(38, 33.9), own).numbers["by"] == "centile"
    assert alliance_falling(alliance(38, 34), own) is None
    assert alliance_falling(alliance(34, 28.9), own).numbers["limit"] == 29.0
    assert alliance_falling(alliance(20, 22), own) is None  # low, but it rose


def test_limits_of_the_alliance_wait_for_300_pairs():
    rng = np.random.default_rng(3)
    last = np.clip(rng.normal(37, 4, 1000), 0, 40).round(1)
    following = np.clip(last + rng.normal(0, 2, 1000), 0, 40).round(1)
    limits = alliance_limits(last, following)
    assert limits.pairs == 1000
    assert limits.low == pytest.approx(np.percentile(following, 10))
    below = following < np.interp(last, limits.last, limits.next_low)
    assert 0.03 < below.mean() < 0.08
    assert limits.next_low_after(30.0) < limits.next_low_after(39.0)
    holes = np.where(np.arange(1000) < 701, np.nan, last)
    assert alliance_limits(holes, following) is None
    with pytest.raises(ValueError, match="shape"):
        alliance_limits([1.0], [1.0, 2.0])


def test_limits_of_a_scale_that_falls_with_a_better_alliance_are_its_mirror():
    rng = np.random.default_rng(4)
    last, following = rng.integers(300, 401, (2, 400)) / 10
    up = alliance_limits(last, following)
    down = alliance_limits(40 - last, 40 - following, better="lower")
    assert down.low == pytest.approx(40 - up.low)


def test_a_ceiling_shared_by_many_clients_gives_one_limit():
    limits = alliance_limits(np.full(400, 40.0), np.linspace(30, 40, 400))
    assert limits.last == (40.0,)
    assert len(limits.next_low) == 1


def weekly(n, **known):
    return series(15, 15, attended_days=tuple(range(0, 7 * n, 7)), **known)


@pytest.mark.parametrize(
    ("history", "today", "speaks"),
    [
        (weekly(4), 21 + 14, False),
        (weekly(4), 21 + 15, True),
        (weekly(4, arrived_days=(30,)), 21 + 15, False),  # came, and was not seen by us
        (weekly(4, pauses=((22, 28),)), 21 + 15, False),  # the clinic was closed
        (weekly(4, pauses=((22, 28),)), 21 + 22, True),
        (weekly(4, pauses=((15, 28),)), 21 + 22, True),  # days before the session were no gap
        (weekly(4, pauses=((22, 28), (25, 28))), 21 + 22, True),  # counted once
        (weekly(4, unconfirmed_sessions=True), 21 + 40, False),
        (weekly(1), 100, False),  # one session is no rhythm
        (series(15, attended_days=(0, 7, 14)), 100, False),  # fewer than two scores
        (series(15, 15, attended_days=(0, 30, 60)), 120, False),
        (series(15, 15, attended_days=(0, 30, 60)), 121, True),
        (series(15, 15, attended_days=(0, 1, 2)), 16, False),  # three days are no rhythm
        *((weekly(4, purpose=purpose), 21 + 15, True) for purpose in NOT_CHANGE),
    ],
)
def test_overdue_is_twice_the_clients_own_rhythm(history, today, speaks):
    reason = overdue(history, today)
    assert (reason is not None) is speaks
    if reason is not None:
        assert reason.code == "overdue"
        assert reason.numbers["days"] > 2 * reason.numbers["rhythm"]


def test_the_rhythm_follows_a_client_who_comes_less_often_now():
    tapering = series(15, 15, attended_days=(0, 7, 14, 21, 51, 81, 111))
    assert rhythm_days(tapering) == 30
    closed = series(15, 15, attended_days=(0, 7, 35), pauses=((8, 28),))
    assert rhythm_days(closed) == 7


@pytest.mark.parametrize(
    ("known", "today", "speaks"),
    [
        ({"transferred_on": 100}, 128, False),
        ({"transferred_on": 100}, 129, True),
        ({"transferred_on": 100, "pauses": ((101, 107),)}, 129, False),
        ({"transferred_on": 100, "seen_since_transfer": True}, 200, False),
        ({}, 200, False),
    ],
)
def test_a_client_not_seen_after_a_transfer_is_raised(known, today, speaks):
    reason = lost_in_transfer(series(15, 15, **known), today)
    assert (reason is not None) is speaks
    assert lost_in_transfer(series(15, **known), today) is None


@pytest.mark.parametrize(
    ("history", "probability", "speaks"),
    [
        (series(15, 15), 0.41, True),
        (series(15, 15), 0.40, False),
        (series(15, 15), None, False),
        (series(15), 0.9, False),
        (series(15, 15, purpose="stay_well"), 0.9, True),
        (series(15, 15, unconfirmed_sessions=True), 0.9, False),
    ],
)
def test_a_likely_stop_is_raised(history, probability, speaks):
    reason = at_risk_of_stopping(history, ModelNumbers(p_stopping=probability))
    assert (reason is not None) is speaks


def test_an_item_at_its_threshold_alerts_and_an_untouched_one_does_not():
    reason = item_alert({"i9": 1, "i8": 3, "i7": None}, {"i9": 1, "i7": 1, "i6": 1, "i8": 3})
    assert reason.code == "item_alert"
    assert dict(reason.numbers) == {"items": "i9,i8", "i9": 1, "i8": 3}
    assert item_alert({"i9": 0}, {"i9": 1}) is None


def test_prompts_and_review_flags_are_apart():
    history = replace(
        series(15, 10, 8),
        attended_days=(0, 7, 14),
        alliance=AllianceSeries((1, 2), (38.0, 30.0), error=4.0),
    )
    assert [reason.code for reason in prompts(history)] == [
        "alliance_low",
        "alliance_falling",
        "checkpoint",
    ]
    codes = [reason.code for reason in review_flags(history, today=60)]
    assert codes == ["deteriorated", "overdue"]
    with_model = review_flags(history, today=15, model=band(history, 12, 25))
    assert [reason.code for reason in with_model] == ["deteriorated", "not_on_track"]


@pytest.mark.parametrize(
    ("history", "decision", "today", "sessions", "may"),
    [
        (series(15, 14), None, 0, 2, True),
        (series(15, 14, 14), LastDecision(2, 14.0, follow_up_day=50), 49, 9, False),
        (series(15, 14, 14), LastDecision(2, 14.0, follow_up_day=50), 50, 3, True),
        (series(15, 14, 7.4), LastDecision(2, 14.0, follow_up_day=50), 10, 3, True),
        (series(15, 14, 7.5), LastDecision(2, 14.0, follow_up_day=50), 10, 3, False),
        (series(15, 7), LastDecision(2, 14.0, follow_up_day=50), 10, 3, False),  # not newer
        (series(15, 14, 14), LastDecision(2, 14.0), 10, 5, False),
        (series(15, 14, 14), LastDecision(2, 14.0), 10, 6, True),
        (series(), LastDecision(2, 14.0), 10, 3, False),
    ],
)
def test_a_decision_keeps_its_rule_silent_for_a_while(history, decision, today, sessions, may):
    assert may_raise(history, decision, today=today, sessions=sessions) is may


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: History(UP, t=(1,), scores=()), "one t a score"),
        (lambda: series(15, float("nan")), "missing"),
        (lambda: series(15, 16, t=(2, 2)), "increase"),
        (lambda: AllianceSeries((1,), ()), "one t a score"),
        (lambda: Constants(fewest_scores=1), "two scores"),
        (lambda: Constants(first_checkpoint=6), "after the first"),
    ],
)
def test_inputs_that_would_be_judged_wrongly_are_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build()
