"""A line that follows the count keeps a year's room, by little steps and within its bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measures_app.psychometrics.budget import CLIMB, Held, Look, line_for, per_week
from measures_app.psychometrics.steering import MOST_AHEAD, ahead_after, follow, followed

WEEKS, SILENT = 52, 4
COUNTS = st.lists(st.integers(0, 60), min_size=1, max_size=60)


def clinic(rate: float, seed: int, weeks: int = WEEKS) -> list[list[Look]]:
    """Episodes in which one reason or two begin to hold and go again; `rate` begin a week."""
    random = np.random.default_rng(seed)
    cases = []
    for week in range(-12, weeks):
        for _ in range(random.poisson(rate)):
            at, lasts = week, int(random.integers(3, 14))
            found = [random.uniform(0.1, 0.6) for _ in range(1 + int(random.random() < 0.3))]
            held = tuple(Held(f"r{n}", one) for n, one in enumerate(found))
            cases.append(
                [Look(7 * w, w - at, held if w < at + lasts else ())
                 for w in range(at, min(at + lasts + 1, weeks))]
            )  # fmt: skip
    return cases


def test_a_week_ahead_lifts_the_line_by_what_a_week_of_waiting_climbs():
    assert ahead_after(0.0, 12, 6.0, 1) == 1.0
    assert ahead_after(1.0, 0, 6.0, 2) == -1.0
    assert followed(0.3, 1.0) == pytest.approx(0.3 + CLIMB)
    assert followed(0.3, -1.0) == pytest.approx(0.3 - CLIMB)


def test_what_holds_nothing_back_is_followed_by_nothing_and_no_line_falls_below_it():
    assert followed(0.0, 4.0) == 0.0
    assert followed(0.05, -5.0) == 0.0
    assert ahead_after(3.0, 7, 0.0, 1) == 0.0  # no room to keep


@pytest.mark.parametrize("wrong", [(-1, 6.0, 1), (1, -6.0, 1), (1, 6.0, -1), (1, math.nan, 1)])
def test_a_count_that_is_none_is_refused(wrong: tuple[int, float, float]):
    with pytest.raises(ValueError, match="0 or more"):
        ahead_after(0.0, *wrong)
    with pytest.raises(ValueError, match="numbers"):
        followed(math.nan, 0.0)


@given(counts=COUNTS, room=st.floats(1, 30), line=st.floats(0.01, 1))
def test_the_line_stays_near_the_clinics_whatever_is_raised(
    counts: list[int], room: float, line: float
):
    ahead = 0.0
    for count in counts:
        before, ahead = ahead, ahead_after(ahead, count, room, 1)
        assert abs(followed(line, ahead) - line) <= MOST_AHEAD * CLIMB + 1e-12
        # A week moves it up by what was raised, down by a week's room at most.
        assert -1 - 1e-9 <= ahead - before <= max(count / room - 1, 0) + 1e-9


@given(counts=COUNTS, more=st.integers(1, 20), room=st.floats(1, 30))
def test_more_flags_never_give_a_lower_line(counts: list[int], more: int, room: float):
    fewer = many = 0.0
    for count in counts:
        fewer, many = ahead_after(fewer, count, room, 1), ahead_after(many, count + more, room, 1)
        assert many >= fewer


@given(counts=COUNTS, room=st.floats(1, 30))
def test_a_count_within_its_bounds_is_exact(counts: list[int], room: float):
    """Where it never met a bound, weeks ahead are what was raised less what there was room for."""
    ahead, free = 0.0, True
    for count in counts:
        ahead = ahead_after(ahead, count, room, 1)
        free = free and abs(ahead) < MOST_AHEAD
    if free:
        assert ahead == pytest.approx(sum(counts) / room - len(counts))


@pytest.mark.parametrize("busier", [0.7, 1.0, 1.3])
def test_a_year_keeps_its_room_though_a_clinic_gets_quieter_or_busier(busier: float):
    """A tenth either way, where a line that stands still is out by up to a half."""
    room, out = 6.0, 0.0
    for seed in range(2):
        line = line_for(clinic(9, 100 + seed), room, 0, WEEKS, SILENT)
        year = clinic(9 * busier, seed)
        still = per_week(year, line, 0, WEEKS, SILENT)
        found = follow(year, line, room, 0, SILENT)
        kept = sum(len(reasons) for _n, look, reasons in found.raised if look.day >= 0) / WEEKS
        assert 0.9 * room <= kept <= 1.1 * room
        out = max(out, abs(still / room - 1))
    assert busier == 1.0 or out > 0.1


def test_no_week_is_held_to_what_comes_in_it_or_after():
    year, line = clinic(9, 1), 0.47
    whole = follow(year, line, 6.0, 0, SILENT)
    cut = [[look for look in looks if look.day < 140] for looks in year]
    half = follow(cut, line, 6.0, 0, SILENT)
    assert half.raised == [one for one in whole.raised if one[1].day < 140]
    assert half.lines == {day: line for day, line in whole.lines.items() if day < 140}
    assert {line for day, line in whole.lines.items() if day <= 0} == {line}
    assert len(set(whole.lines.values())) > 10


def test_weeks_in_which_nobody_was_looked_at_count_as_weeks():
    looks = [Look(0, 0, (Held("a", 0.9),)), Look(21, 3, ())]
    assert follow([looks], 0.3, 1.0, 0, SILENT).lines == pytest.approx(
        {0: 0.3, 21: 0.3 - 2 * CLIMB}
    )
