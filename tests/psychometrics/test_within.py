"""A slope within people, and not between them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from measures_app.psychometrics.within import within_slope


def test_what_lies_between_people_is_no_slope():
    """Those who work more fare better here, and nobody does when they work more."""
    group = np.repeat(np.arange(8), 4)
    hours = 10 + 3 * group + np.tile([0.0, 1, 2, 3], 8)
    outcome = 0.2 * group.astype(float)
    found = within_slope(hours, outcome, np.ones(32), group)
    assert found.slope == pytest.approx(0, abs=1e-12)
    assert np.polyfit(hours, outcome, 1)[0] > 0.05
    assert (found.cells, found.groups) == (32, 8)


def test_it_is_the_regression_with_an_intercept_each():
    """Slope and CR1 interval written out with dummies."""
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(6), 5)
    x, w = rng.normal(20, 4, 30), rng.integers(1, 9, 30).astype(float)
    y = 0.03 * x + group + rng.normal(0, 1, 30)
    design = np.column_stack([x, *(group == g for g in range(6))]).astype(float)
    bread = np.linalg.inv(design.T @ (design * w[:, None]))
    beta = bread @ (design.T @ (w * y))
    scores = np.array([
        design[group == g].T @ (w * (y - design @ beta))[group == g] for g in range(6)
    ])  # fmt: skip
    variance = (bread @ (scores.T @ scores) @ bread)[0, 0] * 6 / 5
    found = within_slope(x, y, w, group)
    assert found.slope == pytest.approx(beta[0])
    assert (found.high - found.low) / 2 == pytest.approx(2.5705818366147395 * variance**0.5)


def test_the_interval_holds_no_slope_nineteen_times_in_twenty():
    rng = np.random.default_rng(11)
    held = 0
    for _trial in range(800):
        group = np.repeat(np.arange(15), 6)
        x = rng.normal(20, 4, 90)
        y = rng.normal(0, 1, 15)[group] + rng.normal(0, 1, 90)
        found = within_slope(x, y, np.ones(90), group)
        held += found.low <= 0 <= found.high
    assert 0.93 <= held / 800 <= 0.98


def test_few_people_say_nothing():
    few = within_slope([1.0, 2, 3, 4], [1.0, 2, 3, 4], np.ones(4), [0, 0, 1, 1])
    assert math.isnan(few.slope)
    assert few.groups == 2
    same = within_slope(np.ones(12), np.arange(12.0), np.ones(12), np.repeat(np.arange(6), 2))
    assert same.groups == 0
    assert within_slope([], [], [], []).cells == 0
