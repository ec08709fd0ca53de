"""Small cells in tables that leave the clinic.

Counts are rounded, small ones are left blank, and as many others are blanked as it takes that
nobody finds a blank one by subtraction, over all tables that are published together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

LIMIT: Final = 8
BASE: Final = 5
MOVES: Final = 0.5  # a count that can differ by less is given away
FAR: Final = 100.0  # further than any cell need be seen to go
SEVERAL: Final = 4  # worth a look together


@dataclass(frozen=True, slots=True)
class Sum:
    """One published sum: the cell at `total` is the sum of the cells at `parts` and `offset`.

    The offset is what keeps parts that overlap from adding up (people served by two programmes);
    an attacker is granted it.
    """

    total: int
    parts: tuple[int, ...]
    offset: float = 0.0


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
    hidden: npt.ArrayLike | None = None,
    dear: npt.ArrayLike | None = None,
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
    hidden : array_like of bool, shape (n,), or None
        Cells to blank whatever they count.
    dear : array_like of float, shape (n,), or None
        How much each cell is asked for: where any of several would do, the least dear is blanked.
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
    After the small cells, cells are blanked (the least dear first, and of these the smallest)
    until (a) no sum has a single blank, (b) the blank parts of a visible total hold at least
    `limit` people together, and
    (c) every blank could have more than one value, given all sums together and no count below 0.
    """
    cells = np.asarray(counts, dtype=np.float64)
    if (cells < 0).any():
        raise ValueError("a count can't be negative")
    for line in sums:
        if cells[list(line.parts)].sum() + line.offset != cells[line.total]:
            raise ValueError(f"the parts of cell {line.total} don't add up to it")
    blank = cells < limit
    before = np.full(cells.shape, np.nan) if previous is None else np.asarray(previous, np.float64)
    if hidden is not None:
        blank |= np.asarray(hidden, dtype=np.bool_)
    if previous is not None:
        blank |= np.isnan(before) & (cells - (limit - 1) < base)
    wanted = np.zeros(cells.shape) if dear is None else np.asarray(dear, dtype=np.float64)
    order = np.argsort(np.lexsort((cells, wanted)))
    for group in _joined(sums):
        reach = _Reach(cells.copy(), cells.copy())
        while _hide_by_lines(cells, blank, group, limit, order) or _hide_pinned(
            cells, blank, group, reach, order
        ):
            pass
    values = rounded(cells, base)
    values = np.where(np.abs(cells - before) < base, before, values)
    return np.where(blank, np.nan, values)


def _hide_by_lines(
    cells: FloatArray, blank: BoolArray, sums: Sequence[Sum], limit: int, order: IntArray
) -> bool:
    """Blank what single sums ask for (rules a and b), until none does; whether anything was."""
    changed = again = False
    for line in sums:
        parts = np.array(line.parts)
        while True:
            hidden = int(blank[parts].sum()) + int(blank[line.total])
            thin = not blank[line.total] and cells[parts][blank[parts]].sum() < limit
            cell = _first_visible(blank, line, order) if hidden else None
            if cell is None or not (hidden == 1 or thin):
                break
            blank[cell] = changed = again = True
    if again:
        _hide_by_lines(cells, blank, sums, limit, order)
    return changed


def _joined(sums: Sequence[Sum]) -> list[list[Sum]]:
    """The sums in groups that share no cell: what is blank in one says nothing of another."""
    groups: list[tuple[set[int], list[Sum]]] = []
    for line in sums:
        cells, lines = {line.total, *line.parts}, [line]
        apart = []
        for other_cells, other_lines in groups:
            if cells & other_cells:
                cells, lines = cells | other_cells, other_lines + lines
            else:
                apart.append((other_cells, other_lines))
        groups = [*apart, (cells, lines)]
    return [lines for _cells, lines in groups]


@dataclass(frozen=True, slots=True)
class _Reach:
    """How low and high each cell has been seen to go in some solution, all cells by their place.

    What solves the sums solves them still when another cell is blank (with that one as it is): a
    cell once seen to move needs no look again.
    """

    low: FloatArray
    high: FloatArray


def _hide_pinned(
    cells: FloatArray, blank: BoolArray, sums: Sequence[Sum], reach: _Reach, order: IntArray
) -> bool:
    """Blank a neighbour of a cell that all sums together give away; whether there was one.

    Only after the single sums: a cell that is alone in one would be found here too, and cost a
    cell more. The neighbour is the first in order, so that large totals go last.
    """
    for found in _pinned(cells, blank, sums, reach):
        touched = [line for line in sums if found in (*line.parts, line.total)]
        for lines in (touched, sums):
            near = {c for line in lines for c in (*line.parts, line.total) if not blank[c]}
            if near:
                blank[min(near, key=lambda c: order[c])] = True
                return True
    return False


