"""Expected response and forecasts: the laws they keep, and that the bands hold what they say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measures_app.psychometrics.forecast import censored_mean, expected_response, forecast
from measures_app.psychometrics.growth import GrowthModel

from .simulated import AR, BETA, CENTRE, NOISE, PHI, D, scores

MODEL = GrowthModel(
    clients=800,
    rows=8000,
    intake_centre=CENTRE,
    beta=BETA,
    D=D,
    phi=PHI,
    ar_variance=AR,
    noise_variance=NOISE,
    beta_covariance=tuple(tuple(row) for row in (np.eye(4) * 0.05).tolist()),
    minus_2_reml=0.0,
    se={},
)
FEW = dataclasses.replace(MODEL, clients=30)
SESSIONS = [2.0, 3.0, 6.0, 12.0]


@pytest.mark.parametrize("model", [MODEL, FEW])
def test_a_forecast_with_no_scores_is_the_expected_response(model):
    expected = expected_response(model, [12.0, 30.0], SESSIONS, low=0, high=63)
    found = forecast(model, [12.0, 30.0], [], np.zeros((2, 0)), SESSIONS, low=0, high=63)
    for name in ("mean", "sd", "low80", "high80"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name))


def test_few_clients_widen_the_band():
    wide, narrow = (expected_response(m, [CENTRE], SESSIONS).sd for m in (FEW, MODEL))
    assert (wide > narrow).all()
    seen = ([2.0, 3.0], [[15.0, 14.0]], [6.0])
    assert forecast(FEW, [20.0], *seen).sd > forecast(MODEL, [20.0], *seen).sd
    # At the centre and session 2 the design is (1, 0, log 2, 0).
    variance = narrow[0, 0] ** 2 + 0.05 * (1 + np.log(2) ** 2)
    assert wide[0, 0] == pytest.approx(np.sqrt(variance))


@given(st.lists(st.floats(0, 63), min_size=2, max_size=2), st.floats(0, 63))
def test_a_mirrored_scale_mirrors_the_forecast(seen, intake):
    b0, b1, b2, b3 = BETA
    mirrored = dataclasses.replace(MODEL, beta=(63 - b0, b1, -b2, b3), intake_centre=63 - CENTRE)
    ahead = [6.0, 9.0]
    one = forecast(MODEL, [intake], [2.0, 4.0], [seen], ahead, low=0, high=63)
    two = forecast(
        mirrored, [63 - intake], [2.0, 4.0], [[63 - y for y in seen]], ahead, low=0, high=63
    )
    assert two.mean == pytest.approx(63 - one.mean, abs=1e-8)
    assert two.low80 == pytest.approx(63 - one.high80, abs=1e-8)


@pytest.mark.parametrize("model", [MODEL, FEW])
def test_clients_seen_at_other_sessions_are_forecast_together_as_each_alone(model):
    seen_at = np.array([[2.0, 3.0], [3.0, 5.0], [2.0, 3.0]])
    seen = np.array([[20.0, 18.0], [30.0, 12.0], [9.0, 11.0]])
    ahead = seen_at[:, -1:] + np.array([1.0, 2.0, 6.0])
    intake = [24.0, 31.0, 12.0]
    together = forecast(model, intake, seen_at, seen, ahead, low=0, high=63)
    for i, first in enumerate(intake):
        alone = forecast(model, [first], seen_at[i], seen[i : i + 1], ahead[i], low=0, high=63)
        for name in ("mean", "sd", "low80", "high80", "centre"):
            assert getattr(together, name)[i] == pytest.approx(getattr(alone, name)[0], abs=1e-9)


def test_a_session_already_scored_is_known():
    known = forecast(MODEL, [20.0], [2.0, 3.0], [[15.0, 11.0]], [3.0])
    assert known.mean[0, 0] == pytest.approx(11)
    assert known.sd[0, 0] == pytest.approx(0, abs=1e-5)


def test_a_forecast_is_the_regression_on_what_was_seen():
    client, t, score = scores(4000, 6, seed=8)
    table = score.reshape(-1, 6)
    found = forecast(MODEL, table[:, 0], [2.0, 3.0], table[:, 1:3], [6.0])
    error = table[:, 5] - found.mean[:, 0]
    assert error.mean() == pytest.approx(0, abs=0.2)
    assert error.std() == pytest.approx(found.sd[0, 0], rel=0.04)
    assert (table[:, 5] <= found.high80[:, 0]).mean() == pytest.approx(0.9, abs=0.015)
    assert (table[:, 5] >= found.low80[:, 0]).mean() == pytest.approx(0.9, abs=0.015)
    # What can't be learnt from the scores so far is left: errors don't go with them.
    assert np.corrcoef(error, table[:, 2])[0, 1] == pytest.approx(0, abs=0.04)
    assert len(client) == len(t)


def test_the_mean_of_a_censored_score_is_the_average_of_clipped_draws():
    draws = np.random.default_rng(4).normal(3.0, 6.0, 400_000)
    mean, sd = np.array([3.0]), np.array([6.0])
    for low, high in ((0, 40), (-np.inf, 5), (0, np.inf), (-np.inf, np.inf)):
        expected = np.clip(draws, low, high).mean()
        assert censored_mean(mean, sd, low, high)[0] == pytest.approx(expected, abs=0.03)


@given(st.floats(-30, 90), st.floats(0, 30))
def test_a_censored_mean_stays_on_the_scale(mean, sd):
    found = censored_mean(np.array([mean]), np.array([sd]), 0.0, 40.0)[0]
    assert -1e-9 <= found <= 40 + 1e-9


def test_bands_stay_on_the_scale():
    band = expected_response(MODEL, [2.0, 60.0], SESSIONS, low=0, high=63)
    assert band.low80.min() >= 0
    assert band.high80.max() <= 63
    assert (band.low80 <= band.mean).all()
    assert (band.mean <= band.high80).all()
    without_ar = dataclasses.replace(MODEL, ar_variance=0.0, phi=0.0)
    assert (expected_response(without_ar, [20.0], SESSIONS).sd > 0).all()
