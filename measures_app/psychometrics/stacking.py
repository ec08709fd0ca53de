"""The last score of care as two forecasts see it: the paths' and the challenger's, weighed.

Two forecasts that err in different ways err less together. How much each counts is estimated on
clients whom neither had seen, and drawn towards one half: estimated weights are so uncertain that
equal ones are hard to beat. The chances and the band stay those of the paths, which order people
better.

References
----------
.. [1] Bates, J. M., & Granger, C. W. J. (1969). The combination of forecasts. Operational
   Research Quarterly, 20(4), 451-468.
.. [2] Smith, J., & Wallis, K. F. (2009). A simple explanation of the forecast combination puzzle.
   Oxford Bulletin of Economics and Statistics, 71(3), 331-355.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from .accuracy import FEWEST_CLIENTS
from .challenger import Challenger, features_of, fit_challenger
from .patterns import FloatArray, IntArray

EVEN: Final = 0.5
PRIOR_CLIENTS: Final = 1000.0  # that one half counts as
FEWEST_LEARNERS: Final = 50  # who came again after a session, for a challenger at it
LATEST: Final = 40  # sessions


def stacking_weight(
    ours: FloatArray, challengers: FloatArray, came: FloatArray, clients: int
) -> float:
    """Weight of the challenger's forecast beside ours.

    Parameters
    ----------
    ours, challengers : ndarray, shape (looks,)
        Forecasts of the last score by models that hadn't seen the client; a client may have
        several looks.
    came : ndarray, shape (looks,)
        The last score.
    clients : int
        Different ended clients among them.

    Returns
    -------
    float
        0 to 1: the least-squares weight, drawn towards one half as by 1,000 clients. 0 for fewer
        than 100 clients, and where the weighed forecast comes no nearer than ours alone.
    """
    if clients < FEWEST_CLIENTS or not len(came):
        return 0.0
    apart, error = challengers - ours, came - ours
    squares = float(apart @ apart)
    if squares < 1e-12:
        return 0.0
    alone = float(np.clip((apart @ error) / squares, 0.0, 1.0))
    weight = (clients * alone + PRIOR_CLIENTS * EVEN) / (clients + PRIOR_CLIENTS)
    left = error - weight * apart
    return weight if left @ left < error @ error else 0.0


@dataclass(frozen=True)
class Stack:
    """Challengers by session and how much they count. Immutable; `to_dict` and `from_dict` invert.

    Attributes
    ----------
    weight : float
        Of the challenger; 0 where the paths speak alone.
    clients : int
        Ended clients the weight was estimated on.
    challengers : mapping of int to Challenger
        By the number of sessions so far.
    """

    weight: float = 0.0
    clients: int = 0
    challengers: Mapping[int, Challenger] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "weight": self.weight,
            "clients": self.clients,
            "challengers": {str(t): one.to_dict() for t, one in self.challengers.items()},
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Stack:
        """The stack that `to_dict` wrote."""
        found = {int(t): Challenger.from_dict(one) for t, one in content["challengers"].items()}
        return cls(content["weight"], content["clients"], found)

    def combined(
        self,
        ours: FloatArray,
        client: IntArray,
        t: FloatArray,
        score: FloatArray,
        low: float = -np.inf,
        high: float = np.inf,
        shift: FloatArray | None = None,
    ) -> FloatArray:
        """Forecasts of the last score, weighed together.

        Parameters
        ----------
        ours : ndarray, shape (clients,)
        client, t, score : ndarray, shape (rows,)
            All scores so far, as for `growth.fit`.
        low, high : float
            Ends of the scale.
        shift : ndarray or None, shape (clients,)
            Points of pace that are in ours (`Pace.shift`): the challenger's are moved too.

        Returns
        -------
        ndarray, shape (clients,)
            Ours alone for sessions at which there is no challenger.
        """
        if not (self.weight and len(client)):
            return ours.copy()
        theirs = self.challenge(client, t, score, low, high)
        if shift is not None:
            theirs = np.clip(theirs + shift, low, high)
        found: FloatArray = np.where(np.isnan(theirs), ours, ours + self.weight * (theirs - ours))
        return found

    def challenge(
        self,
        client: IntArray,
        t: FloatArray,
        score: FloatArray,
        low: float = -np.inf,
        high: float = np.inf,
    ) -> FloatArray:
        """The challenger's own forecasts of the last score; `combined` says of what.

        Returns
        -------
        ndarray, shape (clients,)
            NaN for sessions at which there is no challenger.
        """
        features = features_of(client, score)
        found = np.full(len(features), np.nan)
        last = t[np.r_[client[1:] != client[:-1], True]] if len(client) else t[:0]
        for session, one in self.challengers.items():
            here = last == session
            found[here] = np.clip(one.predict(features[here]), low, high)
        return found


def fit_stack(
    client: IntArray, t: FloatArray, score: FloatArray, *, weight: float, clients: int
) -> Stack:
    """Challengers at each session that enough ended clients came again after.

    Parameters
    ----------
    client, t, score : ndarray, shape (rows,)
        Of ended courses, as for `growth.fit`.
    weight, clients : float, int
        See `Stack`.

    Returns
    -------
    Stack
        Without challengers where no client was there to estimate the weight on. A challenger of
        no weight is kept: the back-test holds it beside the paths all the same.
    """
    found: dict[int, Challenger] = {}
    if not (clients and len(client)):
        return Stack(0.0, clients)
    ends = np.r_[client[1:] != client[:-1], True]
    begins = np.r_[True, ends[:-1]]
    first_t, last_t, last = t[begins], t[ends], score[ends]
    number = np.cumsum(begins) - 1
    for session in range(1, LATEST + 1):
        coming = (last_t > session) & (first_t <= session)
        if coming.sum() < FEWEST_LEARNERS:
            break
        rows = coming[number] & (t <= session)
        found[session] = fit_challenger(features_of(number[rows], score[rows]), last[coming])
    return Stack(weight, clients, found)
