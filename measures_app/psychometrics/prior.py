"""A published or pooled prior as pseudo-clients inside the same likelihood.

A clinic with ten clients needs a curve too, and a separate mode for small clinics would jump on
the day it is left. So the prior enters as `weight` pseudo-clients whose sums are those that a
model expects: with no client at all the fit gives the prior back, and each real client moves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .patterns import Batch

if TYPE_CHECKING:
    from .growth import GrowthModel

WEIGHT: Final = 25.0  # a published prior
WEIGHT_GUESS: Final = 10.0  # where the prior is only a guess
WEIGHT_POOLED: Final = 100.0  # the pooled model as prior of a stratum
SESSIONS: Final = np.arange(2.0, 13.0)


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed before the clinic's own data.

    Attributes
    ----------
    centre : float
        Mean intake that the coefficients refer to, in the measure's units.
    intake_sd : float
        Standard deviation of intakes in the prior's population; positive.
    beta : tuple of 4 floats
        b0, b1, b2, b3.
    D : tuple of 2 tuples of 2 floats
    phi, ar_variance, noise_variance : float
    weight : float
        Number of pseudo-clients; never counted in a model's `clients`.
    """

    centre: float
    intake_sd: float
    beta: tuple[float, ...]
    D: tuple[tuple[float, ...], ...]
    phi: float
    ar_variance: float
    noise_variance: float
    weight: float = WEIGHT

    def __post_init__(self) -> None:
        """Refuse what is no model: the fit would break far from the cause."""
        values = np.r_[self.centre, self.intake_sd, self.weight, self.beta, np.ravel(self.D)]
        values = np.r_[values, self.phi, self.ar_variance, self.noise_variance]
        if len(self.beta) != 4 or np.shape(self.D) != (2, 2):
            raise ValueError("a prior has four coefficients and a D of two by two")
        if not np.isfinite(values).all():
            raise ValueError("a prior's numbers must be finite")
        if not (self.intake_sd > 0 and self.weight > 0 and self.noise_variance > 0):
            raise ValueError("a prior's intake_sd, weight and noise_variance must be positive")
        if not (0 <= self.phi < 1 and self.ar_variance >= 0):
            raise ValueError("a prior's phi lies from 0 to below 1, its ar_variance from 0 up")
        if np.linalg.eigvalsh(np.array(self.D)).min() < -1e-9:
            raise ValueError("a prior's D must be a covariance matrix")

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Prior:
        """Read a prior from plain values: a stored model serves, with or without a weight.

        Parameters
        ----------
        content : dict
            ``intake_centre``, ``intake_sd``, ``beta``, ``D``, ``phi``, ``ar_variance``,
            ``noise_variance``; optionally ``weight``.

        Raises
        ------
        ValueError
            Naming what is missing or no number.
        """
        names = {
            "centre": "intake_centre",
            "intake_sd": "intake_sd",
            "phi": "phi",
            "ar_variance": "ar_variance",
            "noise_variance": "noise_variance",
        }
        missing = [n for n in (*names.values(), "beta", "D") if content.get(n) is None]
        if missing:
            raise ValueError(f"a prior needs {', '.join(missing)}")
        try:
            return cls(
                **{field: float(content[name]) for field, name in names.items()},
                beta=tuple(float(b) for b in content["beta"]),
                D=tuple(tuple(float(d) for d in row) for row in content["D"]),
                weight=float(content.get("weight", WEIGHT)),
            )
        except TypeError:
            raise ValueError("a prior's values must be numbers") from None

    @classmethod
    def of(cls, model: GrowthModel, weight: float = WEIGHT_POOLED) -> Prior:
        """Take a fitted model as prior: the pooled one for a stratum."""
        return cls.from_dict({**model.to_dict(), "weight": weight})

    def batch(self, centre: float) -> Batch:
        """Pseudo-clients for a clinic whose mean intake is `centre`.

        Parameters
        ----------
        centre : float
            In the measure's units.

        Returns
        -------
        Batch
            One pattern, sessions 2 to 12.

        Notes
        -----
        Sums of squares at their expectation would inflate D, because REML takes off what the
        fixed effects explain, once for the intercept and once for the intake: the last term of
        `squares` takes off as much beforehand.
        """
        n0, delta = self.weight, centre - self.centre
        z = np.stack([np.ones_like(SESSIONS), np.log(SESSIONS)], axis=1)
        lag = np.abs(SESSIONS[:, None] - SESSIONS[None, :])
        v = z @ np.array(self.D) @ z.T + self.ar_variance * np.power(self.phi, lag)
        v = v + self.noise_variance * np.eye(len(SESSIONS))
        b = np.array(self.beta).reshape(2, 2) @ np.array([[1.0, delta], [0.0, 1.0]]).T
        moments = n0 * np.array([[1.0, -delta], [-delta, self.intake_sd**2 + delta**2]])
        mean = z @ b
        taken_off = z @ np.linalg.inv(z.T @ np.linalg.solve(v, z)) @ z.T
        squares = n0 * v + mean @ moments @ mean.T - 2 * taken_off
        return Batch(SESSIONS[None], moments[None], (mean @ moments)[None], squares[None])
