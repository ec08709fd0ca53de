"""Change of clients: the four classes, by reliable change and cutoff.

Scores stay in the measure's own units. All comparisons with a threshold are made on a grid of
one millionth of a unit, because 26.6 - 20.0 is 6.600000000000001 in binary floating point: a
change that is a threshold on paper must be that threshold here too.

References
----------
.. [1] Jacobson, N. S., & Truax, P. (1991). Clinical significance: a statistical approach to
   defining meaningful change in psychotherapy research. Journal of Consulting and Clinical
   Psychology, 59(1), 12-19.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from .norms import (
    Better,
    cutoff_a,
    cutoff_b,
    cutoff_c,
    direction,
    reliable_change_threshold,
)

__all__ = [
    "CLASSES",
    "DETERIORATED",
    "IMPROVED",
    "NO_CLASS",
    "RECOVERED",
    "UNCHANGED",
    "AtCutoff",
    "Better",
    "BoolArray",
    "ChangeClass",
    "ChangeCriteria",
    "Changes",
    "ClassCounts",
    "FloatArray",
    "classify",
    "classify_one",
    "count_classes",
    "cutoff_a",
    "cutoff_b",
    "cutoff_c",
    "direction",
    "has_outcome",
    "is_stable",
    "on_grid",
    "reliable_change_threshold",
]

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
AtCutoff: TypeAlias = Literal["clinical", "functional", "neither"]
ChangeClass: TypeAlias = Literal["recovered", "improved", "unchanged", "deteriorated"]

CLASSES: Final[tuple[ChangeClass, ...]] = ("recovered", "improved", "unchanged", "deteriorated")
RECOVERED: Final = 0
IMPROVED: Final = 1
UNCHANGED: Final = 2
DETERIORATED: Final = 3
NO_CLASS: Final = -1

# Finer than any score's step, far coarser than the error of one float subtraction.
_GRID: Final = 1e6


def on_grid(values: npt.ArrayLike) -> FloatArray:
    """Put values on the comparison grid: whole millionths of a unit.

    Parameters
    ----------
    values : array_like of float
        Any shape, in the measure's units; NaN stays NaN.

    Returns
    -------
    ndarray of float64
        Same shape; whole numbers, so that ==, < and > between them are exact.
    """
    return np.rint(np.asarray(values, dtype=np.float64) * _GRID)


@dataclass(frozen=True, slots=True)
class ChangeCriteria:
    """What decides the class of a change: one norm row of one measure.

    Attributes
    ----------
    better : {"higher", "lower"}
        The measure's direction.
    reliable_change : float
        Threshold in the measure's units, positive.
    cutoff : float or None
        Border between the clinical and the functional side; None where no cutoff is known, and
        then nobody is on either side and nobody recovers.
    rc_inclusive : bool
        True for published thresholds ("a change of 6 or more"); False, the default, for computed
        ones, which are strict.
    at_cutoff : {"clinical", "functional", "neither"}
        Side of a score that equals the cutoff. "neither" is the reading of computed cutoffs.
    lowest, highest : float or None
        Ends of the measure's range; None where unknown.
    """

    better: Better
    reliable_change: float
    cutoff: float | None = None
    rc_inclusive: bool = False
    at_cutoff: AtCutoff = "neither"
    lowest: float | None = None
    highest: float | None = None

    def __post_init__(self) -> None:
        """Refuse criteria that can't decide a class."""
        direction(self.better)
        if not (math.isfinite(self.reliable_change) and self.reliable_change > 0):
            raise ValueError(f"reliable change must be positive, not {self.reliable_change}")
        if self.cutoff is not None and not math.isfinite(self.cutoff):
            raise ValueError(f"the cutoff must be a number, not {self.cutoff}")
        if self.at_cutoff not in ("clinical", "functional", "neither"):
            raise ValueError(
                f"at_cutoff must be clinical, functional or neither, not {self.at_cutoff!r}"
            )

    def gain(self, first: float, last: float) -> float:
        """Change in the better direction, in the measure's units (NaN if either is missing)."""
        return direction(self.better) * (last - first)

    def exceeds(self, gain: float) -> bool:
        """Whether a gain is at (published) or beyond (computed) the reliable change threshold."""
        margin = _whole(gain) - _whole(self.reliable_change)
        return margin >= 0 if self.rc_inclusive else margin > 0

    def side(self, score: float) -> Literal["clinical", "functional", "neither"]:
        """Side of the cutoff on which one score lies."""
        if self.cutoff is None or math.isnan(score):
            return "neither"
        above = _whole(direction(self.better) * (score - self.cutoff))
        if above == 0:
            return self.at_cutoff
        return "functional" if above > 0 else "clinical"

    def can_improve(self, first: float) -> bool:
        """Whether some attainable score would be reliably better than this first one."""
        best = self.highest if self.better == "higher" else self.lowest
        return True if best is None else self.exceeds(self.gain(first, best))


