"""What a search can ask: FHIR's parameters, each read strictly; what isn't known is an error."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Q
from django.http import QueryDict

from sessions_app import clinic_time

MOST = 200
LARGEST_ID = 2**63 - 1
EARLIEST = date(1900, 1, 1)


class Refused(Exception):
    """Answered as an OperationOutcome: `code` is FHIR's issue type."""

    def __init__(self, message: str, *, status: int = 400, code: str = "invalid") -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Page:
    """Which part of a search: at most `count` entries after the one named `after`."""

    count: int
    after: tuple[int, int]


DATE = re.compile(
    r"(eq|ge|gt|le|lt)?(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)"
    r"(Z|[+-]\d\d:\d\d)?)?)?)?"
)


def span(text: str) -> tuple[str, datetime, datetime]:
    """(prefix, first moment, first moment after): a FHIR date is as long as it is written."""
    found = DATE.fullmatch(text)
    if found is None:
        raise Refused(f"{text!r} is no date: write ge2026-01-31 or 2026-01.")
    prefix, year, month, day, clock, zone = found.groups()
    try:
        if clock:
            start = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}{zone or ''}")
            if start.tzinfo is None:
                start = start.replace(tzinfo=clinic_time.zone())
            end = start + timedelta(seconds=1 if clock.count(":") == 2 else 60)
        else:
            first = date(int(year), int(month or 1), int(day or 1))
            length = 1
            if not day:
                months = (int(month),) if month else range(1, 13)
                length = sum(calendar.monthrange(int(year), m)[1] for m in months)
            if first < EARLIEST:
                raise Refused(f"{text!r} lies before 1900.")
            start = datetime.combine(first, time(), clinic_time.zone())
            end = datetime.combine(first + timedelta(days=length), time(), clinic_time.zone())
        return prefix or "eq", start.astimezone(UTC), end.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(f"{text!r} is no day of the calendar.") from None


def within(path: str, text: str) -> Q:
    """The condition that a FHIR date parameter puts on a moment."""
    prefix, start, end = span(text)
    return {
        "eq": Q(**{f"{path}__gte": start, f"{path}__lt": end}),
        "ge": Q(**{f"{path}__gte": start}),
        "gt": Q(**{f"{path}__gte": end}),
        "le": Q(**{f"{path}__lt": end}),
        "lt": Q(**{f"{path}__lt": start}),
    }[prefix]


def token(text: str, system: str) -> str:
    """The value of `system|value` or `value`; another system than ours finds nothing."""
    named, bar, value = text.rpartition("|")
    return value if not bar or named == system else ""


def one_of(text: str, known: Mapping[str, Any], name: str) -> list[Any]:
    """`a,b` means either; a word that FHIR doesn't have there is an error."""
    wrong = [word for word in text.split(",") if word not in known]
    if wrong:
        raise Refused(f"{name}={wrong[0]} isn't one of {', '.join(known)}.")
    return [known[word] for word in text.split(",")]


def read(asked: QueryDict, offered: Mapping[str, Callable[[str], Q]]) -> tuple[Q, Page]:
    """Conditions and page of a search. Given twice, a parameter means both.

    Raises Refused for a name that isn't offered: a condition left out unnoticed would answer
    another question than was asked.
    """
    conditions = Q()
    for name, texts in asked.lists():
        if name in ("_count", "_after", "_format"):
            continue
        if name not in offered:
            raise Refused(
                f"{name} can't be asked here; there are {', '.join([*offered, '_count'])}.",
                code="not-supported",
            )
        for text in texts:
            if "\x00" in text or len(text) > 300:
                raise Refused(f"{name} can't be read.")
            conditions &= offered[name](text)
    return conditions, Page(_count(asked.get("_count", "50")), _after(asked.get("_after", "")))


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text) or int(text) < 1:
        raise Refused("_count is a number from 1 on.")
    return min(int(text), MOST)


def _after(text: str) -> tuple[int, int]:
    if not text:
        return 0, 0
    found = re.fullmatch(r"(\d{1,18})-(\d{1,3})", text)
    if found is None:
        raise Refused("_after comes from the link to the next page.")
    return int(found[1]), int(found[2])
