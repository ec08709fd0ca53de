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
from scipy.optimize import minimize

from .patterns import Batch, FloatArray, IntArray, batches_of, split_intake

SMALL_SAMPLE = 200  # below it the uncertainty of beta widens the band
STARTS = (0.5, 0.9)
FEWEST_CLIENTS = 5
FEWEST_ROWS = 12
LOG_LOW, LOG_HIGH = -14.0, 14.0


class NotEnoughData(ValueError):
    """Too few clients, rows or differences between scores to fit a model."""


class NotConverged(RuntimeError):
    """The optimiser found no optimum; the last good model is to be kept."""


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
        """Provenance in words: provisional under 50 clients."""
        kind = "own data" if self.clients >= 50 else "provisional (own data"
        return (
            f"{kind} (n = {self.clients})" if self.clients >= 50 else f"{kind} n = {self.clients})"
        )


class _Likelihood:
    """-2 log REML and its gradient over (l0, l1, l2, log va, logit phi, log ve).

    D = C C' with C = [[l0, 0], [l1, l2]].
    """

    def __init__(self, batches: Sequence[Batch], with_ar: bool) -> None:
        self.batches = batches
        self.with_ar = with_ar
        self.rows = float(sum(b.n.sum() * b.t.shape[1] for b in batches))
        self.basis = [np.stack([np.ones_like(b.t), np.log(b.t)], 2) for b in batches]
        self.lags = [np.abs(b.t[:, :, None] - b.t[:, None, :]) for b in batches]

    def unpack(self, theta: FloatArray) -> tuple[FloatArray, float, float, float]:
        c = np.array([[theta[0], 0.0], [theta[1], theta[2]]])
        va = float(np.exp(theta[3])) if self.with_ar else 0.0
        phi = float(1 / (1 + np.exp(-theta[4]))) if self.with_ar else 0.0
        return c @ c.T, va, phi, float(np.exp(theta[5]))

    def _inverses(self, theta: FloatArray) -> tuple[list[FloatArray], float]:
        d, va, phi, ve = self.unpack(theta)
        inverses, logdet = [], 0.0
        for batch, z, lag in zip(self.batches, self.basis, self.lags, strict=True):
            v = z @ d @ z.transpose(0, 2, 1)
            if self.with_ar:
                v = v + va * phi**lag
            index = np.arange(v.shape[1])
            v[:, index, index] += ve
            factor = np.linalg.cholesky(v)
            logdet += 2 * float(batch.n @ np.log(factor[:, index, index]).sum(axis=1))
            inverses.append(np.linalg.inv(v))
        return inverses, logdet

    def fixed(self, inverses: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
        """(X'V^-1X, X'V^-1y), summed over clients; columns ordered b0, b1, b2, b3."""
        xvx, xvy = np.zeros((4, 4)), np.zeros(4)
        for batch, z, a in zip(self.batches, self.basis, inverses, strict=True):
            az = a @ z
            zaz = z.transpose(0, 2, 1) @ az
            xvx += np.einsum("pkl,pij->kilj", zaz, batch.moments).reshape(4, 4)
            xvy += np.einsum("pmk,pmj->kj", az, batch.cross).reshape(4)
        return xvx, xvy

    def value(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """The criterion and its gradient at `theta`."""
        inverses, logdet = self._inverses(theta)
        xvx, xvy = self.fixed(inverses)
        covariance = np.linalg.inv(xvx)
        beta = covariance @ xvy
        b = beta.reshape(2, 2)
        c4 = covariance.reshape(2, 2, 2, 2)
        _d, va, phi, ve = self.unpack(theta)
        total = logdet + float(np.linalg.slogdet(xvx)[1]) + (self.rows - 4) * np.log(2 * np.pi)
        by_d, by_va, by_phi, by_ve = np.zeros((2, 2)), 0.0, 0.0, 0.0
        for batch, z, lag, a in zip(self.batches, self.basis, self.lags, inverses, strict=True):
            f = z @ b
            sf = batch.cross @ f.transpose(0, 2, 1)
            residual = (
                batch.squares
                - sf
                - sf.transpose(0, 2, 1)
                + f @ batch.moments @ f.transpose(0, 2, 1)
            )
            total += float(np.einsum("pmn,pmn->", a, residual))
            k = np.einsum("kilj,pij->pkl", c4, batch.moments)
            w = residual + z @ k @ z.transpose(0, 2, 1)
            g = batch.n[:, None, None] * a - a @ w @ a
            by_d += np.einsum("pmk,pmn,pnl->kl", z, g, z, optimize=True)
            by_ve += float(np.einsum("pmm->", g))
            if self.with_ar:
                decay = phi**lag
                by_va += float(np.einsum("pmn,pmn->", g, decay))
                slope = np.where(lag > 0, lag * phi ** np.maximum(lag - 1, 0), 0.0)
                by_phi += va * float(np.einsum("pmn,pmn->", g, slope))
        c = np.array([[theta[0], 0.0], [theta[1], theta[2]]])
        by_c = 2 * by_d @ c
        gradient = np.array(
            [
                by_c[0, 0],
                by_c[1, 0],
                by_c[1, 1],
                by_va * va,
                by_phi * phi * (1 - phi),
                by_ve * ve,
            ]
        )
        return total, gradient


def _start(variance: float, phi: float) -> FloatArray:
    c = np.sqrt(0.4 * variance)
    return np.array(
        [
            c,
            -0.1 * c,
            0.5 * c,
            np.log(0.3 * variance),
            np.log(phi / (1 - phi)),
            np.log(0.2 * variance),
        ]
    )


def _optimise(likelihood: _Likelihood, variance: float) -> Any:
    scale = np.sqrt(variance)
    bounds = [(-20 * scale, 20 * scale)] * 3 + [
        (np.log(variance) + LOG_LOW, np.log(variance) + 4),
        (-8.0, 12.0),
        (np.log(variance) + LOG_LOW, np.log(variance) + 4),
    ]
    best: Any = None
    for phi in STARTS if likelihood.with_ar else STARTS[:1]:
        found = minimize(
            likelihood.value,
            _start(variance, phi),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-6, "maxcor": 20},
        )
        if np.isfinite(found.fun) and (best is None or found.fun < best.fun):
            best = found
    if best is None:
        raise NotConverged("no start led to a finite criterion")
    return best


def fit(
    client: IntArray,
    t: FloatArray,
    score: FloatArray,
    *,
    ar: bool = True,
    prior: Sequence[Batch] = (),
    prior_centre: float | None = None,
    standard_errors: bool = False,
) -> GrowthModel:
    """Fit the expected-change model by exact REML.

    Parameters
    ----------
    client : ndarray of int64, shape (rows,)
        Index of the client, never decreasing.
    t : ndarray, shape (rows,)
        Session number, increasing within a client; the first row of each is its intake.
    score : ndarray, shape (rows,)
        In the measure's units; none NaN.
    ar : bool, default True
        Whether the model has the autocorrelated part.
    prior : sequence of Batch
        Pseudo-clients (see `prior.py`); not counted in `clients`.
    prior_centre : float or None
        Intake centre to use where there is no client at all.
    standard_errors : bool, default False
        Whether to add standard errors of the variance parameters (a numerical Hessian).

    Returns
    -------
    GrowthModel

    Raises
    ------
    NotEnoughData
        Without a prior, under 5 clients or 12 rows after intake, or without any variance.
    NotConverged
        When the optimiser finds no optimum.
    """
    began = time.perf_counter()
    series = split_intake(client, t, score)
    seen = np.bincount(series.client, minlength=len(series.intake)) > 0
    clients, rows = int(seen.sum()), len(series.y)
    if not prior and (clients < FEWEST_CLIENTS or rows < FEWEST_ROWS):
        raise NotEnoughData(f"{clients} clients with {rows} scores after the first: not enough yet")
    if clients:
        centre = float(series.intake.mean())
    elif prior_centre is not None:
        centre = prior_centre
    else:
        raise NotEnoughData("no scores and no centre for the prior")
    batches = [*batches_of(series, centre), *prior]
    variance = _variance(batches)
    if not variance > 1e-9:
        raise NotEnoughData("all scores are equal")
    if not prior and float(np.ptp(series.intake[seen])) < 1e-9:
        raise NotEnoughData("all clients began with the same score")
    likelihood = _Likelihood(batches, ar)
    best = _optimise(likelihood, variance)
    d, va, phi, ve = likelihood.unpack(best.x)
    inverses, _ = likelihood._inverses(best.x)
    xvx, xvy = likelihood.fixed(inverses)
    covariance = np.linalg.inv(xvx)
    beta = covariance @ xvy
    se: dict[str, Any] = {"beta": np.sqrt(np.diag(covariance)).tolist()}
    if standard_errors:
        se |= _standard_errors(likelihood, best.x)
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
    )


