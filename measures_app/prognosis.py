"""Prognosis: how care ends in this clinic, and what that says of each open episode.

Beside a growth model stand the hazards of both usual endings (the client stops; an agreed end)
per attended session, and a recalibration of the probabilities from clients the models hadn't
seen. From there each open client's care is drawn to its end along many paths.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from measures_app.courses import BESIDE, PACE, Courses
from measures_app.models import ExpectedChangeModel
from measures_app.psychometrics import growth
from measures_app.psychometrics.accuracy import FEWEST_CLIENTS, Recalibration, recalibrate
from measures_app.psychometrics.bands import AS_DRAWN, Stretch, fit_stretch
from measures_app.psychometrics.change import ChangeCriteria
from measures_app.psychometrics.hazards import PATH_COVARIATES, HazardModel, fit_hazards
from measures_app.psychometrics.norms import direction
from measures_app.psychometrics.outlook import (
    Outlook,
    boundaries,
    look_ahead,
    read_ends,
    scale_of,
)
from measures_app.psychometrics.pace import NO_PACE, Pace, fit_pace
from measures_app.psychometrics.paths import simulate_ends, standing
from measures_app.psychometrics.patterns import split_intake
from measures_app.psychometrics.prior import Prior
from measures_app.psychometrics.spread import standardised_residuals, with_spread
from measures_app.psychometrics.stacking import Stack, fit_stack, stacking_weight

CAUSES = ("stopped", "agreed")
COVARIATES = (*PATH_COVARIATES, *BESIDE)
FOLDS = 5
LOOKS = (2, 3, 4, 6, 8)
MOST_COURSES = 5000  # of the newest ones, for the recalibration: two numbers need no more
PATHS = 200


def _known(model: growth.GrowthModel, courses: Courses) -> np.ndarray:
    """What was known at each attended session, in the order of COVARIATES."""
    client, t, score = courses.arrays()
    first = np.r_[True, client[1:] != client[:-1]]
    residual = np.full(len(t), np.nan)
    residual[~first] = standardised_residuals(model, split_intake(client, t, score))
    before = np.r_[np.nan, residual[:-1]]
    before[first] = np.nan
    own = pd.DataFrame({"series": client, "t": t.astype(int), "r": residual, "b": before})
    visits = courses.visits.merge(own, on=["series", "t"], how="left")
    grouped = visits.groupby("series", sort=False)
    columns = [grouped[name].ffill() for name in ("r", "b")]
    return np.column_stack([*columns, *(visits[name] for name in BESIDE)]).astype(float)


def _fit(courses: Courses, prior: Prior | None) -> tuple[growth.GrowthModel, HazardModel]:
    client, t, score = courses.arrays()
    model = with_spread(growth.fit(client, t, score, prior=prior), client, t, score)
    return model, hazards_of(model, courses)


def hazards_of(model: growth.GrowthModel, courses: Courses) -> HazardModel:
    """Hazards of both endings at each attended session of these courses."""
    return fit_hazards(
        courses.visits["t"].to_numpy(float),
        courses.visits["event"].to_numpy(np.int64),
        _known(model, courses),
        causes=CAUSES,
        covariates=COVARIATES,
        episodes=len(courses.episodes),
    )


def _first_and_last(courses: Courses) -> pd.DataFrame:
    grouped = courses.scores.groupby("series", sort=True)
    return pd.DataFrame(
        {
            "first": grouped["score"].first(),
            "last": grouped["score"].last(),
            "first_t": grouped["t"].first(),
            "last_t": grouped["t"].last(),
        }
    )


@dataclass(frozen=True)
class _Looks:
    """Probabilities of clients whom the models hadn't seen, and what came of them."""

    not_improved: tuple[np.ndarray, np.ndarray]
    deteriorated: tuple[np.ndarray, np.ndarray]
    last: tuple[np.ndarray, np.ndarray, np.ndarray]  # the paths', the challenger's, and what came
    pace: tuple[np.ndarray, np.ndarray, np.ndarray]  # the session looked at, and whose look
    band: tuple[np.ndarray, np.ndarray]


