"""Which episodes a night reads again, and why.

Those of which a note was left (`touched_episodes`) and whose inputs or models are others now;
those that lack derived rows, or have rows made by other code; open ones that other rules look at
now. The rest is left alone, but for the passing of days.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import connection

from measures_app import touched_episodes
from measures_app.fingerprints import bit_of, fingerprints
from measures_app.fitting import CODE_VERSION, ModelKey
from measures_app.histories import EpisodeFacts
from measures_app.models import ExpectedChangeModel, Flag
from measures_app.psychometrics.rules import Constants
from measures_app.reference_models import References
from measures_app.rule_sets import constants_of, current_rule_set, for_clinician, own_checkpoints
from measures_app.series import Ids, within
from reports_app.models import EpisodeSummary
from sessions_app.models import Episode

WORD = 16  # characters of a hash

LACKING = """
SELECT e.id FROM sessions_app_episode e
LEFT JOIN reports_app_episodesummary s
    ON s.episode_id = e.id AND s.episode_id >= %(start)s AND s.episode_id < %(stop)s
LEFT JOIN (
    SELECT episode_id, count(*) AS n FROM measures_app_trajectory
    WHERE episode_id >= %(start)s AND episode_id < %(stop)s GROUP BY episode_id
) AS t ON t.episode_id = e.id
WHERE e.id >= %(start)s AND e.id < %(stop)s AND (
    s.id IS NULL OR split_part(s.made_from, ':', 1) <> %(code)s
    OR s.trajectories <> COALESCE(t.n, 0))
"""


@dataclass
class Changes:
    """What of a block is to be read again, and what of each episode it would be made from."""

    made_from: dict[int, str]
    changed: list[int] = field(default_factory=list)
    later: set[int] = field(default_factory=set)  # read already as of a later day
    stored: dict[int, str] = field(default_factory=dict)  # `made_from`, of changed and open ones
    scores: dict[int, int] = field(default_factory=dict)
    episodes: int = 0  # that the block holds

    def scope(self, block: Ids) -> Ids:
        """The changed episodes: as the block itself, where that is all of them."""
        return block if len(self.changed) == self.episodes else self.changed


class Models:
    """A word for the models that an episode is read with: with others, it is read again.

    Those of the measures it has scores of, whoever answers: a small measure's model is fitted
    every night, and nothing follows from it for those who don't use it.
    """

    def __init__(
        self, models: Mapping[ModelKey, ExpectedChangeModel], references: References
    ) -> None:
        rows = [*models.items(), *((key, row) for key, r in references.by_key.items() for row in r)]
        self.used = sorted((bit_of(key[0]), key, row.checksum) for key, row in rows)
        self.words: dict[int, str] = {}

    def word(self, bits: int) -> str:
        if bits not in self.words:
            self.words[bits] = _word([row for row in self.used if row[0] & bits])
        return self.words[bits]


def _word(*made_of: Any) -> str:
    return hashlib.sha256(repr(made_of).encode()).hexdigest()[:WORD]


CODE = _word(CODE_VERSION)[:8]


def _lacking(block: range) -> set[int]:
    """Episodes whose derived rows aren't all there, or were made by other code."""
    with connection.cursor() as cursor:
        cursor.execute(LACKING, {"start": block.start, "stop": block.stop, "code": CODE})
        return {pk for (pk,) in cursor.fetchall()}


def _made_of(ids: Collection[int], as_of: date, models: Models) -> dict[int, str]:
    """By episode, what its rows would be made from now: the code, its inputs and the models."""
    if not ids:
        return {}
    found = fingerprints(as_of, ids if isinstance(ids, range) else sorted(ids))
    return {
        pk: f"{CODE}:{number & 0xFFFFFFFFFFFFFFFF:016x}:{models.word(bits)}"
        for pk, (number, bits) in found.items()
    }


def look_for(block: Ids, as_of: date, models: Models, *, force: bool, live: bool) -> Changes:
    """What changed in a block; in a list of ids, with `force`, all of them.

    Notes are taken first, then what they speak of is compared, and only then is anything read:
    what is written meanwhile leaves a note for the next night.
    """
    summaries = EpisodeSummary.objects.filter(within("episode_id", block))
    later = set(summaries.filter(as_of__gt=as_of).values_list("episode", flat=True))
    if not isinstance(block, range):
        ids = list(block or ())
        found = Changes(_made_of(ids, as_of, models), later=later, episodes=len(ids))
        lacking = set(ids) if force else set()
    else:
        noted = touched_episodes.noted(block, as_of, without=later, take=live)
        episodes = Episode.objects.filter(within("pk", block)).count()
        lacking = _lacking(block)
        wanted = block if len(lacking) == episodes else lacking | noted
        found = Changes(_made_of(wanted, as_of, models), later=later, episodes=episodes)
    rows = summaries.filter(within("episode_id", sorted(found.made_from)))
    for pk, before, scores in rows.values_list("episode", "made_from", "scores"):
        found.stored[pk], found.scores[pk] = before, scores
    found.changed = sorted(
        pk
        for pk, now in found.made_from.items()
        if pk not in later and (pk in lacking or found.stored.get(pk, "")[: len(now)] != now)
    )
    return found


def add_open(found: Changes, open_now: Mapping[int, EpisodeFacts], as_of: date) -> None:
    """Of open episodes also the rules: those that others look at now are read again.

    An open episode's `made_from` ends with a word for its clinician's rules; whoever has closed
    it or opened it again has changed its inputs.
    """
    unread = sorted(set(open_now) - set(found.stored))
    rows = EpisodeSummary.objects.filter(within("episode_id", unread))
    for pk, before, scores in rows.values_list("episode", "made_from", "scores"):
        found.stored[pk], found.scores[pk] = before, scores
    rules = _Rules(as_of)
    changed = set(found.changed)
    for pk, facts in open_now.items():
        ruled = f":{rules.word(facts.lead_id)}"
        if pk in changed:
            found.made_from[pk] += ruled
        elif pk in found.stored and not found.stored[pk].endswith(ruled):
            # Its inputs aren't looked at here: what changed in them has left a note of its own.
            found.made_from[pk] = ":".join(found.stored[pk].split(":")[:3]) + ruled
            changed.add(pk)
    found.changed = sorted(changed)


class _Rules:
    """A word for the rules that a clinician's open episodes are looked at with."""

    def __init__(self, as_of: date) -> None:
        self.constants: Constants = constants_of(current_rule_set(as_of))
        self.own = own_checkpoints(as_of)
        self.words: dict[int | None, str] = {}

    def word(self, clinician: int | None) -> str:
        own = self.own.get(clinician or 0)
        if own not in self.words:
            self.words[own] = _word(for_clinician(self.constants, own))
        return self.words[own]


def quiet(open_now: Mapping[int, EpisodeFacts], found: Changes) -> dict[int, EpisodeFacts]:
    """Open episodes in which only days have passed since they were last looked at.

    Not those where a decision keeps a rule silent (until a day), nor imported ones (listed after
    a time): they are looked at whole.
    """
    changed = set(found.changed)
    decided = set(
        Flag.objects.filter(within("episode_id", open_now), state=Flag.State.DECIDED).values_list(
            "episode", flat=True
        )
    )
    return {
        pk: facts
        for pk, facts in open_now.items()
        if pk not in changed and pk not in decided and not facts.is_imported
    }