def _local(sums: Sequence[Sum]) -> tuple[list[int], list[Sum]]:
    """The cells that some sums are about, and the sums over their places in that list."""
    names = sorted({cell for line in sums for cell in (*line.parts, line.total)})
    place = {cell: i for i, cell in enumerate(names)}
    return names, [
        Sum(place[s.total], tuple(place[part] for part in s.parts), s.offset) for s in sums
    ]


def _equations(
    cells: FloatArray, blank: BoolArray, sums: Sequence[Sum]
) -> tuple[FloatArray, FloatArray]:
    """Left and right side of what binds the blank cells."""
    equations = np.zeros((len(sums), blank.size))
    offsets = np.zeros(len(sums))
    for row, line in enumerate(sums):
        equations[row, list(line.parts)] = 1.0
        equations[row, line.total] = -1.0
        offsets[row] = line.offset
    left = equations[:, blank]
    right = -equations[:, ~blank] @ cells[~blank] - offsets
    bound = left.any(axis=1)
    return left[bound], right[bound]


def _pinned(
    cells: FloatArray, blank: BoolArray, sums: Sequence[Sum], reach: _Reach
) -> Iterator[int]:
    """Blank cells of which all sums together leave one value.

    As `possible_range`, with two programmes a cell only where no solution so far moved it: each
    solution moves many.
    """
    names, lines = _local(sums)
    hidden = blank[names]
    left, right = _equations(cells[names], hidden, lines)
    bound = np.abs(left).sum(axis=0) > 0
    low, high = reach.low, reach.high
    blanks = np.array(names)[hidden]
    high[blanks[~bound]] = np.inf
    _move_together(left, right, blanks, reach)
    for place, cell in enumerate(blanks):
        for sign in (1.0, -1.0):
            if high[cell] - low[cell] >= MOVES:
                break
            goal = np.zeros(blanks.size)
            goal[place] = sign
            found = linprog(goal, A_eq=left, b_eq=right, bounds=(0, None))
            if found.x is None:  # unbounded: the counts themselves always fit
                high[cell] = np.inf
                break
            low[blanks] = np.minimum(low[blanks], found.x)
            high[blanks] = np.maximum(high[blanks], found.x)
        else:
            if high[cell] - low[cell] < MOVES:
                yield int(cell)


def _move_together(
    left: FloatArray, right: FloatArray, blanks: npt.NDArray[np.int_], reach: _Reach
) -> None:
    """Solutions in which many cells move at once, so that few need a look of their own.

    What is asked for is some sum of the cells that weren't seen to move, and then the other end of
    it; another sum, while that moves several.
    """
    low, high = reach.low, reach.high
    goals = np.random.default_rng(blanks.size)  # any weights serve: they only choose the ways
    still, left_still = high[blanks] - low[blanks] < MOVES, blanks.size + SEVERAL
    while SEVERAL <= still.sum() <= left_still - SEVERAL:
        left_still = int(still.sum())
        goal = np.where(still, goals.uniform(0.5, 1.5, blanks.size), 0.0)
        goal[goals.random(blanks.size) < 0.5] *= -1.0
        for sign in (1.0, -1.0):
            # Kept from running away, for a sum without an end tells nothing of each.
            bounds = [(0.0, float(most)) for most in high[blanks] + FAR]
            found = linprog(sign * goal, A_eq=left, b_eq=right, bounds=bounds).x
            assert found is not None  # within bounds, and the counts themselves fit
            low[blanks] = np.minimum(low[blanks], found)
            high[blanks] = np.maximum(high[blanks], found)
        still = high[blanks] - low[blanks] < MOVES


def _first_visible(blank: BoolArray, line: Sum, order: IntArray) -> int | None:
    """The visible part of a sum that is first to be blanked, its total if none is left, or None."""
    parts = np.array(line.parts)
    visible = parts[~blank[parts]]
    if visible.size:
        return int(visible[np.argmin(order[visible])])
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
    for group in _joined(sums):
        names, lines = _local(group)
        left, right = _equations(values[names], hidden[names], lines)
        for place, cell in enumerate(np.array(names)[hidden[names]]):
            goal = np.zeros(left.shape[1])
            goal[place] = 1.0
            for sign, ends in ((1.0, low), (-1.0, high)):
                found = linprog(sign * goal, A_eq=left, b_eq=right, bounds=(0, None))
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
