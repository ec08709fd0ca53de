"""When care ends: hazards per attended session, and the chance of a gap, week by week.

An ending is an event of one of two causes that compete (the client stops; an agreed end) right
after an attended session. Whether it comes is a matter of the session's number and of what is
known by then. Time since the last session grows *because* a client has stopped, so it must not
be a covariate here: it has landmark rows of its own.

References
----------
.. [1] Tutz, G., & Schmid, M. (2016). Modeling Discrete Time-to-Event Data. Springer.
.. [2] Kaplan, E. L., & Meier, P. (1958). Nonparametric estimation from incomplete observations.
   Journal of the American Statistical Association, 53(282), 457-481.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .logistic import logit, probabilities, ridge_logistic
from .patterns import FloatArray

FEWEST_ENDINGS: Final = 200  # below it endings depend on the session's number alone
SHARE_THAT_STOPS: Final = 0.25
KNOTS: Final = (3.0, 6.0, 12.0, 24.0)
PRIOR_ROWS: Final = 25.0  # at-risk rows that the prior intercept counts as
RIDGE: Final = 50.0  # for each standardised covariate
# These two change along a simulated path: the last score's standardised residual from the
# expected response, and that of the score before it.
PATH_COVARIATES: Final = ("residual", "previous_residual")
WEEKS_AHEAD: Final = 4


def prior_hazard(mean_further_sessions: float, share: float = SHARE_THAT_STOPS) -> float:
    """Hazard a session at which `share` of episodes stop within the usual length.

    Parameters
    ----------
    mean_further_sessions : float
        Mean number of sessions after the first; positive.
    share : float
        Share of episodes that stop, from 0 to below 1.

    Returns
    -------
    float
        ``1 - (1 - share)^(1 / mean_further_sessions)``.

    Raises
    ------
    ValueError
        If one is outside its range.
    """
    if not (mean_further_sessions > 0 and 0 <= share < 1):
        raise ValueError("a prior hazard needs a positive length and a share from 0 to below 1")
    return 1.0 - float((1 - share) ** (1 / mean_further_sessions))


def length_basis(t: npt.ArrayLike) -> FloatArray:
    """Columns for the session number: log t and hinges at sessions 3, 6, 12 and 24.

    Parameters
    ----------
    t : array_like, shape (rows,)
        Session numbers, 1 or more.

    Returns
    -------
    ndarray, shape (rows, 5)
    """
    log_t = np.log(np.asarray(t, dtype=np.float64))
    hinges = [np.maximum(log_t - np.log(knot), 0.0) for knot in KNOTS]
    return np.stack([log_t, *hinges], axis=-1)


@dataclass(frozen=True)
class HazardModel:
    """Hazards of endings at each attended session. Immutable; `to_dict` and `from_dict` invert.

    Attributes
    ----------
    causes : tuple of str
        Names of the competing endings.
    covariates : tuple of str
        Names of what is known at each session beside its number.
    centre, scale : tuple of float
        A covariate enters as (value - centre) / scale.
    coefficients : tuple of tuples of float
        A row a cause: intercept, the five of `length_basis`, then the covariates.
    endings : tuple of int
        Endings of each cause that it was fitted on.
    episodes : int
    """

    causes: tuple[str, ...]
    covariates: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]
    endings: tuple[int, ...]
    episodes: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            name: [list(row) for row in value] if name == "coefficients" else value
            for name, value in self.__dict__.items()
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> HazardModel:
        """The model that `to_dict` wrote."""
        kept: dict[str, Any] = {
            name: tuple(content[name])
            for name in ("causes", "covariates", "centre", "scale", "endings")
        }
        rows = tuple(tuple(row) for row in content["coefficients"])
        return cls(**kept, coefficients=rows, episodes=content["episodes"])

    def probabilities(self, t: npt.ArrayLike, known: npt.ArrayLike = ()) -> FloatArray:
        """Probability of each ending right after the session.

        Parameters
        ----------
        t : array_like, shape (rows,)
            Session numbers.
        known : array_like, shape (rows, covariates)
            NaN where a covariate isn't known: it then says nothing.

        Returns
        -------
        ndarray, shape (rows, causes)
        """
        at = np.atleast_1d(np.asarray(t, dtype=np.float64))
        design = _design(at, self._standardised(known, len(at)))
        return probabilities(design, np.array(self.coefficients))

    def baseline(self, horizon: int) -> FloatArray:
        """Log odds of each cause at sessions 1 to `horizon`, covariates at their centre.

        Returns
        -------
        ndarray, shape (causes, horizon)
        """
        t = np.arange(1.0, horizon + 1)
        design = _design(t, np.zeros((horizon, len(self.covariates))))
        found: FloatArray = np.array(self.coefficients) @ design.T
        return found

    def slope(self, covariate: str) -> FloatArray:
        """Change of each cause's log odds for one unit of a covariate; zeros where it has none.

        Returns
        -------
        ndarray, shape (causes,)
        """
        if covariate not in self.covariates:
            return np.zeros(len(self.causes))
        j = self.covariates.index(covariate)
        found: FloatArray = np.array([row[2 + len(KNOTS) + j] for row in self.coefficients])
        found /= self.scale[j]
        return found

    def path_centres(self) -> FloatArray:
        """What the centres of the path's own covariates add to the log odds, shape (causes,)."""
        found = np.zeros(len(self.causes))
        for name in PATH_COVARIATES:
            if name in self.covariates:
                found += self.slope(name) * self.centre[self.covariates.index(name)]
        return found

    def offsets(self, known: npt.ArrayLike) -> FloatArray:
        """What the covariates that stay as they are along a path add to the log odds.

        Parameters
        ----------
        known : array_like, shape (rows, covariates)
            All of them in the model's order; NaN where not known. The path's own are ignored.

        Returns
        -------
        ndarray, shape (rows, causes)
        """
        table = np.asarray(known, dtype=np.float64)
        z = self._standardised(table, len(table))
        keep = [j for j, name in enumerate(self.covariates) if name not in PATH_COVARIATES]
        weights = np.array([[row[2 + len(KNOTS) + j] for j in keep] for row in self.coefficients])
        found: FloatArray = z[:, keep] @ weights.T
        return found

    def _standardised(self, known: npt.ArrayLike, rows: int) -> FloatArray:
        table = np.asarray(known, dtype=np.float64).reshape(rows, len(self.covariates))
        z: FloatArray = (table - np.array(self.centre)) / np.array(self.scale)
        return np.where(np.isfinite(z), z, 0.0)


