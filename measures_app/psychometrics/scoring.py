"""From answers to scores: totals and means in exact tenths.

Answers are turned into whole tenths before anything is added, so that three items of 0.1 make
0.3 and nothing else. Untouched is missing and never the minimum; zero is an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
Answer: TypeAlias = int | float | Decimal


class AnswerProblem(ValueError):
    """An answer that can't be scored; `item` names the item it was given to."""

    def __init__(self, item: str, reason: str) -> None:
        super().__init__(f"item {item}: {reason}")
        self.item = item
        self.reason = reason


def to_tenths(value: Answer) -> int:
    """Whole tenths of a number that has at most one decimal.

    Parameters
    ----------
    value : int, float or Decimal
        In the measure's units.

    Returns
    -------
    int
        Ten times `value`, exactly.

    Raises
    ------
    ValueError
        If `value` is not a finite number, or is finer than a tenth.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError(f"{value!r} is not a number")
    if not isfinite(value):
        raise ValueError(f"{value} is not a number")
    if isinstance(value, float):
        tenths = round(value * 10)
        exact = value == tenths / 10 or abs(value * 10 - tenths) < 1e-6
    else:
        tenths = int(value * 10)
        exact = value * 10 == tenths
    if not exact:
        raise ValueError(f"{value} is finer than a tenth")
    return tenths


@dataclass(frozen=True, slots=True)
class Item:
    """One question and the answers it allows.

    Attributes
    ----------
    code : str
        Identity of the item within its measure.
    lowest, highest : float
        Ends of the range, inclusive, in tenths at the finest.
    step : float
        Distance between neighbouring answers: 0.1 for a visual analogue line, 1 for choices.
    reverse : bool
        True if the answer counts as ``lowest + highest - answer``.
    choices : tuple of float or None
        The only answers allowed, where they are not evenly spaced.
    """

    code: str
    lowest: float
    highest: float
    step: float = 0.1
    reverse: bool = False
    choices: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse an item that allows no sensible answer."""
        low, high = to_tenths(self.lowest), to_tenths(self.highest)
        if low >= high:
            raise ValueError(f"item {self.code}: lowest {self.lowest} is not below {self.highest}")
        if to_tenths(self.step) <= 0:
            raise ValueError(f"item {self.code}: step must be positive, not {self.step}")
        for choice in self.choices or ():
            if not low <= to_tenths(choice) <= high:
                raise ValueError(f"item {self.code}: choice {choice} is outside its range")

    def scored_tenths(self, answer: Answer) -> int:
        """Tenths that one answer adds to a score.

        Parameters
        ----------
        answer : int, float or Decimal
            As given by the respondent.

        Returns
        -------
        int
            Tenths, reversed where the item is.

        Raises
        ------
        AnswerProblem
            If the answer is no number, out of range, or between two steps.
        """
        try:
            tenths = to_tenths(answer)
        except ValueError as problem:
            raise AnswerProblem(self.code, str(problem)) from None
        low, high = to_tenths(self.lowest), to_tenths(self.highest)
        if not low <= tenths <= high:
            raise AnswerProblem(
                self.code, f"{answer} is outside {self.lowest:g} to {self.highest:g}"
            )
        if self.choices is not None:
            if tenths not in {to_tenths(choice) for choice in self.choices}:
                raise AnswerProblem(self.code, f"{answer} is not one of its choices")
        elif (tenths - low) % to_tenths(self.step):
            raise AnswerProblem(self.code, f"{answer} is between two steps of {self.step:g}")
        return low + high - tenths if self.reverse else tenths


@dataclass(frozen=True, slots=True)
class Scale:
    """A score made of items: the whole measure, or a subscale.

    Attributes
    ----------
    code : str
        Name of the score, such as "total".
    items : tuple of str
        Codes of the items it is made of.
    rule : {"total", "mean"}
        Sum of the answers, or their mean (rounded to a tenth, halves away from zero).
    max_missing : int
        Greatest number of missing items with which a pro-rated score is given; 0 allows none.
    multiplier : int
        Applied to a total at the end (4 turns 0-25 into 0-100).
    """

    code: str
    items: tuple[str, ...]
    rule: Literal["total", "mean"] = "total"
    max_missing: int = 0
    multiplier: int = 1


