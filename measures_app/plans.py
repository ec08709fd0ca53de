"""The clinic's plan: which measure, of whom, how often, from which day.

Without a word from the clinic the outcome measure for the client's age is asked at each session
of the client and of carers, and the alliance measure of the client. The most particular line
decides: one for the programme goes before one for all, one for an age before one for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from measures_app.models import Measure, MeasurePlan

EACH, NTH, ENDS, MONTHLY, DAYS, NEVER = MeasurePlan.Rhythm.values
SELF, CARER = "self", "carer"
RATERS = {SELF: "client", CARER: "carer"}
ALWAYS = date.min


@dataclass(frozen=True)
class Line:
    """A line of the plan as it holds on a day."""

    key: str
    relation: str
    measure_id: int | None = None
    purpose: str = ""
    rhythm: str = EACH
    every: int | None = None
    programme_id: int | None = None
    age_from: int | None = None
    age_to: int | None = None
    from_on: date = ALWAYS
    withdrawn: bool = False

    @property
    def target(self) -> tuple[Any, ...]:
        """What is asked of whom; one line decides each."""
        return (self.measure_id, self.purpose, self.relation)

    @property
    def rank(self) -> tuple[bool, bool]:
        """More particular lines come first."""
        return (
            self.programme_id is None,
            self.age_from is None and self.age_to is None,
        )

    def covers(self, age: int, programme_id: int) -> bool:
        return (
            self.programme_id in (None, programme_id)
            and (self.age_from is None or age >= self.age_from)
            and (self.age_to is None or age <= self.age_to)
        )

    @property
    def words(self) -> str:
        """How often, in words."""
        if self.rhythm == NTH:
            return _("every %(n)s sessions") % {"n": self.every}
        if self.rhythm == DAYS:
            return _("at most once in %(n)s days, in all programmes together") % {"n": self.every}
        return str(MeasurePlan.Rhythm(self.rhythm).label)


DEFAULTS = (
    Line("outcome-self", SELF, purpose=Measure.Purpose.OUTCOME.value),
    Line("outcome-carer", CARER, purpose=Measure.Purpose.OUTCOME.value),
    Line("alliance-self", SELF, purpose=Measure.Purpose.ALLIANCE.value),
)


def _line(row: MeasurePlan) -> Line:
    return Line(
        key=row.key,
        relation=row.relation,
        measure_id=row.measure_id,
        purpose=row.purpose,
        rhythm=row.rhythm,
        every=row.every,
        programme_id=row.programme_id,
        age_from=row.age_from,
        age_to=row.age_to,
        from_on=row.from_on,
        withdrawn=row.withdrawn,
    )


class Plan:
    """Every dated line, read once; `on` says what holds on a day."""

    def __init__(self, rows: Iterable[MeasurePlan] | None = None) -> None:
        found = MeasurePlan.objects.order_by("from_on", "pk") if rows is None else rows
        self._lines = [_line(row) for row in found]

    def on(self, day: date) -> list[Line]:
        """Lines in force, in the order in which they were first set."""
        held = {line.key: line for line in DEFAULTS}
        for line in self._lines:
            if line.from_on <= day:
                held[line.key] = line
        return [line for line in held.values() if not line.withdrawn]

    def deciding(self, day: date, age: int, programme_id: int) -> list[Line]:
        """For each thing asked of each kind of respondent the one line that decides."""
        decided: dict[tuple[Any, ...], Line] = {}
        lines = self.on(day)
        for line in sorted(lines, key=lambda line: line.rank):
            if line.covers(age, programme_id):
                decided.setdefault(line.target, line)
        return [line for line in lines if decided.get(line.target) is line]


class Taken(NamedTuple):
    """A measure that was taken: by whom, when, at which session of which episode."""

    measure_id: int
    purpose: str
    respondent_id: int
    episode_id: int
    session_id: int | None
    day: date


@dataclass(frozen=True)
class Past:
    """What came before a day: attended sessions in order, and what was taken of the client."""

    episode_id: int
    visits: tuple[tuple[int, date], ...]
    taken: tuple[Taken, ...]

    def before(self, on: date, session_id: int | None) -> Past:
        """The past as it lay before a session; what was taken at it doesn't count."""
        ids = [visit[0] for visit in self.visits]
        if session_id in ids:
            visits = self.visits[: ids.index(session_id)]
        else:
            visits = tuple(v for v in self.visits if v[1] <= on and v[0] != session_id)
        earlier = {visit[0] for visit in visits}
        taken = tuple(
            t
            for t in self.taken
            if t.day < on
            or t.session_id in earlier
            or (t.day == on and t.session_id is None)
            or (t.day == on and t.episode_id != self.episode_id)
        )
        return replace(self, visits=visits, taken=taken)


def _sessions_since(past: Past, last: Taken) -> int:
    """Sessions from the one at which it was last taken to this one, this one counted."""
    ids = [visit[0] for visit in past.visits]
    if last.session_id in ids:
        return len(ids) - ids.index(last.session_id)
    return 1 + sum(day > last.day for _session, day in past.visits)


def is_due(line: Line, past: Past, taken: list[Taken], on: date, *, last_session: bool) -> bool:
    """Whether the rhythm asks on a day.

    Parameters
    ----------
    past : Past
        As it lay before the session.
    taken : list of Taken
        What this respondent answered of this line, in all of the client's episodes.
    last_session : bool
        The course of care ends with this session.
    """
    here = [t for t in taken if t.episode_id == past.episode_id]
    newest = max(here, key=lambda t: t.day, default=None)
    if line.rhythm == NEVER:
        return False
    if line.rhythm == NTH:
        return newest is None or _sessions_since(past, newest) >= (line.every or 1)
    if line.rhythm == ENDS:
        return last_session or newest is None
    if line.rhythm == MONTHLY:
        return not any((t.day.year, t.day.month) == (on.year, on.month) for t in here)
    if line.rhythm == DAYS:
        return not any((on - t.day).days < (line.every or 1) for t in taken)
    return True
