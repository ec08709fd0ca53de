"""Class probabilities at the end of care."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from measures_app.psychometrics.accuracy import Recalibration, calibration
from measures_app.psychometrics.change import ChangeCriteria, classify_one
from measures_app.psychometrics.outlook import boundaries, look_ahead, step_of

from .simulated import scores
from .test_forecast import MODEL
from .test_paths import NEVER, SURE, TWO, hazard

LOWER = ChangeCriteria(
    "lower", 7.59, cutoff=13, rc_inclusive=True, at_cutoff="clinical", lowest=0, highest=63
)
HIGHER = ChangeCriteria(
    "higher", 6.6, cutoff=25, rc_inclusive=True, at_cutoff="functional", lowest=0, highest=40
)


def test_the_boundary_lies_half_a_step_beyond_the_last_score_of_the_class():
    found = boundaries([20.0, 5.0, 60.0], LOWER, 1.0)
    # 20 - 7.59 = 12.41: 12 is the last score that is reliably better; 28 the first worse.
    assert found.improved.tolist()[0] == 12.5
    assert found.deteriorated.tolist()[:2] == [27.5, 12.5]
    # From 5 nothing is reliably better, from 60 nothing reliably worse.
    assert np.isnan(found.improved[1])
    assert np.isnan(found.deteriorated[2])
    # Recovered needs the functional side too: 13 is a case, 12 isn't. 5 didn't start as one.
    assert found.recovered.tolist()[0] == 12.5
    assert found.recovered.tolist()[2] == 12.5
    assert np.isnan(found.recovered[1])


def test_a_threshold_on_a_step_is_reached_or_exceeded_as_the_norms_say():
    whole = dataclasses.replace(LOWER, reliable_change=6.0)
    strict = dataclasses.replace(whole, rc_inclusive=False)
    assert boundaries([20.0], whole, 1.0).improved.tolist() == [14.5]
    assert boundaries([20.0], strict, 1.0).improved.tolist() == [13.5]
    assert boundaries([20.0], strict, 1.0).deteriorated.tolist() == [26.5]


@pytest.mark.parametrize("criteria", [LOWER, HIGHER])
@pytest.mark.parametrize("first", [0.0, 8.0, 13.0, 19.0, 25.0, 33.0, 40.0])
def test_every_attainable_score_lies_on_the_side_of_its_class(criteria, first):
    border = boundaries([first], criteria, 1.0)
    sign = 1 if criteria.better == "higher" else -1
    for last in range(int(criteria.lowest), int(criteria.highest) + 1):
        kind = classify_one(first, float(last), criteria)
        assert (sign * last > sign * border.improved[0]) == (kind in ("improved", "recovered"))
        assert (sign * last < sign * border.deteriorated[0]) == (kind == "deteriorated")
        assert (sign * last > sign * border.recovered[0]) == (kind == "recovered")


def test_a_continuous_scale_has_no_half_steps():
    assert boundaries([20.0], LOWER, 0.0).improved == pytest.approx([12.41])
    unbounded = ChangeCriteria("higher", 5.0)
    found = boundaries([20.0], unbounded, 0.1)
    assert found.improved == pytest.approx([25.05])
    assert np.isnan(found.recovered[0])


@pytest.mark.parametrize(
    ("values", "step"),
    [([1.0, 2.0], 1.0), ([1.5, 2.0], 0.5), ([0.1, 0.3], 0.1), ([0.25], 0.05), ([np.pi], 0.0)],
)
def test_the_step_is_what_the_scores_show(values, step):
    assert step_of(values) == step


def test_probabilities_are_those_of_the_paths():
    found = look_ahead(MODEL, SURE, *TWO, LOWER, step=1.0, paths=4000)
    assert found.sessions.tolist() == [5, 5]
    assert found.p_not_improved[0] < 0.5 < found.p_not_improved[1]
    assert found.p_recovered[0] <= 1 - found.p_not_improved[0] + 1e-9
    assert (found.low80 < found.mean).all()
    assert (found.mean < found.high80).all()
    worse = [np.zeros(3, dtype=np.int64), np.array([1.0, 2, 4]), np.array([20.0, 26, 28])]
    fallen = look_ahead(MODEL, SURE, *worse, LOWER, step=1.0, paths=4000)
    assert found.p_deteriorated[0] < 0.01 < fallen.p_deteriorated[0] < 0.5


def test_what_is_impossible_is_not_applicable():
    client, t, score = np.array([0, 0, 1, 1]), np.array([1.0, 2, 1, 2]), np.array([5.0, 4, 60, 50])
    found = look_ahead(MODEL, SURE, client, t, score, LOWER, step=1.0)
    assert np.isnan(found.p_not_improved[0])
    assert np.isnan(found.p_recovered[0])
    assert found.p_deteriorated[1] == 0


def test_recalibration_and_what_is_known_are_used():
    ending = hazard(np.log(0.2), extra=(1.0,))
    plain = look_ahead(MODEL, ending, *TWO, LOWER, step=1.0)
    soon = look_ahead(MODEL, ending, *TWO, LOWER, step=1.0, known=[[np.nan, np.nan, 3.0]] * 2)
    assert (soon.sessions < plain.sessions).all()
    half = look_ahead(
        MODEL, ending, *TWO, LOWER, step=1.0, not_improved=Recalibration(0.0, 0.5, 100)
    )
    odds = [np.log(o.p_not_improved / (1 - o.p_not_improved)) for o in (plain, half)]
    assert odds[1] == pytest.approx(odds[0] / 2)


def test_nobody_has_no_outlook():
    nobody = (np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    assert look_ahead(MODEL, NEVER, *nobody, LOWER, step=1.0).mean.shape == (0,)


def test_probabilities_come_true_when_endings_depend_on_scores():
    # Truth: the model itself, and a hazard that ends care after low (good) scores.
    sessions, clients, now = 40, 6000, 3
    client, t, score = scores(clients, sessions, seed=11)
    table = score.reshape(clients, sessions)
    ending = hazard(np.log(0.12), last=-0.8)
    x = table[:, :1] - MODEL.intake_centre
    log_t = np.log(np.arange(2.0, sessions + 1))
    b0, b1, b2, b3 = MODEL.beta
    away = table[:, 1:] - (b0 + b1 * x + (b2 + b3 * x) * log_t)
    (d00, d01), (_, d11) = MODEL.D
    noise = MODEL.ar_variance + MODEL.noise_variance
    sd = np.sqrt(d00 + 2 * d01 * log_t + d11 * log_t**2 + noise)
    h = 1 / (1 + np.exp(-(np.log(0.12) - 0.8 * away / sd)))
    ends = np.random.default_rng(5).random(h.shape) < h
    ends[:, : now - 1] = False  # all come again after session 3
    ends[:, -1] = True
    last = table[np.arange(clients), 1 + ends.argmax(axis=1)]
    seen = t <= now
    open_range = dataclasses.replace(LOWER, lowest=None, highest=None)
    outlook = look_ahead(
        MODEL, ending, client[seen], t[seen], score[seen], open_range, step=0.0, paths=200
    )
    worse = table[:, 0] - last < 7.59
    found = calibration(outlook.p_not_improved, worse)
    assert outlook.p_not_improved.mean() == pytest.approx(worse.mean(), abs=0.012)
    assert found.slope == pytest.approx(1, abs=0.1)
    assert (last <= outlook.high80).mean() == pytest.approx(0.9, abs=0.015)
    assert (last >= outlook.low80).mean() == pytest.approx(0.9, abs=0.015)
