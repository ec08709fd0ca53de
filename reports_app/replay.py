"""What each rule would have said, week by week, from what was known on that day and no more.

The night's own code reads and speaks as of each origin; models are those fitted on what was known
an origin earlier or more, so that no score is judged with a model that has seen it. All of it
happens in a transaction that is rolled back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db import transaction

from measures_app import expected, fitting, flagging, histories, prognosis, series, stopping
from measures_app.expected import Reading
from measures_app.flagging import FlagKey, Models, Spoken
from measures_app.models import FlagRuleSet, StoppingModel
from measures_app.psychometrics import steering
from measures_app.psychometrics.budget import Held, Look, raised_in
from measures_app.psychometrics.change import ChangeCriteria
from measures_app.psychometrics.norms import direction
from measures_app.psychometrics.rules import Constants
from sessions_app.context import acting_as, system

EVERY_DAYS = 7
FORETOLD_AT = (3, 6, 8)
REFIT_DAYS = 28  # a fit a week says hardly more than a fit a month, and takes four times as long


@dataclass(frozen=True)
class Raised:
    """A flag that would have been raised."""

    episode: int
    rule: str
    series: str
    on: date
    t: int


@dataclass(frozen=True)
class BandLook:
    """A new score beside the 80 % band that stood before it was known."""

    t: int
    right_of_worse_end: bool
    right_of_better_end: bool | None  # None where that end is the end of the scale


@dataclass(frozen=True)
class Forecasts:
    """The last score of a series as several ways foretold it at one look."""

    weighed: float
    growth: float
    challenger: float
    static: float  # from the first score alone
    low80: float
    high80: float
    floor: float  # of the scale, where low is what a band can't pass


def _flags(episode: int, look: Look, reasons: Iterable[Held]) -> list[Raised]:
    on = date.fromordinal(look.day)
    keys = [reason.key.partition(" ") for reason in reasons]
    return [Raised(episode, rule, which, on, look.sessions) for rule, _, which in keys]


@dataclass
class Replay:
    """All that a history would have brought up."""

    origins: list[date]
    raised: list[Raised] = field(default_factory=list)
    entries: Counter[date] = field(default_factory=Counter)  # cases new in the queue, by origin
    bands: list[BandLook] = field(default_factory=list)
    cases: dict[int, list[Look]] = field(default_factory=dict)  # reasons that held, by episode
    foretold_from: date | None = None  # the first look with probabilities
    constants: Constants = field(default_factory=Constants)
    courses: dict[tuple[int, str], tuple[list[int], list[float]]] = field(default_factory=dict)
    # By episode, series and session: what was foretold of the last score.
    forecasts: dict[tuple[int, str, int], Forecasts] = field(default_factory=dict)

    def at(self, line: float) -> list[Raised]:
        """The review flags that a line would have raised, each decided by the next look."""
        silent = self.constants.silent_sessions
        return [
            flag
            for episode, looks in self.cases.items()
            for look, reasons in raised_in(looks, line, silent)
            for flag in _flags(episode, look, reasons)
        ]

    def following(
        self, line: float, room: float, since: date
    ) -> tuple[list[Raised], dict[date, float]]:
        """The same for a line that follows the count from a day on; and each day's line."""
        ids, silent = list(self.cases), self.constants.silent_sessions
        found = steering.follow(list(self.cases.values()), line, room, since.toordinal(), silent)
        raised = [
            flag
            for number, look, reasons in found.raised
            for flag in _flags(ids[number], look, reasons)
        ]
        return raised, {date.fromordinal(day): one for day, one in found.lines.items()}

    def raise_reasons(self) -> None:
        """Add the review flags that the line in force would have raised."""
        found = self.at(self.constants.notice_above)
        self.raised += found
        self.entries.update(on for on, _episode in {(flag.on, flag.episode) for flag in found})


