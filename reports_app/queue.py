"""The review queue: one entry a client, ordered by the expected benefit of looking.

The order is made from the flags alone; only the entries that are shown get a curve and words.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, F, Q, Value
from django.db.models.functions import TruncDate

from measures_app.flagging import NOBODY_TOOK_IT
from measures_app.models import Flag
from measures_app.models.flags import FlagQuerySet
from measures_app.psychometrics import budget as room
from reports_app.noticed import GOOD_NEWS
from reports_app.selectors import Row, rows_of
from sessions_app import clinic_time
from sessions_app.access import all_episodes_seen
from sessions_app.prepared import Prepared

MOST_FOLDED = 12  # rows that a fold shows
LATELY = 35  # days that the numbers above the list look back on


@dataclass
class Entry:
    """One episode's flags that stand for review, before anything is drawn."""

    episode_id: int
    client_id: int
    rules: list[str] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    noticed_on: date = date.max
    taken_up: bool = False
    benefit: float = 0.0

    @property
    def good_news(self) -> bool:
        return all(rule == GOOD_NEWS for rule in self.rules)


@dataclass
class Queue:
    """What the queue page shows; totals count clients, lists hold the rows of a fold at most."""

    talk: list[Row]
    beyond: list[Row]
    good: list[Row]
    talk_total: int
    good_total: int
    beyond_total: int
    put_off: list[Row] = field(default_factory=list)
    put_off_total: int = 0
    waiting: list[Row] = field(default_factory=list)
    waiting_total: int = 0


class Standing(NamedTuple):
    """What the order is made of: a flag without its words."""

    pk: int
    episode_id: int
    client_id: int
    rule: str
    state: str
    raised_on: date
    owner_id: int | None
    snoozed_until: date | None
    benefit: float | None


def benefit_of(flag: Flag | Standing, today: date) -> float:
    """Expected benefit of looking, as the night stored it; it climbs while nobody has taken it up.

    So nothing stays open silently: each week adds what a week of waiting below the line adds.
    """
    found = flag.benefit
    if found is None:  # raised before benefits were stored
        found = room.WEIGHT.get(flag.rule, 0.0) * room.UNKNOWN
    days = 0 if flag.owner_id else (today - flag.raised_on).days
    return room.climbed(found, days)


def _by_episode(flags: list[Standing], today: date) -> list[Entry]:
    found: dict[int, Entry] = {}
    for flag in flags:
        entry = found.setdefault(flag.episode_id, Entry(flag.episode_id, flag.client_id))
        entry.rules.append(flag.rule)
        entry.flags.append(flag.pk)
        entry.noticed_on = min(entry.noticed_on, flag.raised_on)
        entry.taken_up |= flag.owner_id is not None
        entry.benefit = max(entry.benefit, benefit_of(flag, today))
    return list(found.values())


def _one_a_client(entries: list[Entry]) -> list[Entry]:
    """By benefit; a client with flags in two episodes stands where the stronger one does."""
    ordered = sorted(entries, key=lambda e: (-e.benefit, e.noticed_on, e.episode_id))
    chosen: dict[int, Entry] = {}
    for entry in ordered:
        chosen.setdefault(entry.client_id, entry)
    return list(chosen.values())


def _of_others(flags: list[Standing], than: list[Standing], today: date) -> list[Entry]:
    """Entries of clients who don't stand among the flags of another list."""
    there = {flag.client_id for flag in than}
    return _one_a_client(_by_episode([f for f in flags if f.client_id not in there], today))


