"""Report periods of the clinic's calendar: a month, a quarter, a year, or any range of days."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from django.utils.formats import date_format

from sessions_app import clinic_time, policies

WRITTEN = re.compile(r"(\d{4})-(\d{2})")
QUARTER = re.compile(r"(\d{4})-[Qq]([1-4])")
YEAR = re.compile(r"\d{4}")
RANGE = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})")
FIRST_YEAR = 1990
LONGEST_DAYS = 3660
EXAMPLES = "2026-03, 2026-Q1, 2026 or 2026-01-15..2026-03-02"


class PeriodProblem(ValueError):
    """No period that can be reported; the message says why."""


P = TypeVar("P", bound="Period")


def _shifted(first: date, months: int) -> date:
    """The first of a month, so many months on."""
    number = 12 * first.year + first.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


class Period(ABC):
    """Days from `start` to `end`, both inclusive. Written as the address and the command take it.

    `fixed` periods may leave the clinic in published files; free ranges defeat suppression.
    """

    start: date
    fixed = True

    @property
    @abstractmethod
    def end(self) -> date:
        """The last day."""

    @abstractmethod
    def previous(self) -> Period:
        """The period of the same kind before."""

    @property
    @abstractmethod
    def title(self) -> str:
        """As a heading writes it."""

    @property
    def last_month(self) -> Month:
        return Month(self.end.replace(day=1))

    @property
    def year(self) -> Months:
        """The clinic's own year that the period began in."""
        return Months(date(self.start.year, 1, 1), 12)

    @property
    def whole_months(self) -> bool:
        return self.start.day == 1 and (self.end + timedelta(days=1)).day == 1

    @property
    def closes_on(self) -> date:
        """The clinic's closing day: before it an edition is provisional."""
        day = int(policies.get("closing_day", self.start))
        return _shifted(self.end.replace(day=1), 1) + timedelta(days=day - 1)

    def is_provisional(self, on: date | None = None) -> bool:
        return (on or clinic_time.today()) < self.closes_on

    def overlaps(self, other: Period) -> bool:
        return self.start <= other.end and other.start <= self.end


@dataclass(frozen=True, order=True)
class Month(Period):
    """A calendar month, by its first day."""

    start: date

    @property
    def end(self) -> date:
        return self.next().start - timedelta(days=1)

    def next(self) -> Month:
        return Month(_shifted(self.start, 1))

    def previous(self) -> Month:
        return Month(_shifted(self.start, -1))

    def __str__(self) -> str:
        return f"{self.start:%Y-%m}"

    @property
    def title(self) -> str:
        return date_format(self.start, "F Y")


@dataclass(frozen=True, order=True)
class Months(Period):
    """A calendar quarter (`count` 3) or year (12)."""

    start: date
    count: int

    @property
    def end(self) -> date:
        return _shifted(self.start, self.count) - timedelta(days=1)

    def next(self) -> Months:
        return Months(_shifted(self.start, self.count), self.count)

    def previous(self) -> Months:
        return Months(_shifted(self.start, -self.count), self.count)

    def __str__(self) -> str:
        return f"{self.start:%Y}" if self.count == 12 else f"{self.start:%Y}-Q{self._quarter}"

    @property
    def _quarter(self) -> int:
        return (self.start.month + 2) // 3

    @property
    def title(self) -> str:
        if self.count == 12:
            return str(self.start.year)
        return f"{date_format(self.start, 'F')} – {date_format(self.end, 'F Y')}"


@dataclass(frozen=True, order=True)
class Range(Period):
    """Any days: for screens and files under the clinic's roof."""

    start: date
    last: date
    fixed = False

    @property
    def end(self) -> date:
        return self.last

    def previous(self) -> Range:
        length = self.last - self.start
        before = self.start - timedelta(days=1)
        return Range(before - length, before)

    def __str__(self) -> str:
        return f"{self.start}..{self.last}"

    @property
    def title(self) -> str:
        return f"{date_format(self.start, 'j F Y')} – {date_format(self.last, 'j F Y')}"


def parse_month(text: str) -> Month:
    """Read `YYYY-MM`.

    Raises
    ------
    PeriodProblem
        For anything else, and for a month that hasn't begun.
    """
    return _begun(_month(text))


def _month(text: str) -> Month:
    match = WRITTEN.fullmatch(text.strip())
    if not match or not 1 <= int(match[2]) <= 12 or int(match[1]) < FIRST_YEAR:
        raise PeriodProblem(f"“{text}” is no month such as 2026-03.")
    return Month(date(int(match[1]), int(match[2]), 1))


def _begun(period: P) -> P:
    if period.start > clinic_time.today():
        raise PeriodProblem(f"{period} lies in the future.")
    return period


def parse_period(text: str) -> Period:
    """Read a month, `YYYY-Qn`, `YYYY` or `YYYY-MM-DD..YYYY-MM-DD`.

    Raises
    ------
    PeriodProblem
        As `named_period`, and for a period that hasn't begun.
    """
    return _begun(named_period(text))


def named_period(text: str) -> Period:
    """What a text names, begun or not: a night of a later day keeps the figures of its own.

    Raises
    ------
    PeriodProblem
        For anything else, and for a range that ends before it begins or is longer than ten years.
    """
    text = text.strip()
    if (match := QUARTER.fullmatch(text)) and int(match[1]) >= FIRST_YEAR:
        return Months(date(int(match[1]), 3 * int(match[2]) - 2, 1), 3)
    if YEAR.fullmatch(text) and int(text) >= FIRST_YEAR:
        return Months(date(int(text), 1, 1), 12)
    if match := RANGE.fullmatch(text):
        try:
            start, end = (date.fromisoformat(part) for part in match.groups())
        except ValueError:
            raise PeriodProblem(f"“{text}” names a day that the calendar doesn't have.") from None
        if end < start:
            raise PeriodProblem(f"“{text}” ends before it begins.")
        if start.year < FIRST_YEAR or (end - start).days > LONGEST_DAYS:
            raise PeriodProblem(f"“{text}” is more than ten years, or before {FIRST_YEAR}.")
        return Range(start, end)
    if WRITTEN.fullmatch(text):
        return _month(text)
    raise PeriodProblem(f"“{text}” is no month such as 2026-03, nor another period ({EXAMPLES}).")


def months_back(last: Month, count: int) -> list[Month]:
    """`count` months, oldest first, ending with `last`."""
    months = [last]
    while len(months) < count:
        months.append(months[-1].previous())
    return months[::-1]
