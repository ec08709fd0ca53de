"""Rules judged on past episodes: counted by hand, and held to laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measures_app.psychometrics.flag_judging import judge

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