def queue_of(user: Any, budget: int, seen: list[int] | None = None) -> Queue:
    """The queue within a person's scope: this week's room, what lies beyond, the good news.

    `seen`: the episodes in it, where they were asked for already.

    What somebody has taken up stays in sight until it is decided, beyond the week's room too.
    Behind it stand those put off and those that wait below the clinic's line.
    """
    today = clinic_time.today()
    seen = all_episodes_seen(user) if seen is None else seen
    standing = [Standing(*row) for row in _STANDING.rows([seen])]
    live = [flag for flag in standing if flag.state != Flag.State.WAITING]
    off = {f.pk for f in live if f.snoozed_until is not None and f.snoozed_until > today}
    awake = [flag for flag in live if flag.pk not in off]
    asleep = _of_others([flag for flag in live if flag.pk in off], awake, today)
    waiting = _of_others([f for f in standing if f.state == Flag.State.WAITING], live, today)
    entries = _by_episode(awake, today)
    talk = _one_a_client([e for e in entries if not e.good_news])
    talking = {entry.client_id for entry in talk}
    good = _one_a_client([e for e in entries if e.good_news and e.client_id not in talking])
    now = [e for i, e in enumerate(talk) if i < budget or e.taken_up]
    in_sight = {entry.episode_id for entry in now}
    later = [e for e in talk if e.episode_id not in in_sight]
    folded = [part[:MOST_FOLDED] for part in (later, good, asleep, waiting)]
    parts = [now, *folded]
    ids = [entry.episode_id for part in parts for entry in part]
    shown = {flag.pk for flag in live} | {pk for entry in folded[-1] for pk in entry.flags}
    rows = {row.episode.pk: row for row in rows_of(ids, _flags(shown, standing, ids))}
    elsewhere = _elsewhere(entries, set(ids))
    for row in rows.values():
        row.elsewhere = elsewhere.get(row.episode.client_id, [])
    talk_rows, beyond_rows, good_rows, put_off, waiting_rows = (
        [rows[entry.episode_id] for entry in part if entry.episode_id in rows] for part in parts
    )
    put_off.sort(key=lambda row: row.put_off_until)
    counts = len(talk), len(good), len(later)
    return Queue(
        talk_rows, beyond_rows, good_rows, *counts, put_off, len(asleep), waiting_rows, len(waiting)
    )


_STANDING = Prepared(
    lambda given: (
        Flag.objects.standing()
        .for_review()
        .filter(episode__pk__any_of=given[0], episode__closed_on=None)
        .order_by("pk")
        .values_list(*Standing._fields)
    )
)


def _flags(shown: set[int], standing: list[Standing], ids: list[int]) -> list[int]:
    """The flags of the rows that are shown."""
    episodes = set(ids)
    return [f.pk for f in standing if f.pk in shown and f.episode_id in episodes]


def for_review(user: Any) -> FlagQuerySet:
    """Review flags in scope of episodes that go on."""
    return Flag.objects.visible_to(user).for_review().filter(episode__closed_on=None)


def live_flags(user: Any) -> FlagQuerySet:
    """Review flags in scope that somebody is to look at: those of an ended episode no more."""
    return for_review(user).live()


def _elsewhere(entries: list[Entry], shown: set[int]) -> dict[int, list[int]]:
    """Episodes with flags that stand behind a shown one of the same client."""
    found: dict[int, list[int]] = defaultdict(list)
    for entry in entries:
        if entry.episode_id not in shown:
            found[entry.client_id].append(entry.episode_id)
    return found


@dataclass(frozen=True)
class Lately:
    """What became of review flags in the last weeks.

    `in_time` of the `raised` were taken up or decided within a week, good news not counted;
    `untaken` clients' flags lapsed because nobody took them up: not gone silently.
    """

    raised: int
    in_time: int
    untaken: int


def _counted(given: Any) -> Any:
    seen, since, a_week_ago = given
    judged = (
        Q(raised_on__gte=since, raised_on__lte=a_week_ago) & ~Q(rule=GOOD_NEWS) & Flag.was_noticed()
    )
    nobody = Q(
        state=Flag.State.LAPSED,
        closed_on__gte=since,
        close_reason__startswith=NOBODY_TOOK_IT,
    )
    week_on = F("raised_on") + timedelta(days=7)
    in_time = Q(owned_on__lte=week_on) | Q(state=Flag.State.DECIDED, closed_on__lte=week_on)
    return (
        Flag.objects.for_review()
        .filter(judged | nobody, episode__pk__any_of=seen)
        .annotate(owned_on=TruncDate("taken_up_at", tzinfo=clinic_time.zone()))
        .order_by()
        .values(of=Value(1))
        .annotate(
            raised=Count("pk", filter=judged),
            in_time=Count("pk", filter=judged & in_time),
            untaken=Count("client", filter=nobody, distinct=True),
        )
        .values_list("raised", "in_time", "untaken")
    )


_LATELY = Prepared(_counted)


def lately(user: Any, seen: list[int] | None = None) -> Lately:
    """Counted in the database, in one statement: a clinic's weeks are thousands of flags."""
    today = clinic_time.today()
    seen = all_episodes_seen(user) if seen is None else seen
    since, a_week_ago = today - timedelta(days=LATELY), today - timedelta(days=7)
    for counts in _LATELY.rows([seen, since, a_week_ago]):
        return Lately(*counts)
    return Lately(0, 0, 0)
