"""The clinic's own limits for alliance scores.

Alliance scales have a ceiling: "below 36 of 40" alone speaks about 59-69 % of clients within
eight sessions. Once a clinic has enough pairs of successive scores, its own low centiles serve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .norms import Better, direction

FEWEST_PAIRS: Final = 300
# At 300 pairs each group has 30 of them, and its 5th centile lies on real scores.
_GROUPS: Final = 10


@dataclass(frozen=True, slots=True)
class AllianceLimits:
    """Low limits of alliance scores in one clinic, in the measure's units.

    Attributes
    ----------
    pairs : int
        Pairs of successive scores they were made from.
    low : float
        The 10th centile of all second scores, counted from the worse end.
    last : tuple of float
        Middle of each group of clients with similar last scores, increasing.
    next_low : tuple of float
        The 5th centile of the next score in each of those groups, counted from the worse end.
    """

    pairs: int
    low: float
    last: tuple[float, ...]
    next_low: tuple[float, ...]

    def next_low_after(self, last: float) -> float:
        """5th centile of the next score, given the last one; linear between groups."""
        return float(np.interp(last, self.last, self.next_low))


def alliance_limits(
    last: npt.ArrayLike, following: npt.ArrayLike, better: Better = "higher"
) -> AllianceLimits | None:
    """Limits from pairs of successive alliance scores.

    Parameters
    ----------
    last, following : array_like of float, shape (n,)
        Score of a session and of the next measured one, in the measure's units; pairs with NaN
        are left out.
    better : {"higher", "lower"}
        The measure's direction.

    Returns
    -------
    AllianceLimits or None
        None under 300 pairs: the measure's cutoff serves until then.

    Raises
    ------
    ValueError
        If the two arrays don't have the same shape.
    """
    before = np.asarray(last, dtype=np.float64)
    after = np.asarray(following, dtype=np.float64)
    if before.shape != after.shape:
        raise ValueError(f"pairs differ in shape: {before.shape} and {after.shape}")
    known = ~(np.isnan(before) | np.isnan(after))
    pairs = int(known.sum())
    if pairs < FEWEST_PAIRS:
        return None
    before, after = before[known], after[known]
    worse_end = 0.0 if direction(better) > 0 else 100.0
    order = np.argsort(before, kind="stable")
    groups = np.array_split(order, _GROUPS)
    middles = np.array([before[group].mean() for group in groups])
    lows = np.array([np.percentile(after[group], abs(worse_end - 5.0)) for group in groups])
    # Neighbouring groups may share one score (a ceiling): their limits are averaged.
    knots, place = np.unique(middles, return_inverse=True)
    shared = np.bincount(place, weights=lows) / np.bincount(place)
    return AllianceLimits(
        pairs=pairs,
        low=float(np.percentile(after, abs(worse_end - 10.0))),
        last=tuple(knots.tolist()),
        next_low=tuple(shared.tolist()),
    )
