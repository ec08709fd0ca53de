"""Scatter that depends on where a course began."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from measures_app.psychometrics.forecast import expected_response, forecast
from measures_app.psychometrics.growth import fit
from measures_app.psychometrics.patterns import split_intake
from measures_app.psychometrics.spread import standardised_residuals, with_spread

from .simulated import CENTRE, INTAKE_SD, scores
from .test_forecast import MODEL


def widening(clients, slope, seed=6):
    """Courses whose distance from the expected response grows with the intake."""
    client, t, score = scores(clients, 8, seed=seed)
    first = score[t == 1][client]
    x = first - CENTRE
    b0, b1, b2, b3 = MODEL.beta
    expected = b0 + b1 * x + (b2 + b3 * x) * np.log(t)
    factor = np.exp(slope * np.clip(x, -2 * INTAKE_SD, 2 * INTAKE_SD))
    return client, t, np.where(t == 1, score, expected + factor * (score - expected))


@pytest.mark.parametrize("slope", [-0.04, 0.0, 0.03])
def test_the_slope_is_found_again(slope):
    rows = widening(1500, slope)
    model = with_spread(fit(*rows), *rows)
    assert model.spread == pytest.approx(slope, abs=0.006)


def test_no_clinic_is_steeper_than_the_bound():
    rows = widening(400, 0.3)
    model = with_spread(dataclasses.replace(MODEL, intake_sd=INTAKE_SD), *rows)
    assert model.spread * INTAKE_SD == pytest.approx(800 / 825)


def test_few_clients_are_hardly_believed():
    rows = widening(8, 0.08)
    few = with_spread(fit(*rows), *rows)
    assert abs(few.spread * few.intake_sd) < 8 / 33 + 1e-9


def test_forecasts_keep_their_centre_and_bands_follow_the_start():
    wide = dataclasses.replace(MODEL, spread=0.03, intake_sd=INTAKE_SD)
    starts, seen = [CENTRE - 7, CENTRE, CENTRE + 7], [[12.0, 11.0]] * 3
    for found, plain in (
        (expected_response(wide, starts, [6.0]), expected_response(MODEL, starts, [6.0])),
        (
            forecast(wide, starts, [2.0, 3.0], seen, [6.0]),
            forecast(MODEL, starts, [2.0, 3.0], seen, [6.0]),
        ),
    ):
        assert found.mean == pytest.approx(plain.mean)
        assert (found.sd / plain.sd)[:, 0] == pytest.approx(np.exp([-0.21, 0, 0.21]))


def test_beyond_two_deviations_the_scatter_stays():
    wide = dataclasses.replace(MODEL, spread=0.03, intake_sd=INTAKE_SD)
    assert wide.factor(np.array([14.0, 45.0])) == pytest.approx(np.exp([0.42, 0.42]))


def test_residuals_are_in_the_models_own_deviations():
    rows = scores(2000, 6, seed=7)
    residual = standardised_residuals(MODEL, split_intake(*rows))
    assert residual.std() == pytest.approx(1, abs=0.03)
    assert residual.mean() == pytest.approx(0, abs=0.05)


def test_where_nobody_differs_there_is_no_slope():
    client, t, score = scores(20, 4)
    one_start = np.where(t == 1, 20.0, score)
    assert with_spread(dataclasses.replace(MODEL, intake_sd=7), client, t, one_start).spread == 0
    alone = np.array([0]), np.array([1.0]), np.array([20.0])
    assert with_spread(dataclasses.replace(MODEL, spread=0.1), *alone).spread == 0