def origins_between(first: date, last: date, every: int = EVERY_DAYS) -> list[date]:
    """Days on which the past is looked at, the last of them `last`."""
    days = (last - first).days
    return [last - timedelta(days=every * k) for k in range(days // every, -1, -1)]


def constants_in_force() -> Constants:
    """The rules as they are now: a back-test asks what they would have done."""
    newest = FlagRuleSet.objects.order_by("-version").first()
    return flagging.constants_of(newest) if newest else Constants()


class _Memory:
    """Prompts raised before: live keys, and the session at which a key last was."""

    def __init__(self, constants: Constants) -> None:
        self.silent = constants.silent_sessions
        self.live: set[FlagKey] = set()
        self.last_t: dict[FlagKey, int] = {}

    def new_of(self, spoken: dict[FlagKey, Spoken]) -> list[Spoken]:
        found = []
        for key, word in spoken.items():
            if key in self.live or key[1] not in flagging.PROMPT_RULES:
                continue
            before = self.last_t.get(key)
            if before is not None and word.facts.sessions - before < self.silent:
                continue
            self.last_t[key] = word.facts.sessions
            found.append(word)
        self.live = set(spoken)
        return found


def _band_looks(readings: list[Reading], since: date) -> list[BandLook]:
    looks = []
    for reading in readings:
        s = reading.series
        if s.criteria is None or not reading.expected_t or s.dates[-1] <= since:
            continue
        expected_at, low, high = reading.at(s.t[-1])
        if expected_at != expected_at:  # NaN: intake, or off the axis
            continue
        sign = direction(s.criteria.better)
        worse, better = (low, high) if sign > 0 else (high, low)
        scale_end = s.high if sign > 0 else s.low
        score = s.scores[-1]
        looks.append(
            BandLook(
                t=s.t[-1],
                right_of_worse_end=sign * (score - worse) >= -1e-9,
                right_of_better_end=None
                if abs(better - scale_end) < 1e-9
                else sign * (better - score) >= -1e-9,
            )
        )
    return looks


def _follow(readings: list[Reading], replay: Replay) -> None:
    """Note how likely each series was to end without reliable improvement, score by score."""
    for reading in readings:
        chance = reading.probabilities.get("not_improved")
        if chance is None:
            continue
        t = reading.series.t[-1]
        looked_at, chances = replay.courses.setdefault(
            (reading.series.episode_id, reading.series.key), ([], [])
        )
        if not looked_at or looked_at[-1] < t:
            looked_at.append(t)
            chances.append(chance)


def _foretell(readings: list[Reading], replay: Replay) -> None:
    """Note what was foretold of the last score at the first look after some sessions."""
    groups: dict[tuple[int, ChangeCriteria], list[Reading]] = {}
    for reading in readings:
        s = reading.series
        place = s.episode_id, s.key, s.t[-1]
        if s.t[-1] not in FORETOLD_AT or place in replay.forecasts or not reading.probabilities:
            continue
        if reading.model is not None and s.criteria is not None and s.relation == "self":
            groups.setdefault((reading.model.pk, s.criteria), []).append(reading)
    for (_model, criteria), alike in groups.items():
        row = alike[0].model
        assert row is not None
        courses = [(r.series.episode_id, r.series.t, r.series.scores) for r in alike]
        static = prognosis.from_the_start_alone(row, fitting.growth_of(row), courses, criteria)
        for reading, unseen in zip(alike, static.tolist(), strict=True):
            s, said = reading.series, reading.probabilities
            growth, challenger = reading.alone
            replay.forecasts[s.episode_id, s.key, s.t[-1]] = Forecasts(
                said["mean"], growth, challenger, unseen, said["low80"], said["high80"], s.low
            )


def _look_at_reasons(
    spoken: dict[FlagKey, Spoken], sessions: dict[int, int], day: int, replay: Replay
) -> None:
    """Note every review reason that held, episode by episode; where none did, that too."""
    held: dict[int, list[Held]] = {}
    for (episode, rule, which), word in spoken.items():
        if word.benefit is not None:
            reason = Held(f"{rule} {which}", word.benefit, word.level)
            held.setdefault(episode, []).append(reason)
    for episode in {*held, *(pk for pk in replay.cases if pk in sessions)}:
        look = Look(day, sessions[episode], tuple(held.get(episode, ())))
        replay.cases.setdefault(episode, []).append(look)


def _fit(as_of: date) -> tuple[Models, StoppingModel | None]:
    for measure in fitting.fitted_measures():
        fitting.fit_measure(measure, as_of)
    stopping.fit(as_of)
    return fitting.all_in_use(as_of), stopping.latest(as_of)


def _speak(
    origin: date,
    before: date,
    models: Models,
    stops: StoppingModel | None,
    constants: Constants,
    replay: Replay,
) -> dict[FlagKey, Spoken]:
    facts = histories.open_episodes(origin)
    histories.add_attendance(facts, origin)
    stopping.add_chances(facts, stops, origin)
    found = series.as_series(series.scores(as_of=origin, episode_ids=list(facts)))
    readings = expected.read_series(found, models, as_of=origin)
    histories.add_series(facts, readings, origin)
    replay.bands += _band_looks(readings, before)
    _follow(readings, replay)
    _foretell(readings, replay)
    waiting = histories.unconfirmed_clinicians(origin)
    spoken: dict[FlagKey, Spoken] = {}
    for known in facts.values():
        if histories.is_stale_import(known, origin):
            continue
        for word in flagging.speak(
            known, origin, constants, models=models, unconfirmed=known.lead_id in waiting
        ):
            spoken[word.key] = word
    counts = {pk: known.sessions for pk, known in facts.items()}
    _look_at_reasons(spoken, counts, origin.toordinal(), replay)
    if models and replay.foretold_from is None and any(r.probabilities for r in readings):
        replay.foretold_from = origin
    return spoken


def replay_flags(
    first: date,
    last: date,
    *,
    every: int = EVERY_DAYS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replay:
    """Look at the clinic's history as the nights would have.

    Parameters
    ----------
    first, last : date
        The history's first and last day.
    every : int
        Days between two looks.
    progress : callable
        Told (looks done, looks in all).

    Returns
    -------
    Replay
        Nothing is kept in the database.
    """
    found = Replay(origins_between(first, last, every))
    with acting_as(system("back-test")), transaction.atomic():
        constants = constants_in_force()
        found.constants = constants
        memory = _Memory(constants)
        fitted_on: date = date.min
        models: Models = {}
        stops: StoppingModel | None = None
        for number, origin in enumerate(found.origins):
            before = origin - timedelta(days=every)
            if (before - fitted_on).days >= REFIT_DAYS:
                fitted_on, (models, stops) = before, _fit(before)
            spoken = _speak(origin, before, models, stops, constants, found)
            for word in memory.new_of(spoken):
                episode, rule, which = word.key
                found.raised.append(Raised(episode, rule, which, origin, word.facts.sessions))
            progress(number + 1, len(found.origins))
        transaction.set_rollback(True)
    found.raise_reasons()
    return found
