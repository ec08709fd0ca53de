"""Each series as read with the clinic's expected-change model, and the trajectories kept of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from django.db.models import Max

from measures_app import prognosis, strata
from measures_app.courses import beside_now
from measures_app.fitting import CODE_VERSION, ModelKey, all_in_use, growth_of
from measures_app.models import Administration, ExpectedChangeModel, Trajectory
from measures_app.psychometrics import growth
from measures_app.psychometrics.change import ChangeCriteria, classify_one
from measures_app.psychometrics.forecast import expected_response, forecast
from measures_app.psychometrics.norms import direction
from measures_app.series import Ids, Series, within
from measures_app.single import Course, course_of
from sessions_app import bulk, clinic_time
from sessions_app.models import Episode

AHEAD = 6  # sessions drawn beyond the last score
SHORTEST_AXIS = 12
LONGEST_AXIS = 60
NAN = float("nan")

BesideOf = Callable[[date], pd.DataFrame]  # `courses.beside_now` of what was read already


@dataclass
class Reading:
    """A series as read with a model: what a trajectory stores."""

    series: Series
    model: ExpectedChangeModel | None
    stratum: str = ""  # the part of the clinic it lies in, where the clinic's model has parts
    expected_t: list[int] = field(default_factory=list)
    expected_mean: list[float] = field(default_factory=list)
    expected_low80: list[float] = field(default_factory=list)
    expected_high80: list[float] = field(default_factory=list)
    forecast_t: list[int] = field(default_factory=list)
    forecast_mean: list[float] = field(default_factory=list)
    forecast_low80: list[float] = field(default_factory=list)
    forecast_high80: list[float] = field(default_factory=list)
    # The end of care, if it goes on as now: empty where it can't be said.
    probabilities: dict[str, float] = field(default_factory=dict)
    alone: tuple[float, float] = (NAN, NAN)  # the last score: by the paths, by the challenger
    beside: tuple[float, ...] = ()  # what the endings depend on beside the scores
    standing: str = ""
    change_class: str = ""

    def at(self, t: int) -> tuple[float, float, float]:
        """(expected, low80, high80) at a session; NaN at intake and off the axis."""
        place = t - 2  # the axis begins at session 2
        if not 0 <= place < len(self.expected_t):
            return NAN, NAN, NAN
        return self.expected_mean[place], self.expected_low80[place], self.expected_high80[place]

    def at_scores(self) -> tuple[list[float], list[float], list[float]]:
        """(expected, low80, high80) at each score; NaN at intake and off the axis."""
        rows = [self.at(t) for t in self.series.t]
        return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]

    def input_hash(self) -> str:
        """Changes with whatever the reading is made from."""
        s = self.series
        model = self.model.checksum if self.model else ""
        made_from = (s.t, s.dates, s.scores, s.mid_care, s.criteria, model, AHEAD, CODE_VERSION)
        ahead = bool(self.forecast_t)
        return hashlib.sha256(repr((made_from, ahead, self.beside)).encode()).hexdigest()


def _standing(reading: Reading) -> str:
    """Where the last score lies against the band: `better`, `within`, `worse`, or unknown."""
    s = reading.series
    if len(s.scores) < 2 or s.criteria is None:
        return ""
    expected, low, high = reading.at(s.t[-1])
    if expected != expected:  # NaN: no band there
        return ""
    sign = direction(s.criteria.better)
    worse_end, better_end = (low, high) if sign > 0 else (high, low)
    if sign * (s.scores[-1] - worse_end) < -1e-9:
        return "worse"
    return "better" if sign * (s.scores[-1] - better_end) > 1e-9 else "within"


def _rounded(values: np.ndarray) -> list[list[float]]:
    rows: list[list[float]] = np.round(values, 4).tolist()
    return rows


def key_of(s: Series) -> ModelKey:
    return s.measure.pk, s.relation, s.variant


def read_series(
    found: list[Series],
    models: Mapping[ModelKey, ExpectedChangeModel],
    *,
    in_care: Collection[int] | None = None,
    as_of: date | None = None,
    beside: BesideOf | None = None,
    visits: pd.DataFrame | None = None,
    alliance: pd.DataFrame | None = None,
) -> list[Reading]:
    """Read many series with their models; expected responses in one batch per model.

    `in_care` are the episodes whose scores to come are forecast (None: all of them), as known on
    the day `as_of` (None: today). `beside`: of one episode that was read already.
    `visits` (`series.attended`) and `alliance` (`series.scores`): theirs, where they were.
    """
    readings: list[Reading] = []
    groups: dict[ModelKey, list[Reading]] = {}
    places = strata.Places(models, (s.episode_id for s in found))
    for s in found:
        key = places.model_key(key_of(s), s.episode_id)
        model = None if s.mid_care else models.get(key)
        reading = Reading(s, model, places.stratum(key_of(s), s.episode_id))
        if s.criteria is not None and len(s.scores) > 1:
            reading.change_class = classify_one(s.scores[0], s.scores[-1], s.criteria) or ""
        readings.append(reading)
        if model is not None:
            groups.setdefault(key, []).append(reading)
    care = _InCare(readings, in_care, visits, alliance) if beside is None else beside
    for key, members in groups.items():
        fitted = growth_of(models[key])
        _expect(members, fitted)
        ahead = [r for r in members if in_care is None or r.series.episode_id in in_care]
        _look_ahead(ahead, fitted)
        if prognosis.is_told(models[key]):
            _foretell(ahead, models[key], fitted, as_of or clinic_time.today(), care)
    for reading in readings:
        reading.standing = _standing(reading)
    return readings


class _InCare:
    """What stands beside the scores of all episodes in care, read at once when first asked for."""

    def __init__(
        self,
        readings: list[Reading],
        in_care: Collection[int] | None,
        visits: pd.DataFrame | None,
        alliance: pd.DataFrame | None,
    ) -> None:
        self.readings, self.in_care = readings, in_care
        self.visits, self.alliance = visits, alliance
        self.found: pd.DataFrame | None = None

    def __call__(self, as_of: date) -> pd.DataFrame:
        if self.found is None:
            there = {r.series.episode_id for r in self.readings}
            ids = sorted(there if self.in_care is None else there.intersection(self.in_care))
            self.found = beside_now(ids, as_of, self.visits, self.alliance)
        return self.found


def _expect(members: list[Reading], model: growth.GrowthModel) -> None:
    low, high = members[0].series.low, members[0].series.high
    axis = np.arange(2, LONGEST_AXIS + 1)
    sessions = axis.tolist()
    intake = np.array([r.series.scores[0] for r in members])
    band = expected_response(model, intake, axis, low=low, high=high)
    rows = zip(
        members, _rounded(band.mean), _rounded(band.low80), _rounded(band.high80), strict=True
    )
    for reading, mean, low80, high80 in rows:
        upto = min(LONGEST_AXIS, max(reading.series.t[-1] + AHEAD, SHORTEST_AXIS)) - 1
        reading.expected_t = sessions[:upto]
        reading.expected_mean = mean[:upto]
        reading.expected_low80 = low80[:upto]
        reading.expected_high80 = high80[:upto]


def _look_ahead(members: list[Reading], model: growth.GrowthModel) -> None:
    """Scores to come, in one batch for all that have equally many."""
    lengths: dict[int, list[Reading]] = {}
    for reading in members:
        lengths.setdefault(len(reading.series.t), []).append(reading)
    for alike in lengths.values():
        t = np.array([r.series.t for r in alike])
        scores = np.array([r.series.scores for r in alike])
        ahead = t[:, -1:] + np.arange(1, AHEAD + 1)
        s = alike[0].series
        future = forecast(
            model, scores[:, 0], t[:, 1:], scores[:, 1:], ahead, low=s.low, high=s.high
        )
        rows = zip(
            alike,
            ahead.tolist(),
            _rounded(future.mean),
            _rounded(future.low80),
            _rounded(future.high80),
            strict=True,
        )
        for reading, sessions, mean, low80, high80 in rows:
            reading.forecast_t = sessions
            reading.forecast_mean = mean
            reading.forecast_low80 = low80
            reading.forecast_high80 = high80


def _foretell(
    members: list[Reading],
    row: ExpectedChangeModel,
    model: growth.GrowthModel,
    as_of: date,
    beside_of: BesideOf,
) -> None:
    """How care may end, for series with two scores whose change can be judged."""
    groups: dict[ChangeCriteria, list[Reading]] = {}
    for reading in members:
        s = reading.series
        if s.criteria is not None and len(s.scores) > 1:
            groups.setdefault(s.criteria, []).append(reading)
    if not groups:
        return
    beside = beside_of(as_of)
    for criteria, alike in groups.items():
        courses = [(r.series.episode_id, r.series.t, r.series.scores) for r in alike]
        foretold = prognosis.outlook(row, model, courses, beside, criteria)
        found = foretold.outlook
        known = beside.reindex([episode for episode, _t, _scores in courses]).to_numpy(float)
        columns = {
            "not_improved": found.p_not_improved,
            "deteriorated": found.p_deteriorated,
            "recovered": found.p_recovered,
            "sessions": found.sessions,
            "mean": found.mean,
            "low80": found.low80,
            "high80": found.high80,
        }
        for i, reading in enumerate(alike):
            reading.beside = tuple(known[i].tolist())
            reading.alone = float(foretold.growth[i]), float(foretold.challenger[i])
            reading.probabilities = {
                name: round(float(values[i]), 4)
                for name, values in columns.items()
                if np.isfinite(values[i])
            }


TRAJECTORY_FIELDS = [
    "client_id", "episode_id", "measure_id", "respondent_id", "variant", "model_id",
    "newest_input_at", "input_hash", "mid_care", "t", "dates", "scores", "expected_t",
    "expected_mean", "expected_low80", "expected_high80", "forecast_t", "forecast_mean",
    "forecast_low80", "forecast_high80", "standing", "change_class", "probabilities",
]  # fmt: skip


def _newest_inputs(episode_ids: Ids, as_of: date) -> dict[int, datetime]:
    """When the newest entry, correction or void of each episode's scores was made."""
    night = clinic_time.end_of(as_of)
    rows = (
        Administration.objects.filter(within("episode_id", episode_ids), recorded_at__lt=night)
        .order_by()
        .values_list("episode")
        .annotate(entered=Max("recorded_at"), left=Max("superseded_at"), voided=Max("voided_at"))
    )
    return {
        episode: max(moment for moment in moments if moment is not None)
        for episode, *moments in rows
    }


