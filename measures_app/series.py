"""The one place that turns sessions and administrations into series of (t, score).

t is the number of treatment sessions attended up to a score (intake 1), measured or not. Several
administrations at one session: the last counts, at intake the first. Respondents are never
averaged; each scoring of a measure is a series of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from django.db.models import F, Max, Min, Q
from django.db.models.functions import Coalesce

from measures_app import measures
from measures_app.kept import Kept, kept
from measures_app.models import Administration, Measure, MeasureVersion, NormRow
from measures_app.psychometrics.change import ChangeCriteria
from sessions_app import bulk, clinic_time
from sessions_app.models import Episode, Meeting, Session

CHANGE_PURPOSES = (
    Measure.Purpose.OUTCOME,
    Measure.Purpose.SYMPTOM,
    Measure.Purpose.FUNCTIONING,
)
SERIES = ["episode_id", "measure_id", "scoring", "respondent_id"]
MODEL_GAP_DAYS = 180
LATE_START = 2  # a first score after this session is mid-care
Ids = Iterable[int] | range | None  # of episodes: all of them, a block of ids, or a few


@dataclass(frozen=True)
class Series:
    """One respondent's scores of one measure in one episode, oldest first."""

    episode_id: int
    client_id: int
    measure: Measure
    scoring: int
    variant: str
    respondent_id: int
    relation: str
    criteria: ChangeCriteria | None
    norm: NormRow | None
    better: str
    low: float
    high: float
    t: tuple[int, ...]
    dates: tuple[date, ...]
    scores: tuple[float, ...]
    ids: tuple[int, ...]
    mid_care: bool
    before: int = 0  # sessions of the episode before its t began: a form for another age

    @property
    def key(self) -> str:
        return series_key(self.measure.code, self.respondent_id, self.variant)

    @property
    def purpose(self) -> str:
        return str(self.measure.purpose)


def series_key(measure_code: str, respondent_id: int, variant: str = "") -> str:
    """How a flag names its series; a later scoring of a measure is another series."""
    return f"{measure_code}{'@' if variant else ''}{variant}/{respondent_id}"


def within(path: str, ids: Ids) -> Q:
    """The filter of rows that belong to these episodes."""
    if ids is None:
        return Q()
    if isinstance(ids, range):
        return Q(**{f"{path}__gte": ids.start, f"{path}__lt": ids.stop})
    return Q(**{f"{path}__any_of": list(ids)})


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


def _days(column: pd.Series[Any]) -> pd.Series[Any]:
    return pd.to_datetime(column, format="%Y-%m-%d")


def visits_of(as_of: date | None = None) -> Any:
    """Attended treatment sessions up to a day, in their order within each episode."""
    rows = Session.objects.filter(
        status=Session.Status.ATTENDED, meeting__kind=Meeting.Kind.TREATMENT
    ).order_by("episode_id", "held_on", "meeting__starts_at", "pk")
    return rows if as_of is None else rows.filter(held_on__lte=as_of)


def attended(as_of: date | None = None, episode_ids: Ids = None) -> pd.DataFrame:
    """Attended treatment sessions with their number t: episode_id, session_id, held_on, t."""
    frame = bulk.read_frame(
        visits_of(as_of).filter(within("episode_id", episode_ids)),
        {"episode_id": "episode_id", "pk": "session_id", "held_on": "held_on"},
    )
    frame["held_on"] = _days(frame["held_on"]).dt.date
    frame["t"] = frame.groupby("episode_id", sort=False).cumcount() + 1
    return frame


SCORE_COLUMNS = {
    "pk": "id",
    "episode_id": "episode_id",
    "client_id": "client_id",
    "session_id": "session_id",
    "session__status": "status",
    "respondent_id": "respondent_id",
    "respondent__relation": "relation",
    "measure_id": "measure_id",
    "version_id": "version_id",
    "norm_id": "norm_id",
    "taken_on": "taken_on",
    "total": "score",
}


def known(as_of: date | None) -> Q:
    """What stood as current on a day: later corrections and voids were not known yet."""
    if as_of is None:
        return Q(superseded_at=None, voided=False)
    # A clinic's day ends at its own midnight, not at Greenwich's.
    night = clinic_time.end_of(as_of)
    later = Q(superseded_at=None) | Q(superseded_at__gte=night)
    not_void = Q(voided=False) | Q(voided_at__gte=night)
    return later & not_void & Q(known_on__lte=as_of, taken_on__lte=as_of)


