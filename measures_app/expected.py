"""Expected-change models of the clinic's own data, and each series as read with one of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from django.db.models import Max

from measures_app import series as series_module
from measures_app.models import Administration, ExpectedChangeModel, Measure, Trajectory
from measures_app.psychometrics import growth
from measures_app.psychometrics.change import classify_one
from measures_app.psychometrics.forecast import expected_response, forecast
from measures_app.psychometrics.norms import direction
from measures_app.series import SERIES, Catalogue, Series, as_series, for_modelling
from sessions_app import bulk, clinic_time

CODE_VERSION = "growth-1"
AHEAD = 6  # sessions drawn beyond the last score
SHORTEST_AXIS = 12
LONGEST_AXIS = 60
ModelKey = tuple[int, str]  # measure, relation


@dataclass
class FitReport:
    """What a night says of one measure: its data, its model, or why there is none."""

    measure: str
    relation: str
    clients: int
    scores: int
    model: ExpectedChangeModel | None = None
    problem: str = ""
    refitted: bool = False

    def as_dict(self) -> dict[str, Any]:
        stored = self.model.parameters if self.model else {}
        parameters = {k: stored[k] for k in stored if k not in ("beta_covariance", "data")}
        return {
            "measure": self.measure,
            "relation": self.relation,
            "clients": self.clients,
            "scores": self.scores,
            "model": self.model.label if self.model else None,
            "parameters": parameters,
            "problem": self.problem,
        }


def _digest(*parts: Any) -> str:
    seen = hashlib.sha256()
    for part in parts:
        seen.update(part.tobytes() if isinstance(part, np.ndarray) else str(part).encode())
    return seen.hexdigest()


def _training(frame: pd.DataFrame, key: ModelKey) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = frame[(frame["measure_id"] == key[0]) & (frame["relation"] == key[1])]
    code = rows.groupby(SERIES, sort=False).ngroup().to_numpy(dtype=np.int64)
    return code, rows["t"].to_numpy(dtype=float), rows["score"].to_numpy(dtype=float)


def latest_model(measure: Measure, relation: str = "self") -> ExpectedChangeModel | None:
    """The newest model for nightly use (a year's frozen reference is another matter)."""
    return (
        ExpectedChangeModel.objects.filter(
            measure=measure, relation=relation, stratum="", reference_year=None
        )
        .order_by("-pk")
        .first()
    )


def growth_of(row: ExpectedChangeModel) -> growth.GrowthModel:
    return growth.GrowthModel.from_dict(row.parameters)


def fit_models(frame: pd.DataFrame, as_of: date) -> dict[ModelKey, FitReport]:
    """Fit a model per measure and relation; unchanged data keeps the model that is there.

    Without enough data, or where the optimiser finds nothing, the last good model stays.
    """
    reports: dict[ModelKey, FitReport] = {}
    training = for_modelling(frame)
    catalogue = {m.pk: m for m in Measure.objects.all()}
    for key, rows in frame.groupby(["measure_id", "relation"], sort=True):
        measure_id, relation = int(key[0]), str(key[1])
        measure = catalogue[measure_id]
        report = FitReport(measure.code, relation, int(rows["client_id"].nunique()), len(rows))
        reports[measure_id, relation] = report
        code, t, score = _training(training, (measure_id, relation))
        data = _digest(code, t, score, CODE_VERSION)
        report.model = latest_model(measure, relation)
        if report.model is not None and report.model.parameters.get("data") == data:
            continue
        try:
            fitted = growth.fit(code, t, score)
        except (growth.NotEnoughData, growth.NotConverged) as problem:
            report.problem = str(problem)
            continue
        parameters = {**fitted.to_dict(), "data": data}
        del parameters["seconds"]
        checksum = _digest(json.dumps(parameters, sort_keys=True))
        report.refitted = True
        report.model, _created = ExpectedChangeModel.objects.get_or_create(
            measure=measure,
            relation=relation,
            stratum="",
            checksum=checksum,
            defaults={
                "label": fitted.label(),
                "cutoff_on": as_of,
                "clients": fitted.clients,
                "rows": fitted.rows,
                "parameters": parameters,
                "code_version": CODE_VERSION,
            },
        )
    return reports


@dataclass
class Reading:
    """A series as read with a model: what a trajectory stores."""

    series: Series
    model: ExpectedChangeModel | None
    expected_t: list[int] = field(default_factory=list)
    expected_mean: list[float] = field(default_factory=list)
    expected_low80: list[float] = field(default_factory=list)
    expected_high80: list[float] = field(default_factory=list)
    forecast_t: list[int] = field(default_factory=list)
    forecast_mean: list[float] = field(default_factory=list)
    forecast_low80: list[float] = field(default_factory=list)
    forecast_high80: list[float] = field(default_factory=list)
    standing: str = ""
    change_class: str = ""

    def at_scores(self) -> tuple[list[float], list[float], list[float]]:
        """(expected, low80, high80) at each score; NaN at intake and off the axis."""
        by_t = {t: i for i, t in enumerate(self.expected_t)}
        columns: tuple[list[float], list[float], list[float]] = ([], [], [])
        for t in self.series.t:
            i = by_t.get(t)
            for column, values in zip(
                columns,
                (self.expected_mean, self.expected_low80, self.expected_high80),
                strict=True,
            ):
                column.append(float("nan") if i is None else values[i])
        return columns

    def input_hash(self) -> str:
        s = self.series
        model = self.model.checksum if self.model else ""
        return _digest(s.t, s.dates, s.scores, s.mid_care, s.criteria, model, AHEAD)


def _standing(reading: Reading) -> str:
    """Where the last score lies against the band: `better`, `within`, `worse`, or unknown."""
    s = reading.series
    if len(s.scores) < 2 or s.criteria is None:
        return ""
    expected, low, high = (column[-1] for column in reading.at_scores())
    if expected != expected:  # NaN: no band there
        return ""
    sign = direction(s.criteria.better)
    worse_end, better_end = (low, high) if sign > 0 else (high, low)
    if sign * (s.scores[-1] - worse_end) < -1e-9:
        return "worse"
    return "better" if sign * (s.scores[-1] - better_end) > 1e-9 else "within"


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]


