"""One episode's series, while somebody waits for the page.

The same as `series.scores` says of it, without the frames that many episodes at once are worth;
a test holds the two equal.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from measures_app.courses import NOW, paced
from measures_app.kept import Kept, kept
from measures_app.models import Administration, Measure
from measures_app.series import (
    CHANGE_PURPOSES,
    LATE_START,
    Catalogue,
    Series,
    known,
    visits_of,
)
from sessions_app.models import Episode, Respondent, Session
from sessions_app.prepared import Prepared

COLUMNS = (
    "pk", "session_id", "session__status", "respondent_id", "respondent__relation",
    "measure_id", "version_id", "norm_id", "taken_on", "taken_at", "total",
)  # fmt: skip


@dataclass(frozen=True)
class Course:
    """Days of the attended treatment sessions, and every series, of whatever purpose."""

    episode_id: int
    days: list[date]
    series: list[Series]
    own_alliance: list[dict[str, Any]]  # the client's scores of it as they stand, oldest first

    def of(self, purposes: Iterable[str] = CHANGE_PURPOSES) -> list[Series]:
        wanted = set(purposes)
        return [s for s in self.series if s.measure.purpose in wanted]

    def beside(self, as_of: date) -> pd.DataFrame:
        """What the ending of care is foretold from beside the scores: `courses.beside_now`."""
        alliance: dict[int, tuple[float, float]] = {}  # by session: score, change to it
        own: dict[int, float] = {}
        for s in self.of([Measure.Purpose.ALLIANCE]):
            if s.relation == Respondent.Relation.SELF:
                for t, score in zip(s.t, s.scores, strict=True):
                    own.pop(t + s.before, None)  # of two at a session the later one, in its place
                    own[t + s.before] = score
        before = float("nan")
        for t, score in own.items():
            alliance[t] = score, score - before
            before = score
        held = [alliance[t] for t in sorted(alliance) if t <= len(self.days)]
        changes = [change for _score, change in held if change == change]
        away = [day for (day,) in _AWAY_NOW.rows([self.episode_id]) if day <= as_of]
        ahead = (self.days[-1] - self.days[0]).days if self.days else 0
        pace = paced(np.array([float(ahead)]), np.array([float(len(self.days))]))
        row = (
            held[-1][0] if held else float("nan"),
            changes[-1] if changes else float("nan"),
            float(sum(day < self.days[-1] for day in away)) if self.days else float("nan"),
            float(pace[0]),
        )
        return pd.DataFrame([row], index=[self.episode_id], columns=list(NOW))


def course_of(
    episode: Episode, as_of: date | None = None, *, attended: list[tuple[int, date]] | None = None
) -> Course:
    """An episode's sessions and series, as known on a day (None: now).

    `attended`: its attended treatment sessions, where whoever asks has read them (`Desk`).
    """
    rows, visits = _facts(episode, as_of, attended)
    days = [day for _pk, day in visits]
    number = {pk: t for t, (pk, _day) in enumerate(visits, start=1)}
    there = kept()
    began = _forms_that_took_over(rows, there)
    groups: defaultdict[tuple[int, int, int], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        t = number.get(row["session_id"])
        if t is None:  # without a session of its own: by the day
            ahead = row["session__status"] == Session.Status.BOOKED
            t = max(1, bisect_right(days, row["taken_on"]) + ahead)
        age = there.versions[row["version_id"]].age_from
        first = began.get((row["respondent_id"], age)) if age is not None else None
        row["before"] = 0 if first is None else bisect_left(days, first)
        row["t"] = t - row["before"]
        scoring = there.roots[row["version_id"]]
        groups[row["measure_id"], scoring, row["respondent_id"]].append(row)
    mid_care = episode.care_began_on is not None or bool(episode.sessions_before)
    catalogue = Catalogue(there)
    found = [
        _series(key, _one_a_session(group), episode, catalogue, mid_care)
        for key, group in sorted(groups.items(), key=lambda entry: entry[0])
    ]
    own_alliance = [
        row
        for row in rows
        if there.measures[row["measure_id"]].purpose == Measure.Purpose.ALLIANCE
        and row["respondent__relation"] == Respondent.Relation.SELF
    ]
    return Course(episode.pk, days, found, own_alliance)


def _scores(episodes: Collection[int], as_of: date | None = None) -> Any:
    rows = Administration.objects.filter(known(as_of), episode__in=episodes, total__isnull=False)
    return rows.order_by("taken_at", "pk").values_list(*COLUMNS)


def _visits(episodes: Collection[int], as_of: date | None = None) -> Any:
    return visits_of(as_of).filter(episode__in=episodes).values_list("pk", "held_on")


def _away(episodes: Collection[int]) -> Any:
    rows = Session.objects.filter(status=Session.Status.NO_SHOW, episode__in=episodes)
    return rows.order_by().values_list("held_on")


_SCORES_NOW, _VISITS_NOW, _AWAY_NOW = Prepared(_scores), Prepared(_visits), Prepared(_away)


def _facts(
    episode: Episode, as_of: date | None, attended: list[tuple[int, date]] | None
) -> tuple[list[dict[str, Any]], list[tuple[Any, ...]]]:
    """An episode's scores, each by column, and its attended sessions (number, day)."""
    visits: list[tuple[Any, ...]]
    if as_of is None:  # the picture that somebody waits for
        scores = _SCORES_NOW.rows([episode.pk])
        visits = [*attended] if attended is not None else _VISITS_NOW.rows([episode.pk])
    else:
        scores, visits = list(_scores([episode.pk], as_of)), list(_visits([episode.pk], as_of))
    return [dict(zip(COLUMNS, row, strict=True)) for row in scores], visits


