"""The expected-change model: against R's nlme and lme4, and the laws it must keep."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from measures_app.psychometrics import growth, reml
from measures_app.psychometrics.files import read_long
from measures_app.psychometrics.growth import GrowthModel, NotConverged, NotEnoughData, fit
from measures_app.psychometrics.patterns import batches_of, split_intake

from .oracles import reference_file, results_of, rows_of
from .simulated import AR, BETA, NOISE, PHI, scores

NOBODY = (np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))


@pytest.fixture(scope="module")
def sixty():
    return scores(60, 8, skip=0.15)


@pytest.fixture(scope="module")
def of_sixty(sixty):
    return fit(*sixty, standard_errors=True)


def test_the_trial_comes_out_as_in_nlme():
    path = reference_file("data", "enrichd_cbt_bdi_odd.csv")
    data = read_long(path, client="ID", session="time", score="BDI")
    expected = results_of("oracles", "growth_ar_nlme.json")["enrichd_odd_ids"]
    model = fit(data.codes, data.t, data.score)
    reference = expected["REML"]
    assert (model.clients, model.rows) == (expected["clients"], expected["rows_after_intake"])
    assert model.intake_centre == pytest.approx(expected["intake_centre"], abs=1e-8)
    assert model.minus_2_reml < reference["neg2ll"] + 0.05
    assert model.beta == pytest.approx(list(reference["beta"].values()), rel=5e-4)
    # R stops a little early, so the variances agree to its tolerance only.
    assert np.array(model.D) == pytest.approx(np.array(reference["D"]), rel=2e-3)
    assert model.phi == pytest.approx(reference["phi"], rel=2e-3)
    assert model.ar_variance == pytest.approx(reference["ar_variance"], rel=2e-3)
    assert model.noise_variance == pytest.approx(reference["noise_variance"], rel=2e-3)
    assert model.label() == "own data (n = 279)"


def test_without_autocorrelation_it_is_lme4s_model():
    # The reference has no intake in it. Each client twice, with an intake one above and one below
    # the centre, makes the intake's effects nought and the criterion twice lme4's plus 4 log 2
    # (the determinant of two blocks of two, each twice as large).
    expected = results_of("oracles", "lme4_metafor.json")["claus_bdi_log"]
    client, t, score = [], [], []
    rows = [row for row in rows_of("data", "cs_claus_2020.csv") if row["bdi"] not in ("", "NA")]
    for number, who in enumerate(dict.fromkeys(row["id"] for row in rows)):
        own = [row for row in rows if row["id"] == who]
        for copy, intake in enumerate((-1.0, 1.0)):
            client += [2 * number + copy] * (len(own) + 1)
            t += [0.0, *(float(row["time"]) for row in own)]
            score += [intake, *(float(row["bdi"]) for row in own)]
    model = fit(np.array(client), np.array(t), np.array(score), ar=False)
    variances = [row["vcov"] for row in expected["varcorr"]]
    assert (model.clients, model.rows) == (86, 2 * expected["nobs"])
    assert model.minus_2_reml == pytest.approx(2 * expected["neg2ll"] + 4 * np.log(2), abs=1e-5)
    assert [model.beta[0], model.beta[2]] == pytest.approx(
        list(expected["fixef"].values()), rel=1e-5
    )
    assert [model.beta[1], model.beta[3]] == pytest.approx([0, 0], abs=1e-9)
    found = [model.D[0][0], model.D[1][1], model.D[0][1], model.noise_variance]
    assert found == pytest.approx(variances, rel=1e-3)
    assert (model.phi, model.ar_variance) == (0.0, 0.0)
    errors = np.array(model.se["beta"])[[0, 2]] * np.sqrt(2)
    assert errors == pytest.approx(list(expected["se"].values()), rel=1e-3)


@pytest.mark.parametrize("ar", [True, False])
def test_the_gradient_is_the_criterions_own(sixty, ar):
    series = split_intake(*sixty)
    likelihood = reml.Likelihood(batches_of(series, float(series.intake.mean())), ar)
    theta = np.array([6.0, -1.5, 2.0, np.log(9.0), 0.4, np.log(5.0)])
    _, gradient = likelihood.value(theta)
    for j in range(6):
        step = np.zeros(6)
        step[j] = 1e-5
        slope = (likelihood.value(theta + step)[0] - likelihood.value(theta - step)[0]) / 2e-5
        assert gradient[j] == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_known_truth_is_found_again():
    model = fit(*scores(3000, 10, seed=5, skip=0.1), standard_errors=True)
    assert np.abs(np.array(model.beta) - BETA) == pytest.approx(0, abs=0.6)
    for found, truth, error in [
        (np.log(model.ar_variance), np.log(AR), model.se["log_variances"][2]),
        (np.log(model.noise_variance), np.log(NOISE), model.se["log_variances"][3]),
        (np.log(model.phi / (1 - model.phi)), np.log(PHI / (1 - PHI)), model.se["logit_phi"]),
    ]:
        assert abs(found - truth) < 3 * error
        assert error < 0.2
    assert model.intake_sd == pytest.approx(7, rel=0.05)


def test_standard_errors_without_autocorrelation_name_no_phi(sixty):
    se = fit(*sixty, ar=False, standard_errors=True).se
    assert se["logit_phi"] is None
    assert [error is None for error in se["log_variances"]] == [False, False, True, False]


def test_a_variance_on_its_border_has_no_standard_error(sixty):
    series = split_intake(*sixty)
    likelihood = reml.Likelihood(batches_of(series, float(series.intake.mean())), True)
    at_nought = np.array([0.0, 0.0, 0.0, np.log(9.0), 0.4, np.log(5.0)])
    assert reml.standard_errors_of(likelihood, at_nought)["log_variances"][:2] == [None, None]
    # Far from the optimum the criterion may bend the wrong way: then there is no error either.
    astray = np.array([40.0, 0.0, 30.0, np.log(1e-4), -7.0, np.log(200.0)])
    assert None in reml.standard_errors_of(likelihood, astray)["log_variances"]


@settings(max_examples=4, deadline=None)
@given(st.floats(-50, 50))
def test_a_constant_added_to_all_scores_moves_only_the_intercept(sixty, of_sixty, constant):
    client, t, score = sixty
    moved = fit(client, t, score + constant)
    assert moved.beta[0] == pytest.approx(of_sixty.beta[0] + constant, abs=2e-3)
    assert moved.beta[1:] == pytest.approx(of_sixty.beta[1:], abs=2e-3)
    assert moved.minus_2_reml == pytest.approx(of_sixty.minus_2_reml, abs=1e-4)
    assert np.array(moved.D) == pytest.approx(np.array(of_sixty.D), rel=1e-2)
    for name in ("phi", "ar_variance", "noise_variance", "intake_sd"):
        assert getattr(moved, name) == pytest.approx(getattr(of_sixty, name), rel=1e-2)
    assert moved.intake_centre == pytest.approx(of_sixty.intake_centre + constant)


@settings(max_examples=3, deadline=None)
@given(st.permutations(range(60)))
def test_the_order_of_clients_is_irrelevant(sixty, of_sixty, order):
    client, t, score = sixty
    rows = np.concatenate([np.flatnonzero(client == who) for who in order])
    again = np.repeat(np.arange(60), [int((client == who).sum()) for who in order])
    shuffled = fit(again, t[rows], score[rows])
    assert shuffled.beta == pytest.approx(of_sixty.beta, abs=1e-3)
    assert shuffled.minus_2_reml == pytest.approx(of_sixty.minus_2_reml, abs=1e-6)


def test_a_mirrored_scale_mirrors_the_model(sixty, of_sixty):
    client, t, score = sixty
    mirrored = fit(client, t, 40 - score)
    b0, b1, b2, b3 = of_sixty.beta
    assert mirrored.beta == pytest.approx((40 - b0, b1, -b2, b3), abs=2e-3)
    assert mirrored.minus_2_reml == pytest.approx(of_sixty.minus_2_reml, abs=1e-6)
    assert np.array(mirrored.D) == pytest.approx(np.array(of_sixty.D), rel=1e-2)


def test_one_start_is_enough_where_there_is_one_optimum(sixty, of_sixty):
    assert fit(*sixty, starts=(0.3,)).minus_2_reml == pytest.approx(of_sixty.minus_2_reml, abs=1e-5)


def test_a_start_from_a_part_of_many_patterns_leads_to_the_same_optimum(monkeypatch):
    rows = scores(300, 9, skip=0.3, seed=4)
    whole = fit(*rows)
    monkeypatch.setattr(reml, "PATTERNS_TO_START", 30)
    found = fit(*rows)
    assert found.minus_2_reml == pytest.approx(whole.minus_2_reml, abs=1e-5)
    assert found.beta == pytest.approx(whole.beta, abs=1e-3)
    monkeypatch.setattr(reml, "_hessian", _refuse)  # no curvature: the usual search does
    assert fit(*rows).minus_2_reml == pytest.approx(whole.minus_2_reml, abs=1e-5)


def test_a_stored_model_comes_back_as_it_was(of_sixty):
    kept = json.loads(json.dumps(of_sixty.to_dict(), allow_nan=False))
    assert GrowthModel.from_dict({**kept, "data": "something of the caller's"}) == of_sixty


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (NOBODY, "0 clients"),
        (scores(1, 20), "1 client "),
        (scores(2, 20), "2 clients"),
        (scores(6, 2), "6 scores"),
        ((np.repeat(np.arange(9), 4), np.tile([1.0, 2, 3, 4], 9), np.full(36, 12.0)), "equal"),
        ((np.repeat(np.arange(9), 4), np.tile([1.0, 2, 3, 4], 9), np.zeros(36)), "equal"),
        (
            (
                np.repeat(np.arange(9), 4),
                np.tile([1.0, 2, 3, 4], 9),
                np.r_[np.random.default_rng(1).normal(15, 4, 36)] * np.tile([0, 1, 1, 1], 9),
            ),
            "alike",
        ),
        ((scores(20, 2)[0], scores(20, 2)[1], scores(20, 2)[2]), "alike"),
    ],
    ids=["nobody", "one", "two", "few rows", "equal", "floor", "one intake", "one session"],
)
def test_too_little_to_learn_from_is_said_plainly(data, words):
    with pytest.raises(NotEnoughData, match=words):
        fit(*data)


def test_a_missing_score_or_session_is_refused(sixty):
    client, t, score = sixty
    with pytest.raises(ValueError, match="none missing"):
        fit(client, t, np.r_[np.nan, score[1:]])
    with pytest.raises(ValueError, match="1 or more"):
        fit(client, t - 2, score)


def test_an_optimiser_that_finds_nothing_says_so(sixty, monkeypatch):
    monkeypatch.setattr(growth.Likelihood, "value", _refuse)
    with pytest.raises(NotConverged):
        fit(*sixty)


def _refuse(_likelihood, _theta):
    raise np.linalg.LinAlgError("no inverse")


def test_extreme_but_real_data_gives_finite_numbers():
    # Gaps of years as session numbers, one client with hundreds of sessions, scores at a floor.
    random = np.random.default_rng(2)
    client = np.repeat(np.arange(12), 8)
    t = np.tile(np.r_[1.0, 2, 3, 4, 400, 800, 1500, 3000], 12)
    score = np.maximum(random.normal(4, 4, 96) + np.repeat(random.normal(0, 4, 12), 8), 0).round()
    model = fit(client, t, score, standard_errors=True)
    assert json.dumps(model.to_dict(), allow_nan=False)
    assert model.label() == "provisional (own data n = 12)"