def open_on(as_of: date) -> Q:
    """Episodes known to be open on a day: an ending recorded later wasn't known then.

    Of what another system recorded it isn't known when: there the day of the ending counts.
    """
    ended_later = Q(closed_on__gt=as_of)
    recorded_later = Q(
        closed_recorded_at__gte=clinic_time.end_of(as_of), origin=Episode.Origin.ENTERED
    )
    return Q(opened_on__lte=as_of) & (Q(closed_on=None) | ended_later | recorded_later)


def scores(
    purposes: Iterable[str] = CHANGE_PURPOSES,
    as_of: date | None = None,
    episode_ids: Ids = None,
    *,
    measure: Measure | None = None,
    visits: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Scores of all series, with t and `mid_care`, sorted by series and t.

    `visits` are these episodes' `attended`, where the caller has them already.
    """
    if episode_ids is not None and not isinstance(episode_ids, range):
        episode_ids = list(episode_ids)
    rows = Administration.objects.filter(
        known(as_of),
        within("episode_id", episode_ids),
        total__isnull=False,
        measure__purpose__in=list(purposes),
    )
    if measure is not None:
        rows = rows.filter(measure=measure)
    frame = bulk.read_frame(rows.order_by("episode_id", "taken_at", "pk"), SCORE_COLUMNS)
    frame["taken_on"] = _days(frame["taken_on"]).dt.date
    frame["score"] = frame["score"].astype(float)
    frame["scoring"] = frame["version_id"].map(kept().roots)
    if visits is None:
        theirs = frame["episode_id"].unique().tolist() if measure is not None else episode_ids
        visits = attended(as_of, theirs)
    frame["before"] = _sessions_before_a_variant(frame, visits, as_of)
    frame["t"] = _number(frame, visits) - frame["before"]
    frame = _one_a_session(frame)
    frame["mid_care"] = _mid_care(frame)
    return frame.reset_index(drop=True)


def by_purpose(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of change measures and those of the alliance, of a frame with both."""
    purposes = {pk: measure.purpose for pk, measure in kept().measures.items()}
    alliance = frame["measure_id"].map(purposes) == Measure.Purpose.ALLIANCE
    return frame[~alliance], frame[alliance]


def _number(frame: pd.DataFrame, visits: pd.DataFrame) -> pd.Series[Any]:
    """t of each score: its session's number, else the sessions attended up to its day.

    Answered before the session, or before anybody said that they came, it is the next one's.
    """
    by_session = visits.set_index("session_id")["t"]
    t = frame["session_id"].map(by_session).astype(float)
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
            int(np.searchsorted(per_episode.get(episode, none), day, side="right"))
            for episode, day in zip(frame.loc[loose, "episode_id"], days, strict=True)
        ]
        t.loc[loose & (frame["status"] == Session.Status.BOOKED)] += 1
        t = t.clip(lower=1)
    return t.astype("int64")


def _variants_in_care(
    as_of: date | None, episode_ids: list[int]
) -> dict[tuple[int, int, int], Any]:
    """First day of each form for an older age that took over within care.

    By episode, respondent and the age the form begins at. A form that merely stands beside the
    earlier one has taken nothing over.
    """
    taken = (
        Administration.objects.filter(known(as_of), total__isnull=False)
        .exclude(version__age_from=None, version__age_to=None)
        .order_by()
    )
    age = Coalesce("version__age_from", 0)
    several = (
        taken.filter(within("episode_id", episode_ids))
        .values_list("episode_id")
        .annotate(youngest=Min(age), oldest=Max(age))
        .filter(oldest__gt=F("youngest"))
    )
    ids = [episode for episode, _youngest, _oldest in several]
    rows = (
        taken.filter(within("episode_id", ids))
        .values_list("episode_id", "respondent_id", "version__age_from")
        .annotate(first=Min("taken_on"), last=Max("taken_on"))
        if ids
        else ()
    )
    forms: dict[tuple[int, int], list[tuple[int, Any, Any]]] = {}
    for episode, respondent, age, first, last in rows:
        forms.setdefault((episode, respondent), []).append((age or 0, first, last))
    found = {}
    for (episode, respondent), ages in forms.items():
        ages.sort()
        for (_, _, before), (age, first, _) in pairwise(ages):
            if first > before:
                found[episode, respondent, age] = first
    return found