def _forms_that_took_over(rows: list[dict[str, Any]], there: Kept) -> dict[tuple[int, int], date]:
    """First day of each form for an older age that took over, by respondent and its age."""
    taken: dict[int, dict[int | None, list[date]]] = {}
    for row in rows:
        version = there.versions[row["version_id"]]
        if version.age_from is not None or version.age_to is not None:
            ages = taken.setdefault(row["respondent_id"], {})
            ages.setdefault(version.age_from, []).append(row["taken_on"])
    found = {}
    for respondent, by_age in taken.items():
        ages_in_order = sorted((age or 0, min(days), max(days)) for age, days in by_age.items())
        for (_, _, before), (age, first, _) in pairwise(ages_in_order):
            if first > before:
                found[respondent, age] = first
    return found


def _one_a_session(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of several scores at one session the last counts; at intake the first."""
    ordered = sorted(rows, key=lambda row: row["t"])
    chosen: dict[int, dict[str, Any]] = {}
    for row in ordered:
        if row["t"] != ordered[0]["t"]:
            chosen[row["t"]] = row
        else:
            chosen.setdefault(row["t"], row)
    return list(chosen.values())


def _series(
    key: tuple[int, int, int],
    rows: list[dict[str, Any]],
    episode: Episode,
    catalogue: Catalogue,
    mid_care: bool,
) -> Series:
    measure_id, scoring, respondent_id = key
    first = rows[0]
    return Series(
        episode_id=episode.pk,
        client_id=episode.client_id,
        scoring=scoring,
        respondent_id=respondent_id,
        relation=first["respondent__relation"],
        **catalogue.read_with(measure_id, first["version_id"], first["norm_id"]),
        t=tuple(row["t"] for row in rows),
        dates=tuple(row["taken_on"] for row in rows),
        scores=tuple(float(row["total"]) for row in rows),
        ids=tuple(row["pk"] for row in rows),
        mid_care=mid_care or first["t"] > LATE_START,
        before=first["before"],
    )


def series_of_episode(episode: Episode, purposes: Iterable[str] = CHANGE_PURPOSES) -> list[Series]:
    """The episode's series, the client's own first, the longest first."""
    return own_first(course_of(episode).of(purposes))


def own_first(found: list[Series]) -> list[Series]:
    return sorted(found, key=lambda s: (s.relation != "self", -len(s.t), s.measure.code))


def alliance_in(course: Course) -> list[Series]:
    return own_first(course.of([Measure.Purpose.ALLIANCE]))
