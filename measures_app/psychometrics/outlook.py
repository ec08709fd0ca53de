"""How care may end for each client: the mean, the band, and the probability of each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .accuracy import Recalibration
from .bands import AS_DRAWN, Stretch
from .change import ChangeCriteria, direction, on_grid
from .growth import GrowthModel
from .hazards import HazardModel
from .paths import PATHS, Ends, simulate_ends, standing
from .patterns import FloatArray, IntArray

IDENTITY = Recalibration()


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Scores that divide the classes at the end, shape (clients,); NaN where none is attainable.

    Attributes
    ----------
    improved, recovered : ndarray
        A score on the better side of it is reliably better; reliably better and functional.
    deteriorated : ndarray
        A score on the worse side of it is reliably worse.
    """

    improved: FloatArray
    recovered: FloatArray
    deteriorated: FloatArray


@dataclass(frozen=True, slots=True)
class Outlook:
    """The end of care of clients who will be seen again, shape (clients,).

    Attributes
    ----------
    mean, low80, high80 : ndarray
        Last score: mean, 10th and 90th centile, in the measure's units.
    sessions : ndarray
        Mean number of the last session.
    p_not_improved : ndarray
        Of ending without reliable improvement; NaN where no attainable score would be one.
    p_deteriorated : ndarray
        Of ending reliably worse; 0 where no attainable score would be.
    p_recovered : ndarray
        NaN for clients who didn't start on the clinical side.
    """

    mean: FloatArray
    low80: FloatArray
    high80: FloatArray
    sessions: FloatArray
    p_not_improved: FloatArray
    p_deteriorated: FloatArray
    p_recovered: FloatArray


def boundaries(first: npt.ArrayLike, criteria: ChangeCriteria, step: float) -> Boundaries:
    """Where the classes divide, for a score that is continuous in the model and stepped in life.

    Parameters
    ----------
    first : array_like, shape (clients,)
    criteria : ChangeCriteria
    step : float
        Distance between attainable scores; 0 for a continuous scale.

    Returns
    -------
    Boundaries
        The last attainable score in the class plus or minus half a step. Half a step from the
        *threshold* would be another place: with a threshold of 7.59 from 20 on whole points, 12
        is the last score in the class and the boundary 12.5.
    """
    sign = direction(criteria.better)
    start = sign * np.asarray(first, dtype=np.float64)
    ends = [sign * end if end is not None else None for end in (criteria.lowest, criteria.highest)]
    worst, best = ends if sign > 0 else ends[::-1]
    anchor = sign * (criteria.lowest if criteria.lowest is not None else 0.0)
    reach = criteria.reliable_change
    improved = _first_in_class(start + reach, anchor, step, criteria.rc_inclusive)
    worse = -_first_in_class(reach - start, -anchor, step, criteria.rc_inclusive)
    clinical = np.zeros(start.shape, dtype=np.bool_)
    functional = np.full(start.shape, np.nan)
    if criteria.cutoff is not None:
        cutoff = sign * criteria.cutoff
        away = on_grid(start - cutoff)
        clinical = (away < 0) | ((away == 0) & (criteria.at_cutoff == "clinical"))
        edge = _first_in_class(np.array(cutoff), anchor, step, criteria.at_cutoff == "functional")
        functional = np.full(start.shape, float(edge))
    recovered = np.where(clinical, np.maximum(improved, functional), np.nan)
    if best is not None:
        improved = np.where(on_grid(improved) > on_grid(best), np.nan, improved)
        recovered = np.where(on_grid(recovered) > on_grid(best), np.nan, recovered)
    if worst is not None:
        worse = np.where(on_grid(worse) < on_grid(worst), np.nan, worse)
    return Boundaries(
        sign * (improved - step / 2), sign * (recovered - step / 2), sign * (worse + step / 2)
    )


def _first_in_class(limit: FloatArray, anchor: float, step: float, inclusive: bool) -> FloatArray:
    """Lowest attainable score at (or, if not inclusive, above) a limit."""
    if step <= 0:
        return limit
    steps = (limit - anchor) / step
    nearest = np.rint(steps)
    on_a_step = on_grid(anchor + nearest * step) == on_grid(limit)
    beyond = np.where(on_a_step, nearest + (0 if inclusive else 1), np.ceil(steps))
    found: FloatArray = anchor + beyond * step
    return found


def scale_of(criteria: ChangeCriteria) -> tuple[float, float]:
    """Ends of the measure's range; infinite where unknown."""
    return (
        -np.inf if criteria.lowest is None else criteria.lowest,
        np.inf if criteria.highest is None else criteria.highest,
    )


