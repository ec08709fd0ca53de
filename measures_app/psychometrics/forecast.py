"""Expected response from a start, and forecasts given the scores so far.

Both are normal with the model's mean and covariance, censored to the scale's ends: the point is
the mean of the censored distribution, the band its 10th and 90th centile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from .growth import SMALL_SAMPLE, GrowthModel
from .patterns import FloatArray

Z80 = 1.2815515655446004  # normal quantile of the 90th centile


@dataclass(frozen=True, slots=True)
class Band:
    """Arrays of shape (clients, sessions), in the measure's units.

    Attributes
    ----------
    mean : ndarray
        Mean of the censored distribution.
    sd : ndarray
        Standard deviation before censoring.
    low80, high80 : ndarray
        10th and 90th centile, within the scale.
    """

    mean: FloatArray
    sd: FloatArray
    low80: FloatArray
    high80: FloatArray


def censored_mean(mean: FloatArray, sd: FloatArray, low: float, high: float) -> FloatArray:
    """E[min(max(Y, low), high)] of a normal Y.

    Parameters
    ----------
    mean, sd : ndarray
        Of Y; sd may be zero.
    low, high : float
        Ends of the scale; infinite where it has none.

    Returns
    -------
    ndarray
    """
    safe = np.maximum(sd, 1e-12)

    def above(threshold: float) -> FloatArray:
        """E[max(Y - threshold, 0)]."""
        z = (mean - threshold) / safe
        density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        found: FloatArray = (mean - threshold) * ndtr(z) + safe * density
        return found

    result = mean if np.isinf(low) else low + above(low)
    return result if np.isinf(high) else result - above(high)


def _design(x: FloatArray, t: FloatArray) -> FloatArray:
    """Rows of X for each client and session, shape (clients, sessions, 4)."""
    log_t = np.log(t)
    ones = np.ones((len(x), len(t)))
    return np.stack([ones, ones * x[:, None], ones * log_t, x[:, None] * log_t[None, :]], axis=2)


def _covariance(model: GrowthModel, t: FloatArray, s: FloatArray) -> FloatArray:
    """Covariance of the scores at sessions t and s, noise on the diagonal where t = s."""
    z_t = np.stack([np.ones_like(t), np.log(t)], axis=1)
    z_s = np.stack([np.ones_like(s), np.log(s)], axis=1)
    lag = np.abs(t[:, None] - s[None, :])
    ar = model.ar_variance * np.power(model.phi, lag) if model.ar_variance > 0 else 0.0
    found: FloatArray = z_t @ np.array(model.D) @ z_s.T + ar + model.noise_variance * (lag == 0)
    return found


def _band(mean: FloatArray, variance: FloatArray, low: float, high: float) -> Band:
    sd = np.sqrt(np.maximum(variance, 0.0))
    return Band(
        mean=censored_mean(mean, sd, low, high),
        sd=sd,
        low80=np.clip(mean - Z80 * sd, low, high),
        high80=np.clip(mean + Z80 * sd, low, high),
    )


def expected_response(
    model: GrowthModel,
    intake: npt.ArrayLike,
    t: npt.ArrayLike,
    *,
    low: float = -np.inf,
    high: float = np.inf,
) -> Band:
    """What was expected from each start at each session, had all continued.

    Parameters
    ----------
    model : GrowthModel
    intake : array_like, shape (clients,)
        First scores.
    t : array_like, shape (sessions,)
        Session numbers, 2 or more.
    low, high : float
        Ends of the scale.

    Returns
    -------
    Band
    """
    x = np.atleast_1d(np.asarray(intake, dtype=np.float64)) - model.intake_centre
    at = np.atleast_1d(np.asarray(t, dtype=np.float64))
    design = _design(x, at)
    mean = design @ np.array(model.beta)
    variance = np.broadcast_to(np.diag(_covariance(model, at, at)), mean.shape)
    if model.clients < SMALL_SAMPLE:
        variance = variance + np.einsum(
            "ntk,kl,ntl->nt", design, np.array(model.beta_covariance), design
        )
    return _band(mean, variance, low, high)


def forecast(
    model: GrowthModel,
    intake: npt.ArrayLike,
    t_seen: npt.ArrayLike,
    seen: npt.ArrayLike,
    t_future: npt.ArrayLike,
    *,
    low: float = -np.inf,
    high: float = np.inf,
) -> Band:
    """Scores at later sessions given those so far, for clients seen at the same sessions.

    Parameters
    ----------
    model : GrowthModel
    intake : array_like, shape (clients,)
    t_seen : array_like, shape (m,)
        Sessions after intake with a score, shared by these clients; may be empty.
    seen : array_like, shape (clients, m)
    t_future : array_like, shape (sessions,)
    low, high : float
        Ends of the scale.

    Returns
    -------
    Band
        With no scores after intake it equals `expected_response`.
    """
    x = np.atleast_1d(np.asarray(intake, dtype=np.float64)) - model.intake_centre
    ahead = np.atleast_1d(np.asarray(t_future, dtype=np.float64))
    back = np.atleast_1d(np.asarray(t_seen, dtype=np.float64))
    y = np.asarray(seen, dtype=np.float64).reshape(len(x), len(back))
    beta = np.array(model.beta)
    future, past = _design(x, ahead), _design(x, back)
    gain = np.linalg.solve(_covariance(model, back, back), _covariance(model, back, ahead)).T
    mean = future @ beta + (y - past @ beta) @ gain.T
    remaining = _covariance(model, ahead, ahead) - gain @ _covariance(model, back, ahead)
    variance = np.broadcast_to(np.diag(remaining), mean.shape)
    if model.clients < SMALL_SAMPLE:
        design = future - np.einsum("fm,nmk->nfk", gain, past)
        variance = variance + np.einsum(
            "ntk,kl,ntl->nt", design, np.array(model.beta_covariance), design
        )
    return _band(mean, variance, low, high)
