"""Exact REML of the expected-change model: criterion, analytic gradient, optimiser.

All that depends on the clients is summed by pattern beforehand (see `patterns.py`), so that one
evaluation costs as much as there are patterns.

References
----------
.. [1] Patterson, H. D., & Thompson, R. (1971). Recovery of inter-block information when block
   sizes are unequal. Biometrika, 58(3), 545-554.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize

from .patterns import Batch, FloatArray

STARTS = (0.5, 0.9)
LOG_LOW, LOG_HIGH = -14.0, 4.0
WORST_CONDITION = 1e10


class NotConverged(RuntimeError):
    """The optimiser found no optimum; the last good model is to be kept."""


class Likelihood:
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

    def inverses(self, theta: FloatArray) -> tuple[list[FloatArray], float]:
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

    def identified(self, variance: float) -> bool:
        """Whether the rows tell the four coefficients apart at all."""
        xvx, _ = self.fixed(self.inverses(_start(variance, STARTS[0]))[0])
        scale = np.sqrt(np.maximum(np.diag(xvx), 0.0))
        if not scale.min() > 1e-9 * scale.max():
            return False
        return bool(np.linalg.cond(xvx / np.outer(scale, scale)) < WORST_CONDITION)

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
        inverses, logdet = self.inverses(theta)
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
            total += float((a * residual).sum())
            k = np.einsum("kilj,pij->pkl", c4, batch.moments)
            w = residual + z @ k @ z.transpose(0, 2, 1)
            g = batch.n[:, None, None] * a - a @ w @ a
            by_d += (z.transpose(0, 2, 1) @ g @ z).sum(axis=0)
            by_ve += float(np.trace(g, axis1=1, axis2=2).sum())
            if self.with_ar:
                decay = phi**lag
                by_va += float((g * decay).sum())
                slope = np.where(lag > 0, lag * phi ** np.maximum(lag - 1, 0), 0.0)
                by_phi += va * float((g * slope).sum())
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


def optimise(likelihood: Likelihood, variance: float, starts: Sequence[float] = STARTS) -> Any:
    """Minimise the criterion by L-BFGS-B and keep the best of some starts.

    Parameters
    ----------
    likelihood : Likelihood
    variance : float
        Of all rows: the scale of starting values and bounds.
    starts : sequence of float
        Values of phi to start from.

    Returns
    -------
    scipy.optimize.OptimizeResult

    Raises
    ------
    NotConverged
        Where no start leads to a finite criterion.
    """
    scale, log_variance = np.sqrt(variance), np.log(variance)
    bounds = [(-20 * scale, 20 * scale)] * 3 + [
        (log_variance + LOG_LOW, log_variance + LOG_HIGH),
        (-8.0, 12.0),
        (log_variance + LOG_LOW, log_variance + LOG_HIGH),
    ]
    best: Any = None
    for phi in starts if likelihood.with_ar else starts[:1]:
        try:
            found = minimize(
                likelihood.value,
                _start(variance, phi),
                jac=True,
                method="L-BFGS-B",
                bounds=bounds,
                options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-6, "maxcor": 20},
            )
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(found.fun) and (best is None or found.fun < best.fun):
            best = found
    if best is None:
        raise NotConverged("no start led to a finite criterion")
    return best


def variance_of(batches: Sequence[Batch]) -> float:
    """Variance of all rows: the scale of the starting values."""
    n = sum(float(b.n.sum()) * b.t.shape[1] for b in batches)
    total = sum(float(b.cross[:, :, 0].sum()) for b in batches)
    squares = sum(float(np.einsum("pmm->", b.squares)) for b in batches)
    return float(squares / n - (total / n) ** 2)


def standard_errors_of(likelihood: Likelihood, theta: FloatArray) -> dict[str, Any]:
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