@dataclass(frozen=True, slots=True)
class Instrument:
    """Items and the scores made of them.

    Attributes
    ----------
    items : tuple of Item
    scales : tuple of Scale
    """

    items: tuple[Item, ...]
    scales: tuple[Scale, ...]

    def __post_init__(self) -> None:
        """Refuse definitions that would score silently wrong."""
        codes = [item.code for item in self.items]
        if repeated := sorted({code for code in codes if codes.count(code) > 1}):
            raise ValueError(f"item {repeated[0]} is defined twice")
        names = [scale.code for scale in self.scales]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"scale {repeated[0]} is defined twice")
        for scale in self.scales:
            self._check(scale)

    def _check(self, scale: Scale) -> None:
        known = {item.code: item for item in self.items}
        if not scale.items:
            raise ValueError(f"scale {scale.code} has no items")
        if len(set(scale.items)) < len(scale.items):
            raise ValueError(f"scale {scale.code} counts an item twice")
        for code in scale.items:
            if code not in known:
                raise ValueError(f"scale {scale.code} uses item {code}, which is not defined")
        if scale.multiplier < 1:
            raise ValueError(f"scale {scale.code}: multiplier must be 1 or more")
        if not 0 <= scale.max_missing < len(scale.items):
            raise ValueError(f"scale {scale.code}: max_missing must leave at least one answer")
        ranges = {(known[code].lowest, known[code].highest) for code in scale.items}
        if scale.max_missing and len(ranges) > 1:
            raise ValueError(f"scale {scale.code} can't be pro-rated: its items differ in range")

    def range_of(self, code: str) -> tuple[float, float]:
        """Lowest and highest attainable score of a scale, in its units.

        Raises
        ------
        KeyError
            If there is no such scale.
        """
        scale = {scale.code: scale for scale in self.scales}[code]
        items = {item.code: item for item in self.items}
        low = sum(to_tenths(items[item].lowest) for item in scale.items)
        high = sum(to_tenths(items[item].highest) for item in scale.items)
        n = len(scale.items)
        return _finish(low, n, n, scale) / 10, _finish(high, n, n, scale) / 10


def _finish(tenths: int, answered: int, items: int, scale: Scale) -> int:
    """Tenths of a score from the sum of the answers given."""
    if scale.rule == "mean":
        numerator, denominator = tenths, answered
    else:
        numerator, denominator = tenths * items * scale.multiplier, answered
    return _divide(numerator, denominator)


def _divide(numerator: int, denominator: int) -> int:
    """Whole quotient, halves away from zero."""
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


@dataclass(frozen=True, slots=True)
class Score:
    """One score of one administration.

    Attributes
    ----------
    scale : str
    tenths : int or None
        The score in tenths; None where too many items are missing.
    prorated : bool
        True if missing items were filled with the mean of the others.
    answered, missing : int
        Items with and without an answer.
    """

    scale: str
    tenths: int | None
    prorated: bool
    answered: int
    missing: int

    @property
    def value(self) -> float | None:
        """The score in the measure's units."""
        return None if self.tenths is None else self.tenths / 10

    @property
    def decimal(self) -> Decimal | None:
        """The score as an exact decimal with one place."""
        return None if self.tenths is None else Decimal(self.tenths).scaleb(-1)


