"""Ranks, and quantiles of a count: the little of `scipy.stats` that is needed here.

Reading all of that in takes a third of a second, and every process of the clinic would.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, bdtrik

from .patterns import FloatArray


def average_ranks(values: npt.ArrayLike) -> FloatArray:
    """Ranks from 1 on, equals sharing the mean of theirs.

    Parameters
    ----------
    values : array_like, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
    """
    _found, place, count = np.unique(
        np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True
    )
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place], dtype=np.float64)


def binomial_quantile(q: float, n: npt.ArrayLike, p: npt.ArrayLike) -> FloatArray:
    """Smallest count whose binomial distribution function reaches `q`.

    Parameters
    ----------
    q : float
        Between 0 and 1, both apart.
    n, p : array_like
        Trials and chance, broadcast against each other.

    Returns
    -------
    ndarray
        Whole numbers; nan where n or p is.
    """
    trials, chance = np.broadcast_arrays(
        np.asarray(n, dtype=np.float64), np.asarray(p, dtype=np.float64)
    )
    open_to_chance = (trials > 0) & (chance > 0) & (chance < 1)
    some, odds = np.where(open_to_chance, trials, 1), np.where(open_to_chance, chance, 0.5)
    near = np.clip(np.ceil(bdtrik(q, some, odds)), 0, some)
    below = np.maximum(near - 1, 0)
    found = np.where(bdtr(below, some.astype(np.int64), odds) >= q, below, near)
    found = np.where(open_to_chance, found, np.where(chance >= 1, trials, 0))
    return np.asarray(np.where(np.isnan(trials + chance), np.nan, found), dtype=np.float64)
