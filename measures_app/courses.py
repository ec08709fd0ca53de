"""Courses of care: what was known at each attended session, and how it ended.

Read for many episodes at once: what the hazards of endings are learnt from (`courses_of`), and
what the end of an open episode is foretold from beside its scores (`beside_now`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from measures_app import series
from measures_app.models import Measure
from measures_app.psychometrics.pace import pace_of
from measures_app.series import SERIES
from sessions_app.models import Episode, Session

# An ending nobody knows is one that nobody agreed on: an import's, after long without a session.
# Others (the clinic's, circumstances, a death) come whatever the course: nothing is learnt there.
EVENT = {
    Episode.Ending.CLIENT_STOPPED: 1,
    Episode.Ending.UNKNOWN: 1,
    Episode.Ending.AGREED: 2,
}
BESIDE = ("alliance", "alliance_change", "no_shows")  # known at a session beside the scores
PACE = "pace"  # log of the mean days between sessions so far
NOW = (*BESIDE, PACE)
PACE_DIGITS = 6  # the same alone and among all, whatever works it out


@dataclass(frozen=True)
class Courses:
    """One measure's series as a model learns from them, with their sessions and endings.

    `scores` has series (0 to n-1, increasing), t and score; `visits` a row an attended session:
    series, t, event (0: none, or not known) and what was known beside the scores. `ended` says
    of each series whether its episode's ending was known on the day.
    """

    scores: pd.DataFrame
    visits: pd.DataFrame
    episodes: np.ndarray
    ended: np.ndarray

    def some(self, members: np.ndarray) -> Courses:
        """The courses of some series, numbered anew."""
        number = np.cumsum(members) - 1
        scores = self.scores[members[self.scores["series"].to_numpy()]]
        visits = self.visits[members[self.visits["series"].to_numpy()]]
        return Courses(
            scores.assign(series=number[scores["series"].to_numpy()]),
            visits.assign(series=number[visits["series"].to_numpy()]),
            self.episodes[members],
            self.ended[members],
        )

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Client index, t and score, as the core takes them."""
        return (
            self.scores["series"].to_numpy(np.int64),
            self.scores["t"].to_numpy(float),
            self.scores["score"].to_numpy(float),
        )

    def fingerprint(self) -> bytes:
        """Changes with whatever the hazards are learnt from."""
        columns = ["series", "t", "event", *NOW]
        return b"".join(self.visits[name].to_numpy(float).tobytes() for name in columns)


def beside_the_scores(
    visits: pd.DataFrame, as_of: date, ids: Sequence[int], alliance: pd.DataFrame | None = None
) -> pd.DataFrame:
    """`visits` (episode_id, t, held_on) with alliance, its change, no-shows and pace so far.

    `alliance`: the alliance scores of these episodes, where they were read already.
    """
    away = Session.objects.filter(
        series.within("episode_id", ids), status=Session.Status.NO_SHOW, held_on__lte=as_of
    )
    absent = pd.DataFrame.from_records(
        away.values_list("episode_id", "held_on"), columns=["episode_id", "held_on"]
    )
    marked = pd.concat(
        [visits.assign(no_shows=0.0), absent.assign(no_shows=1.0)], ignore_index=True
    ).sort_values(["episode_id", "held_on"], kind="stable")
    marked["no_shows"] = marked.groupby("episode_id", sort=False)["no_shows"].cumsum()
    found = marked[marked["t"].notna()].astype({"t": "int64"})
    if alliance is None:
        alliance = series.scores([Measure.Purpose.ALLIANCE], as_of, ids, visits=visits)
    alliance = alliance[alliance["relation"] == "self"]
    alliance = alliance.assign(t=alliance["t"] + alliance["before"])
    alliance = alliance.drop_duplicates(["episode_id", "t"], keep="last")
    change = alliance.groupby("episode_id", sort=False)["score"].diff()
    alliance = alliance[["episode_id", "t"]].assign(
        alliance=alliance["score"], alliance_change=change
    )
    found = found.merge(alliance, on=["episode_id", "t"], how="left")
    by_episode = found.groupby("episode_id", sort=False)
    for name in ("alliance", "alliance_change"):
        found[name] = by_episode[name].ffill()
    # Days are few and sessions many: each day is turned into a number once.
    number, days = pd.factorize(found["held_on"])
    held = pd.Series([day.toordinal() for day in days], dtype=float).to_numpy()[number]
    began = pd.Series(held).groupby(found["episode_id"].to_numpy(), sort=False).transform("first")
    found[PACE] = paced(held - began.to_numpy(), found["t"].to_numpy(float))
    return found


def paced(days: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Pace at session t, so many days after the first; NaN at the first."""
    found: np.ndarray = np.round(pace_of(days, t - 1), PACE_DIGITS)
    return found


def beside_now(
    episode_ids: Sequence[int],
    as_of: date,
    visits: pd.DataFrame | None = None,
    alliance: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """By episode: the newest alliance score, its change, no-shows and pace up to the last session.

    `visits` and `alliance`: of these episodes and perhaps of others, where they were read
    already. Of one episode that was read already `single.Course.beside` says the same.
    """
    if visits is None:
        visits = series.attended(as_of, episode_ids)
    else:
        visits = visits[visits["episode_id"].isin(episode_ids)]
    if alliance is not None:
        alliance = alliance[alliance["episode_id"].isin(episode_ids)]
    found = beside_the_scores(visits, as_of, episode_ids, alliance)
    newest = found.drop_duplicates("episode_id", keep="last")
    return newest.set_index("episode_id")[list(NOW)]


def courses_of(rows: pd.DataFrame, as_of: date) -> Courses:
    """Courses of the rows a growth model learns from, one series an episode."""
    number = rows.groupby(SERIES, sort=False).ngroup()
    heads = rows.assign(number=number).drop_duplicates("number").drop_duplicates("episode_id")
    kept = np.full(int(number.max()) + 1, -1, dtype=np.int64)
    kept[heads["number"].to_numpy()] = np.arange(len(heads))
    scores = pd.DataFrame(
        {"series": kept[number.to_numpy()], "t": rows["t"], "score": rows["score"]}
    )
    scores = scores[scores["series"] >= 0]
    ids = heads["episode_id"].tolist()
    of_episode = pd.Series(np.arange(len(ids)), index=ids)
    visits = beside_the_scores(series.attended(as_of, ids), as_of, ids)
    visits["series"] = visits["episode_id"].map(of_episode).astype("int64")
    visits["t"] -= visits["episode_id"].map(heads.set_index("episode_id")["before"])
    visits = visits[visits["t"] > 0].sort_values(["series", "t"], kind="stable")
    endings = dict(
        Episode.objects.filter(series.within("pk", ids))
        .exclude(series.open_on(as_of))
        .values_list("pk", "ending")
    )
    last = ~visits.duplicated("series", keep="last")
    event = visits["episode_id"].map(endings).map(EVENT).where(last).fillna(0)
    return Courses(
        scores.reset_index(drop=True),
        visits.assign(event=event.astype("int64")).reset_index(drop=True),
        np.array(ids, dtype=np.int64),
        np.array([pk in endings for pk in ids], dtype=bool),
    )
