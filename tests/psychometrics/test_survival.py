"""The product limit: against a published table, by hand with late entry, and at its edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measures_app.psychometrics.survival import survival

# Weeks in remission of Freireich et al. (1963), as every textbook prints them, with the estimates
# of Klein & Moeschberger (2003), table 4.1B and R's survfit(conf.type = "log-log").
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
CENSORED = {3, 5, 7, 8, 11, 12, 13, 16, 17, 18, 19, 20}
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def test_it_is_the_published_estimate() -> None:
    treated = survival([0] * 21, WEEKS, [i not in CENSORED for i in range(21)])
    assert treated.days.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert treated.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert treated.share.round(4).tolist() == [
        0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482,
    ]  # fmt: skip
    assert (treated.low[0].round(3), treated.high[0].round(3)) == (0.62, 0.952)
    assert treated.quantile(0.5) == (23, 13, math.inf)
    assert (treated.n, treated.events) == (21, 9)
    placebo = survival([0] * 21, PLACEBO, [True] * 21)
    assert placebo.quantile(0.5) == (8, 4, 11)
    assert placebo.share[-1] == placebo.low[-1] == 0 < placebo.high[-1]


def test_no_step_is_drawn_in_which_somebody_is_found() -> None:
    treated = survival([0] * 21, WEEKS, [i not in CENSORED for i in range(21)])
    assert treated.happened.tolist() == [3, 1, 1, 1, 1, 1, 1]
    assert treated.drawn(1).tolist() == [0, 1, 2, 3, 4, 5, 6]
    # Three at 6 weeks, then one each: three more by 13; three more by 23, when six are left.
    assert treated.days[treated.drawn(3)].tolist() == [6, 13, 23]
    assert treated.days[treated.drawn(4)].tolist() == [7, 22]
    assert treated.drawn(8).tolist() == []


def test_who_entered_late_is_at_risk_from_then_on() -> None:
    # By hand: at day 4 two are at risk (the third enters at 5), at day 6 three less one, at 9 one.
    found = survival([0, 0, 5], [4, 9, 6], [True, True, True])
    assert found.at_risk.tolist() == [2, 2, 1]
    assert found.share.tolist() == pytest.approx([1 / 2, 1 / 4, 0])
    # Who enters on the very day is at risk on it, and so is who is last seen on it.
    assert survival([3, 0], [3, 3], [True, False]).share.tolist() == [0.5]


def test_all_at_once_and_nobody() -> None:
    found = survival([0, 0], [2, 2], [True, True])
    assert (found.share.tolist(), found.low.tolist(), found.high.tolist()) == ([0], [0], [1])
    nobody = survival([], [], [])
    assert (nobody.n, nobody.events) == (0, 0)
    assert nobody.quantile(0.5) == (math.inf, math.inf, math.inf)


@pytest.mark.parametrize(("entered", "left"), [([-1], [2]), ([3], [2]), ([0], [math.nan])], ids=str)
def test_impossible_days_are_refused(entered: list[float], left: list[float]) -> None:
    with pytest.raises(ValueError, match="nobody leaves"):
        survival(entered, left, [True])


def test_a_share_lies_between_its_ends() -> None:
    with pytest.raises(ValueError, match="no share"):
        survival([0], [1], [True]).quantile(1.0)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40))
def test_without_anybody_censored_it_is_the_share_that_is_left(days: list[int]) -> None:
    found = survival([0] * len(days), days, [True] * len(days))
    left = [np.mean(np.array(days) > day) for day in found.days]
    assert found.share == pytest.approx(left)
    assert bool(((found.low <= found.share) & (found.share <= found.high)).all())
