"""Rates with honest denominators: coverage, interval, and bounds for what wasn't measured.

Counts are of ended episodes. With N episodes that ended, some have an outcome and some don't; a
headline rate counts them all, and its bounds say what the unmeasured ones could make of it.

References
----------
.. [1] Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference.
   Journal of the American Statistical Association, 22(158), 209-212.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .norms import TWO_SIDED_95


@dataclass(frozen=True, slots=True)
class Interval:
    """Two ends, as shares from 0 to 1; NaN where there is nothing to count."""

    low: float
    high: float


def wilson(count: int, n: int, z: float = TWO_SIDED_95) -> Interval:
    """Wilson score interval of a share.

    Parameters
    ----------
    count, n : int
        Cases, and all; ``0 <= count <= n``.
    z : float
        Normal quantile, two-sided 95 % by default.

    Returns
    -------
    Interval
        NaN where `n` is 0. Source: Wilson (1927).

    Raises
    ------
    ValueError
        If the counts are impossible.
    """
    if not 0 <= count <= n:
        raise ValueError(f"{count} of {n} is no share")
    if n == 0:
        return Interval(math.nan, math.nan)
    share = count / n
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The ends are exactly 0 and 1 there; the formula leaves rounding dust.
    low = 0.0 if count == 0 else (middle - half) / scale
    high = 1.0 if count == n else (middle + half) / scale
    return Interval(low, high)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Episodes with an outcome, of episodes that ended."""

    measured: int
    ended: int
    share: float


def coverage(measured: int, ended: int) -> Coverage:
    """Share of ended episodes whose outcome is known.

    Parameters
    ----------
    measured, ended : int
        Episodes with an outcome, and all that ended.

    Returns
    -------
    Coverage
        The share is NaN where nothing ended.

    Raises
    ------
    ValueError
        If more were measured than ended.
    """
    return Coverage(measured, ended, _share(measured, ended))


@dataclass(frozen=True, slots=True)
class BoundedRate:
    """A rate that says how far it can be trusted.

    Attributes
    ----------
    count : int
        Cases seen.
    measured : int
        Clients whose outcome is known and who could be a case.
    denominator : int
        All who could be a case, measured or not.
    coverage : float
        `measured` / `denominator`.
    rate : float
        Share of cases among the measured.
    worst, best : float
        The rate if nobody unmeasured, or everybody unmeasured, had the good result (for a bad
        result the other way round).
    low, high : float
        From the lower Wilson limit of one bound to the upper limit of the other: the interval
        that holds sampling and missing outcomes together.
    """

    count: int
    measured: int
    denominator: int
    coverage: float
    rate: float
    worst: float
    best: float
    low: float
    high: float


def _share(count: int, n: int) -> float:
    if not 0 <= count <= n:
        raise ValueError(f"{count} of {n} is no share")
    return count / n if n else math.nan


def _bounded(count: int, measured: int, missing: int, *, good: bool) -> BoundedRate:
    if missing < 0:
        raise ValueError(f"there can't be {missing} clients without an outcome")
    everyone = measured + missing
    least, most = _share(count, everyone), _share(count + missing, everyone)
    return BoundedRate(
        count=count,
        measured=measured,
        denominator=everyone,
        coverage=_share(measured, everyone),
        rate=_share(count, measured),
        worst=least if good else most,
        best=most if good else least,
        low=wilson(count, everyone).low,
        high=wilson(count + missing, everyone).high,
    )


def improvement_rate(improved: int, measured: int, ended: int) -> BoundedRate:
    """Reliable improvement (recovered included) among episodes that ended.

    Parameters
    ----------
    improved, measured, ended : int
        Improved or recovered; with an outcome; all that ended.

    Returns
    -------
    BoundedRate
        Worst: the missing did not improve. Best: they all did.

    Raises
    ------
    ValueError
        If the counts are impossible.
    """
    return _bounded(improved, measured, ended - measured, good=True)


def deterioration_rate(deteriorated: int, measured: int, ended: int) -> BoundedRate:
    """Reliable deterioration among episodes that ended.

    Parameters
    ----------
    deteriorated, measured, ended : int
        Reliably worse; with an outcome; all that ended.

    Returns
    -------
    BoundedRate
        Worst: the missing all got worse. Best: none of them did. ``worst`` is the larger number.

    Raises
    ------
    ValueError
        If the counts are impossible.
    """
    return _bounded(deteriorated, measured, ended - measured, good=False)


def recovery_rate(
    recovered: int, clinical_starters: int, clinical_without_outcome: int, without_score: int
) -> BoundedRate:
    """Recovery among episodes that ended and began on the clinical side.

    Parameters
    ----------
    recovered : int
        R: started on the clinical side, reliably better, ended on the functional side.
    clinical_starters : int
        Nc: all known to have started on the clinical side.
    clinical_without_outcome : int
        Mc: of those, the ones without an outcome.
    without_score : int
        N0: ended without a single score, so that their start is unknown.

    Returns
    -------
    BoundedRate
        Worst R / (Nc + N0), best (R + Mc + N0) / (Nc + N0); the rate itself is out of the
        clinical starters with an outcome.

    Raises
    ------
    ValueError
        If the counts are impossible.
    """
    if min(clinical_without_outcome, without_score) < 0:
        raise ValueError("there can't be fewer than no clients without an outcome")
    measured = clinical_starters - clinical_without_outcome
    return _bounded(recovered, measured, clinical_without_outcome + without_score, good=True)
