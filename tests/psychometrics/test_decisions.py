"""What followed a decision, against the forecast of its day."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measures_app.psychometrics.decisions import (
    FEWEST,
    Z80,
    Decided,
    share,
    what_followed,
)


def decided(after: float | None = 20.0, **changes: object) -> Decided:
    """At session 5 with 18 of 40, 2 up; forecast 19 at session 9 with an SD of 3."""
    given = {
        "t": 5,
        "score": 18.0,
        "gained": 2.0,
        "forecast_t": [6, 7, 8, 9],
        "mean": [18.25, 18.5, 18.75, 19.0],
        "low80": [19.0 - 3 * Z80] * 4,
        "high80": [19.0 + 3 * Z80] * 4,
        "after": [] if after is None else [(9, after)],
        "sessions": 0 if after is None else 4,
        **changes,
    }
    return Decided(**given)  # type: ignore[arg-type]  # by name


def test_an_example_by_hand() -> None:
    """Fifteen decisions, each 1 better than forecast or 1 worse: mean and interval by hand.

    Eight times +1 and seven times -1: mean 1/15, SD sqrt((15 - 15/225) / 14) = 1.032796,
    t(14) = 2.144787, half the interval 2.144787 * 1.032796 / sqrt(15) = .571944.
    """
    seen = [decided(20.0)] * 8 + [decided(18.0)] * 7
    found = what_followed(seen, "higher")
    assert (found.n, found.compared, found.lost, found.judged) == (15, 15, 0, 15)
    assert found.difference.value == pytest.approx(1 / 15)
    assert found.difference.high - found.difference.value == pytest.approx(0.571944, abs=1e-6)
    assert found.in_sds.value == pytest.approx(1 / 45)
    assert found.lost_share.value == 0


def test_lower_is_better_turns_the_sign() -> None:
    seen = [decided(20.0)] * FEWEST
    assert what_followed(seen, "higher").difference.value == 1
    assert what_followed(seen, "lower").difference.value == -1


def test_below_fifteen_nothing_is_said_but_how_many() -> None:
    found = what_followed([decided()] * (FEWEST - 1), "higher")
    assert (found.n, found.compared) == (FEWEST - 1, FEWEST - 1)
    assert not found.says_something
    assert math.isnan(found.difference.value)
    assert math.isnan(found.lost_share.value)


def test_who_came_no_more_is_counted_and_has_no_score() -> None:
    gone, lately = decided(None), decided(None, may_still_come=True)
    found = what_followed([decided()] * 15 + [gone] * 5 + [lately] * 4, "higher")
    assert (found.n, found.judged, found.lost, found.compared) == (24, 20, 5, 15)
    assert found.lost_share.value == 0.25
    assert (found.lost_share.low, found.lost_share.high) == pytest.approx(
        (0.1119, 0.4687), abs=1e-4
    )


def test_the_kth_session_counts_or_the_last_measured_before_it() -> None:
    assert decided(after=20.0).compared() == (1.0, pytest.approx(3.0))
    assert decided(after=None).compared() is None
    gap = replace(decided(), after=[(7, 20.5), (12, 30.0)])
    assert gap.compared() == (2.0, pytest.approx(3 + 0.5 / Z80))
    assert decided(forecast_t=[], mean=[], low80=[], high80=[]).compared() is None


def test_a_band_cut_off_at_the_scales_end_doesnt_shrink_the_deviation() -> None:
    cut = decided(high80=[19.5] * 4)
    assert cut.compared() == (1.0, pytest.approx(3.0))
    assert decided(high80=[19.0] * 4, low80=[19.0] * 4).compared() is None


@pytest.mark.parametrize(
    ("changes", "like"),
    [
        ({}, True),
        ({"score": 23.9}, True),
        ({"score": 24.0}, False),
        ({"gained": -4.1}, False),
        ({"t": 7}, True),
        ({"t": 8}, False),
    ],
)
def test_alike_is_within_a_reliable_change_and_a_third_of_the_sessions(
    changes: dict[str, float], like: bool
) -> None:
    assert decided(**changes).is_like(decided(), reliable_change=6.0) is like


def test_a_decision_without_effect_shows_none_though_raw_change_does() -> None:
    """The worst of many who scatter about their own level: they come back, whatever is decided."""
    random = np.random.default_rng(7)
    level = random.normal(20, 4, 4000)
    then, later = level + random.normal(0, 4, 4000), level + random.normal(0, 4, 4000)
    worst = np.argsort(then)[:600]
    expected, sd = 20 + 0.5 * (then - 20), math.sqrt(16 * 0.5 + 16)
    seen = [
        decided(
            float(later[i]),
            score=float(then[i]),
            mean=[float(expected[i])] * 4,
            low80=[float(expected[i] - sd * Z80)] * 4,
            high80=[float(expected[i] + sd * Z80)] * 4,
        )
        for i in worst
    ]
    assert (later[worst] - then[worst]).mean() > 3
    found = what_followed(seen, "higher")
    assert found.difference.low < 0 < found.difference.high or abs(found.difference.value) < 0.5


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_share_lies_within_its_interval_or_isnt_given(count: int, more: int) -> None:
    found = share(count, count + more)
    if count + more < FEWEST:
        assert math.isnan(found.value)
    else:
        assert 0 <= found.low <= found.value <= found.high <= 1
