"""When care ends: hazards per attended session."""

from __future__ import annotations

import json

import numpy as np
import pytest

from measures_app.psychometrics.hazards import HazardModel, fit_hazards, prior_hazard

CAUSES = ("stopped", "agreed")


def diary(episodes=1500, sessions=30, *, by_alliance=0.0, seed=4):
    """Rows of episodes that stop at a hazard of .06 and end by agreement at .04 a session."""
    random = np.random.default_rng(seed)
    t, event, alliance = [], [], []
    for _ in range(episodes):
        for session in range(1, sessions + 1):
            felt = random.normal(35, 3)
            odds = np.log(0.06 / 0.94) + by_alliance * (felt - 35)
            what = 1 if random.random() < 1 / (1 + np.exp(-odds)) else 0
            if not what and random.random() < 0.04:
                what = 2
            t.append(session)
            event.append(what)
            alliance.append(felt)
            if what:
                break
    return np.array(t, dtype=float), np.array(event), np.array(alliance)


def test_hazards_are_those_of_the_diary():
    t, event, _ = diary()
    model = fit_hazards(t, event, causes=CAUSES, episodes=1500)
    said = model.probabilities([2.0, 5.0, 12.0])
    assert said[:, 0] == pytest.approx(0.06, abs=0.015)
    assert said[:, 1] == pytest.approx(0.04 * 0.94, abs=0.012)
    assert model.endings == (int((event == 1).sum()), int((event == 2).sum()))
    odds = model.baseline(12)[0, 4] - model.baseline(12)[1, 4]
    assert odds == pytest.approx(np.log(said[1, 0] / said[1, 1]))


def test_what_is_known_moves_the_hazard():
    t, event, alliance = diary(by_alliance=-0.2)
    model = fit_hazards(t, event, alliance[:, None], causes=CAUSES, covariates=("alliance",))
    assert model.slope("alliance")[0] == pytest.approx(-0.2, abs=0.05)
    assert model.slope("alliance")[1] == pytest.approx(0, abs=0.05)
    assert model.slope("no_shows").tolist() == [0, 0]
    low, middle, unknown = model.probabilities([5.0] * 3, [[30.0], [model.centre[0]], [np.nan]])
    assert low[0] > 2 * unknown[0]
    assert unknown == pytest.approx(middle)
    assert model.offsets([[30.0], [np.nan]])[:, 0] == pytest.approx(
        [model.slope("alliance")[0] * (30 - model.centre[0]), 0]
    )


def test_what_changes_along_a_path_is_no_offset():
    t, event, alliance = diary(by_alliance=-0.2)
    known = np.column_stack([alliance - 35, alliance])
    model = fit_hazards(t, event, known, causes=CAUSES, covariates=("residual", "alliance"))
    shift = model.slope("residual") * model.centre[0]
    assert model.path_centres() == pytest.approx(shift)
    only = model.offsets([[9.0, 30.0]])
    assert only == pytest.approx(model.offsets([[-9.0, 30.0]]))


def test_until_200_endings_the_session_number_alone_counts():
    t, event, alliance = diary(episodes=150)
    assert 100 < (event > 0).sum() < 200
    model = fit_hazards(t, event, alliance[:, None], causes=CAUSES, covariates=("alliance",))
    assert model.covariates == ()
    assert model.offsets(np.zeros((3, 0))).tolist() == [[0, 0]] * 3


def test_a_constant_or_unknown_covariate_says_nothing():
    t, event, _ = diary(episodes=400)
    known = np.column_stack([np.full(len(t), 3.0), np.full(len(t), np.nan)])
    model = fit_hazards(t, event, known, causes=CAUSES, covariates=("always", "never"))
    assert model.scale == (1.0, 1.0)
    assert model.slope("always") == pytest.approx([0, 0], abs=1e-6)


def test_with_no_endings_the_prior_speaks():
    t = np.tile(np.arange(1.0, 6.0), 3)
    model = fit_hazards(t, np.zeros(15, dtype=int), causes=("stopped",))
    assert 0 < model.probabilities([1.0])[0, 0] < prior_hazard(4)


def test_the_prior_hazard_makes_a_quarter_stop_within_the_usual_length():
    h = prior_hazard(8)
    assert 1 - (1 - h) ** 8 == pytest.approx(0.25)
    for wrong in ((0, 0.25), (8, 1.0)):
        with pytest.raises(ValueError, match="prior hazard"):
            prior_hazard(*wrong)


def test_a_stored_hazard_comes_back_as_it_was():
    t, event, alliance = diary(episodes=400)
    model = fit_hazards(t, event, alliance[:, None], causes=CAUSES, covariates=("alliance",))
    kept = json.loads(json.dumps(model.to_dict(), allow_nan=False))
    assert HazardModel.from_dict(kept) == model
