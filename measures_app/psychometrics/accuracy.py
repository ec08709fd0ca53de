"""How good probabilities are: do they order people rightly, and do they come true.

References
----------
.. [1] Cox, D. R. (1958). Two further applications of a model for binary regression. Biometrika,
   45(3/4), 562-565.
.. [2] Steyerberg, E. W., et al. (2010). Assessing the performance of prediction models.
   Epidemiology, 21(1), 128-138.
.. [3] DeLong, E. R., DeLong, D. M., & Clarke-Pearson, D. L. (1988). Comparing the areas under two
   or more correlated receiver operating characteristic curves. Biometrics, 44(3), 837-845.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .logistic import expit_of, logit, ridge_logistic
from .patterns import FloatArray
from .ranks import average_ranks

FEWEST_CLIENTS: Final = 100
TOWARDS_IDENTITY: Final = 10.0


def area_under_curve(score: npt.ArrayLike, event: npt.ArrayLike) -> float | None:
    """Chance that someone with the event has a higher score than someone without.

    Parameters
    ----------
    score : array_like, shape (n,)
        Any number that should be higher where the event comes.
    event : array_like of bool, shape (n,)

    Returns
    -------
    float or None
        None where all or none have the event.
    """
    happened = np.asarray(event, dtype=np.bool_)
    m, n = int(happened.sum()), int((~happened).sum())
    if m == 0 or n == 0:
        return None
    ranks = average_ranks(np.asarray(score, dtype=np.float64))
    return float((ranks[happened].sum() - m * (m + 1) / 2) / (m * n))


def area_under_curve_se(score: npt.ArrayLike, event: npt.ArrayLike) -> float | None:
    """Standard error of `area_under_curve`: what other people like these would move it by.

    Parameters
    ----------
    score : array_like, shape (n,)
    event : array_like of bool, shape (n,)

    Returns
    -------
    float or None
        DeLong's; None where fewer than two have the event, or fewer than two don't.
    """
    said, happened = np.asarray(score, dtype=np.float64), np.asarray(event, dtype=np.bool_)
    m, n = int(happened.sum()), int((~happened).sum())
    if m < 2 or n < 2:
        return None
    # Of each person, the share of the other kind whom they stand in the right order with.
    ranks = average_ranks(said)
    with_event = (ranks[happened] - average_ranks(said[happened])) / n
    without = 1 - (ranks[~happened] - average_ranks(said[~happened])) / m
    return float(np.sqrt(with_event.var(ddof=1) / m + without.var(ddof=1) / n))


def brier_skill(p: npt.ArrayLike, event: npt.ArrayLike) -> float | None:
    """Share of the squared error of "the base rate for everyone" that the probabilities save.

    Parameters
    ----------
    p : array_like, shape (n,)
    event : array_like of bool, shape (n,)

    Returns
    -------
    float or None
        1 is perfect, 0 no better than the base rate; None where all or none have the event.
    """
    happened = np.asarray(event, dtype=np.float64)
    if not len(happened) or happened.min() == happened.max():
        return None
    reference = float(((happened.mean() - happened) ** 2).mean())
    return 1 - float(((np.asarray(p, dtype=np.float64) - happened) ** 2).mean()) / reference


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic regression of the event on the probability's log odds (Cox 1958).

    Attributes
    ----------
    intercept, slope : float
        0 and 1 for probabilities that come true; a slope under 1 is too much confidence.
    slope_se : float
    """

    intercept: float
    slope: float
    slope_se: float


def calibration(p: npt.ArrayLike, event: npt.ArrayLike) -> Calibration | None:
    """Calibration intercept and slope.

    Parameters
    ----------
    p : array_like, shape (n,)
        Probabilities; kept .005 away from 0 and 1.
    event : array_like of bool, shape (n,)

    Returns
    -------
    Calibration or None
        None where all or none have the event, or all have one probability.
    """
    happened = np.asarray(event, dtype=np.bool_)
    odds = logit(p)
    if area_under_curve(odds, happened) is None or float(np.ptp(odds)) < 1e-9:
        return None
    design = np.column_stack([np.ones(len(odds)), odds])
    found = ridge_logistic(
        design,
        happened.astype(np.int64),
        towards=np.array([[0.0, 1.0]]),
        penalty=np.full((1, 2), 1e-4),  # keeps a perfect separation finite
    )[0]
    q = expit_of(design @ found)
    information = design.T @ (design * (q * (1 - q))[:, None]) + 1e-4 * np.eye(2)
    return Calibration(
        float(found[0]), float(found[1]), float(np.sqrt(np.linalg.inv(information)[1, 1]))
    )


def calibration_table(
    p: npt.ArrayLike, event: npt.ArrayLike, groups: int = 10
) -> list[tuple[int, float, float]]:
    """What was said and what came, in groups of equal size from the lowest probability up.

    Parameters
    ----------
    p : array_like, shape (n,)
    event : array_like of bool, shape (n,)
    groups : int

    Returns
    -------
    list of (n, mean probability, share with the event)
    """
    said = np.asarray(p, dtype=np.float64)
    came = np.asarray(event, dtype=np.float64)
    order = np.argsort(said, kind="stable")
    parts = [part for part in np.array_split(order, groups) if len(part)]
    return [(len(part), float(said[part].mean()), float(came[part].mean())) for part in parts]


@dataclass(frozen=True, slots=True)
class Recalibration:
    """Two numbers that turn a model's probabilities into ones that come true.

    Attributes
    ----------
    intercept, slope : float
        Of the log odds; 0 and 1 leave probabilities as they are.
    clients : int
        Ended clients that it was fitted on; 0 where it is the identity.
    """

    intercept: float = 0.0
    slope: float = 1.0
    clients: int = 0

    def apply(self, p: npt.ArrayLike) -> FloatArray:
        """Recalibrated probabilities, .005 to .995; NaN stays NaN."""
        return np.clip(expit_of(self.intercept + self.slope * logit(p)), 0.005, 0.995)


def recalibrate(p: npt.ArrayLike, event: npt.ArrayLike, clients: int) -> Recalibration:
    """Fit a recalibration on probabilities of clients that the model wasn't fitted on.

    Parameters
    ----------
    p : array_like, shape (looks,)
        Out-of-fold probabilities; a client may have several looks.
    event : array_like of bool, shape (looks,)
    clients : int
        Different ended clients among them.

    Returns
    -------
    Recalibration
        The identity for fewer than 100 clients. Drawn towards it by a ridge penalty of 10.
    """
    if clients < FEWEST_CLIENTS:
        return Recalibration()
    odds = logit(p)
    found = ridge_logistic(
        np.column_stack([np.ones(len(odds)), odds]),
        np.asarray(event, dtype=np.int64),
        towards=np.array([[0.0, 1.0]]),
        penalty=np.full((1, 2), TOWARDS_IDENTITY),
    )[0]
    return Recalibration(float(found[0]), float(found[1]), clients)
