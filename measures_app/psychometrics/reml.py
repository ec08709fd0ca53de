"""Exact REML of the expected-change model: criterion, analytic gradient, optimiser.

All that depends on the clients is summed by pattern beforehand (see `patterns.py`), so that one
evaluation costs as much as there are patterns.

References
----------
.. [1] Patterson, H. D., & Thompson, R. (1971). Recovery of inter-block information when block
   sizes are unequal. Biometrika, 58(3), 545-554.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize

from .patterns import Batch, FloatArray

STARTS = (0.5, 0.9)
LOG_LOW, LOG_HIGH = -14.0, 4.0
WORST_CONDITION = 1e10
PATTERNS_TO_START = 500
CACHED = 32_768  # numbers
OPTIONS: Any = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-6, "maxcor": 20}


class NotConverged(RuntimeError):
    """The optimiser found no optimum; the last good model is to be kept."""


def _lags(batch: Batch) -> FloatArray:
    found: FloatArray = np.abs(batch.t[:, :, None] - batch.t[:, None, :])
    return found


def _cut(batch: Batch) -> Iterator[Batch]:
    """Portions of a batch whose matrices fit a processor's cache together."""
    size = max(CACHED // batch.t.shape[1] ** 2, 1)
    for start in range(0, len(batch.t), size):
        part = slice(start, start + size)
        yield Batch(batch.t[part], batch.moments[part], batch.cross[part], batch.squares[part])


class Likelihood:
    """-2 log REML and its gradient over (l0, l1, l2, log va, logit phi, log ve).

    D = C C' with C = [[l0, 0], [l1, l2]].
    """

    def __init__(self, batches: Sequence[Batch], with_ar: bool) -> None:
        self.whole = batches
        self.batches = [part for batch in batches for part in _cut(batch)]
        self.with_ar = with_ar
        self.rows = float(sum(b.n.sum() * b.t.shape[1] for b in batches))
        self.basis = [np.stack([np.ones_like(b.t), np.log(b.t)], 2) for b in self.batches]
        # A power costs a hundred times a lookup, and lags are few: keep each lag's place.
        at = np.unique(np.concatenate([np.unique(b.t) for b in batches]))
        spans: FloatArray = np.unique(np.abs(at[:, None] - at))
        self.lags = spans
        self.places = [
            np.searchsorted(spans, _lags(batch)).astype(np.int16) for batch in self.batches
        ]

    def unpack(self, theta: FloatArray) -> tuple[FloatArray, float, float, float]:
        c = np.array([[theta[0], 0.0], [theta[1], theta[2]]])
        va = float(np.exp(theta[3])) if self.with_ar else 0.0
        phi = float(1 / (1 + np.exp(-theta[4]))) if self.with_ar else 0.0
        return c @ c.T, va, phi, float(np.exp(theta[5]))

    def inverses(self, theta: FloatArray) -> tuple[list[FloatArray], float]:
        d, va, phi, ve = self.unpack(theta)
        inverses, logdet = [], 0.0
        covariance = va * phi**self.lags
        for batch, z, place in zip(self.batches, self.basis, self.places, strict=True):
            v = z @ d @ z.transpose(0, 2, 1)
            if self.with_ar:
                v += covariance[place]
            index = np.arange(v.shape[1])
            v[:, index, index] += ve
            factor = np.linalg.cholesky(v)
            logdet += 2 * float(batch.n @ np.log(factor[:, index, index]).sum(axis=1))
            inverses.append(np.linalg.inv(v))
        return inverses, logdet

    def thinned(self) -> Likelihood | None:
        """The criterion of every so-many-th pattern; None where there aren't many."""
        stride = sum(len(b.t) for b in self.batches) // PATTERNS_TO_START
        if stride < 2:
            return None
        parts = [
            Batch(b.t[::stride], b.moments[::stride], b.cross[::stride], b.squares[::stride])
            for b in self.whole
        ]
        return Likelihood(parts, self.with_ar)

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
        by_d, by_ve = np.zeros((2, 2)), 0.0
        by_lag = np.zeros(len(self.lags))
        for batch, z, place, a in zip(self.batches, self.basis, self.places, inverses, strict=True):
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
                by_lag += np.bincount(place.ravel(), g.ravel(), minlength=len(by_lag))
        by_va = by_phi = 0.0
        if self.with_ar:
            by_va = float(by_lag @ phi**self.lags)
            apart = self.lags > 0
            lag = self.lags[apart]
            by_phi = va * float((by_lag[apart] * lag) @ phi ** (lag - 1))
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
    few = likelihood.thinned()
    begin = [_start(variance, phi) for phi in starts]
    if few is None:
        return _best_of(likelihood, variance, begin)
    # So many patterns that a part of them shows where to start and how the criterion bends.
    near = _best_of(few, variance, begin).x
    try:
        bends, axes = np.linalg.eigh(_hessian(few, near) * (likelihood.rows / few.rows))
        root = axes / np.sqrt(np.maximum(bends, 1e-6 * bends.max()))
        return _polished(likelihood, variance, near, root)
    except np.linalg.LinAlgError:
        return _best_of(likelihood, variance, [near])


def _bounds(variance: float) -> list[tuple[float, float]]:
    scale, log_variance = float(np.sqrt(variance)), float(np.log(variance))
    of_variances = (log_variance + LOG_LOW, log_variance + LOG_HIGH)
    return [(-20 * scale, 20 * scale)] * 3 + [of_variances, (-8.0, 12.0), of_variances]


def _best_of(likelihood: Likelihood, variance: float, begin: Sequence[FloatArray]) -> Any:
    best: Any = None
    for values in begin if likelihood.with_ar else begin[:1]:
        try:
            found = minimize(
                likelihood.value,
                values,
                jac=True,
                method="L-BFGS-B",
                bounds=_bounds(variance),
                options=OPTIONS,
            )
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(found.fun) and (best is None or found.fun < best.fun):
            best = found
    if best is None:
        raise NotConverged("no start led to a finite criterion")
    return best


def _polished(likelihood: Likelihood, variance: float, near: FloatArray, root: FloatArray) -> Any:
    """Search from nearby, in coordinates in which the criterion bends alike in all directions."""
    low, high = np.array(_bounds(variance)).T

    def theta_of(z: FloatArray) -> FloatArray:
        theta: FloatArray = np.clip(near + root @ z, low, high)
        return theta

    def within(z: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = likelihood.value(theta_of(z))
        return value, root.T @ gradient

    # A unit here is about a standard error: a thousandth of one is near enough.
    options: Any = {**OPTIONS, "gtol": 1e-3}
    found = minimize(within, np.zeros(len(near)), jac=True, method="L-BFGS-B", options=options)
    found.x = theta_of(found.x)
    return found


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
    hessian = _hessian(likelihood, theta)[np.ix_(free, free)] / 2
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


def _hessian(likelihood: Likelihood, theta: FloatArray) -> FloatArray:
    """Second derivatives of the criterion, from differences of its gradient."""
    step = 1e-4 * np.maximum(1.0, np.abs(theta))
    rows = [
        (likelihood.value(theta + e)[1] - likelihood.value(theta - e)[1]) / (2 * e.sum())
        for e in np.diag(step)
    ]
    found: FloatArray = np.array(rows)
    return (found + found.T) / 2
