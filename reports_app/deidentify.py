"""Rows that name nobody: new codes, shifted dates, rare values grouped. No database here.

Two exports share no code, no order and no date: each is made under a secret of its own, which is
forgotten with the process. What stays comparable between them are the values themselves.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

GROUPED = "grouped"
FARTHEST_DAYS = 182


@dataclass(frozen=True)
class Secret:
    """What an export's codes, order and shifts are made of."""

    key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)

    def _digest(self, kind: str, number: int) -> bytes:
        return hmac.new(self.key, f"{kind}:{number}".encode(), hashlib.sha256).digest()

    def code(self, kind: str, number: int) -> str:
        return self._digest(kind, number).hex()[:12]

    @property
    def salt(self) -> str:
        """For the order of rows, which would else be the same in every export."""
        return self._digest("order", 0).hex()

    def shift(self, client: int) -> timedelta:
        """Half a year either way, never none; the same for everything of one client."""
        place = int.from_bytes(self._digest("shift", client)[:8], "big") % (2 * FARTHEST_DAYS)
        return timedelta(days=place - FARTHEST_DAYS + (place >= FARTHEST_DAYS))


def moved(day: date | None, shift: timedelta) -> str:
    return "" if day is None else (day + shift).isoformat()


def common(counts: Mapping[Hashable, int], least: int) -> set[Hashable]:
    """Values of a column that stand as they are; the others are grouped, and they are enough.

    Where the grouped ones are of fewer than `least` together, the rarest of the common joins them.
    """
    kept = sorted((v for v, n in counts.items() if n >= least), key=lambda v: (counts[v], str(v)))
    rest = sum(n for n in counts.values() if n < least)
    while kept and len(kept) < len(counts) and rest < least:
        rest += counts[kept.pop(0)]
    return set(kept)


def highest(counts: Mapping[int, int], least: int) -> int:
    """The number above which fewer than `least` lie: higher ones are written as it."""
    above = 0
    for value in sorted(counts, reverse=True):
        above += counts[value]
        if above >= least:
            return value
    return 0


def generalised(
    classes: Mapping[tuple[Any, ...], int], least: int, order: Iterable[int]
) -> dict[tuple[Any, ...], tuple[Any, ...] | None]:
    """What each combination of values is written as, so that it is of `least` people or more.

    Combinations that are too rare lose one value after the other, in the order given; those that
    are too rare without any are left out (None).
    """
    now = {each: each for each in classes}
    for place in order:
        held = _held(classes, now)
        for each, written in now.items():
            if held[written] < least:
                now[each] = (*written[:place], GROUPED, *written[place + 1 :])
    held = _held(classes, now)
    return {each: written if held[written] >= least else None for each, written in now.items()}


def _held(
    classes: Mapping[tuple[Any, ...], int], now: Mapping[tuple[Any, ...], tuple[Any, ...]]
) -> Counter[tuple[Any, ...]]:
    held: Counter[tuple[Any, ...]] = Counter()
    for each, n in classes.items():
        held[now[each]] += n
    return held
