"""One scale and one line for all review rules: what passes, what waits, what it costs a week."""

from __future__ import annotations

import math

import numpy as np
import pytest

from measures_app.psychometrics.budget import (
    WEIGHT,
    Held,
    Look,
    again,
    benefit,
    climbed,
    line_for,
    per_week,
    raised_in,
)
from measures_app.psychometrics.rules import ModelNumbers, Reason

CHANCES = ModelNumbers(p_not_improved=0.8, p_deteriorated=0.4, p_stopping=0.6)


@pytest.mark.parametrize(
    ("rule", "numbers", "model", "sessions", "by_hand"),
    [
        ("deteriorated", {}, CHANCES, 3, 1.0 * 0.6),
        ("not_on_track", {}, CHANCES, 6, 0.8 * 0.6),
        ("no_progress", {}, CHANCES, 18, 0.6 * 0.6 / 2),  # half of what a change can do is gone
        ("not_on_track", {}, ModelNumbers(p_deteriorated=0.3), 3, 0.8 * 0.3),
        ("not_on_track", {}, ModelNumbers(p_not_improved=0.9), 3, 0.8 * 0.9),
        ("deteriorated", {}, ModelNumbers(), 3, 0.5),
        ("at_risk_of_stopping", {}, CHANCES, 30, 0.5 * 0.6),
        ("at_risk_of_stopping", {}, ModelNumbers(), 3, 0.25),
        ("overdue", {"days": 21, "rhythm": 7.0}, CHANCES, 9, 0.5 * 2 / 3),
        ("lost_in_transfer", {"days": 30}, CHANCES, 9, 0.7 * 0.69),
        ("ready_to_finish", {}, CHANCES, 9, 0.3 * 0.6),
        ("ready_to_finish", {}, ModelNumbers(), 9, 0.15),
    ],
)
def test_benefit_is_what_was_worked_out_by_hand(rule, numbers, model, sessions, by_hand):
    assert benefit(Reason(rule, numbers), model, sessions) == pytest.approx(by_hand)


def test_a_prompt_has_no_place_in_the_week():
    with pytest.raises(KeyError):
        benefit(Reason("checkpoint", {}), CHANCES, 3)


def test_benefits_lie_between_0_and_1_and_grow_with_what_is_at_stake():
    for rule in WEIGHT:
        numbers = {"days": 20, "rhythm": 7.0}
        for p in (0.0, 0.5, 1.0):
            model = ModelNumbers(p_not_improved=p, p_deteriorated=p, p_stopping=p)
            assert 0 <= benefit(Reason(rule, numbers), model, 4) <= 1
    low, high = (ModelNumbers(p_not_improved=p, p_deteriorated=0.1) for p in (0.5, 0.6))
    assert benefit(Reason("no_progress", {}), low, 7) < benefit(Reason("no_progress", {}), high, 7)


def weekly(*found: float | None, key: str = "no_progress a", levels: tuple[float, ...] = ()):
    """One look and one session a week; None where the reason doesn't hold."""
    return [
        Look(
            7 * week,
            week + 6,
            () if one is None else (Held(key, one, levels[week] if levels else math.nan),),
        )
        for week, one in enumerate(found)
    ]


def days(looks, line, silent=4):
    return [look.day // 7 for look, _ in raised_in(looks, line, silent)]


def test_what_waits_climbs_and_is_never_lost():
    looks = weekly(*[0.30] * 8)
    assert days(looks, 0.25) == [0, 4]  # at once, and again after four sessions
    assert days(looks, 0.35) == [3]  # .30 and three weeks of .02: the first beyond .35
    assert climbed(0.30, 21) == pytest.approx(0.36)
    assert days(looks, 0.0) == [0, 4]
    assert days(looks, 0.60) == []
    assert days(weekly(*[0.30] * 30), 0.60) == [16]  # .30 + 16 weeks of .02


def test_a_reason_that_went_begins_to_wait_anew():
    assert days(weekly(0.3, 0.3, None, 0.3, 0.3, 0.3, 0.3), 0.35) == [6]


def test_worse_by_more_than_error_speaks_before_the_silence_is_over():
    looks = weekly(0.5, 0.5, 0.5, levels=(2.0, 1.5, 0.9))
    assert days(looks, 0.4) == [0, 2]
    assert days(weekly(0.5, 0.5, 0.5, levels=(2.0, 1.5, 1.0)), 0.4) == [0]  # exactly 1 isn't more


def test_a_look_covers_everything_that_holds_of_a_case():
    both = (Held("deteriorated a", 0.6), Held("no_progress a", 0.3))
    looks = [Look(7 * week, week + 6, both) for week in range(4)]
    ((_, reasons),) = raised_in(looks, 0.35, 4)
    assert [one.key for one in reasons] == ["deteriorated a"]


def _clinic(seed: int, cases: int = 400, weeks: int = 100):
    rng = np.random.default_rng(seed)
    found = []
    for start, length in zip(
        rng.integers(0, weeks, cases), rng.integers(2, 20, cases), strict=True
    ):
        level = rng.uniform(0.1, 0.8)
        held = [level if rng.random() < 0.7 else None for _ in range(length)]
        looks = weekly(*held)
        found.append([Look(look.day + 7 * int(start), look.sessions, look.held) for look in looks])
    return found


def test_the_line_fills_the_room_and_keeps_it_in_another_clinic_of_the_kind():
    past, next_year = _clinic(1, 2000), _clinic(2, 2000)
    line = line_for(past, 20.0, 0, 100.0, 4)
    assert 19.5 <= per_week(past, line, 0, 100.0, 4) <= 20.0
    assert per_week(next_year, line, 0, 100.0, 4) == pytest.approx(20.0, rel=0.1)
    assert per_week(past, 0.0, 0, 100.0, 4) > 40
    # What was raised before the first day isn't counted.
    assert per_week(past, 0.0, 700, 1.0, 4) < per_week(past, 0.0, 0, 1.0, 4)


def test_another_year_of_the_kind_lies_where_chance_puts_it():
    counted, said = [], []
    for seed in range(60):
        cases = _clinic(seed, cases=int(np.random.default_rng(seed).poisson(120)))
        counted.append(per_week(cases, 0.45, 0, 100, 4))
        said.append(again(cases, 0.45, 0, 100, 4))
    # Each clinic is the year that another one's line was priced on.
    inside = [
        low <= other <= high
        for (low, high), other in zip(said, counted[1:] + counted[:1], strict=True)
    ]
    assert 0.88 <= np.mean(inside) <= 1
    assert np.mean([high - low for low, high in said]) < np.mean(counted)
    assert again([], 0.45, 0, 100, 4) == (0, 0)


def test_a_room_for_all_asks_for_no_line_and_none_at_all_for_one_beyond_reach():
    past = _clinic(3, cases=40)
    assert line_for(past, 1000.0, 0, 100.0, 4) == 0.0
    line = line_for([weekly(*[1.0] * 60)], 0.0, 0, 60.0, 4)
    assert line > 2
    assert per_week([weekly(*[1.0] * 60)], line, 0, 60.0, 4) == 0


@pytest.mark.parametrize(("room", "weeks"), [(1.0, 0.0), (math.nan, 5.0)])
def test_no_time_and_no_room_price_nothing(room, weeks):
    with pytest.raises(ValueError, match="weeks and a room"):
        line_for([], room, 0, weeks, 4)