def _design(t: FloatArray, standardised: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(len(t)), length_basis(t), standardised])


def fit_hazards(
    t: npt.ArrayLike,
    event: npt.ArrayLike,
    known: npt.ArrayLike = (),
    *,
    causes: tuple[str, ...] = ("stopped", "agreed"),
    covariates: tuple[str, ...] = (),
    episodes: int = 0,
    ridge: float = RIDGE,
    fewest: int = FEWEST_ENDINGS,
) -> HazardModel:
    """Fit the hazards of all causes together.

    Parameters
    ----------
    t : array_like, shape (rows,)
        A row an attended session of each episode: its number, 1 or more.
    event : array_like of int, shape (rows,)
        What came right after the session: 0 nothing (or not known yet), else the cause's number
        from 1.
    known : array_like, shape (rows, covariates)
        What was known at the session; NaN where it wasn't. Its mean stands in.
    causes, covariates : tuple of str
    episodes : int
        For the record.
    ridge : float
        Penalty on each standardised coefficient.
    fewest : int
        Below so many endings the session's number alone counts (`length_only` at least).

    Returns
    -------
    HazardModel

    Notes
    -----
    Every coefficient is drawn towards 0; the intercept towards the hazard at which a quarter of
    the episodes stop within their mean length, with the weight of 25 sessions.
    """
    at = np.asarray(t, dtype=np.float64)
    what = np.asarray(event, dtype=np.int64)
    table = np.asarray(known, dtype=np.float64).reshape(len(at), len(covariates))
    if int((what > 0).sum()) < fewest:
        table, covariates = table[:, :0], ()
    seen = np.isfinite(table)
    counts = np.maximum(seen.sum(axis=0), 1)
    centre = np.where(seen, table, 0.0).sum(axis=0) / counts
    spread = np.sqrt(np.where(seen, (table - centre) ** 2, 0.0).sum(axis=0) / counts)
    scale = np.where(spread > 1e-9, spread, 1.0)
    z = np.where(seen, (table - centre) / scale, 0.0)
    k = 1 + length_basis(at[:0]).shape[1] + z.shape[1]
    further = max(len(at) / max(int((at == 1).sum()), 1) - 1, 1.0)
    h = prior_hazard(further)
    towards = np.zeros((len(causes), k))
    towards[:, 0] = logit(h)
    penalty = np.full((len(causes), k), float(ridge))
    penalty[:, 0] = PRIOR_ROWS * h * (1 - h)
    penalty[:, 1 : 2 + len(KNOTS)] = 1.0  # the session's number is what is known best
    found = ridge_logistic(_design(at, z), what, towards=towards, penalty=penalty)
    return HazardModel(
        causes=causes,
        covariates=covariates,
        centre=tuple(centre.tolist()),
        scale=tuple(scale.tolist()),
        coefficients=tuple(tuple(row) for row in found.tolist()),
        endings=tuple(int((what == 1 + c).sum()) for c in range(len(causes))),
        episodes=episodes,
    )
