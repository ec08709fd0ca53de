"""The prior: pseudo-clients inside the likelihood."""

from __future__ import annotations

import numpy as np
import pytest

from measures_app.psychometrics.forecast import expected_response, forecast
from measures_app.psychometrics.growth import fit
from measures_app.psychometrics.prior import Prior

from .simulated import AR, BETA, CENTRE, INTAKE_SD, NOISE, PHI, D, scores

TRUE = Prior(CENTRE, INTAKE_SD, BETA, D, PHI, AR, NOISE)
NOBODY = (np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))


def test_with_no_client_the_fit_gives_the_prior_back():
    model = fit(*NOBODY, prior=TRUE)
    assert model.beta == pytest.approx(BETA, abs=1e-6)
    assert np.array(model.D) == pytest.approx(np.array(D), rel=1e-4)
    assert model.phi == pytest.approx(PHI, rel=1e-4)
    assert model.ar_variance == pytest.approx(AR, rel=1e-4)
    assert model.noise_variance == pytest.approx(NOISE, rel=1e-4)
    assert (model.clients, model.rows, model.intake_sd) == (0, 0, INTAKE_SD)
    assert model.label() == "published prior"


def test_a_clinic_of_other_severity_gets_the_priors_curve_at_its_own_centre():
    # Pseudo-clients stand where they were, whatever the clinic's centre: same mean, same curve.
    moved = TRUE.batch(CENTRE + 5)
    b = np.linalg.solve(moved.moments[0], moved.cross[0].T).T
    z = np.stack([np.ones(11), np.log(moved.t[0])], axis=1)
    at_new_centre = np.linalg.lstsq(z, b, rcond=None)[0]
    assert at_new_centre[:, 0] == pytest.approx([17 + 5 * 0.75, -4 - 5 * 0.15])
    assert at_new_centre[:, 1] == pytest.approx([0.75, -0.15])
    assert moved.n.tolist() == [25.0]


def test_ten_clients_and_a_wrong_prior_meet_in_the_middle_and_a_thousand_forget_it():
    wrong = Prior(CENTRE, INTAKE_SD, (25.0, 0.75, -1.0, 0.0), D, PHI, AR, NOISE)
    few, many = (fit(*scores(n, 8, seed=9), prior=wrong) for n in (10, 1000))
    alone = fit(*scores(1000, 8, seed=9))
    assert few.clients == 10
    assert few.label() == "provisional (own data n = 10)"
    assert 17 < few.beta[0] < 25
    assert many.beta == pytest.approx(alone.beta, abs=0.35)


def test_one_client_is_enough_with_a_prior():
    model = fit(*scores(1, 4), prior=TRUE)
    assert model.clients == 1
    assert model.intake_sd == INTAKE_SD
    band = expected_response(model, [18.0], [6.0], low=0, high=63)
    assert 0 < band.low80[0, 0] < band.mean[0, 0] < band.high80[0, 0] < 63


def of_two_kinds(clients, apart, *, seed):
    """Clients of two kinds, alternating; the second's change by `apart` more a unit of log t."""
    client, t, score = scores(clients, 8, seed=seed)
    second = client % 2 == 1
    return client, t, score - apart * np.where(second & (t > 1), np.log(t), 0.0), second


def some(rows, members):
    """Rows of some clients, numbered anew."""
    client, t, score = rows
    kept = members[client]
    return np.unique(client[kept], return_inverse=True)[1], t[kept], score[kept]


def left_out(apart, *, seed, clients=240, folds=4):
    """Squared errors at session 8 for clients left out: the pooled model's, and their kind's own.

    From the first score alone, and given the first three.
    """
    client, t, score, second = of_two_kinds(clients, apart, seed=seed)
    rows, kind, number = (client, t, score), second[t == 1], np.arange(clients)
    table = score.reshape(clients, 8)
    errors = {"pooled": [], "own": []}
    for fold in range(folds):
        learns = number % (2 * folds) // 2 != fold
        pooled = fit(*some(rows, learns), starts=(0.5,))
        for of in (False, True):
            own = fit(*some(rows, learns & (kind == of)), prior=Prior.of(pooled), starts=(0.5,))
            held = table[~learns & (kind == of)]
            for name, model in (("pooled", pooled), ("own", own)):
                start = expected_response(model, held[:, 0], [8.0]).mean[:, 0]
                known = forecast(model, held[:, 0], [2, 3], held[:, 1:3], [8]).mean[:, 0]
                errors[name].append([(start - held[:, 7]) ** 2, (known - held[:, 7]) ** 2])
    return {name: np.concatenate(found, axis=1).mean(axis=1) for name, found in errors.items()}


def test_strata_that_differ_are_foretold_better_each_by_its_own():
    found = left_out(4.0, seed=12)
    assert (found["own"] < 0.95 * found["pooled"]).all()


@pytest.mark.parametrize("seed", [21, 22])
def test_strata_that_do_not_differ_lose_nothing_by_it(seed):
    found = left_out(0.0, seed=seed)
    assert (found["own"] < 1.03 * found["pooled"]).all()


def test_a_tiny_stratum_stays_near_the_pooled_model_and_a_large_one_goes_its_own_way():
    pooled = fit(*scores(400, 8, seed=2))
    prior = Prior.of(pooled)
    assert prior.weight == 100
    client, t, score = scores(1000, 8, seed=3)
    rows, all_of_them = (client, t, score - 4.0 * np.log(t)), np.arange(1000)
    at_8 = [
        expected_response(fit(*some(rows, all_of_them < n), prior=prior), [18.0], [8.0]).mean[0, 0]
        for n in (3, 30, 1000)
    ]
    before = expected_response(pooled, [18.0], [8.0]).mean[0, 0]
    moved = (before - np.array(at_8)) / (4.0 * np.log(8))
    assert 0 <= moved[0] < 0.1
    assert moved[0] < moved[1] < moved[2]
    assert 0.1 < moved[1] < 0.4  # thirty beside a hundred
    assert 0.8 < moved[2] < 1.1


WRITTEN = {
    "intake_centre": 18,
    "intake_sd": 7,
    "beta": [17, 0.75, -4, -0.15],
    "D": [[50, -17], [-17, 9.5]],
    "phi": 0.7,
    "ar_variance": 13,
    "noise_variance": 6,
}


def test_a_prior_is_read_from_plain_values():
    assert Prior.from_dict(WRITTEN) == TRUE
    assert Prior.from_dict({**WRITTEN, "weight": 10}).weight == 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"phi": None}, "needs phi"),
        ({"phi": 1.2}, "phi lies"),
        ({"beta": [1, 2]}, "four coefficients"),
        ({"beta": 3}, "must be numbers"),
        ({"D": [[1, 9], [9, 1]]}, "covariance"),
        ({"intake_sd": 0}, "positive"),
        ({"noise_variance": float("nan")}, "finite"),
    ],
)
def test_what_is_no_prior_is_refused_by_name(change, words):
    with pytest.raises(ValueError, match=words):
        Prior.from_dict({**WRITTEN, **change})