def _variance(batches: Sequence[Batch]) -> float:
    """Variance of all rows: the scale of the starting values."""
    n = sum(float(b.n.sum()) * b.t.shape[1] for b in batches)
    total = sum(float(b.cross[:, :, 0].sum()) for b in batches)
    squares = sum(float(np.einsum("pmm->", b.squares)) for b in batches)
    return float(squares / n - (total / n) ** 2)


def _standard_errors(likelihood: _Likelihood, theta: FloatArray) -> dict[str, Any]:
    """Delta-method standard errors from the numerical Hessian of half the criterion.

    A parameter on its boundary (no slope variance, say) has none: None stands for it.
    """
    free = [0, 1, 2, 3, 4, 5] if likelihood.with_ar else [0, 1, 2, 5]
    step = 1e-4 * np.maximum(1.0, np.abs(theta))
    hessian = np.zeros((len(free), len(free)))
    for row, j in enumerate(free):
        up, down = theta.copy(), theta.copy()
        up[j] += step[j]
        down[j] -= step[j]
        difference = likelihood.value(up)[1] - likelihood.value(down)[1]
        hessian[row] = difference[free] / (2 * step[j]) / 2
    hessian = (hessian + hessian.T) / 2
    covariance = np.linalg.pinv(hessian)

    def se_of(gradient: dict[int, float]) -> float | None:
        g = np.array([gradient.get(j, 0.0) for j in free])
        variance = float(g @ covariance @ g)
        return float(np.sqrt(variance)) if variance > 0 else None

    slope = theta[1] ** 2 + theta[2] ** 2
    logs = [
        se_of({0: 2 / theta[0]}) if abs(theta[0]) > 1e-9 else None,
        se_of({1: 2 * theta[1] / slope, 2: 2 * theta[2] / slope}) if slope > 1e-12 else None,
        se_of({3: 1.0}) if likelihood.with_ar else None,
        se_of({5: 1.0}),
    ]
    return {
        "log_variances": logs,
        "logit_phi": se_of({4: 1.0}) if likelihood.with_ar else None,
    }
