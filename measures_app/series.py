"""The one place that turns sessions and administrations into series of (t, score).

t is the number of treatment sessions attended up to a score (intake 1), measured or not. Several
administrations at one session: the last counts, at intake the first. Respondents are never
averaged; each scoring of a measure is a series of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from django.db.models import Q
from django.db.models.functions import Coalesce

from measures_app import measures
from measures_app.models import Administration, Measure, MeasureVersion, NormRow
from measures_app.psychometrics.change import ChangeCriteria
from sessions_app.models import Episode, Meeting, Session

CHANGE_PURPOSES = (
    Measure.Purpose.OUTCOME,
    Measure.Purpose.SYMPTOM,
    Measure.Purpose.FUNCTIONING,
)
SERIES = ["episode_id", "measure_id", "scoring", "respondent_id"]
MODEL_GAP_DAYS = 180
LATE_START = 2  # a first score after this session is mid-care


@dataclass(frozen=True)
class Series:
    """One respondent's scores of one measure in one episode, oldest first."""

    episode_id: int
    client_id: int
    measure: Measure
    respondent_id: int
    relation: str
    criteria: ChangeCriteria | None
    norm: NormRow | None
    low: float
    high: float
    t: tuple[int, ...]
    dates: tuple[date, ...]
    scores: tuple[float, ...]
    ids: tuple[int, ...]
    mid_care: bool

    @property
    def key(self) -> str:
        return series_key(self.measure.code, self.respondent_id)

    @property
    def purpose(self) -> str:
        return str(self.measure.purpose)


def series_key(measure_code: str, respondent_id: int) -> str:
    return f"{measure_code}/{respondent_id}"


def criteria_of(version: MeasureVersion, norm: NormRow | None) -> ChangeCriteria | None:
    """The thresholds a series is judged with; None where no reliable change is known."""
    threshold = measures.reliable_change_of(norm)
    if norm is None or threshold is None:
        return None
    return ChangeCriteria(
        better=version.better,  # type: ignore[arg-type]  # the two words of the choices
        reliable_change=threshold,
        cutoff=norm.cutoff,
        rc_inclusive=measures.rc_inclusive(norm),
        at_cutoff=norm.at_cutoff,  # type: ignore[arg-type]  # the three words of the choices
        lowest=float(version.low),
        highest=float(version.high),
    )


def attended(as_of: date | None = None, episode_ids: Iterable[int] | None = None) -> pd.DataFrame:
    """Attended treatment sessions with their number t: episode_id, session_id, held_on, t."""
    rows = Session.objects.filter(
        status=Session.Status.ATTENDED, meeting__kind=Meeting.Kind.TREATMENT
    ).order_by("episode_id", "held_on", "meeting__starts_at", "pk")
    if as_of is not None:
        rows = rows.filter(held_on__lte=as_of)
    if episode_ids is not None:
        rows = rows.filter(episode_id__in=list(episode_ids))
    frame = pd.DataFrame.from_records(
        rows.values_list("episode_id", "pk", "held_on"),
        columns=["episode_id", "session_id", "held_on"],
    )
    frame["t"] = frame.groupby("episode_id", sort=False).cumcount() + 1
    return frame


SCORE_COLUMNS = {
    "pk": "id",
    "episode_id": "episode_id",
    "client_id": "client_id",
    "session_id": "session_id",
    "respondent_id": "respondent_id",
    "respondent__relation": "relation",
    "measure_id": "measure_id",
    "version_id": "version_id",
    "joined_scoring": "scoring",
    "norm_id": "norm_id",
    "taken_on": "taken_on",
    "taken_at": "taken_at",
    "total": "score",
}


def _known(as_of: date | None) -> Q:
    """What stood as current on a day: later corrections and voids were not known yet."""
    if as_of is None:
        return Q(superseded_at=None, voided=False)
    later = Q(superseded_at=None) | Q(superseded_at__date__gt=as_of)
    not_void = Q(voided=False) | Q(voided_at__date__gt=as_of)
    return later & not_void & Q(known_on__lte=as_of, taken_on__lte=as_of)


def scores(
    purposes: Iterable[str] = CHANGE_PURPOSES,
    as_of: date | None = None,
    episode_ids: Iterable[int] | None = None,
) -> pd.DataFrame:
    """Scores of all series, with t and `mid_care`, sorted by series and t."""
    rows = Administration.objects.filter(
        _known(as_of), total__isnull=False, measure__purpose__in=list(purposes)
    ).annotate(
        # Changed scoring is another series, unless a reviewed `comparable_with` joins the two.
        joined_scoring=Coalesce("version__comparable_with__scoring_hash", "version__scoring_hash")
    )
    if episode_ids is not None:
        ids = list(episode_ids)
        rows = rows.filter(episode_id__in=ids)
        episode_ids = ids
    frame = pd.DataFrame.from_records(
        rows.order_by("episode_id", "taken_at", "pk").values_list(*SCORE_COLUMNS),
        columns=list(SCORE_COLUMNS.values()),
    )
    frame["score"] = frame["score"].astype(float)
    visits = attended(as_of, episode_ids)
    frame["t"] = _number(frame, visits)
    frame = _one_a_session(frame)
    frame["mid_care"] = _mid_care(frame, visits)
    return frame.reset_index(drop=True)


