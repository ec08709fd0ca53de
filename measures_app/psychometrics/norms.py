"""Thresholds and cutoffs that follow from a measure's norms.

References
----------
.. [1] Jacobson, N. S., & Truax, P. (1991). Clinical significance: a statistical approach to
   defining meaningful change in psychotherapy research. Journal of Consulting and Clinical
   Psychology, 59(1), 12-19.
"""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias

Better: TypeAlias = Literal["higher", "lower"]

# The "1.96" of the source, unrounded.
TWO_SIDED_95: Final = 1.959963984540054


def direction(better: Better) -> float:
    """Sign that turns a difference of scores into "better is positive".

    Parameters
    ----------
    better : {"higher", "lower"}
        The measure's direction.

    Returns
    -------
    float
        1.0 or -1.0.

    Raises
    ------
    ValueError
        For any other word.
    """
    if better == "higher":
        return 1.0
    if better == "lower":
        return -1.0
    raise ValueError(f"better must be 'higher' or 'lower', not {better!r}")


def reliable_change_threshold(sd: float, reliability: float, z: float = TWO_SIDED_95) -> float:
    """Smallest change that measurement error alone explains in 5 % of clients only.

    Parameters
    ----------
    sd : float
        Standard deviation of the scores, in the measure's units; positive.
    reliability : float
        Reliability of the measure, from 0 to 1.
    z : float, default 1.959964
        Normal quantile; the source's 1.96, unrounded.

    Returns
    -------
    float
        ``z * sd * sqrt(2) * sqrt(1 - reliability)``, in the measure's units.

    Raises
    ------
    ValueError
        If `sd` is not positive and finite, or `reliability` lies outside 0 to 1.

    Notes
    -----
    Source: Jacobson and Truax (1991).

    Examples
    --------
    >>> round(reliable_change_threshold(7.5, 0.8), 6)
    9.296925
    """
    if not (math.isfinite(sd) and sd > 0):
        raise ValueError(f"the standard deviation must be positive, not {sd}")
    if not 0 <= reliability <= 1:
        raise ValueError(f"the reliability must lie between 0 and 1, not {reliability}")
    return z * sd * math.sqrt(2) * math.sqrt(1 - reliability)


def cutoff_a(clinical_mean: float, clinical_sd: float, better: Better) -> float:
    """Cutoff a: two standard deviations from the clinical mean, on its better side.

    Parameters
    ----------
    clinical_mean, clinical_sd : float
        Norms of the clinical population, in the measure's units.
    better : {"higher", "lower"}
        The measure's direction.

    Returns
    -------
    float
        The cutoff, in the measure's units. Source: Jacobson and Truax (1991).
    """
    return clinical_mean + direction(better) * 2 * clinical_sd


def cutoff_b(functional_mean: float, sd: float, better: Better) -> float:
    """Cutoff b: two standard deviations from the functional mean, on its worse side.

    Parameters
    ----------
    functional_mean : float
        Mean of the functional population, in the measure's units.
    sd : float
        The standard deviation to measure with. The source's wording is the functional
        population's; its worked example has one value for both populations, and R's
        ``clinicalsignificance`` (since 2.0) takes the clinical one.
    better : {"higher", "lower"}
        The measure's direction.

    Returns
    -------
    float
        The cutoff, in the measure's units. Source: Jacobson and Truax (1991).
    """
    return functional_mean - direction(better) * 2 * sd


def cutoff_c(
    clinical_mean: float, clinical_sd: float, functional_mean: float, functional_sd: float
) -> float:
    """Cutoff c: the score equally far, in standard deviations, from both means.

    Parameters
    ----------
    clinical_mean, clinical_sd, functional_mean, functional_sd : float
        Norms of the two populations, in the measure's units.

    Returns
    -------
    float
        ``(M_c SD_f + M_f SD_c) / (SD_f + SD_c)``. Source: Jacobson and Truax (1991).

    Raises
    ------
    ValueError
        If the two standard deviations don't sum to a positive number.
    """
    total = clinical_sd + functional_sd
    if not total > 0:
        raise ValueError("cutoff c needs standard deviations that are positive")
    return (clinical_mean * functional_sd + functional_mean * clinical_sd) / total
