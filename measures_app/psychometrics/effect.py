"""Effect sizes of groups of clients, from first to last score.

"Better" is positive everywhere. The standardiser is the standard deviation of all starters' first
scores, in subgroups too: a selected subgroup varies less, and its own would inflate the effect.

References
----------
.. [1] Bonett, D. G. (2008). Confidence intervals for standardized linear contrasts of means.
   Psychological Methods, 13(2), 99-109. (The variance without equal-variance assumption, called
   SMCRH in R's ``metafor``.)
.. [2] Becker, B. J. (1988). Synthesizing standardized mean-change measures. British Journal of
   Mathematical and Statistical Psychology, 41(2), 257-278.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from .norms import TWO_SIDED_95, Better, direction

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EffectSize:
    """Standardised mean change, better positive.

    Attributes
    ----------
    n : int
        Clients with a first and a last score.
    starters : int
        Clients whose first scores give the standard deviation.
    mean_first, mean_last, sd : float
        In the measure's units; the means are of the n clients, `sd` of the starters.
    d : float
        Plain standardised mean change.
    g : float
        `d` with the exact small-sample correction.
    variance, low, high : float
        Variance of `g`, and its 95 % interval.
    """

    n: int
    starters: int
    mean_first: float
    mean_last: float
    sd: float
    d: float
    g: float
    variance: float
    low: float
    high: float


def small_sample_correction(m: float) -> float:
    """Exact correction ``J = Gamma(m/2) / (sqrt(m/2) Gamma((m-1)/2))``.

    Parameters
    ----------
    m : float
        Degrees of freedom of the standard deviation; above 1.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `m` is 1 or less: there is no such correction.
    """
    if not m > 1:
        raise ValueError("an effect size needs the first scores of at least three clients")
    return math.exp(float(gammaln(m / 2)) - float(gammaln((m - 1) / 2))) / math.sqrt(m / 2)


def standardised_change(
    mean_first: npt.ArrayLike, mean_last: npt.ArrayLike, sd: npt.ArrayLike, better: Better
) -> FloatArray:
    """Plain d from published means: change in the better direction by the SD of first scores.

    Parameters
    ----------
    mean_first, mean_last, sd : array_like of float
        In the measure's units; any shapes that broadcast.
    better : {"higher", "lower"}
        The measure's direction.

    Returns
    -------
    ndarray of float64
        NaN where `sd` isn't positive, or a mean is missing.
    """
    gain = direction(better) * (np.asarray(mean_last, np.float64) - np.asarray(mean_first))
    spread = np.asarray(sd, dtype=np.float64)
    return np.asarray(gain / np.where(spread > 0, spread, np.nan), dtype=np.float64)


def effect_size(
    first: npt.ArrayLike,
    last: npt.ArrayLike,
    better: Better,
    starters: npt.ArrayLike | None = None,
) -> EffectSize:
    """Effect size of one group.

    Parameters
    ----------
    first, last : array_like of float, shape (n,)
        Scores in the measure's units; clients without a last score (NaN) count as starters only.
    better : {"higher", "lower"}
        The measure's direction.
    starters : array_like of float or None
        First scores of all starters, where the group is a selection; else `first` itself.

    Returns
    -------
    EffectSize

    Raises
    ------
    ValueError
        If fewer than two clients have both scores, fewer than three started, the shapes differ,
        or all first scores are equal.

    Notes
    -----
    ``variance = J^2 [ s_D^2 / (s_1^2 m) + g^2 / (2 m) ]`` with m = n - 1 [1]_: metafor's SMCRH
    where the starters are the n clients. With more starters the second term and J have their
    degrees of freedom.
    """
    start = np.asarray(first, dtype=np.float64)
    end = np.asarray(last, dtype=np.float64)
    if start.shape != end.shape:
        raise ValueError(f"first and last differ in shape: {start.shape} and {end.shape}")
    everyone = start if starters is None else np.asarray(starters, dtype=np.float64)
    everyone = everyone[~np.isnan(everyone)]
    both = ~(np.isnan(start) | np.isnan(end))
    n = int(both.sum())
    if n < 2:
        raise ValueError("an effect size needs two clients with a first and a last score")
    m = everyone.size - 1
    correction = small_sample_correction(m)
    sd = float(everyone.std(ddof=1))
    if not sd > 0:
        raise ValueError("all first scores are equal: there is no standard deviation to divide by")
    gains = direction(better) * (end[both] - start[both])
    d = float(gains.mean()) / sd
    g = correction * d
    variance = correction**2 * (float(gains.var(ddof=1)) / (sd**2 * (n - 1)) + g**2 / (2 * m))
    half = TWO_SIDED_95 * math.sqrt(variance)
    return EffectSize(
        n=n,
        starters=everyone.size,
        mean_first=float(start[both].mean()),
        mean_last=float(end[both].mean()),
        sd=sd,
        d=d,
        g=g,
        variance=variance,
        low=g - half,
        high=g + half,
    )


@dataclass(frozen=True, slots=True)
class AdjustedEffect:
    """Severity-adjusted effect with its 95 % interval; NaN interval for a single client."""

    n: int
    value: float
    low: float
    high: float


def effect_against_expected(
    last: npt.ArrayLike, expected: npt.ArrayLike, sd: float, better: Better
) -> AdjustedEffect:
    """Severity-adjusted effect, first variant: (actual - expected from intake) / SD.

    Zero means "as the reference". The expectation must come from a frozen reference model: from a
    model fitted to the same clients it is zero by construction.

    Parameters
    ----------
    last, expected : array_like of float, shape (n,)
        Last scores, and those the reference expects from each intake; pairs with NaN are left
        out.
    sd : float
        Standard deviation of first scores in the reference, in the measure's units.
    better : {"higher", "lower"}
        The measure's direction.

    Returns
    -------
    AdjustedEffect

    Raises
    ------
    ValueError
        If no client has both numbers, or `sd` isn't positive.
    """
    residual = _residuals(last, expected, sd, better)
    return _with_interval(residual / sd)


def effect_with_reference_change(
    first: npt.ArrayLike,
    last: npt.ArrayLike,
    expected: npt.ArrayLike,
    *,
    reference_change: float,
    sd: float,
    cutoff: float,
    better: Better,
) -> AdjustedEffect:
    """Severity-adjusted effect, second variant: (reference change + residual gain) / SD.

    Over those who started in the clinical range only, so that it reads on the scale of a raw
    effect size.

    Parameters
    ----------
    first, last, expected : array_like of float, shape (n,)
        First and last scores, and the reference's expectation of the last.
    reference_change : float
        Mean change of the reference's clinical starters, better positive, in the measure's units.
    sd : float
        Standard deviation of first scores in the reference.
    cutoff : float
        Scores strictly on its worse side are in the clinical range.
    better : {"higher", "lower"}
        The measure's direction.

    Returns
    -------
    AdjustedEffect

    Raises
    ------
    ValueError
        If no clinical starter has all three numbers, or `sd` isn't positive.
    """
    start = np.asarray(first, dtype=np.float64)
    clinical = direction(better) * (start - cutoff) < 0
    residual = _residuals(
        np.asarray(last, np.float64)[clinical],
        np.asarray(expected, np.float64)[clinical],
        sd,
        better,
    )
    return _with_interval((reference_change + residual) / sd)


def _residuals(
    last: npt.ArrayLike, expected: npt.ArrayLike, sd: float, better: Better
) -> FloatArray:
    if not sd > 0:
        raise ValueError(f"the standard deviation must be positive, not {sd}")
    beyond = direction(better) * (np.asarray(last, np.float64) - np.asarray(expected, np.float64))
    known: FloatArray = beyond[~np.isnan(beyond)]
    if not known.size:
        raise ValueError("no client has both a last score and an expectation")
    return known


def _with_interval(values: FloatArray) -> AdjustedEffect:
    mean = float(values.mean())
    n = int(values.size)
    half = TWO_SIDED_95 * float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return AdjustedEffect(n=n, value=mean, low=mean - half, high=mean + half)


def regression_to_the_mean(
    mean_first_all: float, mean_first_subgroup: float, sd: float, correlation: float, better: Better
) -> float:
    """Effect that a subgroup chosen by its first scores shows with no change at all.

    Parameters
    ----------
    mean_first_all, mean_first_subgroup : float
        Mean first scores, in the measure's units.
    sd : float
        Standard deviation of all first scores.
    correlation : float
        Between two measurements of untreated people, from -1 to 1.
    better : {"higher", "lower"}
        The measure's direction.

    Returns
    -------
    float
        ``(1 - r) (mean of all - mean of the subgroup) / SD``, better positive: to be shown beside
        the subgroup's raw effect. For everyone together it is 0 by this formula and can't be
        estimated without untreated clients.

    Raises
    ------
    ValueError
        If `sd` isn't positive, or `correlation` isn't one.
    """
    if not sd > 0:
        raise ValueError(f"the standard deviation must be positive, not {sd}")
    if not -1 <= correlation <= 1:
        raise ValueError(f"a correlation lies between -1 and 1, not {correlation}")
    distance = direction(better) * (mean_first_all - mean_first_subgroup)
    return (1 - correlation) * distance / sd
