"""Clients observed at the same sessions share one covariance matrix: what is summed over them.

The likelihood needs of a pattern only its sessions and a few sums over its clients, so its cost
depends on the number of patterns and not on the number of clients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Patterns of one length m, stacked.

    Attributes
    ----------
    t : ndarray, shape (patterns, m)
        Session numbers, 2 or more, increasing.
    moments : ndarray, shape (patterns, 2, 2)
        ``[[n, sum x], [sum x, sum x^2]]`` over the pattern's clients.
    cross : ndarray, shape (patterns, m, 2)
        ``sum y`` and ``sum x y``.
    squares : ndarray, shape (patterns, m, m)
        ``sum y y'``.
    """

    t: FloatArray
    moments: FloatArray
    cross: FloatArray
    squares: FloatArray

    @property
    def n(self) -> FloatArray:
        """Clients of each pattern (pseudo-clients too)."""
        return self.moments[:, 0, 0]


@dataclass(frozen=True, slots=True)
class Series:
    """Training rows of many clients, after intake.

    Attributes
    ----------
    client : ndarray of int64, shape (rows,)
        Never decreasing.
    t : ndarray of float64, shape (rows,)
        Session number, 2 or more, increasing within a client.
    y : ndarray of float64, shape (rows,)
    intake : ndarray of float64, shape (clients,)
        First score of each client, those without a later row too.
    """

    client: IntArray
    t: FloatArray
    y: FloatArray
    intake: FloatArray


def split_intake(client: IntArray, t: FloatArray, score: FloatArray) -> Series:
    """Take the first score of each client as its intake; the others are rows to fit.

    Parameters
    ----------
    client : ndarray of int64, shape (rows,)
        Index of the client, never decreasing.
    t : ndarray, shape (rows,)
        Session numbers, increasing within a client.
    score : ndarray, shape (rows,)
        In the measure's units; none NaN.

    Returns
    -------
    Series
    """
    if len(client) == 0:
        empty = np.zeros(0)
        return Series(np.zeros(0, dtype=np.int64), empty, empty, empty)
    first = np.r_[True, client[1:] != client[:-1]]
    ordinal = np.cumsum(first) - 1
    later = ~first
    return Series(ordinal[later], t[later], score[later], score[first])


def same_sessions(series: Series) -> Iterator[tuple[IntArray, IntArray]]:
    """Clients with equally many rows after intake.

    Parameters
    ----------
    series : Series

    Yields
    ------
    members : ndarray of int64, shape (n,)
        Clients with m rows.
    rows : ndarray of int64, shape (n, m)
        Their rows in the series. Fewest rows first; clients without any don't come.
    """
    counts = np.bincount(series.client, minlength=len(series.intake))
    starts = np.cumsum(counts) - counts
    for m in np.unique(counts[counts > 0]):
        members = np.flatnonzero(counts == m)
        yield members, starts[members][:, None] + np.arange(m)


def batches_of(series: Series, centre: float) -> list[Batch]:
    """Sum the rows by pattern.

    Parameters
    ----------
    series : Series
    centre : float
        Subtracted from the intake: x = intake - centre.

    Returns
    -------
    list of Batch
        One a length that occurs, shortest first.
    """
    x = series.intake - centre
    found = []
    for members, rows in same_sessions(series):
        m = rows.shape[1]
        t, y, xs = series.t[rows], series.y[rows], x[members]
        order, group = _grouped(t)
        t, y, xs = t[order], y[order], xs[order]
        starts_of_group = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
        n = np.diff(np.r_[starts_of_group, len(group)]).astype(np.float64)
        sum_x = np.add.reduceat(xs, starts_of_group)
        sum_xx = np.add.reduceat(xs * xs, starts_of_group)
        sum_y = np.add.reduceat(y, starts_of_group, axis=0)
        sum_xy = np.add.reduceat(xs[:, None] * y, starts_of_group, axis=0)
        squares = np.empty((len(n), m, m))
        for p, (a, b) in enumerate(
            zip(starts_of_group, np.r_[starts_of_group[1:], len(group)], strict=True)
        ):
            squares[p] = y[a:b].T @ y[a:b]
        moments = np.stack([np.stack([n, sum_x], 1), np.stack([sum_x, sum_xx], 1)], 1)
        found.append(Batch(t[starts_of_group], moments, np.stack([sum_y, sum_xy], 2), squares))
    return found


def _grouped(t: FloatArray) -> tuple[npt.NDArray[np.intp], IntArray]:
    """An order that brings equal rows together, and each row's group in that order."""
    _, inverse = np.unique(t, axis=0, return_inverse=True)
    labels = inverse.reshape(-1).astype(np.int64)
    order = np.argsort(labels, kind="stable")
    return order, labels[order]
