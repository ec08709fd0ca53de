"""The end of care by simulated joint paths, with the hazard of an ending at each session.

Who ends care when depends on how it goes, so the class at the end isn't the forecast at any one
session. Each client's future is drawn many times: scores session by session from the model given
the scores so far, and after each session perhaps the end. The draws of a client depend on the
seed and the client's own key alone: the same client gets the same numbers in any company.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from .growth import SMALL_SAMPLE, GrowthModel
from .hazards import PATH_COVARIATES, HazardModel
from .patterns import FloatArray, IntArray, same_sessions, split_intake

Words: TypeAlias = npt.NDArray[np.uint64]
Singles: TypeAlias = npt.NDArray[np.float32]

PATHS: Final = 100
HORIZON: Final = 60  # sessions ahead, after which a path is read where it stands
BLOCK: Final = 40_000  # paths at a time: what fits a processor's cache
_NORMAL: Final[Singles] = ndtri((np.arange(65_536) + 0.5) / 65_536).astype(np.float32)
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the scores so far say of each client: the state a path starts from.

    Attributes
    ----------
    t : ndarray, shape (clients,)
        Sessions attended so far: that of the last score, or later.
    away : ndarray, shape (clients,)
        The last score minus the expected response; 0 at intake.
    factor : ndarray, shape (clients,)
        The client's standard deviations as a multiple of the model's.
    line : ndarray, shape (clients, 2)
        Expected response: intercept and slope in log t.
    mean : ndarray, shape (clients, 3)
        Of intercept and slope minus the line's, and the autocorrelated part at `t`, given the
        scores; divided by `factor`.
    root : ndarray, shape (clients, 3, 3)
        Lower root of their covariance.

    Notes
    -----
    In units of `factor` all clients share one covariance.
    """

    t: FloatArray
    away: FloatArray
    factor: FloatArray
    line: FloatArray
    mean: FloatArray
    root: FloatArray


@dataclass(frozen=True, slots=True)
class Ends:
    """Scores at the end of care, one a path.

    Attributes
    ----------
    score : ndarray of float32, shape (clients, paths)
        In the measure's units, kept on the scale.
    t : ndarray of int16, shape (clients, paths)
        Number of the last session.
    """

    score: Singles
    t: npt.NDArray[np.int16]


def standing(
    model: GrowthModel,
    client: IntArray,
    t: FloatArray,
    score: FloatArray,
    *,
    now: npt.ArrayLike | None = None,
) -> Standing:
    """State of each client given the scores so far.

    Parameters
    ----------
    model : GrowthModel
    client : ndarray of int64, shape (rows,)
        Index of the client, never decreasing.
    t : ndarray, shape (rows,)
        Session numbers, increasing within a client; the first row of each is its intake.
    score : ndarray, shape (rows,)
    now : array_like or None, shape (clients,)
        Sessions attended so far, where some came after the last score.

    Returns
    -------
    Standing
        One entry a client, in the order of the rows. A client with an intake alone stands on
        the expected response.
    """
    series = split_intake(client, t, score)
    n = len(series.intake)
    x = series.intake - model.intake_centre
    b0, b1, b2, b3 = model.beta
    line = np.stack([b0 + b1 * x, b2 + b3 * x], axis=1)
    prior = np.zeros((3, 3))
    prior[:2, :2] = model.D
    prior[2, 2] = model.ar_variance
    uncertain = np.array(model.beta_covariance) if model.clients < SMALL_SAMPLE else None
    last, away = np.ones(n), np.zeros(n)
    factor = model.factor(x)
    mean = np.zeros((n, 3))
    covariance = np.broadcast_to(prior, (n, 3, 3)).copy()
    if uncertain is not None:
        covariance += _spread(_line_design(x) / factor[:, None, None], uncertain)
    for members, rows in same_sessions(series):
        pattern_t, group = np.unique(series.t[rows], axis=0, return_inverse=True)
        group = group.reshape(-1)
        basis = np.stack([np.ones_like(pattern_t), np.log(pattern_t)], axis=2)
        lag = np.abs(pattern_t[:, :, None] - pattern_t[:, None, :])
        v = basis @ np.array(model.D) @ basis.transpose(0, 2, 1)
        v = v + model.ar_variance * np.power(model.phi, lag)
        v += model.noise_variance * np.eye(lag.shape[1])
        # Covariance of (intercept, slope, autocorrelated part now) with the scores seen.
        cross = np.concatenate(
            [
                np.array(model.D) @ basis.transpose(0, 2, 1),
                model.ar_variance * np.power(model.phi, lag[:, -1:, :]),
            ],
            axis=1,
        )
        gain = np.linalg.solve(v, cross.transpose(0, 2, 1)).transpose(0, 2, 1)
        left = prior - gain @ cross.transpose(0, 2, 1)
        expected = np.einsum("nmk,nk->nm", basis[group], line[members])
        residual = (series.y[rows] - expected) / factor[members, None]
        mean[members] = np.einsum("nkm,nm->nk", gain[group], residual)
        covariance[members] = left[group]
        last[members] = series.t[rows[:, -1]]
        away[members] = residual[:, -1] * factor[members]
        if uncertain is not None:
            design = _line_design(x[members]) / factor[members, None, None]
            seen = np.einsum("nmk,nkb->nmb", basis[group], design[:, :2])
            covariance[members] += _spread(design - gain[group] @ seen, uncertain)
    at = last if now is None else np.asarray(now, dtype=np.float64)
    decay = np.power(model.phi, at - last)
    mean[:, 2] *= decay
    covariance[:, 2, :] *= decay[:, None]
    covariance[:, :, 2] *= decay[:, None]
    covariance[:, 2, 2] += model.ar_variance * (1 - decay**2)
    return Standing(at, away, factor, line, mean, _roots(covariance))


