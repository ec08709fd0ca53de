"""How widely courses scatter, by where they began.

One covariance for all starts is the reference model, and it is wrong at both ends: on a symptom
scale those who begin near the floor have little room to move in, those who begin high have much.
So each client's standard deviations are the model's times ``exp(g x)``, x the intake minus its
centre, kept within two standard deviations. Forecasts keep their centre: a factor on a client's
whole covariance cancels out of the regression on the scores so far.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from scipy.optimize import brentq

from .growth import GrowthModel
from .patterns import FloatArray, IntArray, Series, split_intake

PRIOR_CLIENTS: Final = 25.0  # clients whose scatter is taken not to depend on the start
STEEPEST: Final = 1.0  # a standard deviation of intake changes the scatter by at most e


def standardised_residuals(model: GrowthModel, series: Series) -> FloatArray:
    """Distance of each score from the expected response, in the model's deviations there.

    Parameters
    ----------
    model : GrowthModel
    series : Series

    Returns
    -------
    ndarray, shape (rows,)
        Positive where the score is higher than expected.
    """
    x = (series.intake - model.intake_centre)[series.client]
    log_t = np.log(series.t)
    b0, b1, b2, b3 = model.beta
    expected = b0 + b1 * x + (b2 + b3 * x) * log_t
    (d00, d01), (_, d11) = model.D
    variance = d00 + 2 * d01 * log_t + d11 * log_t**2 + model.ar_variance + model.noise_variance
    found: FloatArray = (series.y - expected) / np.sqrt(variance)
    return found


def with_spread(
    model: GrowthModel, client: IntArray, t: FloatArray, score: FloatArray
) -> GrowthModel:
    """Return the model with the scatter's slope on intake, estimated from its training rows.

    Parameters
    ----------
    model : GrowthModel
        Fitted on these rows.
    client, t, score : ndarray, shape (rows,)
        As for `growth.fit`.

    Returns
    -------
    GrowthModel
        With `spread` per unit of the measure: the maximum-likelihood slope of the log standard
        deviation of independent residuals, drawn towards 0 as by 25 clients without any.
    """
    series = split_intake(client, t, score)
    if not (len(series.y) and model.intake_sd > 0):
        return dataclasses.replace(model, spread=0.0)
    squares = standardised_residuals(model, series) ** 2
    u = model.within(series.intake - model.intake_centre)[series.client] / model.intake_sd

    def slope(g: float) -> float:
        scaled = squares * np.exp(-2 * g * u)
        return float((scaled * (u - u.mean())).sum())

    ends = (slope(-STEEPEST), slope(STEEPEST))
    if float(np.ptp(u)) < 1e-9:
        steepness = 0.0
    elif ends[0] > 0 > ends[1]:
        steepness = float(brentq(slope, -STEEPEST, STEEPEST, xtol=1e-6))
    else:
        steepness = float(np.copysign(STEEPEST, sum(ends)))
    kept = model.clients / (model.clients + PRIOR_CLIENTS)
    return dataclasses.replace(model, spread=kept * steepness / model.intake_sd)


def endings_of(
    model: GrowthModel, client: IntArray, t: FloatArray, score: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Event and path covariates of each row, for courses that have all ended.

    Parameters
    ----------
    model : GrowthModel
    client, t, score : ndarray, shape (rows,)
        As for `growth.fit`.

    Returns
    -------
    event : ndarray of int64, shape (rows,)
        1 at a client's last row.
    known : ndarray, shape (rows, 2)
        Standardised residual of this score and of the one before; NaN at intake.
    """
    first = np.r_[True, client[1:] != client[:-1]]
    residual = np.full(len(t), np.nan)
    residual[~first] = standardised_residuals(model, split_intake(client, t, score))
    before = np.r_[np.nan, residual[:-1]]
    before[first] = np.nan
    event = np.r_[client[1:] != client[:-1], True].astype(np.int64)
    return event, np.column_stack([residual, before])
