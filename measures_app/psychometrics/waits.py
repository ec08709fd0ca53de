"""How long people wait, without forgetting those who still do.

A quantile of completed waits alone flatters a clinic whose list grows: the longest waits aren't
over. So each stands with two bounds that hold everybody: those still waiting are counted as seen
today (best) and as never seen (worst); what all their waits will have been lies between.

References
----------
.. [1] Conover, W. J. (1999). Practical Nonparametric Statistics (3rd ed.), section 3.2: the
   distribution-free interval of a quantile from the binomial distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .ranks import binomial_quantile

ALPHA: Final = 0.05


@dataclass(frozen=True, slots=True)
class WaitQuantile:
    """A quantile of waits, in days.

    Attributes
    ----------
    value : float
        Of the waits that are over, by linear interpolation; NaN where there are none.
    low, high : float
        Distribution-free 95 % interval of it; NaN where so few waits bound nothing.
    best, worst : float
        With those still waiting counted as seen today, and as never seen (inf where the quantile
        falls among them).
    n, waiting : int
        Waits that are over, and people who still wait.
    """

    value: float
    low: float
    high: float
    best: float
    worst: float
    n: int
    waiting: int

    @property
    def coverage(self) -> float:
        """Share of all these people whose wait is over; NaN where there is nobody."""
        return self.n / (self.n + self.waiting) if self.n + self.waiting else math.nan


def _quantile(days: npt.NDArray[np.float64], share: float, never: int = 0) -> float:
    """Linear quantile of days and of so many waits without end."""
    n = len(days) + never
    if n == 0:
        return math.nan
    place = share * (n - 1)
    below, above = math.floor(place), math.ceil(place)
    ordered = np.concatenate([np.sort(days), np.full(never, math.inf)])
    if math.isinf(float(ordered[above])):
        return math.inf
    return float(ordered[below] + (place - below) * (ordered[above] - ordered[below]))


def wait_quantile(seen: npt.ArrayLike, waiting: npt.ArrayLike, share: float) -> WaitQuantile:
    """A quantile of waits with its interval and with bounds for those still waiting.

    Parameters
    ----------
    seen : array_like of float
        Days waited by each who was seen.
    waiting : array_like of float
        Days so far of each who still waits.
    share : float
        0.5 for the median, 0.9 for the 90th percentile; between 0 and 1, both excluded.

    Returns
    -------
    WaitQuantile

    Raises
    ------
    ValueError
        If the share isn't between 0 and 1, or a wait is negative or not a number.
    """
    over = np.asarray(seen, dtype=np.float64)
    still = np.asarray(waiting, dtype=np.float64)
    if not 0 < share < 1:
        raise ValueError(f"{share} is no share between 0 and 1")
    if not all(bool((days >= 0).all()) for days in (over, still)):
        raise ValueError("a wait is a number of days from 0 on")
    n = len(over)
    ordered = np.sort(over)
    # Ranks whose order statistics hold the quantile with 95 %: 0 or n + 1 bound nothing.
    lower = int(binomial_quantile(ALPHA / 2, n, share)) if n else 0
    upper = int(binomial_quantile(1 - ALPHA / 2, n, share)) + 1 if n else 1
    return WaitQuantile(
        value=_quantile(over, share),
        low=float(ordered[lower - 1]) if lower >= 1 else math.nan,
        high=float(ordered[upper - 1]) if upper <= n else math.nan,
        best=_quantile(np.concatenate([over, still]), share),
        worst=_quantile(over, share, len(still)),
        n=n,
        waiting=len(still),
    )