def score_one(instrument: Instrument, answers: Mapping[str, Answer | None]) -> dict[str, Score]:
    """Score one administration.

    Parameters
    ----------
    instrument : Instrument
        Items and scales.
    answers : mapping of item code to int, float, Decimal or None
        None, or a code that isn't there, is an untouched item.

    Returns
    -------
    dict of str to Score
        One entry a scale.

    Raises
    ------
    AnswerProblem
        Naming the item, for an answer that is out of range, between two steps, no number, or
        given to an item that the instrument doesn't have.
    """
    items = {item.code: item for item in instrument.items}
    for code in answers:
        if code not in items:
            raise AnswerProblem(code, "is not an item of this measure")
    tenths = {
        code: items[code].scored_tenths(answer)
        for code, answer in answers.items()
        if answer is not None
    }
    scores = {}
    for scale in instrument.scales:
        given = [tenths[code] for code in scale.items if code in tenths]
        missing = len(scale.items) - len(given)
        allowed = missing <= scale.max_missing
        scores[scale.code] = Score(
            scale=scale.code,
            tenths=_finish(sum(given), len(given), len(scale.items), scale) if allowed else None,
            prorated=allowed and missing > 0,
            answered=len(given),
            missing=missing,
        )
    return scores


@dataclass(frozen=True, slots=True)
class Scores:
    """One score of many administrations; arrays of one entry a row.

    Attributes
    ----------
    scale : str
    values : ndarray of float64, shape (n,)
        In the measure's units, each the nearest float to a whole number of tenths; NaN where too
        many items are missing.
    prorated : ndarray of bool, shape (n,)
    missing : ndarray of int64, shape (n,)
    """

    scale: str
    values: FloatArray
    prorated: npt.NDArray[np.bool_]
    missing: IntArray


def score_table(instrument: Instrument, answers: npt.ArrayLike) -> dict[str, Scores]:
    """Score many administrations at once, without a loop over rows.

    Parameters
    ----------
    instrument : Instrument
        Items and scales.
    answers : array_like of float, shape (n, number of items)
        Columns in the order of ``instrument.items``; NaN is an untouched item.

    Returns
    -------
    dict of str to Scores
        One entry a scale; the same numbers as `score_one` gives row by row.

    Raises
    ------
    ValueError
        If the number of columns isn't the number of items.
    AnswerProblem
        Naming the item, at the first answer that is out of range or between two steps.
    """
    given = np.asarray(answers, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != len(instrument.items):
        raise ValueError(
            f"answers must have {len(instrument.items)} columns, one an item, not {given.shape}"
        )
    known = ~np.isnan(given)
    tenths = np.zeros(given.shape, dtype=np.int64)
    for column, item in enumerate(instrument.items):
        tenths[:, column] = _column_tenths(item, given[:, column], known[:, column])
    position = {item.code: column for column, item in enumerate(instrument.items)}
    scores = {}
    for scale in instrument.scales:
        columns = [position[code] for code in scale.items]
        answered = known[:, columns].sum(axis=1)
        missing = len(columns) - answered
        allowed = missing <= scale.max_missing
        total = tenths[:, columns].sum(axis=1)
        if scale.rule == "total":
            total = total * len(columns) * scale.multiplier
        count = np.maximum(answered, 1)
        rounded = np.sign(total) * ((2 * np.abs(total) + count) // (2 * count))
        scores[scale.code] = Scores(
            scale=scale.code,
            values=np.where(allowed, rounded / 10, np.nan),
            prorated=allowed & (missing > 0),
            missing=missing,
        )
    return scores


def _column_tenths(item: Item, answers: FloatArray, known: npt.NDArray[np.bool_]) -> IntArray:
    """Scored tenths of one item; an untouched one adds nothing."""
    scaled = np.where(known, answers, item.lowest) * 10
    tenths = np.rint(np.where(np.isfinite(scaled), scaled, 0.0)).astype(np.int64)
    low, high = to_tenths(item.lowest), to_tenths(item.highest)
    allowed = np.isfinite(scaled) & (np.abs(scaled - tenths) < 1e-6)
    allowed &= (tenths >= low) & (tenths <= high)
    if item.choices is not None:
        # The lowest end stands in for an untouched item and need not be a choice itself.
        allowed &= ~known | np.isin(tenths, [to_tenths(choice) for choice in item.choices])
    else:
        allowed &= (tenths - low) % to_tenths(item.step) == 0
    if not allowed.all():
        item.scored_tenths(float(answers[np.argmin(allowed)]))
    scored = low + high - tenths if item.reverse else tenths
    return np.where(known, scored, 0)
