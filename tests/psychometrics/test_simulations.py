"""Long runs on simulated clients with known truth: `python3 manage.py test -m scale`."""

from __future__ import annotations

import numpy as np
import pytest

from measures_app.psychometrics import bench
from measures_app.psychometrics.accuracy import calibration
from measures_app.psychometrics.change import ChangeCriteria
from measures_app.psychometrics.growth import fit
from measures_app.psychometrics.hazards import PATH_COVARIATES, fit_hazards
from measures_app.psychometrics.outlook import look_ahead
from measures_app.psychometrics.spread import endings_of

# Two hundred fits with their standard errors take minutes, longer on a machine with other work.
pytestmark = [pytest.mark.scale, pytest.mark.timeout(3600)]
CRITERIA = ChangeCriteria("lower", 7.59)


def ended_courses(clients, seed):
    """Courses from the model whose endings go with the last score: lower ends sooner."""
    client, t, score = bench.simulate(clients, seed=seed, ends=None)
    table = score.reshape(clients, bench.LONGEST)
    x = table[:, :1] - 18
    b0, b1, b2, b3 = bench.BETA
    log_t = np.log(np.arange(2.0, bench.LONGEST + 1))
    away = table[:, 1:] - (b0 + b1 * x + (b2 + b3 * x) * log_t)
    (d00, d01), (_, d11) = bench.D
    noise = bench.AR_VARIANCE + bench.NOISE_VARIANCE
    sd = np.sqrt(d00 + 2 * d01 * log_t + d11 * log_t**2 + noise)
    odds = np.exp(np.log(0.12) - 0.8 * away / sd)
    over = np.random.default_rng(seed + 1).random(odds.shape) < odds / (1 + odds)
    over[:, -1] = True
    length = 2 + over.argmax(axis=1)
    kept = t <= length[client]
    return client[kept], t[kept], score[kept], table[np.arange(clients), length - 1], length


def test_intervals_cover_what_they_say_though_endings_depend_on_scores():
    truth = np.array([*bench.BETA, np.log(bench.AR_VARIANCE), np.log(bench.NOISE_VARIANCE)])
    odds = np.log(bench.PHI / (1 - bench.PHI))
    covered = np.zeros(9)
    for seed in range(200):
        client, t, score, _, _ = ended_courses(2000, 1000 + 2 * seed)
        model = fit(client, t, score, standard_errors=True)
        # The curve refers to the mean intake of these clients: move it to the truth's centre.
        b0, b1, b2, b3 = model.beta
        delta = 18 - model.intake_centre
        move = np.eye(4)
        move[0, 1] = move[2, 3] = delta
        beta = move @ np.array([b0, b1, b2, b3])
        beta_se = np.sqrt(np.diag(move @ np.array(model.beta_covariance) @ move.T))
        logs = model.se["log_variances"]
        found = np.r_[beta, np.log([model.ar_variance, model.noise_variance])]
        error = np.r_[beta_se, logs[2], logs[3]]
        covered[:6] += np.abs(found - truth) < 1.96 * error
        phi = np.log(model.phi / (1 - model.phi))
        covered[6] += abs(phi - odds) < 1.96 * model.se["logit_phi"]
        for place, (j, value) in enumerate(((0, bench.D[0][0]), (1, bench.D[1][1]))):
            covered[7 + place] += abs(np.log(model.D[j][j] / value)) < 1.96 * logs[j]
    share = covered / 200
    print("coverage of 95 % intervals, nine parameters:", share.round(3).tolist())
    assert (share > 0.91).all(), share
    assert (share <= 0.98).all(), share


def test_probabilities_come_true_for_20000_clients():
    client, t, score, _, _ = ended_courses(20_000, 5)
    model = fit(client, t, score)
    event, known = endings_of(model, client, t, score)
    hazard = fit_hazards(t, event, known, causes=("ended",), covariates=PATH_COVARIATES)
    client, t, score, last, length = ended_courses(20_000, 77)
    for session in (3, 6, 8):
        open_then = np.flatnonzero(length > session)
        rows = np.isin(client, open_then) & (t <= session)
        codes = np.searchsorted(open_then, client[rows])
        outlook = look_ahead(
            model, hazard, codes, t[rows], score[rows], CRITERIA, step=0.0, paths=400
        )
        first = score[t == 1][open_then]
        worse = first - last[open_then] <= 7.59
        found = calibration(outlook.p_not_improved, worse)
        print(f"session {session}: slope {found.slope:.3f} (standard error {found.slope_se:.3f})")
        assert found.slope == pytest.approx(1, abs=0.05), session
        assert outlook.p_not_improved.mean() == pytest.approx(worse.mean(), abs=0.012), session
