"""Weekly looks: four weeks without a session."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from measures_app.psychometrics.accuracy import calibration
from measures_app.psychometrics.landmarks import (
    LandmarkModel,
    fit_landmarks,
    held_out,
    known_at,
    known_if_told,
    weekly_rows,
)


def diaries(episodes=400, seed=3):
    """Weekly sessions; one in three skipped, one in twelve the last ever."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(episodes):
        day, days = int(random.integers(0, 200)), []
        while day < 500:
            days.append(day)
            if random.random() < 1 / 12:
                break
            day += 7 * int(random.geometric(2 / 3))
        found.append(days)
    return found


def test_what_is_known_is_known_on_that_day():
    known = known_at([0, 7, 14, 28, 90], 35)
    assert known == pytest.approx([np.log1p(7 / 7), np.log(4), np.log(7)])
    assert known_at([10, 0, 40, 70], 70)[2] == pytest.approx(np.log(30))
    assert known_at([5], 8) == pytest.approx([np.log1p(3 / 7), 0, np.log(7)])
    with pytest.raises(ValueError, match="no session"):
        known_at([5], 4)


def test_looks_are_weekly_and_a_stop_counts_until_four_weeks_have_passed():
    rows = weekly_rows([[0, 7, 14], []], [None, None], until=200)
    assert rows.day.tolist() == [7, 14, 21, 28, 35]
    # Day 7: a session on day 14 follows. From 14 on nothing follows; from 42 on nobody looks.
    assert rows.event.tolist() == [0, 1, 1, 1, 1]
    assert set(rows.episode.tolist()) == {0}


def test_nothing_is_looked_at_whose_future_is_not_known_or_was_agreed():
    assert weekly_rows([[0, 7, 14]], [None], until=41).day.tolist() == [7]
    assert weekly_rows([[0, 7, 14]], [43], until=200).day.tolist() == [7, 14]
    assert weekly_rows([[0, 7, 14]], [20], until=200).day.tolist() == []


def test_the_future_changes_nothing_that_was_known():
    days = [0, 7, 21, 28]
    then = weekly_rows([days], [None], until=100)
    later = weekly_rows([[*days, 90]], [None], until=100)
    assert np.array_equal(then.known, later.known[: len(then.known)])


def test_longer_away_means_less_likely_back_and_it_comes_true():
    rows = weekly_rows(diaries(), [None] * 400, until=600)
    model = fit_landmarks(rows)
    soon, long = model.probabilities([known_at([0, 7, 14], 15), known_at([0, 7, 14], 36)])
    assert long > 2 * soon
    found = calibration(model.probabilities(rows.known), rows.event)
    assert found.slope == pytest.approx(1, abs=0.1)
    assert (model.rows, model.events) == (len(rows.event), int(rows.event.sum()))
    kept = json.loads(json.dumps(model.to_dict(), allow_nan=False))
    assert LandmarkModel.from_dict(kept) == model


def test_with_no_rows_the_prior_speaks():
    model = fit_landmarks(weekly_rows([], [], until=10))
    assert model.probabilities([[0.0, 0.0, 0.0]]) == pytest.approx([0.1])


def test_nothing_is_told_of_who_comes_rarely_or_stopped_or_never_came():
    assert known_if_told([0, 14, 28], 30) == pytest.approx(known_at([0, 14, 28], 30))
    assert known_if_told([0, 15, 30], 32) is None
    assert known_if_told([0, 7], 34) is not None
    assert known_if_told([0, 7], 35) is None
    assert known_if_told([40], 34) is None
    assert weekly_rows([[0, 30, 60, 90]], [None], until=200).day.tolist() == [7, 14, 21]


def test_each_episode_is_foretold_by_models_that_did_not_see_it():
    rows = weekly_rows(diaries(), [None] * 400, until=500)
    fold = rows.episode % 5
    said = held_out(rows, fold)
    # What one fold brought doesn't change what is said of it.
    others = rows.event.copy()
    others[fold == 2] = 1 - others[fold == 2]
    turned = held_out(dataclasses.replace(rows, event=others), fold)
    np.testing.assert_array_equal(said[fold == 2], turned[fold == 2])
    assert not np.array_equal(said[fold == 1], turned[fold == 1])
    found = calibration(said, rows.event)
    assert abs(found.slope - 1) < 3 * found.slope_se
