"""The clinic's own models: expected change of outcome measures, low limits of alliance measures.

A fitted model is an immutable row. It never fails a night: without enough data, or where the
optimiser finds nothing, the last good one stays and the night says so.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from measures_app import prognosis, series, strata
from measures_app.counts import Counts, of_scores
from measures_app.courses import courses_of
from measures_app.models import (
    Administration,
    ExpectedChangeModel,
    Measure,
    MeasureVersion,
    NormRow,
)
from measures_app.psychometrics import growth
from measures_app.psychometrics.alliance import AllianceLimits, alliance_limits
from measures_app.psychometrics.change import ChangeCriteria
from measures_app.psychometrics.prior import Prior
from measures_app.series import CHANGE_PURPOSES, SERIES, for_modelling
from measures_app.strata import ModelKey
from sessions_app.prepared import Prepared

CODE_VERSION = "growth-10"
# A large clinic's model hardly moves in a day: it is fitted again when the data have grown by a
# share, or after some weeks. A small clinic's is fitted on every night that brings something.
SMALL_CLIENTS = growth.SMALL_SAMPLE
REFIT_SHARE = 0.05
REFIT_DAYS = 28
HIDDEN = ("beta_covariance", "data", "follows", "taken_from")
PRIORS = Path(__file__).parent / "priors.toml"


@dataclass
class FitReport:
    """What a night says of one measure: its data, its model, or why there is none.

    `stratum` names a part of the clinic (see `strata`); "" is the whole of it.
    """

    measure: str
    relation: str
    variant: str
    clients: int
    scores: int
    stratum: str = ""
    model: ExpectedChangeModel | None = None
    problem: str = ""
    refitted: bool = False

    def as_dict(self) -> dict[str, Any]:
        stored = self.model.parameters if self.model else {}
        return {
            "measure": self.measure,
            "relation": self.relation,
            "variant": self.variant,
            "stratum": self.stratum,
            "clients": self.clients,
            "scores": self.scores,
            "model": self.model.label if self.model else None,
            "fitted_on": self.model.cutoff_on.isoformat() if self.model else None,
            "refitted": self.refitted,
            "parameters": {name: stored[name] for name in stored if name not in HIDDEN},
            "problem": self.problem,
        }


def digest(*parts: Any) -> str:
    seen = hashlib.sha256()
    for part in parts:
        seen.update(part.tobytes() if isinstance(part, np.ndarray) else str(part).encode())
    return seen.hexdigest()


def _stored(as_of: date | None) -> Any:
    """Models for nightly use, newest first (a year's frozen reference is another matter)."""
    rows = ExpectedChangeModel.objects.filter(reference_year=None).order_by("-pk")
    return rows if as_of is None else rows.filter(cutoff_on__lte=as_of)


def latest_model(
    measure: Measure, relation: str = "self", variant: str = "", as_of: date | None = None
) -> ExpectedChangeModel | None:
    """The newest model; `as_of` a day, the newest that was fitted by then."""
    found: ExpectedChangeModel | None = (
        _stored(as_of).filter(measure=measure, relation=relation, stratum=variant).first()
    )
    return found


def all_in_use(
    as_of: date | None = None, measure_ids: Collection[int] | None = None
) -> dict[ModelKey, ExpectedChangeModel]:
    """The newest model of each measure, relation and variant (of all measures, or of some).

    Those of strata stand beside the whole clinic's while the clinic has such strata.
    """
    if as_of is None and measure_ids is not None:
        known = _IN_USE.rows(measure_ids)
    else:
        known = list(_newest(_stored(as_of), measure_ids))
    _read_models([row for row in known if row not in _MODELS])
    found = [_MODELS[row] for row in known]
    return strata.without_withdrawn(
        {(row.measure_id, row.relation, row.stratum): row for row in found}
    )


def _newest(rows: Any, measure_ids: Collection[int] | None) -> Any:
    place = ("measure_id", "relation", "stratum")
    if measure_ids is not None:
        rows = rows.filter(measure__in=measure_ids)
    return rows.order_by(*place, "-pk").distinct(*place).values_list("pk", "checksum")


_IN_USE = Prepared(lambda measure_ids: _newest(_stored(None), measure_ids))

# Models can't be edited: what was read once stays true.
_MODELS: dict[tuple[int, str], ExpectedChangeModel] = {}


def _read_models(wanted: list[tuple[int, str]]) -> None:
    if wanted:
        for row in ExpectedChangeModel.objects.filter(pk__in=[pk for pk, _checksum in wanted]):
            _MODELS[row.pk, row.checksum] = row


def growth_of(row: ExpectedChangeModel) -> growth.GrowthModel:
    return growth.GrowthModel.from_dict(row.parameters)


def limits_of(row: ExpectedChangeModel) -> AllianceLimits:
    key = row.pk, row.checksum
    if key not in _LIMITS:
        _LIMITS[key] = _limits(row)
    return _LIMITS[key]


_LIMITS: dict[tuple[int, str], AllianceLimits] = {}


def _limits(row: ExpectedChangeModel) -> AllianceLimits:
    content = dict(row.parameters["limits"])
    return AllianceLimits(
        pairs=content["pairs"],
        low=content["low"],
        last=tuple(content["last"]),
        next_low=tuple(content["next_low"]),
    )


def _reports(measure: Measure, counts: Counts) -> dict[tuple[str, str], FitReport]:
    """What there is of a measure, by relation and variant."""
    versions = {v.pk: v for v in measure.versions.defer("definition", "source_text")}
    found = {}
    for root, relation, clients, scores in counts:
        if root in versions:
            variant = variant_of(versions[root])
            found[relation, variant] = FitReport(measure.code, relation, variant, clients, scores)
    return dict(sorted(found.items()))


def variant_of(version: MeasureVersion) -> str:
    return "" if version.version == 1 else f"v{version.version}"


@cache
def priors() -> dict[str, Prior]:
    """What is believed before there is data of one's own, by measure code."""
    content = tomllib.loads(PRIORS.read_text(encoding="utf-8"))
    return {code: Prior.from_dict(values) for code, values in content.items()}


def _is_due(report: FitReport, as_of: date, kinds: strata.Kinds) -> bool:
    model = report.model
    if model is None or model.clients < SMALL_CLIENTS or model.code_version != CODE_VERSION:
        return True
    if strata.kinds_of(model) != kinds:
        return True
    before = int(model.parameters.get("taken_from", 0))
    grown = abs(report.scores - before) >= REFIT_SHARE * before
    return grown or (as_of - model.cutoff_on).days >= REFIT_DAYS


def _keep(
    measure: Measure, report: FitReport, as_of: date, parameters: dict[str, Any], **counts: Any
) -> ExpectedChangeModel:
    """A new row beside the old ones, also where the same data was seen once before."""
    follows = report.model.pk if report.model else None
    parameters = {**parameters, "follows": follows, "taken_from": report.scores}
    return ExpectedChangeModel.objects.create(
        measure=measure,
        relation=report.relation,
        stratum=strata.name(report.variant, report.stratum),
        checksum=digest(json.dumps(parameters, sort_keys=True, allow_nan=False)),
        cutoff_on=as_of,
        parameters=parameters,
        code_version=CODE_VERSION,
        **counts,
    )


def _fit_growth(
    measure: Measure,
    report: FitReport,
    rows: pd.DataFrame,
    as_of: date,
    *,
    kinds: strata.Kinds = (),
    whole: ExpectedChangeModel | None = None,
) -> None:
    """Fit the whole clinic's model, noting its strata's `kinds`; or a stratum's, given `whole`."""
    code = rows.groupby(SERIES, sort=False).ngroup().to_numpy(dtype=np.int64)
    t, score = rows["t"].to_numpy(dtype=float), rows["score"].to_numpy(dtype=float)
    criteria, step = _judged_by(rows)
    courses = courses_of(rows, as_of) if len(rows) else None
    learnt = courses.fingerprint() if courses else b""
    beside = [*kinds, *([whole.checksum] if whole else [])]
    data = digest(code, t, score, learnt, criteria, CODE_VERSION, *beside)
    if report.model is not None and report.model.parameters.get("data") == data:
        return
    if whole is not None:
        prior: Prior | None = Prior.of(growth_of(whole))
    else:
        # A later scoring is another scale: what is believed of the first doesn't hold for it.
        prior = None if report.variant else priors().get(measure.code)
    try:
        fitted = growth.fit(code, t, score, prior=prior)
        weight = prior.weight if prior else 0.0
        parameters = {**fitted.to_dict(), "data": data, "prior_weight": weight}
        del parameters["seconds"]
        if kinds:
            parameters["strata"] = list(kinds)
        if courses is not None:
            parameters["ending"] = prognosis.learn(
                courses, fitted, criteria, step, prior, whole=whole
            )
        report.model = _keep(
            measure,
            report,
            as_of,
            parameters,
            label=fitted.label(),
            clients=fitted.clients,
            rows=fitted.rows,
        )
    except (ValueError, ArithmeticError, growth.NotConverged) as problem:
        # LinAlgError is a ValueError; NaN is refused where the parameters are written.
        known_kind = isinstance(problem, growth.NotEnoughData | growth.NotConverged)
        report.problem = str(problem) if known_kind else "the fit found no usable optimum"
        return
    report.refitted = True


def _fit_strata(
    measure: Measure, whole: FitReport, rows: pd.DataFrame, as_of: date, kinds: strata.Kinds
) -> Iterator[FitReport]:
    """Fit each part of the clinic that has enough clients, with the clinic's model as prior."""
    if whole.model is None or not kinds or not len(rows):
        return
    places = strata.of_episodes(rows["episode_id"].unique().tolist(), kinds)
    stratum = rows["episode_id"].map(places)
    for part, own in rows.groupby(stratum, sort=True):
        if not part:
            continue
        later = own[own.duplicated(SERIES)]
        clients = int(later.groupby(SERIES, sort=False).ngroups)
        report = FitReport(
            whole.measure, whole.relation, whole.variant, clients, len(own), stratum=str(part)
        )
        written = strata.name(whole.variant, report.stratum)
        report.model = latest_model(measure, whole.relation, written, as_of)
        if clients >= strata.FEWEST_CLIENTS:
            _fit_growth(measure, report, own, as_of, whole=whole.model)
        elif report.model is None:
            report.problem = (
                f"{clients} clients with a second score, {strata.FEWEST_CLIENTS} are needed: "
                "the whole clinic's model serves"
            )
        yield report


def _judged_by(rows: pd.DataFrame) -> tuple[ChangeCriteria | None, float]:
    """The thresholds most of these scores are judged with, and the scale's step."""
    if not len(rows):
        return None, 0.0
    pairs = rows[["version_id", "norm_id"]].value_counts(dropna=False)
    version_id, norm_id = pairs.index[0]
    version = MeasureVersion.objects.get(pk=int(version_id))
    norm = None if pd.isna(norm_id) else NormRow.objects.get(pk=int(norm_id))
    return series.criteria_of(version, norm), float(version.step)


def _fit_limits(measure: Measure, report: FitReport, rows: pd.DataFrame, as_of: date) -> None:
    scores = rows["score"]
    before = scores.groupby([rows[name] for name in SERIES], sort=False).shift()
    data = digest(before.to_numpy(), scores.to_numpy(), CODE_VERSION)
    if report.model is not None and report.model.parameters.get("data") == data:
        return
    better = measure.versions.order_by("-version").values_list("better", flat=True)[0]
    limits = alliance_limits(before.to_numpy(), scores.to_numpy(), better)  # type: ignore[arg-type]  # the two words of the choices
    if limits is None:
        report.problem = "not enough data yet: the cutoff serves until there are 300 pairs"
        return
    report.model = _keep(
        measure,
        report,
        as_of,
        {"limits": asdict(limits), "data": data},
        label=f"own data (n = {report.clients})",
        clients=report.clients,
        rows=limits.pairs,
    )
    report.refitted = True


def fit_measure(measure: Measure, as_of: date, counts: Counts | None = None) -> list[FitReport]:
    """Fit a measure's models as of a day, one for each relation; unchanged data changes none.

    `counts` are `of_scores`, where the caller has them.
    """
    reports = _reports(measure, of_scores(as_of, measure) if counts is None else counts)
    change = measure.purpose in CHANGE_PURPOSES
    kinds = strata.in_force(as_of) if change else ()
    due = []
    for (relation, variant), report in reports.items():
        report.model = latest_model(measure, relation, variant, as_of)
        if _is_due(report, as_of, kinds):
            due.append((relation, variant))
    if not due:
        return list(reports.values())
    frame = series.scores([measure.purpose], as_of, measure=measure)
    versions = {v.pk: v for v in measure.versions.defer("definition", "source_text")}
    roots = {
        pk: variant_of(versions[pk]) for pk in frame["scoring"].unique().tolist() if pk in versions
    }
    frame["variant"] = frame["scoring"].map(roots).fillna("")
    if change:
        frame = for_modelling(frame)
    found = list(reports.values())
    for key in due:
        rows = frame[(frame["relation"] == key[0]) & (frame["variant"] == key[1])]
        if change:
            _fit_growth(measure, reports[key], rows, as_of, kinds=kinds)
            found += _fit_strata(measure, reports[key], rows, as_of, kinds)
        else:
            _fit_limits(measure, reports[key], rows, as_of)
    return found


def fitted_measures() -> list[Measure]:
    """Measures in use that have a model: one part of the night each, the longest work first."""
    purposes = [*CHANGE_PURPOSES, Measure.Purpose.ALLIANCE]
    used = Administration.objects.filter(total__isnull=False).order_by().values("measure")
    found = Measure.objects.filter(purpose__in=purposes, pk__in=used).order_by("code")
    return sorted(found, key=lambda measure: measure.purpose not in CHANGE_PURPOSES)
