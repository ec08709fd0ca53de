"""Clinicians' effects: shrunken to what their numbers can tell, and funnels that are fair.

A clinician's outcome is observed minus expected (from intake and case mix). With few episodes
most of the difference between clinicians is chance, so it is pulled towards zero; published
clinician variance is 5-7 % of all variance.

References
----------
.. [1] Goldstein, H., & Spiegelhalter, D. J. (1996). League tables and their limitations.
   Journal of the Royal Statistical Society A, 159(3), 385-443.
.. [2] Spiegelhalter, D. J. (2005). Funnel plots for comparing institutional performance.
   Statistics in Medicine, 24(8), 1185-1202.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import ndtri

from .norms import TWO_SIDED_95

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

PRIOR_ICC: Final = 0.05
PRIOR_CLINICIANS: Final = 20
FEWEST_EPISODES: Final = 15
# Variance of the standard logistic distribution: the residual variance on the logit scale.
LOGISTIC_VARIANCE: Final = math.pi**2 / 3


@dataclass(frozen=True, slots=True)
class Components:
    """Variances between and within clinicians, and the regression they were found with.

    Attributes
    ----------
    beta : ndarray of float64
        Coefficients, in the order of the columns given.
    between, within : float
        tau^2 and sigma^2, in squared units of the outcome.
    minus_2_reml : float
        REML criterion, on the scale of R's lme4.
    """

    beta: FloatArray
    between: float
    within: float
    minus_2_reml: float

    @property
    def icc(self) -> float:
        """Share of the variance that lies between clinicians."""
        return self.between / (self.between + self.within)


def fit_components(
    outcome: npt.ArrayLike, design: npt.ArrayLike, group: npt.ArrayLike
) -> Components:
    """Exact REML of a regression with a random intercept per clinician.

    Parameters
    ----------
    outcome : array_like of float, shape (n,)
        One episode an entry.
    design : array_like of float, shape (n, p)
        Covariates with a column of ones.
    group : array_like of int, shape (n,)
        Clinician of each episode, from 0.

    Returns
    -------
    Components

    Raises
    ------
    ValueError
        If there are no more episodes than columns, or fewer than two clinicians.
    """
    y = np.asarray(outcome, dtype=np.float64)
    x = np.asarray(design, dtype=np.float64)
    codes = np.unique(np.asarray(group), return_inverse=True)[1]
    n, p = x.shape
    sizes = np.bincount(codes).astype(np.float64)
    if sizes.size < 2 or n <= p:
        raise ValueError("it takes two clinicians and more episodes than covariates")
    sum_y = np.bincount(codes, weights=y)
    sum_x = np.stack([np.bincount(codes, weights=column) for column in x.T], axis=1)
    xx, xy, yy = x.T @ x, x.T @ y, float(y @ y)

    def pieces(ratio: float) -> tuple[FloatArray, float, float]:
        """Coefficients, residual sum and log determinants at tau^2 / sigma^2."""
        weight = ratio / (1 + ratio * sizes)
        left = xx - (sum_x * weight[:, None]).T @ sum_x
        right = xy - sum_x.T @ (weight * sum_y)
        beta = np.asarray(np.linalg.solve(left, right), dtype=np.float64)
        rest = yy - float(weight @ sum_y**2) - float(right @ beta)
        logs = float(np.log1p(ratio * sizes).sum()) + float(np.linalg.slogdet(left)[1])
        return beta, rest, logs

    def criterion(log_ratio: float) -> float:
        _, rest, logs = pieces(math.exp(log_ratio))
        return float((n - p) * math.log(rest) + logs)

    best = minimize_scalar(
        criterion, bounds=(-14.0, 6.0), method="bounded", options={"xatol": 1e-9}
    )
    ratio = math.exp(float(best.x))
    none = (n - p) * math.log(pieces(0.0)[1]) + pieces(0.0)[2]
    if none <= float(best.fun):
        ratio = 0.0
    beta, rest, logs = pieces(ratio)
    within = rest / (n - p)
    return Components(
        beta=beta,
        between=ratio * within,
        within=within,
        minus_2_reml=(n - p) * (1 + math.log(2 * math.pi * within)) + logs,
    )


def icc_of_sums(n: npt.ArrayLike, total: npt.ArrayLike, squares: npt.ArrayLike) -> float:
    """Share of the variance between clinicians, from sums alone (one-way analysis of variance).

    Parameters
    ----------
    n, total, squares : array_like, shape (clinicians,)
        Episodes of each clinician, and the sums of their outcomes and of the squares of these.

    Returns
    -------
    float
        From 0 to 1; NaN with fewer than two clinicians, no more episodes than clinicians, or no
        variance at all. Source: Searle, Casella & McCulloch (1992), Variance Components, 3.6.
    """
    sizes = np.asarray(n, dtype=np.float64)
    present = sizes > 0
    sizes = sizes[present]
    sums = np.asarray(total, dtype=np.float64)[present]
    groups, episodes = sizes.size, float(sizes.sum())
    if groups < 2 or episodes <= groups:
        return math.nan
    by_group = float((sums**2 / sizes).sum())
    between_square = (by_group - float(sums.sum()) ** 2 / episodes) / (groups - 1)
    everything = float(np.asarray(squares, dtype=np.float64)[present].sum())
    within = max(0.0, (everything - by_group) / (episodes - groups))
    usual = (episodes - float((sizes**2).sum()) / episodes) / (groups - 1)
    between = max(0.0, (between_square - within) / usual)
    return between / (between + within) if between + within > 0 else math.nan


def clinic_icc(own: float, clinicians: int) -> float:
    """The clinic's own share of variance between clinicians, steadied by the published one.

    Parameters
    ----------
    own : float
        As estimated, from 0 to 1; NaN where there is no estimate.
    clinicians : int
        Clinicians it was estimated from.

    Returns
    -------
    float
        Mean of `own` and .05, weighted by `clinicians` and 20.
    """
    if math.isnan(own) or clinicians < 2:
        return PRIOR_ICC
    return (own * clinicians + PRIOR_ICC * PRIOR_CLINICIANS) / (clinicians + PRIOR_CLINICIANS)


def shrinkage_weight(n: npt.ArrayLike, icc: float) -> FloatArray:
    """Share of a clinician's mean that is believed: ``n / (n + (1 - ICC) / ICC)``.

    Parameters
    ----------
    n : array_like of int
        Ended episodes; 0 gives 0.
    icc : float
        Share of variance between clinicians; above 0, at most 1.

    Returns
    -------
    ndarray of float64
        With ICC .05 half at 19 episodes.

    Raises
    ------
    ValueError
        If `icc` is out of its range.
    """
    if not 0 < icc <= 1:
        raise ValueError(f"the intraclass correlation must lie above 0 and up to 1, not {icc}")
    episodes = np.asarray(n, dtype=np.float64)
    return np.asarray(episodes / (episodes + (1 - icc) / icc), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class ClinicianEffects:
    """Shrunken effects; arrays with one entry a clinician, in the order given.

    Attributes
    ----------
    n : ndarray of int64
        Ended episodes.
    effect, low, high : ndarray of float64
        Shrunken difference from what was expected, with its 95 % interval; NaN under 15 episodes.
    weight : ndarray of float64
        Share of the raw difference that was kept.
    shown : ndarray of bool
        False under 15 episodes.
    """

    n: IntArray
    effect: FloatArray
    low: FloatArray
    high: FloatArray
    weight: FloatArray
    shown: BoolArray


def clinician_effects(
    residual: npt.ArrayLike, group: npt.ArrayLike, clinicians: int, *, icc: float, between: float
) -> ClinicianEffects:
    """Shrunken effects from observed minus expected outcomes.

    Parameters
    ----------
    residual : array_like of float, shape (episodes,)
        Observed minus expected, better positive; NaN is left out.
    group : array_like of int, shape (episodes,)
        Clinician of each episode, from 0. An episode of a pair (trainee and supervisor) has the
        pair's own number.
    clinicians : int
        Number of clinicians.
    icc : float
        From `clinic_icc`.
    between : float
        tau^2 that belongs to `icc`, in squared units of the outcome.

    Returns
    -------
    ClinicianEffects
        In the order of the numbers, never by effect. Interval: ``+-1.96 sqrt(tau^2 (1 - weight))``.
    """
    values = np.asarray(residual, dtype=np.float64)
    known = ~np.isnan(values)
    codes = np.asarray(group, dtype=np.int64)[known]
    n = np.bincount(codes, minlength=clinicians)
    total = np.bincount(codes, weights=values[known], minlength=clinicians)
    weight = shrinkage_weight(n, icc)
    effect = weight * total / np.maximum(n, 1)
    half = TWO_SIDED_95 * np.sqrt(between * (1 - weight))
    return _shown(n, effect, half, weight)


def clinician_rates(
    cases: npt.ArrayLike, n: npt.ArrayLike, expected: npt.ArrayLike, *, icc: float
) -> ClinicianEffects:
    """Shrunken differences of rates, on the logit scale.

    Parameters
    ----------
    cases, n : array_like of int, shape (clinicians,)
        Cases, and ended episodes.
    expected : array_like of float, shape (clinicians,)
        Mean expected probability from intake and case mix, between 0 and 1.
    icc : float
        From `clinic_icc`.

    Returns
    -------
    ClinicianEffects
        Effects in logits: 0 is as expected.

    Notes
    -----
    The raw logit has a half case added on each side, and sampling variance
    ``1 / (n p (1 - p))`` at the expected p; tau^2 is ``icc / (1 - icc) pi^2 / 3``.
    """
    seen = np.asarray(cases, dtype=np.float64)
    episodes = np.asarray(n, dtype=np.int64)
    chance = np.asarray(expected, dtype=np.float64)
    between = icc / (1 - icc) * LOGISTIC_VARIANCE
    raw = np.log((seen + 0.5) / (episodes - seen + 0.5)) - np.log(chance / (1 - chance))
    information = episodes * chance * (1 - chance)
    weight = between * information / (between * information + 1)
    half = TWO_SIDED_95 * np.sqrt(between * (1 - weight))
    return _shown(episodes, weight * raw, half, weight)


def _shown(
    n: IntArray, effect: FloatArray, half: FloatArray, weight: FloatArray
) -> ClinicianEffects:
    shown = n >= FEWEST_EPISODES
    return ClinicianEffects(
        n=n,
        effect=np.where(shown, effect, np.nan),
        low=np.where(shown, effect - half, np.nan),
        high=np.where(shown, effect + half, np.nan),
        weight=weight,
        shown=np.asarray(shown, dtype=np.bool_),
    )


def funnel_limits(
    n: npt.ArrayLike, *, within: float, between: float, level: float = 0.95
) -> FloatArray:
    """Half-width of a funnel around zero that allows for true differences between clinicians.

    Parameters
    ----------
    n : array_like of int
        Ended episodes; 0 gives infinity.
    within, between : float
        sigma^2 and tau^2, in squared units of the outcome.
    level : float
        .95 and .998 are drawn.

    Returns
    -------
    ndarray of float64
        Normal quantile times ``sqrt(sigma^2 / n + tau^2)``.
    """
    episodes = np.asarray(n, dtype=np.float64)
    share = within / np.where(episodes > 0, episodes, np.nan)
    spread = np.sqrt(np.where(np.isnan(share), np.inf, share) + between)
    return np.asarray(float(ndtri(0.5 + level / 2)) * spread, dtype=np.float64)