def _look(
    fitted: tuple[growth.GrowthModel, HazardModel],
    challengers: Stack,
    held: Courses,
    session: int,
    criteria: ChangeCriteria,
    step: float,
) -> _Looks:
    model, hazard = fitted
    low, high = scale_of(criteria)
    ends = _first_and_last(held)
    coming = (held.ended & (ends["last_t"] > session) & (ends["first_t"] <= session)).to_numpy(bool)
    chosen = held.some(coming)
    kept = (chosen.scores["t"] <= session).to_numpy(bool)
    client, t, score = (column[kept] for column in chosen.arrays())
    first, last = (ends.loc[coming, name].to_numpy(float) for name in ("first", "last"))
    at = chosen.visits["t"].to_numpy() == session
    known = _known(model, chosen)[at][:, [COVARIATES.index(name) for name in hazard.covariates]]
    pace = chosen.visits[PACE].to_numpy(float)[at]
    if len(pace) != len(first):
        pace = np.full(len(first), np.nan)
    seen = simulate_ends(
        model,
        hazard,
        standing(model, client, t, score, now=np.full(len(first), float(session))),
        keys=chosen.episodes,
        offsets=hazard.offsets(known) if hazard.covariates and len(known) == len(first) else None,
        low=low,
        high=high,
    )
    said = read_ends(seen, first, criteria, step)
    border, sign = boundaries(first, criteria, step), direction(criteria.better)
    can = ~np.isnan(border.improved)
    worse_can = ~np.isnan(border.deteriorated)
    not_improved = ~(sign * last >= sign * border.improved)
    worse = sign * last <= sign * border.deteriorated
    return _Looks(
        (said.p_not_improved[can], not_improved[can]),
        (said.p_deteriorated[worse_can], worse[worse_can]),
        (said.mean, challengers.combined(said.mean, client, t, score, low, high), last),
        (pace, np.full(len(first), float(session)), chosen.episodes),
        (said.low80, said.high80),
    )


def _newest(courses: Courses) -> Courses:
    if len(courses.episodes) <= MOST_COURSES:
        return courses
    newest = np.zeros(len(courses.episodes), dtype=bool)
    newest[np.argsort(courses.episodes)[-MOST_COURSES:]] = True
    return courses.some(newest)


def _held_out(
    courses: Courses, criteria: ChangeCriteria, step: float, prior: Prior | None
) -> tuple[Recalibration, Recalibration, float, Pace, Stretch]:
    """Corrections of "not improved" and "deteriorated", the challenger's weight, pace, and band.

    From clients left out of the models in turn.
    """
    courses = _newest(courses)
    ended = int(courses.ended.sum())
    identity = Recalibration()
    if ended < FEWEST_CLIENTS:
        return identity, identity, 0.0, NO_PACE, AS_DRAWN
    fold = np.array([zlib.crc32(str(pk).encode()) % FOLDS for pk in courses.episodes.tolist()])
    looks: list[_Looks] = []
    for held in range(FOLDS):
        fitted = _fit(courses.some(fold != held), prior)
        others = courses.some((fold != held) & courses.ended)
        # At full weight: what the challenger alone says.
        alone = fit_stack(*others.arrays(), weight=1.0, clients=ended)
        them = courses.some((fold == held) & courses.ended)
        looks += [_look(fitted, alone, them, session, criteria, step) for session in LOOKS]

    def one(name: str) -> Recalibration:
        pairs = [getattr(look, name) for look in looks]
        said, came = (np.concatenate([pair[part] for pair in pairs]) for part in (0, 1))
        return recalibrate(said, came, ended) if len(said) else identity

    ours, theirs, came = (np.concatenate([look.last[part] for look in looks]) for part in (0, 1, 2))
    weight = stacking_weight(ours, theirs, came, ended)
    pace, session, whose = (
        np.concatenate([look.pace[part] for look in looks]) for part in (0, 1, 2)
    )
    learnt = fit_pace(pace, session, came - ours, whose, ended)
    low, high = (np.concatenate([look.band[part] for look in looks]) for part in (0, 1))
    band = fit_stretch(low, high, came, ended, *scale_of(criteria))
    return one("not_improved"), one("deteriorated"), weight, learnt, band


def learn(
    courses: Courses,
    model: growth.GrowthModel,
    criteria: ChangeCriteria | None,
    step: float,
    prior: Prior | None,
    *,
    whole: ExpectedChangeModel | None = None,
) -> dict[str, Any]:
    """What stands beside a growth model: spread, hazards and recalibrations, as plain values.

    Without thresholds (`criteria` None) no class can be foretold, and nothing stands there. A
    part of the clinic without enough endings of its own takes those of the `whole` clinic.
    """
    ended = int(courses.ended.sum())
    if whole is not None and ended < FEWEST_CLIENTS:
        return dict(whole.parameters.get("ending", {}))
    if criteria is None:
        return {"ended": ended}
    wide = with_spread(model, *courses.arrays())
    hazard = hazards_of(wide, courses)
    not_improved, deteriorated, weight, pace, band = _held_out(courses, criteria, step, prior)
    ends = courses.some(courses.ended)
    stack = fit_stack(*ends.arrays(), weight=weight, clients=int(not_improved.clients))
    return {
        "ended": ended,
        "spread": wide.spread,
        "step": step,
        "hazard": hazard.to_dict(),
        "not_improved": dataclasses.asdict(not_improved),
        "deteriorated": dataclasses.asdict(deteriorated),
        "stack": stack.to_dict(),
        "pace": dataclasses.asdict(pace),
        "band": dataclasses.asdict(band),
    }