def _number(frame: pd.DataFrame, visits: pd.DataFrame) -> pd.Series[Any]:
    """t of each score: its session's number, else the sessions attended up to its day."""
    by_session = visits.set_index("session_id")["t"]
    t = frame["session_id"].map(by_session)
    loose = t.isna()
    if loose.any():
        per_episode = {
            key: np.sort(pd.to_datetime(group["held_on"]).to_numpy())
            for key, group in visits[
                visits["episode_id"].isin(frame.loc[loose, "episode_id"])
            ].groupby("episode_id")
        }
        none = np.array([], dtype="datetime64[ns]")
        days = pd.to_datetime(frame.loc[loose, "taken_on"]).to_numpy()
        t.loc[loose] = [
            max(1, int(np.searchsorted(per_episode.get(episode, none), day, side="right")))
            for episode, day in zip(frame.loc[loose, "episode_id"], days, strict=True)
        ]
    return t.astype("int64")


def _one_a_session(frame: pd.DataFrame) -> pd.DataFrame:
    """Of several scores at one session the last counts; at intake the first."""
    if frame.empty:
        return frame
    frame = frame.sort_values([*SERIES, "t", "taken_at", "id"], kind="stable")
    at_intake = frame["t"] == frame.groupby(SERIES, sort=False)["t"].transform("min")
    first = ~frame.duplicated([*SERIES, "t"], keep="first")
    last = ~frame.duplicated([*SERIES, "t"], keep="last")
    return frame[(at_intake & first) | (~at_intake & last)]


def _mid_care(frame: pd.DataFrame, visits: pd.DataFrame) -> pd.Series[Any]:
    if frame.empty:
        return pd.Series(dtype=bool)
    before = Episode.objects.filter(
        Q(care_began_on__isnull=False) | Q(sessions_before__gt=0)
    ).values_list("pk", flat=True)
    late = frame.groupby(SERIES, sort=False)["t"].transform("min") > LATE_START
    return late | frame["episode_id"].isin(list(before))


def for_modelling(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that a model may learn from: no mid-care series, nothing after a gap of 180 days."""
    if frame.empty:
        return frame
    rows = frame[~frame["mid_care"]]
    days = pd.to_datetime(rows["taken_on"])
    gap = days.groupby([rows[name] for name in SERIES], sort=False).diff().dt.days
    broken = (gap > MODEL_GAP_DAYS).groupby([rows[n] for n in SERIES], sort=False).cumsum() > 0
    return rows[~broken]


class Catalogue:
    """Measures, versions and norms by id, read once for many series."""

    def __init__(self) -> None:
        self.measures = {m.pk: m for m in Measure.objects.all()}
        self.versions = {v.pk: v for v in MeasureVersion.objects.all()}
        self.norms = {n.pk: n for n in NormRow.objects.all()}
        self._criteria: dict[tuple[int, int | None], ChangeCriteria | None] = {}

    def criteria(self, version_id: int, norm_id: int | None) -> ChangeCriteria | None:
        key = (version_id, norm_id)
        if key not in self._criteria:
            norm = self.norms[norm_id] if norm_id is not None else None
            self._criteria[key] = criteria_of(self.versions[version_id], norm)
        return self._criteria[key]


def as_series(frame: pd.DataFrame, catalogue: Catalogue | None = None) -> list[Series]:
    """A frame's series as objects, in the frame's order."""
    if frame.empty:
        return []
    catalogue = catalogue or Catalogue()
    found = []
    for _key, rows in frame.groupby(SERIES, sort=False):
        head = rows.iloc[0]
        norm_id = None if pd.isna(head["norm_id"]) else int(head["norm_id"])
        version = catalogue.versions[int(head["version_id"])]
        found.append(
            Series(
                episode_id=int(head["episode_id"]),
                client_id=int(head["client_id"]),
                measure=catalogue.measures[int(head["measure_id"])],
                respondent_id=int(head["respondent_id"]),
                relation=str(head["relation"]),
                criteria=catalogue.criteria(version.pk, norm_id),
                norm=None if norm_id is None else catalogue.norms[norm_id],
                low=float(version.low),
                high=float(version.high),
                t=tuple(int(t) for t in rows["t"]),
                dates=tuple(rows["taken_on"]),
                scores=tuple(float(score) for score in rows["score"]),
                ids=tuple(int(i) for i in rows["id"]),
                mid_care=bool(head["mid_care"]),
            )
        )
    return found


def series_of_episode(episode: Episode, purposes: Iterable[str] = CHANGE_PURPOSES) -> list[Series]:
    """The episode's series, the client's own first, the longest first."""
    found = as_series(scores(purposes, episode_ids=[episode.pk]))
    return sorted(found, key=lambda s: (s.relation != "self", -len(s.t), s.measure.code))
