"""How closely sessions follow one another, and what that says of the last score of care.

The model of expected change counts sessions and knows no calendar. Who is seen more seldom than
others at the same session tends to end a little short of what the scores so far promise: care
that is more frequent helps more and sooner [1]_ [2]_. One number corrects for it, learnt from
clients whom the models hadn't seen: points of the last score for a standard deviation of pace.

References
----------
.. [1] Erekson, D. M., Lambert, M. J., & Eggett, D. L. (2015). The relationship between session
   frequency and psychotherapy outcome in a naturalistic setting. Journal of Consulting and
   Clinical Psychology, 83(6), 1097-1107.
.. [2] Cuijpers, P., Huibers, M., Ebert, D. D., Koole, S. L., & Andersson, G. (2013). How much
   psychotherapy is needed to treat depression? A metaregression analysis. Journal of Affective
   Disorders, 149(1-3), 1-13.
.. [3] Efron, B., & Morris, C. (1973). Stein's estimation rule and its competitors: an empirical
   Bayes approach. Journal of the American Statistical Association, 68(341), 117-130.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .accuracy import FEWEST_CLIENTS
from .patterns import FloatArray, IntArray

FURTHEST: Final = 2.0  # standard deviations that count at most


def pace_of(elapsed: npt.ArrayLike, sessions: npt.ArrayLike) -> FloatArray:
    """Log of the mean time between sessions so far.

    Parameters
    ----------
    elapsed : array_like, shape (clients,)
        Time from the first session to the last so far, in any unit.
    sessions : array_like, shape (clients,)
        Sessions between: the last one's number less the first one's.

    Returns
    -------
    ndarray, shape (clients,)
        NaN where no time went by, or nobody came again.
    """
    time = np.asarray(elapsed, dtype=np.float64)
    count = np.asarray(sessions, dtype=np.float64)
    known = (time > 0) & (count > 0)
    found: FloatArray = np.log(np.where(known, time, np.nan) / np.where(known, count, 1.0))
    return found


@dataclass(frozen=True, slots=True)
class Pace:
    """What a client's pace adds to the forecast of the last score.

    Attributes
    ----------
    points : float
        For a standard deviation more of log time between sessions; 0 where nothing is known.
    centre : tuple of float
        The usual pace: intercept and slope in the log of the session's number, which it varies
        with.
    scale : float
        Standard deviation about it.
    clients : int
        Ended clients it was learnt from.
    """

    points: float = 0.0
    centre: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    clients: int = 0

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Pace:
        """The one whose fields `dataclasses.asdict` wrote, as JSON gives them back."""
        level, slope = content["centre"]
        return cls(content["points"], (level, slope), content["scale"], content["clients"])

    def shift(self, pace: npt.ArrayLike, t: npt.ArrayLike) -> FloatArray:
        """Points that a pace adds, shape (clients,).

        Parameters
        ----------
        pace : array_like, shape (clients,)
            As `pace_of`; NaN adds nothing. Beyond two standard deviations counts as two.
        t : array_like, shape (clients,)
            Number of the last session so far.
        """
        usual = self.centre[0] + self.centre[1] * np.log(np.asarray(t, dtype=np.float64))
        z = (np.asarray(pace, dtype=np.float64) - usual) / self.scale
        found: FloatArray = self.points * np.clip(np.nan_to_num(z, nan=0.0), -FURTHEST, FURTHEST)
        return found


NO_PACE: Final = Pace()


def fit_pace(
    pace: FloatArray, t: FloatArray, error: FloatArray, client: IntArray, clients: int
) -> Pace:
    """Learn what pace adds from looks at clients whom the models hadn't seen.

    Parameters
    ----------
    pace, t : ndarray, shape (looks,)
        As `Pace.shift`.
    error : ndarray, shape (looks,)
        The last score that came less its forecast, in the measure's units.
    client : ndarray of int64, shape (looks,)
        Whose look it is; a client may have several.
    clients : int
        Different ended clients among them.

    Returns
    -------
    Pace
        The least-squares number, drawn towards nothing by how uncertain it is (positive-part
        James-Stein, with a standard error that is robust to what a client's looks share): none
        that is smaller than its standard error. None for fewer than 100 clients either, and
        where all are seen at one pace.
    """
    known = np.isfinite(pace) & np.isfinite(error)
    if clients < FEWEST_CLIENTS or not known.any():
        return NO_PACE
    own, log_t, left = pace[known], np.log(t[known]), error[known] - error[known].mean()
    design = np.column_stack([np.ones(len(own)), log_t])
    (level, slope), *_ = np.linalg.lstsq(design, own, rcond=None)
    apart = own - design @ np.array([level, slope])
    scale = float(apart.std())
    if scale < 1e-9:
        return NO_PACE
    found = Pace(1.0, (float(level), float(slope)), scale, clients)
    z = found.shift(own, t[known])
    z -= z.mean()
    least_squares = float(z @ left) / float(z @ z)
    _, whose = np.unique(client[known], return_inverse=True)
    sums = np.bincount(whose, weights=z * (left - least_squares * z))
    uncertain = float(sums @ sums) / max(float(z @ left) ** 2, 1e-12)
    return Pace(max(1 - uncertain, 0.0) * least_squares, found.centre, scale, clients)
