"""A slope within people: does the same clinician fare differently in busier quarters?

Comparing clinicians who work more with those who work less compares people, caseloads and sites.
Within one clinician these stay the same, so each quarter is held against the clinician's own mean.

References
----------
.. [1] Cameron, A. C., & Miller, D. L. (2015). A practitioner's guide to cluster-robust inference.
   Journal of Human Resources, 50(2), 317-372.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

FEWEST_GROUPS: Final = 5


@dataclass(frozen=True, slots=True)
class WithinSlope:
    """Change of the outcome for one more unit of x, within a group.

    Attributes
    ----------
    slope, low, high : float
        Estimate and its 95 % interval, robust to whatever the cells of a group share; NaN where
        there are fewer than five groups in which x differs.
    cells, groups : int
        Cells, and groups in which x differs.
    """

    slope: float
    low: float
    high: float
    cells: int
    groups: int


def within_slope(
    x: npt.ArrayLike, y: npt.ArrayLike, weight: npt.ArrayLike, group: npt.ArrayLike
) -> WithinSlope:
    """Weighted regression of y on x with an intercept a group, cluster-robust by group (CR1).

    Parameters
    ----------
    x, y : array_like of float, shape (n,)
        A cell's exposure and mean outcome.
    weight : array_like of float, shape (n,)
        What a cell's mean rests on; positive.
    group : array_like of int, shape (n,)

    Returns
    -------
    WithinSlope
    """
    xs, ys, w = (np.asarray(values, dtype=np.float64) for values in (x, y, weight))
    codes = np.unique(np.asarray(group), return_inverse=True)[1] if len(xs) else np.zeros(0, int)
    total = np.bincount(codes, weights=w)
    dx = xs - (np.bincount(codes, weights=w * xs) / total)[codes] if len(xs) else xs
    dy = ys - (np.bincount(codes, weights=w * ys) / total)[codes] if len(xs) else ys
    differs = np.bincount(codes, weights=(np.abs(dx) > 1e-9).astype(np.float64)) > 0
    groups = int(differs.sum())
    if groups < FEWEST_GROUPS:
        return WithinSlope(math.nan, math.nan, math.nan, len(xs), groups)
    square = float((w * dx * dx).sum())
    slope = float((w * dx * dy).sum()) / square
    scores = np.bincount(codes, weights=w * dx * (dy - slope * dx))[differs]
    spread = math.sqrt(groups / (groups - 1) * float((scores**2).sum())) / square
    half = float(stdtrit(groups - 1, 0.975)) * spread
    return WithinSlope(slope, slope - half, slope + half, len(xs), groups)