def read_series(found: list[Series], models: dict[ModelKey, ExpectedChangeModel]) -> list[Reading]:
    """Read many series with their models; expected responses in one batch per model."""
    readings = []
    groups: dict[ModelKey, list[Reading]] = {}
    for s in found:
        key = (s.measure.pk, s.relation)
        model = None if s.mid_care else models.get(key)
        reading = Reading(s, model)
        if s.criteria is not None and len(s.scores) > 1:
            reading.change_class = classify_one(s.scores[0], s.scores[-1], s.criteria) or ""
        readings.append(reading)
        if model is not None:
            groups.setdefault(key, []).append(reading)
    for key, members in groups.items():
        _expect(members, growth_of(models[key]))
    for reading in readings:
        reading.standing = _standing(reading)
    return readings


def _expect(members: list[Reading], model: growth.GrowthModel) -> None:
    low, high = members[0].series.low, members[0].series.high
    axis = np.arange(2, LONGEST_AXIS + 1)
    intake = np.array([r.series.scores[0] for r in members])
    band = expected_response(model, intake, axis, low=low, high=high)
    patterns: dict[tuple[int, ...], list[int]] = {}
    for i, reading in enumerate(members):
        last = reading.series.t[-1]
        upto = min(LONGEST_AXIS, max(last + AHEAD, SHORTEST_AXIS)) - 1
        reading.expected_t = axis[:upto].tolist()
        reading.expected_mean = _rounded(band.mean[i, :upto])
        reading.expected_low80 = _rounded(band.low80[i, :upto])
        reading.expected_high80 = _rounded(band.high80[i, :upto])
        patterns.setdefault(reading.series.t[1:], []).append(i)
    for seen, indices in patterns.items():
        last = members[indices[0]].series.t[-1]
        ahead = np.arange(last + 1, last + AHEAD + 1)
        scores = np.array([members[i].series.scores[1:] for i in indices])
        future = forecast(model, intake[indices], seen, scores, ahead, low=low, high=high)
        for row, i in enumerate(indices):
            members[i].forecast_t = ahead.tolist()
            members[i].forecast_mean = _rounded(future.mean[row])
            members[i].forecast_low80 = _rounded(future.low80[row])
            members[i].forecast_high80 = _rounded(future.high80[row])