def step_of(scores: npt.ArrayLike) -> float:
    """Distance between attainable scores, as far as the scores show it.

    Parameters
    ----------
    scores : array_like

    Returns
    -------
    float
        The largest of 1, 0.5, 0.1, 0.05 and 0.01 that all scores are multiples of; else 0.
    """
    values = np.asarray(scores, dtype=np.float64)
    for step in (1.0, 0.5, 0.1, 0.05, 0.01):
        if (on_grid(np.rint(values / step) * step) == on_grid(values)).all():
            return step
    return 0.0


def look_ahead(
    model: GrowthModel,
    hazard: HazardModel,
    client: IntArray,
    t: FloatArray,
    score: FloatArray,
    criteria: ChangeCriteria,
    *,
    step: float,
    keys: npt.ArrayLike | None = None,
    known: npt.ArrayLike | None = None,
    shift: FloatArray | None = None,
    not_improved: Recalibration = IDENTITY,
    deteriorated: Recalibration = IDENTITY,
    band: Stretch = AS_DRAWN,
    seed: int = 0,
    paths: int = PATHS,
) -> Outlook:
    """Outlook of open clients from all their scores so far.

    Parameters
    ----------
    model : GrowthModel
    hazard : HazardModel
    client : ndarray of int64, shape (rows,)
        Index of the client, never decreasing.
    t : ndarray, shape (rows,)
        Session numbers, increasing within a client; the first row of each is its intake.
    score : ndarray, shape (rows,)
    criteria : ChangeCriteria
        With the measure's range.
    step : float
        Distance between attainable scores.
    keys : array_like of int or None, shape (clients,)
        Lasting number of each client; the draws depend on it and the seed alone.
    known : array_like or None, shape (clients, covariates)
        What the hazard asks for beside the scores, now.
    shift : ndarray or None, shape (clients,)
        Points that their pace adds to the last score (`Pace.shift`).
    not_improved, deteriorated : Recalibration
    band : Stretch
    seed, paths : int
        At least 100 paths.

    Returns
    -------
    Outlook
    """
    first = score[np.r_[True, client[1:] != client[:-1]]] if len(client) else score[:0]
    ends = simulate_ends(
        model,
        hazard,
        standing(model, client, t, score),
        keys=keys,
        offsets=None if known is None else hazard.offsets(known),
        shift=shift,
        seed=seed,
        paths=paths,
        low=scale_of(criteria)[0],
        high=scale_of(criteria)[1],
    )
    return read_ends(
        ends,
        first,
        criteria,
        step,
        not_improved=not_improved,
        deteriorated=deteriorated,
        band=band,
    )


def read_ends(
    ends: Ends,
    first: npt.ArrayLike,
    criteria: ChangeCriteria,
    step: float,
    *,
    not_improved: Recalibration = IDENTITY,
    deteriorated: Recalibration = IDENTITY,
    band: Stretch = AS_DRAWN,
) -> Outlook:
    """Sum up simulated ends of care; see `look_ahead` for the parameters."""
    border = boundaries(first, criteria, step)
    sign = np.float32(direction(criteria.better))
    score = ends.score
    if not score.size:
        nothing = np.zeros(0)
        return Outlook(*[nothing] * 7)
    drawn = np.quantile(score, [0.1, 0.9], axis=1).astype(np.float64)
    low, high = band.apply(drawn[0], drawn[1], *scale_of(criteria))
    improved = _share(sign * score, sign * border.improved)
    worse = _share(-sign * score, -sign * border.deteriorated)
    return Outlook(
        mean=score.mean(axis=1, dtype=np.float64),
        low80=low,
        high80=high,
        sessions=ends.t.mean(axis=1, dtype=np.float64),
        p_not_improved=not_improved.apply(1 - improved),
        p_deteriorated=np.where(np.isnan(worse), 0.0, deteriorated.apply(worse)),
        p_recovered=np.where(
            np.isnan(border.recovered), np.nan, _share(sign * score, sign * border.recovered)
        ),
    )


def _share(score: npt.NDArray[np.float32], border: FloatArray) -> FloatArray:
    """Share of paths at or beyond a border, half a path from never and always; NaN for NaN."""
    inside = (score >= border.astype(np.float32)[:, None]).sum(axis=1)
    share = (inside + 0.5) / (score.shape[1] + 1.0)
    found: FloatArray = np.where(np.isnan(border), np.nan, share)
    return found
