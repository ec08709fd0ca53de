"""Waits with those still waiting in sight."""

from __future__ import annotations

import math

import numpy as np
import pytest

from measures_app.psychometrics.waits import wait_quantile

SEEN = [3.0, 8, 12, 15, 21, 30, 34, 40, 55, 90]


def test_a_quantile_of_completed_waits_is_the_usual_one():
    for share in (0.5, 0.9):
        found = wait_quantile(SEEN, [], share)
        assert found.value == found.best == found.worst == pytest.approx(np.quantile(SEEN, share))
    assert (found.n, found.waiting, found.coverage) == (10, 0, 1.0)


def test_those_still_waiting_bound_what_all_waits_will_have_been():
    found = wait_quantile(SEEN, [2.0, 60, 100], 0.5)
    assert found.value == 25.5
    assert found.best == np.median([*SEEN, 2, 60, 100]) == 30
    assert found.worst == np.median([*SEEN, 1e9, 1e9, 1e9]) == 34
    assert found.coverage == pytest.approx(10 / 13)
    assert wait_quantile(SEEN, [2.0, 60, 100], 0.9).worst == math.inf


def test_whatever_the_rest_will_wait_lies_between_the_bounds():
    rng = np.random.default_rng(3)
    for _trial in range(200):
        waits = rng.gamma(1.5, 20, 40)
        over = rng.random(40) < 0.7
        so_far = waits[~over] * rng.random(int((~over).sum()))
        found = wait_quantile(waits[over], so_far, 0.5)
        assert found.best <= np.median(waits) <= found.worst


def test_the_interval_is_the_order_statistics_of_the_textbook():
    # Conover, section 3.2: n = 15, median, ranks 4 and 12 hold it with 96.5 %.
    found = wait_quantile(np.arange(1.0, 16), [], 0.5)
    assert (found.low, found.high) == (4, 12)


def test_the_interval_holds_the_quantile_nineteen_times_in_twenty():
    rng = np.random.default_rng(7)
    truth = -20 * math.log(0.5)
    held = 0
    for _trial in range(2000):
        found = wait_quantile(rng.exponential(20, 31), [], 0.5)
        held += found.low <= truth <= found.high
    assert held / 2000 >= 0.94


def test_few_waits_bound_nothing_and_none_say_nothing():
    few = wait_quantile([4.0, 9, 10], [], 0.9)
    assert (math.isnan(few.low), math.isnan(few.high)) == (False, True)
    assert math.isnan(wait_quantile([4.0], [], 0.5).low)
    nobody = wait_quantile([], [], 0.5)
    assert all(math.isnan(x) for x in (nobody.value, nobody.low, nobody.best, nobody.coverage))
    all_wait = wait_quantile([], [5.0, 7], 0.5)
    assert (all_wait.best, all_wait.worst) == (6, math.inf)


@pytest.mark.parametrize(
    ("seen", "waiting", "share"), [([1], [], 0), ([1], [], 1), ([-1], [], 0.5), ([], [-1], 0.5),
                                   ([math.nan], [], 0.5)],
)  # fmt: skip
def test_no_wait_is_negative_and_no_share_impossible(seen, waiting, share):
    with pytest.raises(ValueError, match=r"share|wait"):
        wait_quantile(seen, waiting, share)
