"""Control charts of monthly numbers: is this month different, or is it chance?

Two rules only: a point beyond three sigma, and a run of eight points on one side. All the usual
rules together cry wolf more often. Limits allow for months that vary by more than chance (Laney).

References
----------
.. [1] Laney, D. B. (2002). Improved control charts for attributes. Quality Engineering, 14(4),
   531-537.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from .ranks import binomial_quantile

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

BASELINE: Final = 12
RUN: Final = 8
HOLLOW_DAYS: Final = 60
# Mean distance of two neighbouring standard normal draws.
_MOVING_RANGE: Final = 2 / math.sqrt(math.pi)
_TAIL: Final = float(ndtr(-3.0))


@dataclass(frozen=True, slots=True)
class ControlChart:
    """A chart; arrays have one entry a month.

    Attributes
    ----------
    value : ndarray of float64
        Rate or mean; NaN for a month without clients, which is skipped by both rules.
    centre : float
        From the first 12 months with clients, then frozen; NaN before there are 12.
    low, high : ndarray of float64
        Three-sigma limits; NaN while there is no centre.
    spread : float
        Laney's factor: how much more than chance the months of the baseline vary, at least 1.
    beyond : ndarray of bool
        Outside the limits.
    run : ndarray of bool
        Last of at least 8 neighbouring months on one side of the centre.
    hollow : ndarray of bool
        Younger than 60 days: drawn hollow, and never a signal.
    """

    value: FloatArray
    centre: float
    low: FloatArray
    high: FloatArray
    spread: float
    beyond: BoolArray
    run: BoolArray
    hollow: BoolArray


def rate_chart(
    cases: npt.ArrayLike, n: npt.ArrayLike, age_days: npt.ArrayLike | None = None
) -> ControlChart:
    """Control chart of a monthly rate.

    Parameters
    ----------
    cases, n : array_like of int, shape (months,)
        Cases and clients by month of ending, oldest first.
    age_days : array_like of float, shape (months,), or None
        Days since each month ended; None where all are old enough.

    Returns
    -------
    ControlChart
        Where fewer than 5 cases are expected, the limits are those of the binomial distribution
        at the same tail probability.

    Raises
    ------
    ValueError
        If the shapes differ, or a month has more cases than clients.
    """
    seen = np.asarray(cases, dtype=np.float64)
    clients = np.asarray(n, dtype=np.float64)
    if seen.shape != clients.shape:
        raise ValueError(f"cases and clients differ in shape: {seen.shape} and {clients.shape}")
    if ((seen < 0) | (seen > clients)).any():
        raise ValueError("a month has from no to all of its clients as cases")
    safe = np.where(clients > 0, clients, np.nan)
    value = seen / safe
    base = _baseline(value)
    centre = float(seen[base].sum() / clients[base].sum()) if base.size else math.nan
    sigma = np.sqrt(centre * (1 - centre) / safe)
    chart = _chart(value, centre, sigma, base, age_days)
    few = np.minimum(clients * centre, clients * (1 - centre)) < 5
    low = np.where(
        few, binomial_quantile(_TAIL, clients, centre) / safe, np.maximum(chart.low, 0.0)
    )
    high = np.where(
        few, binomial_quantile(1 - _TAIL, clients, centre) / safe, np.minimum(chart.high, 1.0)
    )
    return _with_limits(chart, low, high)


def mean_chart(
    mean: npt.ArrayLike, n: npt.ArrayLike, sd: float, age_days: npt.ArrayLike | None = None
) -> ControlChart:
    """Control chart of a monthly mean.

    Parameters
    ----------
    mean : array_like of float, shape (months,)
        In any units; a month without clients is NaN.
    n : array_like of int, shape (months,)
        Clients by month of ending.
    sd : float
        Standard deviation between clients, in the same units; positive.
    age_days : array_like of float, shape (months,), or None
        Days since each month ended.

    Returns
    -------
    ControlChart

    Raises
    ------
    ValueError
        If the shapes differ, or `sd` isn't positive.
    """
    clients = np.asarray(n, dtype=np.float64)
    given = np.asarray(mean, dtype=np.float64)
    if given.shape != clients.shape:
        raise ValueError(f"means and clients differ in shape: {given.shape} and {clients.shape}")
    if not sd > 0:
        raise ValueError(f"the standard deviation must be positive, not {sd}")
    safe = np.where(clients > 0, clients, np.nan)
    value = np.where(np.isnan(safe), np.nan, given)
    base = _baseline(value)
    centre = float(np.average(value[base], weights=clients[base])) if base.size else math.nan
    return _chart(value, centre, sd / np.sqrt(safe), base, age_days)


def rolling_year(cases: npt.ArrayLike, n: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Sums of twelve months each, for cells too small to be shown by month.

    Parameters
    ----------
    cases, n : array_like of int, shape (months,)

    Returns
    -------
    tuple of two ndarrays of float64, shape (months,)
        Sum of the month and the eleven before it; NaN for the first eleven.
    """

    def sums(counts: npt.ArrayLike) -> FloatArray:
        total = np.cumsum(np.concatenate(([0.0], np.asarray(counts, dtype=np.float64))))
        year = np.full(total.size - 1, np.nan)
        year[11:] = total[12:] - total[:-12]
        return year

    return sums(cases), sums(n)


def _baseline(value: FloatArray) -> npt.NDArray[np.intp]:
    """The first 12 months with clients; nothing while there are fewer."""
    known = np.flatnonzero(~np.isnan(value))
    return known[:BASELINE] if known.size >= BASELINE else known[:0]


def _chart(
    value: FloatArray,
    centre: float,
    sigma: FloatArray,
    base: npt.NDArray[np.intp],
    age_days: npt.ArrayLike | None,
) -> ControlChart:
    """Chart with normal limits, widened by Laney's factor."""
    scaled = np.divide(
        value - centre, sigma, out=np.zeros_like(value), where=~np.isnan(sigma) & (sigma > 0)
    )
    spread = 1.0
    if base.size:
        spread = max(1.0, float(np.abs(np.diff(scaled[base])).mean()) / _MOVING_RANGE)
    if age_days is None:
        hollow = np.zeros(value.shape, dtype=np.bool_)
    else:
        hollow = np.asarray(age_days, dtype=np.float64) < HOLLOW_DAYS
    half = 3 * spread * sigma
    chart = ControlChart(
        value=value,
        centre=centre,
        low=centre - half,
        high=centre + half,
        spread=spread,
        beyond=hollow,
        run=_runs(value, centre, hollow),
        hollow=hollow,
    )
    return _with_limits(chart, chart.low, chart.high)


def _with_limits(chart: ControlChart, low: FloatArray, high: FloatArray) -> ControlChart:
    outside = (chart.value < low - 1e-12) | (chart.value > high + 1e-12)
    return ControlChart(
        value=chart.value,
        centre=chart.centre,
        low=low,
        high=high,
        spread=chart.spread,
        beyond=outside & ~chart.hollow,
        run=chart.run,
        hollow=chart.hollow,
    )


def _runs(value: FloatArray, centre: float, hollow: BoolArray) -> BoolArray:
    """Last points of runs; a month on the centre line breaks one, a month without clients not."""
    found = np.zeros(value.shape, dtype=np.bool_)
    counted = np.flatnonzero(~np.isnan(value) & ~hollow)
    side = np.nan_to_num(np.sign(value[counted] - centre)).astype(np.int64)
    if side.size < RUN:
        return found
    windows = np.lib.stride_tricks.sliding_window_view(side, RUN)
    found[counted[RUN - 1 :]] = np.abs(windows.sum(axis=1)) == RUN
    return found