def _whole(value: float) -> float:
    return float(round(value * _GRID)) if math.isfinite(value) else value


@dataclass(frozen=True, slots=True)
class Changes:
    """Class of each client's change, with what stands beside the class.

    All arrays have one entry a client, in the order given.

    Attributes
    ----------
    codes : ndarray of int8
        Index into `CLASSES`, or `NO_CLASS` where the first or the last score is missing.
    gain : ndarray of float64
        Change in the better direction, in the measure's units; NaN where no class.
    started_clinical, started_functional : ndarray of bool
        Side of the first score; both are False at a cutoff that belongs to neither side.
    crossed_into_clinical : ndarray of bool
        Of the deteriorated, those who entered the clinical range.
    can_improve : ndarray of bool
        False where no attainable score is reliably better than the first: improvement is then
        "not applicable".
    """

    codes: npt.NDArray[np.int8]
    gain: FloatArray
    started_clinical: BoolArray
    started_functional: BoolArray
    crossed_into_clinical: BoolArray
    can_improve: BoolArray

    def named(self) -> npt.NDArray[np.str_]:
        """Return class names, "" where there is no class."""
        return np.array([*CLASSES, ""])[self.codes]


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Number of clients by class; the three fields at the end overlap with the four classes."""

    clients: int
    recovered: int
    improved: int
    unchanged: int
    deteriorated: int
    started_functional: int
    crossed_into_clinical: int
    cannot_improve: int


def classify(first: npt.ArrayLike, last: npt.ArrayLike, criteria: ChangeCriteria) -> Changes:
    """Class of change from the first to the last score.

    Parameters
    ----------
    first, last : array_like of float, shape (n,)
        Scores of n clients in the measure's units; NaN is a missing score.
    criteria : ChangeCriteria
        Direction, thresholds and how a score at a threshold is read.

    Returns
    -------
    Changes
        Recovered: started on the clinical side, reliably better, ended on the functional side.
        Improved: reliably better, not recovered. Deteriorated: reliably worse. Else unchanged.

    Raises
    ------
    ValueError
        If the two arrays don't have the same shape.

    Notes
    -----
    Source: Jacobson and Truax (1991); strict at computed thresholds as R's
    ``clinicalsignificance``. No loop over clients: time grows linearly, about 0.1 s a million.
    """
    start = np.asarray(first, dtype=np.float64)
    end = np.asarray(last, dtype=np.float64)
    if start.shape != end.shape:
        raise ValueError(f"first and last differ in shape: {start.shape} and {end.shape}")
    known = ~(np.isnan(start) | np.isnan(end))
    sign = direction(criteria.better)
    gain = sign * (end - start)
    better = _beyond(gain, criteria)
    worse = _beyond(-gain, criteria)
    clinical_first, functional_first = _sides(start, criteria)
    clinical_last, functional_last = _sides(end, criteria)

    codes = np.full(start.shape, NO_CLASS, dtype=np.int8)
    codes[known] = UNCHANGED
    codes[better] = IMPROVED
    codes[better & clinical_first & functional_last] = RECOVERED
    codes[worse] = DETERIORATED
    best = criteria.highest if criteria.better == "higher" else criteria.lowest
    can_improve = (
        np.ones(start.shape, dtype=np.bool_)
        if best is None
        else _beyond(sign * (best - start), criteria)
    )
    return Changes(
        codes=codes,
        gain=gain,
        started_clinical=clinical_first,
        started_functional=functional_first,
        crossed_into_clinical=worse & ~clinical_first & clinical_last,
        can_improve=can_improve,
    )


def _beyond(gain: FloatArray, criteria: ChangeCriteria) -> BoolArray:
    """Gain at or beyond the threshold; NaN is never beyond."""
    gained, needed = on_grid(gain), on_grid(criteria.reliable_change)
    return gained >= needed if criteria.rc_inclusive else gained > needed


def _sides(scores: FloatArray, criteria: ChangeCriteria) -> tuple[BoolArray, BoolArray]:
    """Clinical and functional side of the cutoff; NaN is on neither."""
    if criteria.cutoff is None:
        nobody = np.zeros(scores.shape, dtype=np.bool_)
        return nobody, nobody.copy()
    above = on_grid(direction(criteria.better) * (scores - criteria.cutoff))
    clinical = above <= 0 if criteria.at_cutoff == "clinical" else above < 0
    functional = above >= 0 if criteria.at_cutoff == "functional" else above > 0
    return clinical, functional


def classify_one(first: float, last: float, criteria: ChangeCriteria) -> ChangeClass | None:
    """Class of one client's change: the same answer as `classify`, without arrays.

    Parameters
    ----------
    first, last : float
        Scores in the measure's units; NaN is a missing score.
    criteria : ChangeCriteria
        Direction, thresholds and how a score at a threshold is read.

    Returns
    -------
    {"recovered", "improved", "unchanged", "deteriorated"} or None
        None where either score is missing.
    """
    gain = criteria.gain(first, last)
    if math.isnan(gain):
        return None
    if criteria.exceeds(gain):
        crossed = criteria.side(first) == "clinical" and criteria.side(last) == "functional"
        return "recovered" if crossed else "improved"
    return "deteriorated" if criteria.exceeds(-gain) else "unchanged"


def count_classes(changes: Changes) -> ClassCounts:
    """Count clients by class, among those with a class.

    Parameters
    ----------
    changes : Changes
        From `classify`.

    Returns
    -------
    ClassCounts
        Clients without a class are in none of the fields.
    """
    known = changes.codes != NO_CLASS
    by_class = np.bincount(changes.codes[known], minlength=len(CLASSES))
    return ClassCounts(
        clients=int(known.sum()),
        recovered=int(by_class[RECOVERED]),
        improved=int(by_class[IMPROVED]),
        unchanged=int(by_class[UNCHANGED]),
        deteriorated=int(by_class[DETERIORATED]),
        started_functional=int((changes.started_functional & known).sum()),
        crossed_into_clinical=int(changes.crossed_into_clinical.sum()),
        cannot_improve=int((~changes.can_improve & known).sum()),
    )


def has_outcome(
    last_t: npt.ArrayLike,
    last_day: npt.ArrayLike,
    end_t: npt.ArrayLike,
    end_day: npt.ArrayLike,
    *,
    sessions: int = 2,
    days: int = 30,
) -> BoolArray:
    """Whether the last score is close enough to the end of care to be its outcome.

    Parameters
    ----------
    last_t, end_t : array_like of float, shape (n,)
        Attended sessions up to the last score, and in the whole ended episode; NaN is missing.
    last_day, end_day : array_like of float, shape (n,)
        Day numbers of the last score and of the end.
    sessions, days : int
        Greatest distances allowed; one of the two is enough.

    Returns
    -------
    ndarray of bool, shape (n,)
        False where the last score is too old, or missing.
    """
    sessions_after = np.asarray(end_t, np.float64) - np.asarray(last_t, np.float64)
    days_after = np.asarray(end_day, np.float64) - np.asarray(last_day, np.float64)
    return np.asarray((sessions_after <= sessions) | (days_after <= days), dtype=np.bool_)


def is_stable(
    first: npt.ArrayLike, previous: npt.ArrayLike, last: npt.ArrayLike, criteria: ChangeCriteria
) -> BoolArray:
    """Whether the last two scores agree: both give the same class from the first.

    Parameters
    ----------
    first, previous, last : array_like of float, shape (n,)
        First score, last but one, last; NaN is missing.
    criteria : ChangeCriteria
        Direction and thresholds.

    Returns
    -------
    ndarray of bool, shape (n,)
        False where any of the three is missing.
    """
    before = classify(first, previous, criteria).codes
    now = classify(first, last, criteria).codes
    return np.asarray((before == now) & (now != NO_CLASS), dtype=np.bool_)
