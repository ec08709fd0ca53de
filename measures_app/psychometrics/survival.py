"""How long until something happens, with everybody in it to whom it hasn't happened yet.

The product-limit estimate of a period: each person counts from the day on which they were first
seen in it (a wait that began before enters at its length so far) to the event, or to the day on
which they were last seen without it. Neither the short waits of those just begun nor the long ones
of those who came before are lost.

References
----------
.. [1] Kaplan, E. L. & Meier, P. (1958). Nonparametric estimation from incomplete observations.
   Journal of the American Statistical Association, 53(282), 457-481.
.. [2] Klein, J. P. & Moeschberger, M. L. (2003). Survival Analysis (2nd ed.), sections 4.2-4.6:
   late entry, Greenwood's variance, the interval of a quantile by Brookmeyer and Crowley (1982)
   with the log-log transform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .norms import TWO_SIDED_95

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Survival:
    """The share still without the event after each day on which one happened.

    Attributes
    ----------
    days : ndarray of float64, shape (k,)
        Days with an event, ascending.
    at_risk, happened : ndarray of int64, shape (k,)
        Persons who could have had it on that day, and who had it.
    share, low, high : ndarray of float64, shape (k,)
        Share without it after that day, and its 95 % interval (log-log).
    n, events : int
        Persons and events in all.
    """

    days: FloatArray
    at_risk: npt.NDArray[np.int64]
    happened: npt.NDArray[np.int64]
    share: FloatArray
    low: FloatArray
    high: FloatArray
    n: int
    events: int

    def quantile(self, share: float) -> tuple[float, float, float]:
        """The first day by which that share has had the event, with its 95 % interval.

        Parameters
        ----------
        share : float
            0.5 for the median; between 0 and 1, both excluded.

        Returns
        -------
        tuple of float
            Value, low and high in days; inf where fewer have had it so far than that.
        """
        if not 0 < share < 1:
            raise ValueError(f"{share} is no share between 0 and 1")
        ends = (self.share, self.low, self.high)
        value, low, high = (self._first(curve, 1 - share) for curve in ends)
        return value, low, high

    def drawn(self, fewest: int) -> npt.NDArray[np.intp]:
        """Places of the days that may be drawn where nobody must be found in a step.

        Parameters
        ----------
        fewest : int
            From one such day to the next at least so many had the event, and so many are at risk
            on it.

        Returns
        -------
        ndarray of intp
            Places in `days`, ascending; empty where there are too few.
        """
        found, since = [], 0
        for place, count in enumerate(self.happened):
            since += int(count)
            if since >= fewest and self.at_risk[place] >= fewest:
                found.append(place)
                since = 0
        return np.array(found, dtype=np.intp)

    def _first(self, curve: FloatArray, level: float) -> float:
        # A hair above the level is rounding dust of the product.
        below = np.flatnonzero(curve <= level + 1e-12)
        return float(self.days[below[0]]) if below.size else math.inf


def survival(entered: npt.ArrayLike, left: npt.ArrayLike, happened: npt.ArrayLike) -> Survival:
    """The product-limit estimate with late entry.

    Parameters
    ----------
    entered : array_like of float, shape (n,)
        Days each person had behind them when first seen; 0 from the beginning.
    left : array_like of float, shape (n,)
        Days at the event, or when last seen without it. On that day they are still at risk.
    happened : array_like of bool, shape (n,)
        Whether it was the event.

    Returns
    -------
    Survival
        Without days where no event happened.

    Raises
    ------
    ValueError
        If somebody left before they entered, or a day is negative or not a number.
    """
    start = np.asarray(entered, dtype=np.float64)
    end = np.asarray(left, dtype=np.float64)
    event = np.asarray(happened, dtype=np.bool_)
    if not (bool((start >= 0).all()) and bool((end >= start).all())):
        raise ValueError("days run from 0 on, and nobody leaves before they entered")
    days, deaths = np.unique(end[event], return_counts=True)
    gone = np.searchsorted(np.sort(end), days, side="left")  # left on an earlier day
    at_risk = np.searchsorted(np.sort(start), days, side="right") - gone
    share = np.cumprod(1 - deaths / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(np.cumsum(deaths / (at_risk * (at_risk - deaths))))
        half = TWO_SIDED_95 * spread / np.abs(np.log(share))
        low, high = share ** np.exp(half), share ** np.exp(-half)
    nobody = share == 0
    return Survival(
        days=days,
        at_risk=at_risk,
        happened=deaths,
        share=share,
        low=np.where(nobody, 0.0, low),
        # Once nobody is left the estimate has no spread of its own: the interval stays as it was.
        high=np.where(nobody, np.append(1.0, high)[np.argmax(np.append(nobody, True))], high),
        n=int(start.size),
        events=int(event.sum()),
    )