def _row(reading: Reading, input_at: datetime, digest: str) -> Any:
    s = reading.series
    return (
        s.client_id, s.episode_id, s.measure.pk, s.respondent_id, s.variant,
        reading.model.pk if reading.model else None, input_at, digest,
        s.mid_care, s.t, s.dates, s.scores,
        reading.expected_t, reading.expected_mean, reading.expected_low80,
        reading.expected_high80, reading.forecast_t, reading.forecast_mean,
        reading.forecast_low80, reading.forecast_high80,
        reading.standing, reading.change_class, reading.probabilities,
    )  # fmt: skip


def store_trajectories(readings: list[Reading], as_of: date, episode_ids: Ids) -> int:
    """Bring the trajectories of these episodes to the readings; returns how many were written.

    What is stored stays where nothing changed, and where it was made of a later day's facts; a
    series that is no more (its only score was voided) loses its row.
    """
    newest = _newest_inputs(episode_ids, as_of)
    stored = {
        tuple(row[:4]): row[4:]
        for row in Trajectory.objects.filter(within("episode_id", episode_ids)).values_list(
            "episode_id", "measure_id", "variant", "respondent_id", "input_hash", "as_of", "pk"
        )
    }
    later = {place[0] for place, (_hash, day, _pk) in stored.items() if day > as_of}
    now = clinic_time.now()
    rows = []
    for reading in readings:
        s = reading.series
        place = (s.episode_id, s.measure.pk, s.variant, s.respondent_id)
        if s.episode_id in later:
            continue
        digest = reading.input_hash()
        if place in stored and stored[place][0] == digest:
            del stored[place]
            continue
        rows.append(_row(reading, newest.get(s.episode_id, now), digest))
    gone = [pk for place, (_hash, _day, pk) in stored.items() if place[0] not in later]
    for start in range(0, len(gone), 5000):
        old = Trajectory.objects.filter(pk__in=gone[start : start + 5000])
        old._raw_delete(old.db)
    if rows:
        same = {"as_of": as_of, "computed_at": now}
        bulk.copy_rows(Trajectory, TRAJECTORY_FIELDS, rows, same)
    return len(rows)


def read_episode(episode: Episode, as_of: date | None = None) -> list[Reading]:
    """An episode's series with the newest stored models: for pictures and after an entry."""
    return read_course(course_of(episode, as_of), as_of=as_of)


def read_course(course: Course, *, ahead: bool = True, as_of: date | None = None) -> list[Reading]:
    """The same of an episode that was read already; without `ahead` nothing of what may come."""
    found = course.of()
    models = all_in_use(measure_ids={s.measure.pk for s in found})
    if not ahead:
        return read_series(found, models, as_of=as_of, in_care=())
    return read_series(found, models, as_of=as_of, beside=course.beside)