def _line_design(x: FloatArray) -> FloatArray:
    """What beta adds to (intercept, slope, autocorrelated part), shape (clients, 3, 4)."""
    design = np.zeros((len(x), 3, 4))
    design[:, 0, 0] = design[:, 1, 2] = 1.0
    design[:, 0, 1] = design[:, 1, 3] = x
    return design


def _spread(design: FloatArray, covariance: FloatArray) -> FloatArray:
    found: FloatArray = design @ covariance @ design.transpose(0, 2, 1)
    return found


def _roots(covariance: FloatArray) -> FloatArray:
    """Lower roots of three-by-three covariances that may be singular."""
    root = np.zeros_like(covariance)
    for j in range(3):
        rest = covariance[:, j, j] - (root[:, j, :j] ** 2).sum(axis=1)
        root[:, j, j] = np.sqrt(np.maximum(rest, 0.0))
        safe = np.where(root[:, j, j] > 1e-9, root[:, j, j], np.inf)
        for i in range(j + 1, 3):
            shared = (root[:, i, :j] * root[:, j, :j]).sum(axis=1)
            root[:, i, j] = (covariance[:, i, j] - shared) / safe
    return root


def simulate_ends(
    model: GrowthModel,
    hazard: HazardModel,
    now: Standing,
    *,
    keys: npt.ArrayLike | None = None,
    offsets: FloatArray | None = None,
    shift: FloatArray | None = None,
    seed: int = 0,
    paths: int = PATHS,
    horizon: int = HORIZON,
    low: float = -np.inf,
    high: float = np.inf,
) -> Ends:
    """Draw the score at the end of care of clients who will be seen again.

    Parameters
    ----------
    model : GrowthModel
    hazard : HazardModel
        Its causes are taken together: any of them ends the path.
    now : Standing
    keys : array_like of int or None, shape (clients,)
        Number of each client that lasts (an episode's): draws are seeded with it.
    offsets : ndarray or None, shape (clients, causes)
        See `HazardModel.offsets`: what is known of each client and stays on its paths.
    shift : ndarray or None, shape (clients,)
        Points that the last score of every path is moved by (`Pace.shift`).
    seed : int
    paths : int
        Even; the second half mirrors the first.
    horizon : int
        Most sessions ahead.
    low, high : float
        Ends of the scale.

    Returns
    -------
    Ends
    """
    n = len(now.t)
    identity = np.arange(n) if keys is None else np.asarray(keys)
    with np.errstate(over="ignore"):
        seeds = _mixed(identity.astype(np.uint64) * _GOLDEN + np.uint64(seed))
    walk = _Walk(model, hazard, paths, horizon, int(now.t.max(initial=1)))
    score = np.empty((n, paths), dtype=np.float32)
    last = np.empty((n, paths), dtype=np.int16)
    for block in _blocks(now.t, max(BLOCK // paths, 1)):
        extra = None if offsets is None else offsets[block]
        score[block], last[block] = walk.ends(now, seeds, extra, block)
    if shift is not None:
        score += shift.astype(np.float32)[:, None]
    np.clip(score, np.float32(low), np.float32(high), out=score)
    return Ends(score, last)


def _blocks(t: FloatArray, size: int) -> Iterator[npt.NDArray[np.intp]]:
    """Clients to be drawn at once: those at one session, where they are many; the rest mixed.

    Looking up what depends on the session costs less than a step of numpy for a few clients.
    """
    rest = []
    for alike in np.split(order := np.argsort(t, kind="stable"), _changes(t[order])):
        if len(alike) < size // 4:
            rest.append(alike)
        else:
            yield from np.split(alike, range(size, len(alike), size))
    few = np.concatenate(rest) if rest else order[:0]
    yield from np.split(few, range(size, len(few), size)) if len(few) else ()


def _changes(values: FloatArray) -> npt.NDArray[np.intp]:
    return np.flatnonzero(values[1:] != values[:-1]) + 1


def _mixed(words: Words) -> Words:
    """Scramble counters into random words (splitmix64's finisher), in place."""
    with np.errstate(over="ignore"):
        words ^= words >> np.uint64(30)
        words *= np.uint64(0xBF58476D1CE4E5B9)
        words ^= words >> np.uint64(27)
        words *= np.uint64(0x94D049BB133111EB)
        words ^= words >> np.uint64(31)
    return words


class _Walk:
    """Everything that all paths of a model share."""

    def __init__(
        self, model: GrowthModel, hazard: HazardModel, paths: int, horizon: int, latest: int
    ) -> None:
        if paths < 2 or paths % 2:
            raise ValueError("paths come in mirrored pairs: an even number of them")
        self.paths, self.horizon = paths, horizon
        at = np.arange(1.0, latest + horizon + 2)
        z = np.stack([np.ones_like(at), np.log(at)], axis=1)
        variance = np.einsum("tk,kl,tl->t", z, np.array(model.D), z)
        sd = np.sqrt(variance + model.ar_variance + model.noise_variance)
        self.log_t: Singles = np.r_[0.0, z[:, 1]].astype(np.float32)
        baseline = hazard.baseline(len(at)) - hazard.path_centres()[:, None]
        self.causes = range(len(baseline))
        self.baseline: Singles = np.column_stack([baseline[:, 0], baseline]).astype(np.float32)
        sds = np.r_[1.0, sd]  # the intake lies on no curve: it's nought away
        last, previous = (hazard.slope(name)[:, None] for name in PATH_COVARIATES)
        self.by_last: Singles = (last / sds).astype(np.float32)
        self.by_previous: Singles = (previous / np.r_[1.0, sds[:-1]]).astype(np.float32)
        self.phi = np.float32(model.phi)
        self.step = np.float32(np.sqrt(model.ar_variance * max(1 - model.phi**2, 0.0)))
        self.noise = np.float32(np.sqrt(model.noise_variance))
        half = np.arange(paths) // 2
        self.pair = (half.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03)
        self.sign = np.where(np.arange(paths) % 2 == 0, 1, -1).astype(np.float32)
        # Strata of the moment of ending, dealt to the paths by the golden section.
        order = np.argsort((np.arange(paths) * 0.6180339887498949) % 1.0)
        self.stratum = np.empty(paths, dtype=np.float32)
        self.stratum[order] = np.arange(paths) / paths

    def ends(
        self, now: Standing, seeds: Words, extra: FloatArray | None, block: npt.NDArray[np.intp]
    ) -> tuple[Singles, npt.NDArray[np.int16]]:
        """Score and session at the end of each path of these clients."""
        key, line = seeds[block], now.line[block].astype(np.float32)
        n, paths = len(block), self.paths
        alike = bool((now.t[block] == now.t[block[0]]).all())
        # A number where they all stand at one session, else an array with a row a path.
        t: Any = int(now.t[block[0]]) if alike else np.repeat(now.t[block].astype(np.intp), paths)
        with np.errstate(over="ignore"):
            counter = (key[:, None] + self.pair).ravel()
        sign = np.tile(self.sign, n)
        away0, away1, ar = self._begin(now, block, self._normals(counter, 0, sign))
        shift = (_mixed(key + np.uint64(7)) >> np.uint64(40)).astype(np.float32) / 2**24
        ends_below = (self.stratum + shift[:, None] / np.float32(paths)).ravel()
        survives: Singles = np.ones(n * paths, dtype=np.float32)
        factors = [None if extra is None else self._factor(extra, c) for c in self.causes]
        where = np.arange(n * paths)
        score = np.empty(n * paths, dtype=np.float32)
        last = np.empty(n * paths, dtype=np.int16)
        away: Singles = np.repeat(now.away[block].astype(np.float32), paths)
        own: Singles = np.repeat(now.factor[block].astype(np.float32), paths)
        gone = ahead = 0
        while gone < len(where):
            ahead += 1
            t = t + 1
            pair = 2 * (ahead % 2)  # four draws a word, two a session
            if pair:
                normal = self._normals(counter, ahead, sign)
            ar = self.phi * ar + self.step * normal[:, pair]
            before = away
            log_t = self.log_t[t]
            away = away0 + away1 * log_t + ar + self.noise * normal[:, pair + 1]
            away *= own
            odds: Singles = np.zeros_like(away)
            for cause, factor in zip(self.causes, factors, strict=True):
                risk = np.exp(
                    self.baseline[cause, t]
                    + self.by_last[cause, t] * away
                    + self.by_previous[cause, t] * before
                )
                odds += risk if factor is None else risk * factor
            survives /= 1 + odds
            ended = np.flatnonzero(
                survives < ends_below if ahead < self.horizon else ends_below > 0
            )
            done, who = where[ended], where[ended] // paths
            at = log_t if alike else log_t[ended]
            score[done] = line[who, 0] + line[who, 1] * at + away[ended]
            last[done] = t if alike else t[ended]
            ends_below[ended] = -1  # gone: nothing is below that
            gone += len(ended)
            if pair == 0 and gone > len(where) // 4:
                on = np.flatnonzero(ends_below > 0)
                gone = 0
                where, counter, sign, survives = where[on], counter[on], sign[on], survives[on]
                away, own = away[on], own[on]
                t = t if alike else t[on]
                away0, away1, ar, ends_below = away0[on], away1[on], ar[on], ends_below[on]
                factors = [None if factor is None else factor[on] for factor in factors]
        return score.reshape(n, paths), last.reshape(n, paths)

    def _normals(self, counter: Words, step: int, sign: Singles) -> Singles:
        """Four standard normal draws a path, shape (paths, 4)."""
        with np.errstate(over="ignore"):
            words = _mixed(counter + np.uint64(step) * _GOLDEN)
        found: Singles = _NORMAL[words.view(np.uint16)].reshape(-1, 4)
        found *= sign[:, None]
        return found

    def _factor(self, extra: FloatArray, cause: int) -> Singles:
        found: Singles = np.repeat(np.exp(extra[:, cause]).astype(np.float32), self.paths)
        return found

    def _begin(
        self, now: Standing, block: npt.NDArray[np.intp], normal: Singles
    ) -> tuple[Singles, Singles, Singles]:
        """Draw each path's line, as distance from the expected one, and its autocorrelated part."""
        root = now.root[block].astype(np.float32)
        draws = normal[:, :3].reshape(len(block), self.paths, 3)
        state = draws @ root.transpose(0, 2, 1)
        state += now.mean[block].astype(np.float32)[:, None, :]
        parts = [np.ascontiguousarray(state[:, :, j]).ravel() for j in range(3)]
        return parts[0], parts[1], parts[2]
