"""The expected-change model: exact REML for growth in log session number with AR(1) and noise.

For sessions t >= 2, with x the intake minus its centre and L = log t::

    y_t = b0 + b1 x + b2 L + b3 x L + u0 + u1 L + a_t + e_t

(u0, u1) normal with covariance D, Cov(a_t, a_s) = va phi^|t-s|, e_t independent with variance ve.

References
----------
.. [1] Patterson, H. D., & Thompson, R. (1971). Recovery of inter-block information when block
   sizes are unequal. Biometrika, 58(3), 545-554.
.. [2] Pinheiro, J. C., & Bates, D. M. (2000). Mixed-Effects Models in S and S-PLUS. Springer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .patterns import FloatArray, IntArray, batches_of, split_intake
from .prior import Prior
from .reml import STARTS, Likelihood, NotConverged, optimise, standard_errors_of, variance_of

PROVISIONAL = 50  # below it a curve is labelled provisional
SMALL_SAMPLE = 200  # below it the uncertainty of beta widens the band
FEWEST_CLIENTS = 5
FEWEST_ROWS = 12


__all__ = ["GrowthModel", "NotConverged", "NotEnoughData", "fit"]


class NotEnoughData(ValueError):
    """Too few clients, rows or differences between scores to fit a model."""


@dataclass(frozen=True)
class GrowthModel:
    """A fitted model. Immutable; `to_dict` and `from_dict` are inverse.

    Attributes
    ----------
    clients, rows : int
        Clients with a score after intake, and their rows after intake; pseudo-clients apart.
    intake_centre : float
        Mean intake of the clients, in the measure's units.
    beta : tuple of 4 floats
        b0, b1, b2, b3.
    D : tuple of 2 tuples of 2 floats
        Covariance of intercept and slope.
    phi, ar_variance, noise_variance : float
    beta_covariance : tuple of 4 tuples of 4 floats
    minus_2_reml : float
    se : dict
        ``beta`` (4), ``log_variances`` (D00, D11, AR, noise) and ``logit_phi``; empty where not
        asked for.
    seconds : float
        What the fit took.
    intake_sd : float
        Standard deviation of the intakes; that of the prior where they don't differ.
    spread : float
        How the scatter grows with the intake, see `spread.py`; 0 is the reference model.
    """

    clients: int
    rows: int
    intake_centre: float
    beta: tuple[float, ...]
    D: tuple[tuple[float, ...], ...]
    phi: float
    ar_variance: float
    noise_variance: float
    beta_covariance: tuple[tuple[float, ...], ...]
    minus_2_reml: float
    se: dict[str, Any]
    seconds: float = 0.0
    intake_sd: float = 0.0
    spread: float = 0.0

    def within(self, x: FloatArray) -> FloatArray:
        """Centred intakes, kept within two standard deviations: beyond, the scatter stays."""
        reach = 2 * self.intake_sd
        found: FloatArray = np.clip(x, -reach, reach)
        return found

    def factor(self, x: FloatArray) -> FloatArray:
        """What a client's standard deviations are of the model's, by centred intake."""
        found: FloatArray = np.exp(self.spread * self.within(x))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **self.__dict__,
            "beta": list(self.beta),
            "D": [list(row) for row in self.D],
            "beta_covariance": [list(row) for row in self.beta_covariance],
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> GrowthModel:
        """The model that `to_dict` wrote."""
        kept = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        kept["beta"] = tuple(kept["beta"])
        for name in ("D", "beta_covariance"):
            kept[name] = tuple(tuple(row) for row in kept[name])
        return cls(**kept)

    def label(self) -> str:
        """Provenance in words: the prior's, provisional under 50 clients, or own data."""
        if self.clients == 0:
            return "published prior"
        if self.clients < PROVISIONAL:
            return f"provisional (own data n = {self.clients})"
        return f"own data (n = {self.clients})"


def fit(
    client: IntArray,
    t: FloatArray,
    score: FloatArray,
    *,
    ar: bool = True,
    prior: Prior | None = None,
    starts: Sequence[float] = STARTS,
    standard_errors: bool = False,
) -> GrowthModel:
    """Fit the expected-change model by exact REML.

    Parameters
    ----------
    client : ndarray of int64, shape (rows,)
        Index of the client, never decreasing.
    t : ndarray, shape (rows,)
        Session number, increasing within a client; the first row of each is its intake, the
        others are 1 or more.
    score : ndarray, shape (rows,)
        In the measure's units; none NaN.
    ar : bool, default True
        Whether the model has the autocorrelated part.
    prior : Prior or None
        Pseudo-clients inside the likelihood; not counted in `clients`.
    starts : sequence of float
        Values of phi to start from; the better optimum is kept. One alone is quicker and may
        find the lesser of two.
    standard_errors : bool, default False
        Whether to add standard errors of the variance parameters (a numerical Hessian).

    Returns
    -------
    GrowthModel

    Raises
    ------
    NotEnoughData
        Without a prior, under 5 clients or 12 rows after intake, or where the scores don't tell
        the four coefficients apart; with or without one, without any variance.
    NotConverged
        When the optimiser finds no optimum.
    ValueError
        For a missing score, or a session number below 1 after intake.
    """
    began = time.perf_counter()
    series = split_intake(client, t, score)
    if not (np.isfinite(series.y).all() and np.isfinite(series.intake).all()):
        raise ValueError("scores must be numbers, none missing")
    if not (series.t >= 1).all():
        raise ValueError("session numbers after intake must be 1 or more")
    seen = np.bincount(series.client, minlength=len(series.intake)) > 0
    clients, rows = int(seen.sum()), len(series.y)
    if prior is None and (clients < FEWEST_CLIENTS or rows < FEWEST_ROWS):
        few, said = ("" if n == 1 else "s" for n in (clients, rows))
        raise NotEnoughData(
            f"{clients} client{few} with {rows} score{said} after the first: not enough yet"
        )
    centre = prior.centre if prior is not None and not clients else float(series.intake.mean())
    batches = batches_of(series, centre)
    if prior is not None:
        batches.append(prior.batch(centre))
    variance = variance_of(batches)
    if not variance > 1e-9:
        raise NotEnoughData("all scores are equal")
    likelihood = Likelihood(batches, ar)
    if not likelihood.identified(variance):
        raise NotEnoughData(
            "first scores or session numbers are too much alike to tell their effects apart"
        )
    best = optimise(likelihood, variance, starts)
    d, va, phi, ve = likelihood.unpack(best.x)
    inverses, _ = likelihood.inverses(best.x)
    xvx, xvy = likelihood.fixed(inverses)
    covariance = np.linalg.inv(xvx)
    beta = covariance @ xvy
    se: dict[str, Any] = {"beta": np.sqrt(np.diag(covariance)).tolist()}
    if standard_errors:
        se |= standard_errors_of(likelihood, best.x)
    intake_sd = float(series.intake.std(ddof=1)) if len(series.intake) > 1 else 0.0
    return GrowthModel(
        clients=clients,
        rows=rows,
        intake_centre=centre,
        beta=tuple(beta.tolist()),
        D=tuple(tuple(row) for row in d.tolist()),
        phi=phi,
        ar_variance=va,
        noise_variance=ve,
        beta_covariance=tuple(tuple(row) for row in covariance.tolist()),
        minus_2_reml=float(best.fun),
        se=se,
        seconds=time.perf_counter() - began,
        intake_sd=intake_sd or (prior.intake_sd if prior is not None else 0.0),
    )
