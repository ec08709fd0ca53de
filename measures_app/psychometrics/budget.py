"""One weekly budget for all review rules: what a look is expected to bring, and from what on a
rule's reason becomes a flag.

Every review rule's reason is put on one scale, the expected benefit of looking: how bad the end
is that the rule warns of, how likely it is, and how much care is left in which something can be
changed. Reasons above one line become flags at once; the others wait, climb with every week, and
cross it later. The line is priced on the past: it is the one that would have raised as many flags
a week as the clinic can look at.

Notes
-----
A line of one's own for each episode, and no quota that colleagues' clients use up: the same facts
give the same flag, whoever else was noticed that week. Over weeks the budget is kept on average,
as a threshold in a screening programme keeps the recall rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .rule_inputs import ModelNumbers, Reason

# What is lost if nobody looks: being worse now weighs most, good news least.
WEIGHT: Final[Mapping[str, float]] = {
    "deteriorated": 1.0,
    "not_on_track": 0.8,
    "lost_in_transfer": 0.7,
    "no_progress": 0.6,
    "at_risk_of_stopping": 0.5,
    "overdue": 0.5,
    "ready_to_finish": 0.3,
}
CLIMB: Final = 0.02  # a week of waiting
UNKNOWN: Final = 0.5  # where there is no probability yet
AFTER_TRANSFER: Final = 0.69  # greatest published share lost after a transfer
EARLY_SESSIONS: Final = 6  # up to here all of care is taken to lie ahead
HALVED_AFTER: Final = 12  # further sessions that halve what a change can still do
SEARCH_STEPS: Final = 24


def _likely(reason: Reason, model: ModelNumbers) -> float:
    """How likely the end is that a rule warns of, 0 to 1."""
    if reason.code == "overdue":
        # At twice the rhythm one in two, as at the rule's own limit; nearer to 1 with each gap.
        days, rhythm = float(reason.numbers["days"]), float(reason.numbers["rhythm"])
        return 1 - rhythm / max(days, rhythm)
    if reason.code == "lost_in_transfer":
        return AFTER_TRANSFER
    if reason.code == "at_risk_of_stopping":
        return UNKNOWN if model.p_stopping is None else model.p_stopping
    not_improved, worse = model.p_not_improved, model.p_deteriorated
    if reason.code == "ready_to_finish":
        return 1 - (UNKNOWN if worse is None else worse)
    if not_improved is None and worse is None:
        return UNKNOWN
    if not_improved is None or worse is None:
        return (not_improved or 0.0) + (worse or 0.0)  # the one that is known
    # Reliably worse is among "not improved": it counts twice, an end unchanged once.
    return (not_improved + worse) / 2


def benefit(reason: Reason, model: ModelNumbers, sessions: int) -> float:
    """Expected benefit of looking at a review rule's reason, between 0 and 1.

    Parameters
    ----------
    reason : Reason
        Of a review rule.
    model : ModelNumbers
        Uses the three probabilities; where one is unknown, 1 in 2 stands for it.
    sessions : int
        Treatment sessions attended so far.

    Returns
    -------
    float
        Weight of the rule, times the probability of what it warns of, times the share of care
        that a change can still work in: 1 up to session 6, a half at session 18. Good news and
        attendance don't lose weight with the sessions given.

    Raises
    ------
    KeyError
        For a prompt, which costs nobody's time in review.
    """
    weight = WEIGHT[reason.code]
    about_change = reason.code in ("deteriorated", "not_on_track", "no_progress")
    past = max(0, sessions - EARLY_SESSIONS) if about_change else 0
    return weight * _likely(reason, model) / (1 + past / HALVED_AFTER)


def climbed(found: float, days: float) -> float:
    """A benefit after so many days of waiting: a reason that keeps holding is looked at in time."""
    return found + CLIMB * max(0.0, days) / 7


def passes(found: float, days: float, line: float) -> bool:
    """Whether a reason that has waited so many days is raised; a line of 0 holds nothing back."""
    return not line or climbed(found, days) > line


@dataclass(frozen=True, slots=True)
class Held:
    """A reason that held at a look.

    Attributes
    ----------
    key : str
        Rule and series.
    benefit : float
        As `benefit`, without climbing.
    level : float
        Newest score in units of reliable change, higher is better; NaN for attendance.
    """

    key: str
    benefit: float
    level: float = math.nan


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an episode: the day, sessions attended by then, and every reason that held."""

    day: int
    sessions: int
    held: tuple[Held, ...]


