"""The challenger: a ridge regression of the last score on what any spreadsheet has.

Every growth model has to beat it on the clinic's own clients; where it doesn't, the back-test
says so. One regression for each number of sessions so far, on the intake, the last score and the
mean so far.

References
----------
.. [1] Hoerl, A. E., & Kennard, R. W. (1970). Ridge regression: biased estimation for
   nonorthogonal problems. Technometrics, 12(1), 55-67.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.special import ndtr

from .patterns import FloatArray, IntArray

RIDGE: Final = 10.0  # for standardised columns


@dataclass(frozen=True, slots=True)
class Challenger:
    """A fitted regression at one session.

    Attributes
    ----------
    centre, scale, slopes : ndarray, shape (3,)
        Of intake, last score, mean so far.
    intercept : float
        Mean of the last score of care.
    sd : float
        Of what is left, in the measure's units.
    """

    centre: FloatArray
    scale: FloatArray
    slopes: FloatArray
    intercept: float
    sd: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "slopes": self.slopes.tolist(),
            "intercept": self.intercept,
            "sd": self.sd,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Challenger:
        """The challenger that `to_dict` wrote."""
        columns = {name: np.array(content[name]) for name in ("centre", "scale", "slopes")}
        return cls(**columns, intercept=content["intercept"], sd=content["sd"])

    def predict(self, features: FloatArray) -> FloatArray:
        """Expected last score of care, shape (clients,).

        Parameters
        ----------
        features : ndarray, shape (clients, 3)
            Intake, last score, mean so far.
        """
        found: FloatArray = self.intercept + ((features - self.centre) / self.scale) @ self.slopes
        return found

    def below(self, features: FloatArray, border: FloatArray) -> FloatArray:
        """Probability that the last score of care lies below a border, shape (clients,)."""
        found: FloatArray = ndtr((border - self.predict(features)) / self.sd)
        return found


def features_of(client: IntArray, score: FloatArray) -> FloatArray:
    """Intake, last score and mean so far of each client, shape (clients, 3).

    Parameters
    ----------
    client : ndarray of int64, shape (rows,)
        Never decreasing; each run of one number is a client.
    score : ndarray, shape (rows,)
        In the order of sessions.
    """
    if not len(client):
        return np.zeros((0, 3))
    starts = np.flatnonzero(np.r_[True, client[1:] != client[:-1]])
    ends = np.r_[starts[1:], len(client)]
    means = np.add.reduceat(score, starts) / (ends - starts)
    return np.column_stack([score[starts], score[ends - 1], means])


def fit_challenger(features: FloatArray, target: FloatArray) -> Challenger:
    """Fit the regression on clients whose care has ended.

    Parameters
    ----------
    features : ndarray, shape (clients, 3)
        Intake, last score, mean so far.
    target : ndarray, shape (clients,)
        Last score of care.

    Returns
    -------
    Challenger

    Raises
    ------
    ValueError
        For fewer than two clients.
    """
    if len(target) < 2:
        raise ValueError("a regression takes two clients at least")
    centre = features.mean(axis=0)
    spread = features.std(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    z = (features - centre) / scale
    slopes = np.linalg.solve(z.T @ z + RIDGE * np.eye(z.shape[1]), z.T @ (target - target.mean()))
    left = target - target.mean() - z @ slopes
    # Each slope takes off a degree of freedom where there are enough clients for it.
    free = max(len(target) - 1 - z.shape[1], 1)
    sd = max(float(np.sqrt((left**2).sum() / free)), 1e-6)
    return Challenger(centre, scale, slopes, float(target.mean()), sd)
