"""Simulated joint paths to the end of care."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from measures_app.psychometrics.forecast import forecast
from measures_app.psychometrics.hazards import HazardModel
from measures_app.psychometrics.paths import simulate_ends, standing

from .simulated import scores
from .test_forecast import FEW, MODEL

PATH = ("residual", "previous_residual")


def hazard(intercept, *, last=0.0, previous=0.0, causes=("ended",), extra=()):
    """The same hazard at every session; a unit of residual adds `last` or `previous`."""
    row = (intercept, 0.0, 0.0, 0.0, 0.0, 0.0, last, previous, *extra)
    count = 2 + len(extra)
    return HazardModel(
        causes=causes,
        covariates=(*PATH, *(f"other{i}" for i in range(len(extra)))),
        centre=(0.0,) * count,
        scale=(1.0,) * count,
        coefficients=tuple(row for _ in causes),
        endings=(0,) * len(causes),
        episodes=0,
    )


SURE, NEVER = hazard(30.0), hazard(-30.0)
SPREAD = dataclasses.replace(MODEL, spread=0.03, intake_sd=7.0)
TWO = (
    np.array([0, 0, 0, 1, 1, 1]),
    np.array([1.0, 2, 4, 1, 2, 4]),
    np.array([20.0, 15, 11, 30, 28, 29]),
)


@pytest.mark.parametrize("model", [MODEL, FEW, SPREAD], ids=["plain", "few", "spread"])
@pytest.mark.parametrize(
    ("ending", "options", "session"),
    [(SURE, {}, 5.0), (NEVER, {"horizon": 6}, 10.0)],
    ids=["next session", "six ahead"],
)
def test_a_path_that_must_end_at_a_session_ends_as_forecast_there(model, ending, options, session):
    ends = simulate_ends(model, ending, standing(model, *TWO), paths=40_000, **options)
    exact = forecast(model, [20.0, 30.0], [2.0, 4.0], [[15, 11], [28, 29]], [session])
    assert (ends.t == session).all()
    assert ends.score.mean(axis=1) == pytest.approx(exact.mean[:, 0], abs=0.02)
    assert ends.score.std(axis=1) == pytest.approx(exact.sd[:, 0], rel=0.02)
    low, high = np.quantile(ends.score, [0.1, 0.9], axis=1)
    assert low == pytest.approx(exact.low80[:, 0], abs=0.2)
    assert high == pytest.approx(exact.high80[:, 0], abs=0.2)


def test_sessions_attended_since_the_last_score_count():
    now = standing(MODEL, *TWO, now=[6, 6])
    ends = simulate_ends(MODEL, SURE, now, paths=40_000)
    exact = forecast(MODEL, [20.0, 30.0], [2.0, 4.0], [[15, 11], [28, 29]], [7.0])
    assert (ends.t == 7).all()
    assert ends.score.mean(axis=1) == pytest.approx(exact.mean[:, 0], abs=0.02)
    assert ends.score.std(axis=1) == pytest.approx(exact.sd[:, 0], rel=0.02)


def test_someone_with_an_intake_alone_stands_on_the_expected_response():
    now = standing(MODEL, np.array([0]), np.array([1.0]), np.array([25.0]))
    ends = simulate_ends(MODEL, SURE, now, paths=40_000, low=0, high=63)
    exact = forecast(MODEL, [25.0], [], np.zeros((1, 0)), [2.0], low=0, high=63)
    assert ends.score.mean() == pytest.approx(exact.mean[0, 0], abs=0.03)
    assert ends.score.min() >= 0


def test_lengths_follow_the_hazard():
    ends = simulate_ends(MODEL, hazard(np.log(0.1 / 0.9)), standing(MODEL, *TWO), paths=20_000)
    further = ends.t - 4
    assert further.mean() == pytest.approx(10, rel=0.03)
    assert (further == 1).mean() == pytest.approx(0.1, abs=0.01)


def test_causes_compete():
    both = hazard(np.log(0.1), causes=("stopped", "agreed"))
    ends = simulate_ends(MODEL, both, standing(MODEL, *TWO), paths=20_000)
    assert (ends.t == 5).mean() == pytest.approx(0.2 / 1.2, abs=0.01)


def test_what_stays_known_of_a_client_moves_the_hazard_of_all_paths():
    ending = hazard(np.log(0.1 / 0.9), extra=(1.0,))
    offsets = ending.offsets([[np.nan, np.nan, 0.0], [np.nan, np.nan, np.log(2.0)]])
    ends = simulate_ends(MODEL, ending, standing(MODEL, *TWO), paths=20_000, offsets=offsets)
    odds = (ends.t == 5).mean(axis=1)
    assert odds / (1 - odds) == pytest.approx([1 / 9, 2 / 9], rel=0.06)


@pytest.mark.parametrize("which", ["last", "previous"])
def test_endings_after_good_scores_make_ends_better_than_the_forecast(which):
    # Lower is better here: a negative slope ends care where scores are low.
    chosen = hazard(np.log(0.15), **{which: -1.5})
    blind = hazard(np.log(0.15))
    now = standing(MODEL, *TWO)
    found = [simulate_ends(MODEL, h, now, paths=4000).score.mean() for h in (chosen, blind)]
    assert found[0] < found[1] - 0.5


def test_a_clients_draws_are_the_same_in_any_company():
    client, t, score = scores(200, 8, seed=3, skip=0.3)
    ending = hazard(np.log(0.1), last=-0.4)
    everyone = simulate_ends(
        MODEL, ending, standing(MODEL, client, t, score), keys=np.arange(200) + 7
    )
    some = np.array([3, 50, 120, 199])
    rows = np.isin(client, some)
    few = simulate_ends(
        MODEL,
        ending,
        standing(MODEL, np.searchsorted(some, client[rows]), t[rows], score[rows]),
        keys=some + 7,
    )
    assert few.score == pytest.approx(everyone.score[some], abs=1e-4)
    assert (few.t == everyone.t[some]).all()
    again = simulate_ends(MODEL, ending, standing(MODEL, client, t, score), seed=1)
    assert not np.array_equal(again.score, everyone.score)


def test_clients_are_drawn_apart():
    n = 3000
    alone = np.arange(n), np.ones(n), np.full(n, 20.0)
    ends = simulate_ends(MODEL, SURE, standing(MODEL, *alone), paths=2)
    pairs = ends.score[:, 0] - ends.score[:, 0].mean()
    assert np.corrcoef(pairs[:-1], pairs[1:])[0, 1] == pytest.approx(0, abs=0.06)


def test_paths_come_in_pairs_and_nobody_is_no_problem():
    with pytest.raises(ValueError, match="even"):
        simulate_ends(MODEL, SURE, standing(MODEL, *TWO), paths=3)
    nobody = (np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    assert simulate_ends(MODEL, SURE, standing(MODEL, *nobody)).score.shape == (0, 100)
