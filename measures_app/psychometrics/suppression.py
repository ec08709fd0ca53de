"""Small cells in tables that leave the clinic.

Counts are rounded, small ones are left blank, and as many others are blanked as it takes that
nobody finds a blank one by subtraction, over all tables that are published together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

LIMIT: Final = 8
BASE: Final = 5


@dataclass(frozen=True, slots=True)
class Sum:
    """One published sum: the cell at `total` is the sum of the cells at `parts`."""

    total: int
    parts: tuple[int, ...]


def rounded(counts: npt.ArrayLike, base: int = BASE) -> FloatArray:
    """Counts to the nearest multiple of `base`, halves up.

    Parameters
    ----------
    counts : array_like of int
    base : int

    Returns
    -------
    ndarray of float64
        Same shape.
    """
    return np.floor(np.asarray(counts, dtype=np.float64) / base + 0.5) * base


def publish(
    counts: npt.ArrayLike,
    sums: Sequence[Sum] = (),
    *,
    previous: npt.ArrayLike | None = None,
    limit: int = LIMIT,
    base: int = BASE,
) -> FloatArray:
    """Counts as they may leave the clinic.

    Parameters
    ----------
    counts : array_like of int, shape (n,)
        All cells and totals of all tables that are published together.
    sums : sequence of Sum
        How they add up. A cell may be part of several sums, and a total a part of another.
    previous : array_like of float, shape (n,), or None
        The same cells in the last edition, NaN where blank. A cell that has moved by less than
        `base` keeps its old value, and a blank that has only just passed the limit stays blank:
        two editions can't be subtracted to find one client.
    limit : int
        Counts under it are blank.
    base : int
        Counts are rounded to its multiples.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN is blank.

    Raises
    ------
    ValueError
        If the counts are negative, or don't add up as the sums say.

    Notes
    -----
    After the small cells, cells are blanked (the smallest first) until (a) no sum has a single
    blank, (b) the blank parts of a visible total hold at least `limit` people together, and
    (c) every blank could have more than one value, given all sums together and no count below 0.
    """
    cells = np.asarray(counts, dtype=np.float64)
    if (cells < 0).any():
        raise ValueError("a count can't be negative")
    for line in sums:
        if cells[list(line.parts)].sum() != cells[line.total]:
            raise ValueError(f"the parts of cell {line.total} don't add up to it")
    blank = cells < limit
    before = np.full(cells.shape, np.nan) if previous is None else np.asarray(previous, np.float64)
    if previous is not None:
        blank |= np.isnan(before) & (cells - (limit - 1) < base)
    while (cell := _next_blank(cells, blank, sums, limit)) is not None:
        blank[cell] = True
    values = rounded(cells, base)
    values = np.where(np.abs(cells - before) < base, before, values)
    return np.where(blank, np.nan, values)


def _next_blank(cells: FloatArray, blank: BoolArray, sums: Sequence[Sum], limit: int) -> int | None:
    """One more cell that has to be blanked, or None."""
    for line in sums:
        parts = np.array(line.parts)
        hidden = int(blank[parts].sum()) + int(blank[line.total])
        thin = not blank[line.total] and cells[parts][blank[parts]].sum() < limit
        if hidden and (hidden == 1 or thin):
            return _smallest_visible(cells, blank, line)
    # Only then: a cell that is still alone would be found here too, and cost a cell more.
    low, high = possible_range(cells, blank, sums)
    for found in np.flatnonzero(high - low < 0.5):
        touched = [line for line in sums if found in (*line.parts, line.total)]
        choices = (_smallest_visible(cells, blank, line) for line in (*touched, *sums))
        return next((choice for choice in choices if choice is not None), None)
    return None


def _smallest_visible(cells: FloatArray, blank: BoolArray, line: Sum) -> int | None:
    """The smallest visible part of a sum, its total if no part is left, or None."""
    parts = np.array(line.parts)
    visible = parts[~blank[parts]]
    if visible.size:
        return int(visible[np.argmin(cells[visible])])
    return None if blank[line.total] else line.total


def possible_range(
    cells: npt.ArrayLike, blank: npt.ArrayLike, sums: Sequence[Sum]
) -> tuple[FloatArray, FloatArray]:
    """What an attacker can say about each blank cell who knows all sums.

    Parameters
    ----------
    cells : array_like of float, shape (n,)
        Exact counts: the attacker is granted those of visible cells without rounding.
    blank : array_like of bool, shape (n,)
    sums : sequence of Sum

    Returns
    -------
    tuple of two ndarrays of float64, shape (n,)
        Lowest and highest count that fit the sums with no count negative; infinite where nothing
        binds a cell, and 0 to infinity for visible cells, which need no attack.
    """
    hidden = np.asarray(blank, dtype=np.bool_)
    values = np.asarray(cells, dtype=np.float64)
    low, high = np.zeros(hidden.shape), np.full(hidden.shape, np.inf)
    equations = np.zeros((len(sums), hidden.size))
    for row, line in enumerate(sums):
        equations[row, list(line.parts)] = 1.0
        equations[row, line.total] = -1.0
    left, right = equations[:, hidden], -equations[:, ~hidden] @ values[~hidden]
    bound = left.any(axis=1)
    for place, cell in enumerate(np.flatnonzero(hidden)):
        if not left[:, place].any():
            continue
        goal = np.zeros(left.shape[1])
        goal[place] = 1.0
        for sign, ends in ((1.0, low), (-1.0, high)):
            found = linprog(sign * goal, A_eq=left[bound], b_eq=right[bound], bounds=(0, None))
            # Not solved means unbounded: the counts themselves always fit.
            if found.status == 0:
                ends[cell] = sign * float(found.fun or 0.0)
    return low, high


def table_sums(rows: int, columns: int) -> tuple[Sum, ...]:
    """Sums of a two-way table published with its margins.

    Parameters
    ----------
    rows, columns : int
        Size of the table without margins.

    Returns
    -------
    tuple of Sum
        For cells in row order with the row's total after each row, and the column totals with
        the grand total as last row.
    """
    width = columns + 1
    across = [
        Sum(row * width + columns, tuple(row * width + column for column in range(columns)))
        for row in range(rows + 1)
    ]
    down = [
        Sum(rows * width + column, tuple(row * width + column for row in range(rows)))
        for column in range(width)
    ]
    return (*across, *down)


def publish_table(counts: npt.ArrayLike, *, limit: int = LIMIT, base: int = BASE) -> FloatArray:
    """A two-way table with its margins, as it may leave the clinic.

    Parameters
    ----------
    counts : array_like of int, shape (rows, columns)
    limit, base : int
        As for `publish`.

    Returns
    -------
    ndarray of float64, shape (rows + 1, columns + 1)
        Totals in the last row and column; NaN is blank.
    """
    inner = np.asarray(counts, dtype=np.float64)
    rows, columns = inner.shape
    full = np.zeros((rows + 1, columns + 1))
    full[:rows, :columns] = inner
    full[rows, :columns] = inner.sum(axis=0)
    full[:, columns] = full.sum(axis=1)
    cells = publish(full.ravel(), table_sums(rows, columns), limit=limit, base=base)
    return cells.reshape(full.shape)


def published_rate(numerator: float, denominator: float) -> float:
    """Rate of two published counts; NaN where either is blank or there is nobody.

    Parameters
    ----------
    numerator, denominator : float
        As `publish` returned them: a rate of exact counts would give them away.

    Returns
    -------
    float
        From 0 to 1.
    """
    if math.isnan(numerator) or math.isnan(denominator) or denominator <= 0:
        return math.nan
    return min(numerator / denominator, 1.0)


def published_mean(mean: float, n: int, limit: int = LIMIT) -> float:
    """A mean, or NaN where it stands on fewer than `limit` clients.

    Parameters
    ----------
    mean : float
        In the measure's units.
    n : int
        Clients it is of.
    limit : int

    Returns
    -------
    float
    """
    return mean if n >= limit else math.nan
