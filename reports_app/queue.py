"""The review queue: one entry a client, ordered by the expected benefit of looking.

The order is made from the flags alone; only the entries that are shown get a curve and words.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from measures_app.flagging import NOBODY_TOOK_IT
from measures_app.models import Flag
from measures_app.models.flags import FlagQuerySet
from reports_app.models import EpisodeSummary
from reports_app.noticed import GOOD_NEWS, WEIGHT
from reports_app.selectors import Row, rows_of
from sessions_app import clinic_time
from sessions_app.models import Episode

MOST_FOLDED = 24  # beyond the week's room: rows a fold shows


@dataclass
class Entry:
    """One episode's live review flags, before anything is drawn."""

    episode_id: int
    client_id: int
    rules: list[str] = field(default_factory=list)
    noticed_on: date = date.max
    taken_up: bool = False
    sessions: int = 0

    @property
    def good_news(self) -> bool:
        return all(rule == GOOD_NEWS for rule in self.rules)


@dataclass
class Queue:
    """What the queue page shows; `talk_total` and `good_total` count clients."""

    talk: list[Row]
    beyond: list[Row]
    good: list[Row]
    talk_total: int
    good_total: int
    beyond_total: int
    put_off: list[Row] = field(default_factory=list)
    put_off_total: int = 0


def benefit_of(entry: Entry, today: date) -> float:
    """Expected benefit of looking: how far a rule's reason weighs, more while care is young.

    The weight of the strongest rule, raised a little for each week nobody took it up so that
    nothing stays open silently, and falling with the sessions already given: what is changed
    early has more sessions to work in.
    """
    weight = max((WEIGHT.get(rule, 0.0) for rule in entry.rules), default=0.0)
    weeks = max(0, (today - entry.noticed_on).days) / 7
    waiting = 0.0 if entry.taken_up else 0.05 * min(weeks, 6.0)
    remaining = 1.0 / (1.0 + max(0, entry.sessions - 6) / 12)
    return weight * remaining + waiting


def _entries(live: Any, today: date) -> tuple[list[Entry], list[Entry]]:
    """Episodes by what of theirs is awake, and those of which everything is put off."""
    rows = live.order_by("pk").values_list(
        "episode_id", "client_id", "rule", "raised_on", "owner_id", "snoozed_until"
    )
    awake, asleep = [], []
    for *row, until in rows:
        (asleep if until is not None and until > today else awake).append(row)
    up = {client for _episode, client, *_rest in awake}
    return _by_episode(awake), _by_episode([row for row in asleep if row[1] not in up])


def _by_episode(rows: list[Any]) -> list[Entry]:
    found: dict[int, Entry] = {}
    for episode, client, rule, raised_on, owner in rows:
        entry = found.setdefault(episode, Entry(episode, client))
        entry.rules.append(rule)
        entry.noticed_on = min(entry.noticed_on, raised_on)
        entry.taken_up |= owner is not None
    attended = dict(
        EpisodeSummary.objects.filter(episode__in=list(found)).values_list("episode", "attended")
    )
    for entry in found.values():
        entry.sessions = attended.get(entry.episode_id, 0)
    return list(found.values())


def _one_a_client(entries: list[Entry], today: date) -> list[Entry]:
    """By benefit; a client with flags in two episodes stands where the stronger one does."""
    ordered = sorted(entries, key=lambda e: (-benefit_of(e, today), e.noticed_on, e.episode_id))
    chosen: dict[int, Entry] = {}
    for entry in ordered:
        chosen.setdefault(entry.client_id, entry)
    return list(chosen.values())


def queue_of(user: Any, budget: int) -> Queue:
    """The queue within a person's scope: this week's room, what lies beyond, the good news.

    What somebody has taken up stays in sight until it is decided, beyond the week's room too.
    """
    live = live_flags(user)
    today = clinic_time.today()
    entries, asleep = _entries(live, today)
    asleep = _one_a_client(asleep, today)
    talk = _one_a_client([e for e in entries if not e.good_news], today)
    talking = {entry.client_id for entry in talk}
    good = [e for e in entries if e.good_news and e.client_id not in talking]
    good = _one_a_client(good, today)
    now = [e for i, e in enumerate(talk) if i < budget or e.taken_up]
    in_sight = {entry.episode_id for entry in now}
    later = [e for e in talk if e.episode_id not in in_sight]
    parts = [now, later[:MOST_FOLDED], good[:MOST_FOLDED], asleep[:MOST_FOLDED]]
    ids = [entry.episode_id for part in parts for entry in part]
    rows = {row.episode.pk: row for row in rows_of(Episode.objects.filter(pk__in=ids), live)}
    elsewhere = _elsewhere(entries, set(ids))
    for row in rows.values():
        row.elsewhere = elsewhere.get(row.episode.client_id, [])
    talk_rows, beyond_rows, good_rows, put_off = (
        [rows[entry.episode_id] for entry in part if entry.episode_id in rows] for part in parts
    )
    put_off.sort(key=lambda row: row.put_off_until)
    counts = len(talk), len(good), len(later)
    return Queue(talk_rows, beyond_rows, good_rows, *counts, put_off, len(asleep))


def live_flags(user: Any) -> FlagQuerySet:
    """Review flags in scope that somebody is to look at: those of an ended episode no more."""
    return Flag.objects.visible_to(user).live().for_review().filter(episode__closed_on=None)


def waiting_below(user: Any) -> int:
    """Clients with nothing but reasons below the clinic's line: they wait and climb."""
    seen = Flag.objects.visible_to(user).for_review().filter(episode__closed_on=None)
    up = seen.live().values("client")
    waits = seen.filter(state=Flag.State.WAITING).exclude(client__in=up)
    return waits.values("client").distinct().count()


def _elsewhere(entries: list[Entry], shown: set[int]) -> dict[int, list[int]]:
    """Episodes with flags that stand behind a shown one of the same client."""
    found: dict[int, list[int]] = defaultdict(list)
    for entry in entries:
        if entry.episode_id not in shown:
            found[entry.client_id].append(entry.episode_id)
    return found


def left_untaken(user: Any, days: int = 35) -> int:
    """Clients whose flags lapsed lately because nobody took them up: not gone silently."""
    since = clinic_time.today() - timedelta(days=days)
    lapsed = Flag.objects.visible_to(user).filter(
        state=Flag.State.LAPSED, closed_on__gte=since, close_reason__startswith=NOBODY_TOOK_IT
    )
    return lapsed.values("client").distinct().count()


def taken_up_share(user: Any, days: int = 35) -> tuple[int, int]:
    """(taken up or decided within a week, raised) of review flags raised in the weeks before."""
    today = clinic_time.today()
    raised = (
        Flag.objects.visible_to(user)
        .for_review()
        .noticed()
        .exclude(rule=GOOD_NEWS)
        .filter(
            raised_on__gte=today - timedelta(days=days), raised_on__lte=today - timedelta(days=7)
        )
    )
    in_time = 0
    rows = list(raised.values_list("raised_on", "taken_up_at", "closed_on", "state"))
    for raised_on, taken_up_at, closed_on, state in rows:
        acted = [clinic_time.local_date(taken_up_at)] if taken_up_at else []
        if state == Flag.State.DECIDED:
            acted.append(closed_on)
        in_time += bool(acted) and (min(acted) - raised_on).days <= 7
    return in_time, len(rows)
