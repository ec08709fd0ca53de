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
from .norms import Better, direction
from .patterns import FloatArray, IntArray, same_sessions, split_intake

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
    centre : ndarray
        Mean before censoring.
    """

    mean: FloatArray
    sd: FloatArray
    low80: FloatArray
    high80: FloatArray
    centre: FloatArray

    def beyond(self, border: FloatArray, better: Better) -> FloatArray:
        """Probability of a score on the better side of a border; NaN for a border of NaN."""
        sign = direction(better)
        found: FloatArray = ndtr(sign * (self.centre - border) / np.maximum(self.sd, 1e-12))
        return found


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
    """Rows of X for each client and session, shape (clients, sessions, 4); t: of all, or each."""
    log_t = np.log(t)
    ones = np.ones((len(x), t.shape[-1]))
    return np.stack([ones, ones * x[:, None], ones * log_t, x[:, None] * log_t], axis=2)


def _covariance(model: GrowthModel, t: FloatArray) -> FloatArray:
    """Covariance of the scores at sessions t, noise on the diagonal; shape (..., t, t)."""
    z = np.stack([np.ones_like(t), np.log(t)], axis=-1)
    lag = np.abs(t[..., :, None] - t[..., None, :])
    ar = model.ar_variance * np.power(model.phi, lag) if model.ar_variance > 0 else 0.0
    line = z @ np.array(model.D) @ np.swapaxes(z, -1, -2)
    found: FloatArray = line + ar + model.noise_variance * (lag == 0)
    return found


def _band(mean: FloatArray, variance: FloatArray, low: float, high: float) -> Band:
    # What a known score leaves is nought but for rounding.
    sd = np.sqrt(np.where(variance > 1e-12, variance, 0.0))
    return Band(
        mean=censored_mean(mean, sd, low, high),
        sd=sd,
        low80=np.clip(mean - Z80 * sd, low, high),
        high80=np.clip(mean + Z80 * sd, low, high),
        centre=mean,
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
    own = model.factor(x)[:, None] ** 2
    variance = own * np.diag(_covariance(model, at))
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
    """Scores at later sessions given those so far, for clients seen equally often.

    Parameters
    ----------
    model : GrowthModel
    intake : array_like, shape (clients,)
        First scores.
    t_seen : array_like, shape (m,) or (clients, m)
        Sessions after intake with a score, shared by these clients or each one's own; may be
        empty.
    seen : array_like, shape (clients, m)
    t_future : array_like, shape (sessions,) or (clients, sessions)
        Each client's own, where `t_seen` is.
    low, high : float
        Ends of the scale.

    Returns
    -------
    Band
        With no scores after intake it equals `expected_response`.
    """
    x = np.atleast_1d(np.asarray(intake, dtype=np.float64)) - model.intake_centre
    back = np.atleast_2d(np.asarray(t_seen, dtype=np.float64))
    ahead = np.atleast_2d(np.asarray(t_future, dtype=np.float64))
    m = back.shape[1]
    y = np.asarray(seen, dtype=np.float64).reshape(len(x), m)
    beta = np.array(model.beta)
    sessions = np.concatenate([back, ahead], axis=1)
    # Who was seen at the same sessions shares a covariance.
    patterns, group = np.unique(sessions, axis=0, return_inverse=True)
    group = np.broadcast_to(group.reshape(-1), len(x))
    joint = _covariance(model, patterns)
    gain = np.linalg.solve(joint[:, :m, :m], joint[:, :m, m:]).transpose(0, 2, 1)
    left = np.diagonal(joint, axis1=1, axis2=2)[:, m:]
    left = left - np.einsum("pkm,pmk->pk", gain, joint[:, :m, m:])
    design, own = _design(x, sessions), gain[group]
    future, past = design[:, m:], design[:, :m]
    mean = future @ beta + np.einsum("nkm,nm->nk", own, y - past @ beta)
    variance = model.factor(x)[:, None] ** 2 * left[group]
    if model.clients < SMALL_SAMPLE:
        design = future - own @ past
        variance = variance + np.einsum(
            "ntk,kl,ntl->nt", design, np.array(model.beta_covariance), design
        )
    return _band(mean, variance, low, high)


def forecast_each(
    model: GrowthModel,
    client: IntArray,
    t: FloatArray,
    score: FloatArray,
    at: float,
    *,
    low: float = -np.inf,
    high: float = np.inf,
) -> Band:
    """Forecast one session for clients seen at different sessions.

    Parameters
    ----------
    model : GrowthModel
    client, t, score : ndarray, shape (rows,)
        As for `growth.fit`.
    at : float
        Session number.
    low, high : float
        Ends of the scale.

    Returns
    -------
    Band
        Arrays of shape (clients, 1).
    """
    series = split_intake(client, t, score)
    n = len(series.intake)
    parts = [np.full((n, 1), np.nan) for _ in range(5)]
    alone = np.bincount(series.client, minlength=n) == 0
    groups: list[tuple[IntArray, FloatArray, FloatArray]] = []
    if alone.any():
        members = np.flatnonzero(alone).astype(np.int64)
        groups.append((members, np.zeros(0), np.zeros((len(members), 0))))
    for members, rows in same_sessions(series):
        sessions, group = np.unique(series.t[rows], axis=0, return_inverse=True)
        for p, shared in enumerate(sessions):
            of = group.reshape(-1) == p
            groups.append((members[of], shared, series.y[rows[of]]))
    for members, shared, seen in groups:
        band = forecast(model, series.intake[members], shared, seen, [at], low=low, high=high)
        for part, values in zip(
            parts, (band.mean, band.sd, band.low80, band.high80, band.centre), strict=True
        ):
            part[members] = values
    return Band(*parts)