def _sessions_before_a_variant(
    frame: pd.DataFrame, visits: pd.DataFrame, as_of: date | None
) -> pd.Series[Any] | int:
    """Sessions attended before the form for an older age took over: with it a new t begins."""
    ages = dict(MeasureVersion.objects.filter(age_from__isnull=False).values_list("pk", "age_from"))
    older = frame["version_id"].map(ages)
    if not older.notna().any():
        return 0
    began = _variants_in_care(as_of, frame.loc[older.notna(), "episode_id"].unique().tolist())
    if not began:
        return 0
    days = {
        key: group["held_on"].to_numpy()
        for key, group in visits[
            visits["episode_id"].isin({episode for episode, _, _ in began})
        ].groupby("episode_id")
    }
    before = {
        key: int((days.get(key[0], np.array([])) < first).sum()) for key, first in began.items()
    }
    places = zip(frame["episode_id"], frame["respondent_id"], older.fillna(-1), strict=True)
    return pd.Series([before.get(place, 0) for place in places], index=frame.index)


def _one_a_session(frame: pd.DataFrame) -> pd.DataFrame:
    """Of several scores at one session the last counts; at intake the first."""
    if frame.empty:
        return frame
    # They come in the order of taking, which a stable sort keeps.
    frame = frame.sort_values([*SERIES, "t"], kind="stable")
    at_intake = frame["t"] == frame.groupby(SERIES, sort=False)["t"].transform("min")
    first = ~frame.duplicated([*SERIES, "t"], keep="first")
    last = ~frame.duplicated([*SERIES, "t"], keep="last")
    return frame[(at_intake & first) | (~at_intake & last)]


def _mid_care(frame: pd.DataFrame) -> pd.Series[Any]:
    if frame.empty:
        return pd.Series(dtype=bool)
    before = Episode.objects.filter(
        Q(care_began_on__isnull=False) | Q(sessions_before__gt=0),
        pk__gte=int(frame["episode_id"].min()),
        pk__lte=int(frame["episode_id"].max()),
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
    """What many series are read with: measures, versions, norms, and the thresholds they make."""

    def __init__(self, there: Kept | None = None) -> None:
        there = there or kept()
        self.measures, self.versions = there.measures, there.versions
        self.norms, self.roots = there.norms, there.roots
        self._criteria: dict[tuple[int, int | None], ChangeCriteria | None] = {}

    def criteria(self, version_id: int, norm_id: int | None) -> ChangeCriteria | None:
        key = (version_id, norm_id)
        if key not in self._criteria:
            norm = self.norms[norm_id] if norm_id is not None else None
            self._criteria[key] = criteria_of(self.versions[version_id], norm)
        return self._criteria[key]

    def variant(self, version_id: int) -> str:
        """ "" for a measure's first scoring, else the version that brought this one: "v3"."""
        version = self.versions[self.roots[version_id]]
        return "" if version.version == 1 else f"v{version.version}"

    def read_with(self, measure_id: int, version_id: int, norm_id: int | None) -> dict[str, Any]:
        """A series' fields that come from its first score's version and norm."""
        version = self.versions[version_id]
        return {
            "measure": self.measures[measure_id],
            "variant": self.variant(version_id),
            "criteria": self.criteria(version_id, norm_id),
            "norm": None if norm_id is None else self.norms[norm_id],
            "better": version.better,
            "low": float(version.low),
            "high": float(version.high),
        }


def as_series(frame: pd.DataFrame, catalogue: Catalogue | None = None) -> list[Series]:
    """A frame's series as objects, in the frame's order."""
    if frame.empty:
        return []
    catalogue = catalogue or Catalogue()
    keys = frame[SERIES].to_numpy()
    starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
    columns = {name: frame[name].tolist() for name in frame.columns}
    found = []
    for a, b in zip(starts.tolist(), [*starts[1:].tolist(), len(frame)], strict=True):
        norm = columns["norm_id"][a]
        norm_id = None if norm is None or norm != norm else int(norm)  # NaN: no norm row
        found.append(
            Series(
                episode_id=columns["episode_id"][a],
                client_id=columns["client_id"][a],
                scoring=columns["scoring"][a],
                respondent_id=columns["respondent_id"][a],
                relation=columns["relation"][a],
                **catalogue.read_with(columns["measure_id"][a], columns["version_id"][a], norm_id),
                t=tuple(columns["t"][a:b]),
                dates=tuple(columns["taken_on"][a:b]),
                scores=tuple(columns["score"][a:b]),
                ids=tuple(columns["id"][a:b]),
                mid_care=columns["mid_care"][a],
                before=columns["before"][a],
            )
        )
    return found
