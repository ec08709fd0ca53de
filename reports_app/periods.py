"""Report periods: whole months of the clinic's calendar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from sessions_app import clinic_time, policies

WRITTEN = re.compile(r"(\d{4})-(\d{2})")
FIRST_YEAR = 1990


class PeriodProblem(ValueError):
    """No month that can be reported; the message says why."""


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month. `end` is its last day, inclusive."""

    start: date

    @property
    def end(self) -> date:
        return self.next().start - timedelta(days=1)

    def next(self) -> Month:
        return Month((self.start + timedelta(days=32)).replace(day=1))

    def previous(self) -> Month:
        return Month((self.start - timedelta(days=1)).replace(day=1))

    def __str__(self) -> str:
        return f"{self.start:%Y-%m}"

    @property
    def closes_on(self) -> date:
        """The clinic's closing day: before it an edition is provisional."""
        day = int(policies.get("closing_day", self.start))
        return self.next().start + timedelta(days=day - 1)

    def is_provisional(self, on: date | None = None) -> bool:
        return (on or clinic_time.today()) < self.closes_on


def parse_month(text: str) -> Month:
    """Read `YYYY-MM`.

    Raises
    ------
    PeriodProblem
        For anything else, and for a month that hasn't begun.
    """
    match = WRITTEN.fullmatch(text.strip())
    if not match or not 1 <= int(match[2]) <= 12 or int(match[1]) < FIRST_YEAR:
        raise PeriodProblem(f"“{text}” is no month such as 2026-03.")
    month = Month(date(int(match[1]), int(match[2]), 1))
    if month.start > clinic_time.today():
        raise PeriodProblem(f"{month} lies in the future.")
    return month


def months_back(last: Month, count: int) -> list[Month]:
    """`count` months, oldest first, ending with `last`."""
    months = [last]
    while len(months) < count:
        months.append(months[-1].previous())
    return months[::-1]