TRAJECTORY_FIELDS = [
    "client_id", "episode_id", "measure_id", "respondent_id", "model_id", "as_of",
    "newest_input_at", "input_hash", "mid_care", "t", "dates", "scores", "expected_t",
    "expected_mean", "expected_low80", "expected_high80", "forecast_t", "forecast_mean",
    "forecast_low80", "forecast_high80", "standing", "change_class", "probabilities",
    "computed_at",
]  # fmt: skip


def _newest_inputs(readings: list[Reading]) -> dict[int, Any]:
    """Newest recording per episode: a trajectory is replaced only by one from newer input."""
    rows = Administration.objects.values("episode").annotate(at=Max("recorded_at"))
    if len(readings) < 1000:
        rows = rows.filter(episode__in={r.series.episode_id for r in readings})
    return {row["episode"]: row["at"] for row in rows.order_by("episode")}


def store_trajectories(readings: list[Reading], as_of: date) -> tuple[int, int]:
    """Write the trajectories that changed; returns (all, written).

    An entry that came in meanwhile has computed from newer input: its row stays.
    """
    newest = _newest_inputs(readings)
    current = {
        (row[0], row[1], row[2]): row[3:]
        for row in Trajectory.objects.values_list(
            "episode_id", "measure_id", "respondent_id", "input_hash", "newest_input_at", "pk"
        )
    }
    now = clinic_time.now()
    rows, replaced = [], []
    for reading in readings:
        s = reading.series
        place = (s.episode_id, s.measure.pk, s.respondent_id)
        digest, input_at = reading.input_hash(), newest[s.episode_id]
        there = current.get(place)
        if there is not None:
            if there[0] == digest or there[1] > input_at:
                continue
            replaced.append(there[2])
        rows.append(
            (
                s.client_id, s.episode_id, s.measure.pk, s.respondent_id,
                reading.model.pk if reading.model else None, as_of, input_at, digest,
                s.mid_care, s.t, s.dates, s.scores,
                reading.expected_t, reading.expected_mean, reading.expected_low80,
                reading.expected_high80, reading.forecast_t, reading.forecast_mean,
                reading.forecast_low80, reading.forecast_high80,
                reading.standing, reading.change_class, {}, now,
            )
        )  # fmt: skip
    for start in range(0, len(replaced), 5000):
        Trajectory.objects.filter(pk__in=replaced[start : start + 5000]).delete()
    if rows:
        bulk.copy_rows(Trajectory, TRAJECTORY_FIELDS, rows)
    return len(readings), len(rows)


def read_clinic(
    frame: pd.DataFrame, reports: dict[ModelKey, FitReport], catalogue: Catalogue | None = None
) -> list[Reading]:
    """Every series of a frame with the night's models."""
    models = {key: report.model for key, report in reports.items() if report.model is not None}
    return read_series(as_series(frame, catalogue), models)


def read_episode(episode_id: int) -> list[Reading]:
    """An episode's series with the newest stored models: for pictures and after an entry."""
    frame = series_module.scores(episode_ids=[episode_id])
    found = as_series(frame)
    models = {}
    for s in found:
        model = latest_model(s.measure, s.relation)
        if model is not None:
            models[s.measure.pk, s.relation] = model
    return read_series(found, models)
