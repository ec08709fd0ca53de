"""A line that follows the count, so that a year keeps its room in a small clinic too.

A line priced on the past raises what the room takes on average, and a year of a small clinic
differs from the one before by chance. Where the flags raised so far are ahead of the room, the
line of the next week lies a little higher, where they are behind a little lower: for each week's
room by as much as a waiting reason climbs in a week. What is ahead by a week's room is caught up
by everybody's waiting a week longer.

Notes
-----
An integral controller [1]_ with a bounded sum (against winding up). It knows how many flags were
raised and nothing of what came of them: it learns no threshold from outcomes. A week's line is a
matter of whole weeks before it, so that all of a week are held to one line, whoever is looked at
first.

References
----------
.. [1] Astrom, K. J., & Murray, R. M. (2008). Feedback Systems, chapter 10. Princeton University
   Press.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from .budget import CLIMB, Held, Look, Standing

MOST_AHEAD: Final = 5.0  # weeks of room that count either way: .10 of the line


def ahead_after(ahead: float, raised: int, room: float, weeks: float) -> float:
    """How far the flags raised are ahead of the room, after some more weeks.

    Parameters
    ----------
    ahead : float
        Before them, in weeks of room; below 0 behind.
    raised : int
        Flags in these weeks.
    room : float
        Flags a week.
    weeks : float

    Returns
    -------
    float
        Between -5 and 5; 0 where there is no room to keep.

    Raises
    ------
    ValueError
        For a count, room or time below 0, or none.
    """
    if raised < 0 or not room >= 0 or not weeks >= 0:
        raise ValueError("a count takes flags, a room and weeks of 0 or more")
    if room == 0:
        return 0.0
    return min(max(ahead + raised / room - weeks, -MOST_AHEAD), MOST_AHEAD)


def followed(line: float, ahead: float) -> float:
    """The line of a week, from the clinic's own and how far the count is ahead of the room.

    Parameters
    ----------
    line : float
        The clinic's; 0 holds nothing back and is followed by nothing.
    ahead : float
        Weeks of room.

    Returns
    -------
    float
        0 or more.

    Raises
    ------
    ValueError
        For a number that is none.
    """
    if math.isnan(line) or math.isnan(ahead):
        raise ValueError("a line takes numbers")
    return max(line + CLIMB * ahead, 0.0) if line else 0.0


@dataclass
class Followed:
    """What a line that follows the count would have raised.

    Attributes
    ----------
    raised : list of (case, Look, tuple of Held)
        Looks at which flags would have been raised, with the number of their case.
    lines : dict
        The line of each day on which somebody was looked at.
    """

    raised: list[tuple[int, Look, tuple[Held, ...]]] = field(default_factory=list)
    lines: dict[int, float] = field(default_factory=dict)


def follow(
    cases: Sequence[Sequence[Look]], line: float, room: float, first: int, silent_sessions: int
) -> Followed:
    """What a line would have raised had it followed the count from a day on.

    Parameters
    ----------
    cases : sequence of sequence of Look
        One an episode, as `budget.raised_in`.
    line, room : float
        The clinic's line, and flags a week.
    first : int
        Day from which flags are counted, in weeks of seven days.
    silent_sessions : int

    Returns
    -------
    Followed
    """
    found = Followed()
    by_day: dict[int, list[tuple[int, Look]]] = {}
    for number, looks in enumerate(cases):
        for look in looks:
            by_day.setdefault(look.day, []).append((number, look))
    standing = [Standing(silent_sessions) for _ in cases]
    counted_to, counted, ahead = first, 0, 0.0
    for day in sorted(by_day):
        weeks = (day - counted_to) // 7
        if weeks > 0:
            ahead = ahead_after(ahead, counted, room, weeks)
            counted_to, counted = counted_to + 7 * weeks, 0
        now = found.lines[day] = followed(line, ahead)
        for number, look in by_day[day]:
            reasons = standing[number].passing(look, now)
            if reasons:
                found.raised.append((number, look, reasons))
                counted += len(reasons) if day >= first else 0
    return found
