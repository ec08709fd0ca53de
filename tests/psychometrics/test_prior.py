"""The prior: pseudo-clients inside the likelihood."""

from __future__ import annotations

import numpy as np
import pytest

from measures_app.psychometrics.forecast import expected_response
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


def test_a_stratum_takes_the_pooled_model_as_prior():
    pooled = fit(*scores(400, 8, seed=2))
    stratum = fit(*scores(6, 5, seed=3), prior=Prior.of(pooled))
    assert Prior.of(pooled).weight == 100
    assert stratum.clients == 6
    assert stratum.beta == pytest.approx(pooled.beta, abs=2)


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
