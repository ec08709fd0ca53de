"""What came after a decision, against the forecast that was stored on its day.

A raw change flatters whatever was decided at a low point: of clients chosen because they stand
badly most stand better later, whatever is done (regression to the mean). The forecast of the day
knows that already, so what is described is the score since, minus that forecast. It describes and
doesn't compare: who was offered one thing differed from who was offered another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from measures_app.psychometrics.norms import Better, direction
from measures_app.psychometrics.rates import wilson

SESSIONS_AFTER = 4
FEWEST = 15
Z80 = 1.2815515655446004  # half the width of a normal 80 % band, in standard deviations


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; NaN where there are too few to say."""

    value: float
    low: float
    high: float


NOTHING = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Decided:
    """One decision: the course as it stood then, and what was forecast and seen since.

    Parameters
    ----------
    t, score : int, float
        The last scored session of the day, and its score.
    gained : float
        That score minus the first one, in the measure's own direction of numbers.
    forecast_t, mean, low80, high80 : sequences of one length
        The forecast for the sessions that followed.
    after : sequence of (int, float)
        Scores since, by session, in order.
    sessions : int
        Treatment sessions attended since.
    may_still_come : bool
        Too short ago to say that nobody came.
    """

    t: int
    score: float
    gained: float
    forecast_t: Sequence[int]
    mean: Sequence[float]
    low80: Sequence[float]
    high80: Sequence[float]
    after: Sequence[tuple[int, float]]
    sessions: int
    may_still_come: bool = False

    def compared(self, k: int = SESSIONS_AFTER) -> tuple[float, float] | None:
        """(score minus forecast, standard deviation of the forecast), at the k-th session after.

        Where that session wasn't measured, at the last one before it that was. The deviation is
        taken from the wider half of the band: the other may be cut off at the scale's end. None
        without a score since, or where no forecast was made.
        """
        reached = [(t, s) for t, s in self.after if t <= self.t + k and t in self.forecast_t]
        if not reached:
            return None
        t, score = reached[-1]
        at = list(self.forecast_t).index(t)
        mean = self.mean[at]
        wider = max(self.high80[at] - mean, mean - self.low80[at])
        return (score - mean, wider / Z80) if wider > 0 else None

    def is_like(self, other: Decided, reliable_change: float) -> bool:
        """Like score, session and slope: nothing of it differs by more than a reliable change.

        Sessions may differ by a third, and by two at the beginning.
        """
        near = max(2.0, other.t / 3)
        return (
            abs(self.score - other.score) < reliable_change
            and abs(self.gained - other.gained) < reliable_change
            and abs(self.t - other.t) <= near
        )


@dataclass(frozen=True)
class WhatFollowed:
    """Of some decisions: how many, how many were seen no more, and scores against forecasts.

    `difference` and `in_sds` are in the better direction (above 0: better than forecast), NaN
    while `compared` is below the fewest that say anything; so is `lost_share` of `judged`.
    """

    n: int
    judged: int
    lost: int
    compared: int
    lost_share: Estimate
    difference: Estimate
    in_sds: Estimate

    @property
    def says_something(self) -> bool:
        return self.compared >= FEWEST


def _mean(values: np.ndarray) -> Estimate:
    """Mean with its 95 % interval by Student's t."""
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    half = float(stdtrit(len(values) - 1, 0.975)) * spread / math.sqrt(len(values))
    return Estimate(mean, mean - half, mean + half)


def share(count: int, n: int, *, fewest: int = FEWEST) -> Estimate:
    """A share of clients with Wilson's 95 % interval; NaN where `n` is below the fewest."""
    if n < max(fewest, 1):
        return NOTHING
    interval = wilson(count, n)
    return Estimate(count / n, interval.low, interval.high)


def what_followed(
    decisions: Sequence[Decided], better: Better, *, k: int = SESSIONS_AFTER, fewest: int = FEWEST
) -> WhatFollowed:
    """Describe what came after some decisions of one measure.

    `fewest`: below it neither means nor shares are given.
    """
    sign = direction(better)
    judged = [d for d in decisions if d.sessions or not d.may_still_come]
    lost = sum(not d.sessions for d in judged)
    pairs = np.array([pair for d in decisions if (pair := d.compared(k)) is not None])
    enough = len(pairs) >= fewest
    return WhatFollowed(
        n=len(decisions),
        judged=len(judged),
        lost=lost,
        compared=len(pairs),
        lost_share=share(lost, len(judged), fewest=fewest),
        difference=_mean(sign * pairs[:, 0]) if enough else NOTHING,
        in_sds=_mean(sign * pairs[:, 0] / pairs[:, 1]) if enough else NOTHING,
    )
