"""Rules judged on past episodes: counted by hand, and held to laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measures_app.psychometrics.flag_judging import (
    Course,
    judge,
    settings,
    within_budget,
)

NAN = float("nan")


def _judge(rows, clinicians=None):
    flagged, positive, lead = (np.array(column) for column in zip(*rows, strict=True))
    who = np.arange(len(rows)) if clinicians is None else np.array(clinicians)
    return judge(flagged.astype(bool), positive.astype(bool), lead.astype(float), who)


def test_caught_missed_and_false_are_counted_by_hand():
    # Three ended badly, two of them flagged, 4 and 2 sessions before the end; one false of four.
    rows = [
        (True, True, 4), (True, True, 2), (False, True, NAN),
        (True, False, 6), (False, False, NAN), (False, False, NAN), (False, False, NAN),
    ]  # fmt: skip
    found = _judge(rows)
    assert (found.episodes, found.positives) == (7, 3)
    assert (found.caught, found.missed, found.false) == (2, 1, 1)
    assert found.sensitivity.value == pytest.approx(2 / 3)
    assert found.specificity.value == pytest.approx(3 / 4)
    assert found.ppv.value == pytest.approx(2 / 3)
    assert found.lead == 3
    assert found.resampled == "clients"


def test_ten_clinicians_are_resampled_as_clinicians():
    rows = [(i % 2 == 0, i % 3 == 0, 1.0) for i in range(60)]
    ten = _judge(rows, [i % 10 for i in range(60)])
    nine = _judge(rows, [i % 9 for i in range(60)])
    assert (ten.resampled, nine.resampled) == ("clinicians", "clients")


def test_clients_who_resemble_their_clinicians_others_widen_the_interval():
    """Each clinician's clients alike: twenty clinicians tell no more than twenty clients."""
    rows = [(who % 2 == 0, True, 1.0) for who in range(20) for _ in range(30)]
    by_clinician = _judge(rows, [who for who in range(20) for _ in range(30)])
    by_client = _judge(rows, [who % 9 for who in range(20) for _ in range(30)])
    wide = by_clinician.sensitivity.high - by_clinician.sensitivity.low
    narrow = by_client.sensitivity.high - by_client.sensitivity.low
    assert wide > 3 * narrow


def test_nothing_to_divide_by_is_not_a_share():
    all_well = _judge([(False, False, NAN)] * 3)
    assert math.isnan(all_well.sensitivity.value)
    assert math.isnan(all_well.ppv.low)
    assert math.isnan(all_well.lead)
    assert all_well.specificity.value == 1.0


def test_no_episode_is_no_error():
    empty = np.zeros(0)
    found = judge(empty.astype(bool), empty.astype(bool), empty, empty.astype(int))
    assert found.episodes == 0
    assert math.isnan(found.specificity.value)


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="every episode"):
        judge(np.array([True]), np.array([True, False]), np.array([1.0]), np.array([1]))


outcomes = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 8)), min_size=1)


@given(outcomes)
def test_shares_lie_within_their_intervals_and_between_zero_and_one(rows):
    found = _judge(rows)
    assert found.caught + found.missed == found.positives <= found.episodes
    for share in (found.sensitivity, found.specificity, found.ppv):
        if not math.isnan(share.value):
            assert 0 <= share.low <= share.value + 1e-12
            assert share.value <= share.high + 1e-12 <= 1 + 1e-9


def test_a_flag_is_raised_on_passing_and_again_after_enough_sessions():
    course = Course(t=(2, 3, 4, 5, 6, 9), p=(0.7, 0.8, 0.5, 0.7, 0.5, 0.9))
    assert course.raised_at(0.6, silent_sessions=4) == [2, 9]
    assert course.raised_at(0.6, silent_sessions=3) == [2, 5, 9]
    assert course.raised_at(0.75, silent_sessions=4) == [3, 9]
    assert course.raised_at(0.95, silent_sessions=4) == []


def test_a_threshold_is_priced_in_flags_a_week():
    courses = [Course((2, 3), (0.3, 0.9)), Course((2, 3), (0.5, 0.4)), Course((2,), (0.2,))]
    low, high, none = settings(
        courses, np.array([True, False, False]), 2.0, thresholds=[0.25, 0.6, 0.95]
    )
    assert (low.per_week, low.sensitivity, low.specificity, low.ppv) == (1.0, 1.0, 0.5, 0.5)
    assert (high.per_week, high.sensitivity, high.specificity, high.ppv) == (0.5, 1.0, 1.0, 1.0)
    assert (none.per_week, none.sensitivity) == (0.0, 0.0)
    assert math.isnan(none.ppv)
    assert within_budget([low, high, none], 0.6) == high
    assert within_budget([low, high, none], 5) == low
    assert within_budget([low], 0.5) is None


def test_settings_need_endings_and_time():
    with pytest.raises(ValueError, match="ending"):
        settings([Course((2,), (0.5,))], np.array([], dtype=bool), 1, thresholds=[0.5])
    with pytest.raises(ValueError, match="days"):
        settings([], np.array([], dtype=bool), 0, thresholds=[0.5])


def test_nobody_well_and_nobody_unwell_have_no_share():
    (one,) = settings([Course((2,), (0.9,))], np.array([True]), 1, thresholds=[0.5])
    (other,) = settings([Course((2,), (0.9,))], np.array([False]), 1, thresholds=[0.5])
    assert math.isnan(one.specificity)
    assert math.isnan(other.sensitivity)


courses = st.lists(
    st.lists(st.floats(0, 1), min_size=1, max_size=9).map(
        lambda p: Course(tuple(range(2, 2 + len(p))), tuple(p))
    ),
    min_size=1,
    max_size=20,
)


@given(courses, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_never_flags_another_episode(found, a, b):
    low, high = sorted((a, b))
    for course in found:
        assert bool(course.raised_at(high, 4)) <= bool(course.raised_at(low, 4))
