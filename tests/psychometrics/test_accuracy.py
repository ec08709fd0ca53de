"""Logistic regression with a ridge, and how good probabilities are."""

from __future__ import annotations

import numpy as np
import pytest

from measures_app.psychometrics.accuracy import (
    area_under_curve,
    area_under_curve_se,
    brier_skill,
    calibration,
    calibration_table,
    recalibrate,
)
from measures_app.psychometrics.logistic import logit, probabilities, ridge_logistic


def test_without_penalty_the_logistic_regression_is_the_maximum_likelihood_one():
    # One binary column: the coefficients are log odds of the two-by-two table.
    x = np.repeat([0.0, 1.0], [40, 60])
    event = np.r_[np.repeat([0, 1], [30, 10]), np.repeat([0, 1], [20, 40])]
    nothing = np.zeros((1, 2))
    found = ridge_logistic(
        np.column_stack([np.ones(100), x]), event, towards=nothing, penalty=nothing
    )
    assert found[0] == pytest.approx([np.log(10 / 30), np.log(2) - np.log(10 / 30)], abs=1e-4)


def test_competing_events_share_what_is_left():
    # An intercept alone: the shares themselves come back, and they sum to at most one.
    event = np.repeat([0, 1, 2], [50, 30, 20])
    ones = np.ones((100, 1))
    nothing = np.zeros((2, 1))
    found = ridge_logistic(ones, event, towards=nothing, penalty=nothing)
    assert probabilities(ones[:1], found)[0] == pytest.approx([0.3, 0.2], abs=1e-4)


def test_a_strong_penalty_gives_the_prior_back():
    event = np.ones(10, dtype=np.int64)
    towards = np.array([[-1.5]])
    found = ridge_logistic(np.ones((10, 1)), event, towards=towards, penalty=np.array([[1e7]]))
    assert found[0, 0] == pytest.approx(-1.5, abs=1e-4)


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    score, event = [1.0, 2, 2, 3, 5], [False, False, True, False, True]
    # Pairs: 2 against 1, 2, 3 -> 1 + .5 + 0; 5 against them -> 3; of 6.
    assert area_under_curve(score, event) == pytest.approx(4.5 / 6)
    assert area_under_curve(score, [True] * 5) is None


def test_the_areas_standard_error_is_what_other_people_move_it_by():
    def drawn(seed):
        random = np.random.default_rng(seed)
        event = np.arange(120) < 40
        return random.normal(0.8 * event, 1).round(1), event  # rounded: some stand alike

    areas = [area_under_curve(*drawn(seed)) for seed in range(300)]
    said = [area_under_curve_se(*drawn(seed)) for seed in range(300)]
    assert np.mean(said) == pytest.approx(np.std(areas), rel=0.1)
    assert area_under_curve_se([1.0, 2, 3], [True, False, False]) is None
    assert area_under_curve_se([1.0, 2, 3], [True, True, False]) is None


def test_skill_is_what_is_saved_of_the_base_rates_error():
    event = [True, False, False, False]
    assert brier_skill(event, event) == 1
    assert brier_skill([0.25] * 4, event) == pytest.approx(0)
    assert brier_skill([0.9] * 4, event) < 0
    assert brier_skill([0.5] * 4, [True] * 4) is None
    assert brier_skill([], []) is None


def courses(n=4000, confidence=1.0):
    random = np.random.default_rng(2)
    odds = random.normal(-0.5, 1, n)
    event = random.random(n) < 1 / (1 + np.exp(-odds))
    return 1 / (1 + np.exp(-confidence * odds)), event


def test_probabilities_that_come_true_have_slope_one():
    found = calibration(*courses())
    assert found.slope == pytest.approx(1, abs=3 * found.slope_se)
    assert found.intercept == pytest.approx(0, abs=0.12)
    assert 0.02 < found.slope_se < 0.06


def test_too_much_confidence_has_a_slope_under_one_and_is_taken_back():
    p, event = courses(confidence=2.0)
    assert calibration(p, event).slope == pytest.approx(0.5, abs=0.07)
    mended = recalibrate(p, event, clients=4000)
    assert (mended.slope, mended.clients) == (pytest.approx(0.5, abs=0.07), 4000)
    assert calibration(mended.apply(p), event).slope == pytest.approx(1, abs=0.02)
    assert mended.apply([np.nan, 1.0, 0.0])[1:] == pytest.approx(
        [1 - mended.apply([0.0])[0], mended.apply([0.0])[0]], abs=0.2
    )
    assert np.isnan(mended.apply([np.nan])[0])


def test_under_100_ended_clients_nothing_is_recalibrated():
    p, event = courses(n=99, confidence=2.0)
    same = recalibrate(p, event, clients=99)
    assert (same.intercept, same.slope, same.clients) == (0, 1, 0)
    assert same.apply([0.3]) == pytest.approx([0.3])


def test_calibration_says_nothing_where_there_is_nothing_to_say():
    assert calibration([0.2, 0.3], [True, True]) is None
    assert calibration([0.3, 0.3], [True, False]) is None
    separated = calibration([0.1, 0.2, 0.8, 0.9], [False, False, True, True])
    assert np.isfinite([separated.slope, separated.slope_se]).all()


def test_the_calibration_table_goes_from_low_to_high():
    p, event = courses(n=1000)
    table = calibration_table(p, event, groups=5)
    assert [row[0] for row in table] == [200] * 5
    assert [row[1] for row in table] == sorted(row[1] for row in table)
    assert all(abs(said - came) < 0.12 for _, said, came in table)
    assert calibration_table([0.5], [True]) == [(1, 0.5, 1.0)]
    assert logit([0.0])[0] == pytest.approx(np.log(0.005 / 0.995))