class Standing:
    """What stands of one episode's reasons between two looks: decided when, waiting since when.

    Parameters
    ----------
    silent_sessions : int
        Sessions after a decision during which a reason is silent.
    """

    __slots__ = ("_before", "_decided", "_silent", "_since")

    def __init__(self, silent_sessions: int) -> None:
        self._silent = silent_sessions
        self._decided: dict[str, tuple[int, float]] = {}
        self._since: dict[str, int] = {}
        self._before: set[str] = set()

    def passing(self, look: Look, line: float) -> tuple[Held, ...]:
        """The reasons that become flags at the next look, each decided by the one after it."""
        found = []
        for one in look.held:
            if one.key not in self._before:
                self._since.pop(one.key, None)
            sessions, level = self._decided.get(one.key, (-self._silent, one.level))
            if look.sessions - sessions < self._silent and not level - one.level > 1:
                continue
            began = self._since.setdefault(one.key, look.day)
            if passes(one.benefit, look.day - began, line):
                found.append(one)
        if found:
            self._decided.update({one.key: (look.sessions, one.level) for one in look.held})
            self._since.clear()
        self._before = {one.key for one in look.held}
        return tuple(found)


def raised_in(
    looks: Sequence[Look], line: float, silent_sessions: int
) -> list[tuple[Look, tuple[Held, ...]]]:
    """What a line would have raised in one episode.

    Whoever looks at a case looks at all of it: by the next look every reason that held has been
    decided on, and is silent for `silent_sessions` sessions, or until a score that is worse by
    more than measurement error.

    Parameters
    ----------
    looks : sequence of Look
        All looks at one episode, oldest first, those at which nothing held too.
    line : float
    silent_sessions : int

    Returns
    -------
    list of (Look, tuple of Held)
        Looks at which flags would have been raised, with their reasons.
    """
    standing = Standing(silent_sessions)
    told = ((look, standing.passing(look, line)) for look in looks)
    return [(look, reasons) for look, reasons in told if reasons]


def per_week(
    cases: Sequence[Sequence[Look]], line: float, first: int, weeks: float, silent_sessions: int
) -> float:
    """Flags a week that a line would have raised from a day on.

    Parameters
    ----------
    cases : sequence of sequence of Look
        One an episode, as `raised_in`.
    line : float
    first : int
        Day from which flags are counted; what was raised before only keeps its rule silent.
    weeks : float
        From `first` to the last look.
    silent_sessions : int

    Returns
    -------
    float
    """
    return sum(_counts(cases, line, first, silent_sessions)) / weeks


def _counts(
    cases: Sequence[Sequence[Look]], line: float, first: int, silent_sessions: int
) -> list[int]:
    """Flags of each episode from a day on."""
    return [
        sum(
            len(reasons)
            for look, reasons in raised_in(looks, line, silent_sessions)
            if look.day >= first
        )
        for looks in cases
    ]


def again(
    cases: Sequence[Sequence[Look]], line: float, first: int, weeks: float, silent_sessions: int
) -> tuple[float, float]:
    """Flags a week that as long a time again may bring, if nothing is different but chance.

    Parameters
    ----------
    cases, line, first, weeks, silent_sessions
        As `per_week`.

    Returns
    -------
    low, high : float
        95 % interval. Episodes come as a Poisson process and each brings its own number of
        flags, so that a count has the variance of the sum of their squares; the one that the
        line was priced on varied as much.
    """
    counts = _counts(cases, line, first, silent_sessions)
    reach = 1.96 * math.sqrt(2 * sum(count**2 for count in counts))
    return max(sum(counts) - reach, 0.0) / weeks, (sum(counts) + reach) / weeks


def line_for(
    cases: Sequence[Sequence[Look]], room: float, first: int, weeks: float, silent_sessions: int
) -> float:
    """The line that would have raised as many flags a week as there is room for.

    Parameters
    ----------
    cases : sequence of sequence of Look
        One an episode, as `raised_in`.
    room : float
        Flags a week, of the whole clinic.
    first, weeks, silent_sessions
        As `per_week`.

    Returns
    -------
    float
        0 where everything fits.

    Raises
    ------
    ValueError
        Where no time went by.
    """
    if not weeks > 0 or math.isnan(room):
        raise ValueError("a line takes some weeks and a room to be priced")
    if per_week(cases, 0.0, first, weeks, silent_sessions) <= room:
        return 0.0
    low, high = 0.0, 1.0
    while per_week(cases, high, first, weeks, silent_sessions) > room:
        low, high = high, 2 * high
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        if per_week(cases, middle, first, weeks, silent_sessions) > room:
            low = middle
        else:
            high = middle
    return high