def held_to(row: ExpectedChangeModel | None) -> int:
    """Ended clients whom a model hadn't seen and its probabilities were held to; 0 for too few."""
    ending = row.parameters.get("ending", {}) if row else {}
    return int(ending.get("not_improved", {}).get("clients", 0))


def is_told(row: ExpectedChangeModel) -> bool:
    """Whether this model's probabilities may be shown and flag anybody."""
    return held_to(row) > 0


Known = Sequence[tuple[int, Sequence[int], Sequence[float]]]  # episode, t, scores


@dataclass(frozen=True)
class Foretold:
    """How care may end; and what the paths and the challenger say of the last score, each alone."""

    outlook: Outlook
    growth: np.ndarray
    challenger: np.ndarray  # NaN where there is none


def _rows_of(courses: Known) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    counts = [len(t) for _episode, t, _scores in courses]
    return (
        np.repeat(np.arange(len(courses), dtype=np.int64), counts),
        np.concatenate([np.asarray(t, dtype=float) for _e, t, _s in courses]),
        np.concatenate([np.asarray(scores, dtype=float) for _e, _t, scores in courses]),
    )


def outlook(
    row: ExpectedChangeModel,
    model: growth.GrowthModel,
    courses: Known,
    beside: pd.DataFrame,
    criteria: ChangeCriteria,
) -> Foretold:
    """How care may end for open clients, given as (episode, t, scores).

    Parameters
    ----------
    row : ExpectedChangeModel
        With what `learn` found.
    model : GrowthModel
        The row's own.
    courses : sequence of (episode, t, scores)
        With two scores at least.
    beside : DataFrame
        By episode: the newest alliance, alliance_change, no_shows and pace.
    criteria : ChangeCriteria
    """
    ending = row.parameters["ending"]
    hazard = HazardModel.from_dict(ending["hazard"])
    episodes = [episode for episode, _t, _scores in courses]
    known = None
    table = beside.reindex(episodes)
    if hazard.covariates:
        known = np.column_stack(
            [
                np.full(len(episodes), np.nan)
                if name in PATH_COVARIATES
                else table[name].to_numpy(float)
                for name in hazard.covariates
            ]
        )
    rows = _rows_of(courses)
    pace = Pace.from_dict(ending["pace"]) if "pace" in ending else NO_PACE
    shift = pace.shift(table[PACE].to_numpy(float), np.array([t[-1] for _e, t, _s in courses]))
    found = look_ahead(
        dataclasses.replace(model, spread=ending["spread"]),
        hazard,
        *rows,
        criteria,
        step=ending["step"],
        keys=np.array(episodes, dtype=np.int64),
        known=known,
        shift=shift,
        not_improved=Recalibration(**ending["not_improved"]),
        deteriorated=Recalibration(**ending["deteriorated"]),
        band=Stretch(**ending.get("band", {})),
        paths=PATHS,
    )
    stack = Stack.from_dict(ending["stack"])
    low, high = scale_of(criteria)
    weighed = stack.combined(found.mean, *rows, low, high, shift)
    return Foretold(
        dataclasses.replace(found, mean=weighed),
        found.mean,
        stack.challenge(*rows, low, high),
    )


def from_the_start_alone(
    row: ExpectedChangeModel, model: growth.GrowthModel, courses: Known, criteria: ChangeCriteria
) -> np.ndarray:
    """The last score of care as expected from the first alone, for who came as often as these."""
    ending = row.parameters["ending"]
    wide = dataclasses.replace(model, spread=ending["spread"])
    first = np.array([scores[0] for _e, _t, scores in courses], dtype=float)
    now = np.array([t[-1] for _e, t, _s in courses], dtype=float)
    low, high = scale_of(criteria)
    ends = simulate_ends(
        wide,
        HazardModel.from_dict(ending["hazard"]),
        standing(wide, np.arange(len(first)), np.ones(len(first)), first, now=now),
        keys=np.array([episode for episode, _t, _s in courses], dtype=np.int64),
        paths=PATHS,
        low=low,
        high=high,
    )
    return ends.score.mean(axis=1, dtype=np.float64)
