"""Ridge-penalised logistic regression, of one event or of several that compete.

References
----------
.. [1] le Cessie, S., & van Houwelingen, J. C. (1992). Ridge estimators in logistic regression.
   Applied Statistics, 41(1), 191-201.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from .patterns import FloatArray, IntArray

CLIP = 0.005  # no probability of a person's future is surer than this


def logit(p: npt.ArrayLike) -> FloatArray:
    """Log odds of probabilities, which are first kept CLIP away from 0 and 1."""
    kept = np.clip(np.asarray(p, dtype=np.float64), CLIP, 1 - CLIP)
    found: FloatArray = np.log(kept / (1 - kept))
    return found


def expit_of(odds: FloatArray) -> FloatArray:
    """Probabilities of log odds."""
    found: FloatArray = expit(odds)
    return found


def ridge_logistic(
    design: FloatArray,
    event: IntArray,
    *,
    towards: FloatArray,
    penalty: FloatArray,
) -> FloatArray:
    """Coefficients of competing events against none, drawn towards given values.

    Parameters
    ----------
    design : ndarray, shape (rows, k)
        Without a column of ones unless it holds one.
    event : ndarray of int64, shape (rows,)
        0 for none, else the number of the event, 1 to the number of rows of `towards`.
    towards : ndarray, shape (events, k)
        Where each coefficient lies without data.
    penalty : ndarray, shape (events, k)
        Half the penalty is added to the negative log likelihood for each squared distance.

    Returns
    -------
    ndarray, shape (events, k)
        Log odds of each event against none for one unit more of each column.

    Notes
    -----
    Source: le Cessie and van Houwelingen (1992). Convex, so any start leads to the answer.
    """
    events, k = towards.shape
    indicator = (event[:, None] == np.arange(1, events + 1)).astype(np.float64)

    def criterion(flat: FloatArray) -> tuple[float, FloatArray]:
        b = flat.reshape(events, k)
        linear = design @ b.T
        total = _log_total(linear)
        away = b - towards
        value = total.sum() - (indicator * linear).sum() + 0.5 * (penalty * away**2).sum()
        slope = (np.exp(linear - total[:, None]) - indicator).T @ design + penalty * away
        return float(value), slope.ravel()

    def curvature(flat: FloatArray) -> FloatArray:
        linear = design @ flat.reshape(events, k).T
        p = np.exp(linear - _log_total(linear)[:, None])
        found = np.diag(penalty.ravel()).reshape(events, k, events, k)
        for e in range(events):
            for f in range(events):
                weight = p[:, e] * ((e == f) - p[:, f])
                found[e, :, f, :] += design.T @ (design * weight[:, None])
        whole: FloatArray = found.reshape(events * k, events * k)
        return whole

    # Second derivatives: a dozen steps where first ones alone took hundreds. The slope is a sum
    # over the rows, and can't be told from 0 more finely than their number allows.
    found = minimize(
        criterion,
        towards.ravel(),
        jac=True,
        hess=curvature,
        method="trust-exact",
        options={"maxiter": 200, "gtol": max(1e-8, 1e-10 * len(design))},
    )
    result: FloatArray = found.x.reshape(events, k)
    return result


def probabilities(design: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Probability of each competing event.

    Parameters
    ----------
    design : ndarray, shape (rows, k)
    coefficients : ndarray, shape (events, k)

    Returns
    -------
    ndarray, shape (rows, events)
    """
    linear = design @ coefficients.T
    found: FloatArray = np.exp(linear - _log_total(linear)[:, None])
    return found


def _log_total(linear: FloatArray) -> FloatArray:
    """Log of one plus the sum of the odds, shape (rows,)."""
    found: FloatArray = np.logaddexp(0.0, linear[:, 0])
    for further in linear.T[1:]:
        found = np.logaddexp(found, further)
    return found
