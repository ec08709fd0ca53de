"""How good a flag rule was on past episodes: caught, missed, false, how early, at which cost.

Repeated looks are part of the rule: an episode is flagged or it isn't, at whatever session.
Intervals are from resampling clinicians (clients where there are fewer than ten of them), since
clients of one clinician resemble one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

FEWEST_CLINICIANS: Final = 10
DRAWS: Final = 1000
_SEED: Final = 20_260


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95 % interval; NaN where there is nothing to divide by."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RulePerformance:
    """What a rule would have caught and missed, per episode, ever flagged.

    Attributes
    ----------
    episodes, positives : int
        Episodes judged, and those of them that ended as the rule warns of.
    caught, missed, false : int
        Flagged positives, positives never flagged, flagged others.
    sensitivity, specificity, ppv : Share
    lead : float
        Median number of sessions between the first flag and the last session, of those caught;
        NaN where none was.
    resampled : {"clinicians", "clients"}
        What the intervals are from.
    """

    episodes: int
    positives: int
    caught: int
    missed: int
    false: int
    sensitivity: Share
    specificity: Share
    ppv: Share
    lead: float
    resampled: Literal["clinicians", "clients"]


def _share(top: FloatArray, bottom: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(bottom > 0, top / bottom, np.nan)


def _interval(value: float, drawn: FloatArray) -> Share:
    known = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not known.size:
        return Share(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Share(value, float(low), float(high))


def judge(
    flagged: BoolArray, positive: BoolArray, lead: FloatArray, clinician: npt.NDArray[np.int64]
) -> RulePerformance:
    """Sensitivity, specificity, PPV and lead time of a rule over episodes.

    Parameters
    ----------
    flagged : (n,) bool
        Whether the rule ever spoke of the episode.
    positive : (n,) bool
        Whether the episode ended as the rule warns of.
    lead : (n,) float
        Sessions from the first flag to the last session; NaN where never flagged.
    clinician : (n,) int
        Who treated at the end.

    Returns
    -------
    RulePerformance

    Raises
    ------
    ValueError
        If the arrays differ in length.

    Notes
    -----
    Cluster bootstrap: Davison and Hinkley, Bootstrap Methods and their Application (1997),
    section 3.8. 1,000 draws with a fixed seed: the same history gives the same interval.
    """
    if not len(flagged) == len(positive) == len(lead) == len(clinician):
        raise ValueError("every episode needs a flag, an ending, a lead and a clinician")
    n = len(flagged)
    several = len(np.unique(clinician)) >= FEWEST_CLINICIANS
    groups = np.unique(clinician, return_inverse=True)[1] if several else np.arange(n)
    counts = np.zeros((int(groups.max(initial=-1)) + 1, 4))
    cell = np.where(positive, np.where(flagged, 0, 1), np.where(flagged, 2, 3))
    np.add.at(counts, (groups, cell), 1.0)
    totals = counts.sum(axis=0)
    caught, missed, false = (int(value) for value in totals[:3])
    if len(counts):
        weights = np.random.default_rng(_SEED).multinomial(
            len(counts), np.full(len(counts), 1 / len(counts)), size=DRAWS
        )
        drawn = weights @ counts
    else:
        drawn = np.zeros((0, 4))

    def share(top: int, other: int) -> Share:
        seen = _share(totals[[top]], totals[[top]] + totals[[other]])
        return _interval(float(seen[0]), _share(drawn[:, top], drawn[:, top] + drawn[:, other]))

    leads = lead[flagged & positive]
    return RulePerformance(
        episodes=n,
        positives=caught + missed,
        caught=caught,
        missed=missed,
        false=false,
        sensitivity=share(0, 1),
        specificity=share(3, 2),
        ppv=share(0, 2),
        lead=float(np.median(leads)) if leads.size else float("nan"),
        resampled="clinicians" if several else "clients",
    )
