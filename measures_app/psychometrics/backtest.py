"""The models on clients they haven't seen: cross-validation of a file of ended courses.

A client's fold is crc32(client id) modulo the number of folds, so that anybody can redo it. In
each fold the growth model, its hazards, the challenger and the recalibration come from the other
folds alone. The recalibration wants probabilities that are out of fold *within* those: models
that leave out two folds give them, each serving both folds it left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from .accuracy import (
    FEWEST_CLIENTS,
    Recalibration,
    area_under_curve,
    area_under_curve_se,
    brier_skill,
    calibration,
    calibration_table,
    recalibrate,
)
from .bands import AS_DRAWN, Stretch, fit_stretch
from .challenger import features_of, fit_challenger
from .change import BoolArray, ChangeCriteria, direction
from .deals import fold_of
from .growth import GrowthModel, NotEnoughData, fit
from .hazards import PATH_COVARIATES, HazardModel, fit_hazards
from .outlook import IDENTITY, boundaries, read_ends, scale_of
from .pace import NO_PACE, Pace, fit_pace, pace_of
from .paths import Ends, simulate_ends, standing
from .patterns import FloatArray, IntArray
from .reml import STARTS
from .spread import endings_of, with_spread
from .stacking import stacking_weight

SESSIONS: Final = (1, 2, 3, 4, 6, 8)
MOST_PATHS: Final = 4000  # a client: with a fourth of these an AUC moved by .002
FEWEST_PATHS: Final = 200
DRAWS: Final = 1_200_000  # of all clients together, a session: what a file of thousands takes
PATHS_WITHIN: Final = 100  # for the recalibration, which averages over clients anyway


@dataclass(frozen=True, slots=True)
class Predictions:
    """Out-of-fold predictions at one session, shape (clients,); NaN where nobody came again.

    Attributes
    ----------
    mean : ndarray
        The last score of care, from the paths and the challenger weighed together.
    curve_mean, low, high : ndarray
        Growth: the last score of care from the paths alone, and the ends of its 80 % band.
    raw, p : ndarray
        Growth: probability of no reliable improvement, before and after recalibration. The raw
        ones order clients of different folds: a recalibration differs from fold to fold.
    static_mean, static_raw : ndarray
        The same given the intake alone: the expected response.
    challenger_mean, challenger_raw, challenger_p : ndarray
    now : ndarray
        Last score so far.
    """

    mean: FloatArray
    curve_mean: FloatArray
    low: FloatArray
    high: FloatArray
    raw: FloatArray
    p: FloatArray
    static_mean: FloatArray
    static_raw: FloatArray
    challenger_mean: FloatArray
    challenger_raw: FloatArray
    challenger_p: FloatArray
    now: FloatArray

    @classmethod
    def empty(cls, clients: int) -> Predictions:
        return cls(*[np.full(clients, np.nan) for _ in fields(cls)])


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a set of training clients teaches: growth with its spread, and hazards."""

    growth: GrowthModel
    hazard: HazardModel


@dataclass(frozen=True, slots=True)
class _Look:
    """What models said of a fold they hadn't seen, at one session; and what came."""

    p: FloatArray
    challenger_p: FloatArray
    not_improved: BoolArray
    mean: FloatArray
    challenger_mean: FloatArray
    last: FloatArray
    pace: FloatArray
    session: FloatArray
    low: FloatArray
    high: FloatArray
    who: IntArray


@dataclass(frozen=True, slots=True)
class _Learnt:
    """What looks within the other folds teach: corrections, and the challenger's weight."""

    growth: Recalibration = IDENTITY
    challenger: Recalibration = IDENTITY
    weight: float = 0.0
    pace: Pace = NO_PACE
    band: Stretch = AS_DRAWN


class Backtest:
    """A file of ended courses, and what is to be predicted of them.

    Parameters
    ----------
    labels : sequence of str
        Client ids.
    client, t, score : ndarray, shape (rows,)
        As for `growth.fit`; `client` indexes `labels`.
    criteria : ChangeCriteria
        With the measure's range.
    step : float
        Distance between attainable scores.
    folds : int
        2 or more.
    deal : int
        See `fold_of`.
    moment : ndarray or None, shape (rows,)
        Time of each row in any unit, where it is known: then pace counts (`Pace`).
    """

    def __init__(
        self,
        labels: Sequence[str],
        client: IntArray,
        t: FloatArray,
        score: FloatArray,
        criteria: ChangeCriteria,
        *,
        step: float,
        folds: int = 10,
        deal: int = 0,
        moment: FloatArray | None = None,
    ) -> None:
        if folds < 2:
            raise ValueError("a back-test needs two folds at least")
        self.client, self.t, self.score, self.moment = client, t, score, moment
        self.criteria, self.step, self.folds = criteria, step, folds
        self.fold = fold_of(labels, folds, deal)
        self.paths = min(max(DRAWS // max(len(labels), 1), FEWEST_PATHS), MOST_PATHS) // 2 * 2
        self.keys = np.array([zlib.crc32(label.encode()) for label in labels], dtype=np.int64)
        ends = np.flatnonzero(np.r_[client[1:] != client[:-1], True])
        starts = np.r_[0, ends[:-1] + 1]
        self.first, self.last = score[starts], score[ends]
        self.first_t, self.last_t = t[starts], t[ends]
        self.border = boundaries(self.first, criteria, step)
        self.can_improve: BoolArray = ~np.isnan(self.border.improved)
        sign = direction(criteria.better)
        self.not_improved: BoolArray = self.can_improve & ~(
            sign * self.last >= sign * self.border.improved
        )

    def train(self, members: BoolArray, starts: Sequence[float] = STARTS) -> Fitted:
        """Fit on all rows of some clients.

        Raises
        ------
        NotEnoughData
        """
        rows = members[self.client]
        client = np.unique(self.client[rows], return_inverse=True)[1].astype(np.int64)
        t, score = self.t[rows], self.score[rows]
        model = with_spread(fit(client, t, score, starts=starts), client, t, score)
        event, known = endings_of(model, client, t, score)
        hazard = fit_hazards(
            t,
            event,
            known,
            causes=("ended",),
            covariates=PATH_COVARIATES,
            episodes=int(members.sum()),
        )
        return Fitted(model, hazard)

    def seen_at(self, members: BoolArray, session: int) -> tuple[IntArray, BoolArray]:
        """Clients among `members` who come again after a session, and their rows until then."""
        who = np.flatnonzero(members & (self.last_t > session) & (self.first_t <= session))
        chosen = np.zeros(len(members), dtype=np.bool_)
        chosen[who] = True
        return who.astype(np.int64), chosen[self.client] & (self.t <= session)

    def ends(
        self,
        fitted: Fitted,
        who: IntArray,
        session: int,
        paths: int,
        rows: BoolArray | None = None,
        shift: FloatArray | None = None,
    ) -> Ends:
        """Ends of care of clients who come again, given some rows, or the intake alone."""
        if rows is None:
            told = np.arange(len(who), dtype=np.int64), np.ones(len(who)), self.first[who]
        else:
            client = np.searchsorted(who, self.client[rows]).astype(np.int64)
            told = client, self.t[rows], self.score[rows]
        return simulate_ends(
            fitted.growth,
            fitted.hazard,
            standing(fitted.growth, *told, now=np.full(len(who), float(session))),
            keys=self.keys[who],
            shift=shift,
            paths=paths,
            low=scale_of(self.criteria)[0],
            high=scale_of(self.criteria)[1],
        )

    def run(self, sessions: Sequence[int] = SESSIONS) -> list[dict[str, Any]]:
        """Predict every client from the other folds, at several sessions.

        Parameters
        ----------
        sessions : sequence of int
            At each, the clients count who came again.

        Returns
        -------
        list of dict
            One a session; see `_summary`. Values that can't be computed are None.

        Raises
        ------
        NotEnoughData
            Where the other folds of some fold teach no model.
        """
        tables = self.predictions(sessions)
        return [self._summary(session, tables[session]) for session in sessions]

    def predictions(self, sessions: Sequence[int] = SESSIONS) -> dict[int, Predictions]:
        """Out-of-fold predictions of every client at several sessions; see `run`."""
        tables = {session: Predictions.empty(len(self.first)) for session in sessions}
        present = [f for f in range(self.folds) if (self.fold == f).any()]
        if len(present) < 2:
            raise NotEnoughData("all clients are in one fold: not enough to learn from yet")
        outer = {f: self.train(self.fold != f) for f in present}
        learnt = self._learnt(outer, sessions)
        for f in present:
            for session in sessions:
                self._predict(tables[session], outer[f], learnt[f], f, session)
        return tables

    def _learnt(self, outer: dict[int, Fitted], sessions: Sequence[int]) -> dict[int, _Learnt]:
        """Corrections and weight for each fold, from clients of the other folds."""
        ended = {f: int((self.fold != f).sum()) for f in outer}
        if min(ended.values()) < FEWEST_CLIENTS:
            return dict.fromkeys(outer, _Learnt())
        # looks[f]: clients of each other fold, predicted without it and without f.
        looks: dict[int, list[_Look]] = {f: [] for f in outer}
        order = sorted(outer)
        for place, f in enumerate(order):
            for g in order[place + 1 :]:
                members = (self.fold != f) & (self.fold != g)
                fitted = self.train(members, starts=STARTS[:1])
                for held, other in ((f, g), (g, f)):
                    for session in sessions:
                        looks[other].append(self._look(fitted, members, held, session))
        found = {}
        for f in outer:
            told = _Look(
                *[
                    np.concatenate([getattr(look, part.name) for look in looks[f]])
                    for part in fields(_Look)
                ]
            )
            both = np.isfinite(told.challenger_mean)
            found[f] = _Learnt(
                recalibrate(told.p, told.not_improved, ended[f]),
                recalibrate(told.challenger_p, told.not_improved, ended[f]),
                stacking_weight(
                    told.mean[both], told.challenger_mean[both], told.last[both], ended[f]
                ),
                fit_pace(told.pace, told.session, told.last - told.mean, told.who, ended[f]),
                fit_stretch(told.low, told.high, told.last, ended[f], *scale_of(self.criteria)),
            )
        return found

    def _look(self, fitted: Fitted, members: BoolArray, held: int, session: int) -> _Look:
        """Uncorrected forecasts of one fold at one session, and what came."""
        who, rows = self.seen_at(self.fold == held, session)
        seen = self.ends(fitted, who, session, PATHS_WITHIN, rows)
        said = read_ends(seen, self.first[who], self.criteria, self.step)
        point, chance = self._challenge(members, who, rows, session)
        kept = self.can_improve[who]
        return _Look(
            said.p_not_improved[kept],
            chance[kept],
            self.not_improved[who][kept],
            said.mean,
            point,
            self.last[who],
            self.pace(who, rows),
            np.full(len(who), float(session)),
            said.low80,
            said.high80,
            who,
        )

    def pace(self, who: IntArray, rows: BoolArray) -> FloatArray:
        """Pace so far of clients, from their rows; NaN where times aren't known."""
        if self.moment is None or not len(who):
            return np.full(len(who), np.nan)
        client, t, moment = self.client[rows], self.t[rows], self.moment[rows]
        begins = np.r_[True, client[1:] != client[:-1]]
        ends = np.r_[begins[1:], True]
        return pace_of(moment[ends] - moment[begins], t[ends] - t[begins])

    def _challenge(
        self, members: BoolArray, who: IntArray, rows: BoolArray, session: int
    ) -> tuple[FloatArray, FloatArray]:
        """The challenger's last score and probability, learnt from `members`."""
        learners, their_rows = self.seen_at(members, session)
        if len(learners) < 2:
            return np.full(len(who), np.nan), np.full(len(who), np.nan)
        model = fit_challenger(self.features(learners, their_rows), self.last[learners])
        features = self.features(who, rows)
        border = self.border.improved[who]
        below = model.below(features, np.where(np.isnan(border), 0.0, border))
        low, high = self.criteria.lowest, self.criteria.highest
        point = np.clip(model.predict(features), low, high)
        return point, below if direction(self.criteria.better) > 0 else 1 - below

    def _predict(
        self,
        table: Predictions,
        fitted: Fitted,
        learnt: _Learnt,
        fold: int,
        session: int,
    ) -> None:
        who, rows = self.seen_at(self.fold == fold, session)
        shift = learnt.pace.shift(self.pace(who, rows), np.full(len(who), float(session)))
        seen = self.ends(fitted, who, session, self.paths, rows, shift)
        unseen = self.ends(fitted, who, session, self.paths)
        raw = read_ends(seen, self.first[who], self.criteria, self.step, band=learnt.band)
        static = read_ends(unseen, self.first[who], self.criteria, self.step)
        table.curve_mean[who], table.low[who], table.high[who] = raw.mean, raw.low80, raw.high80
        table.raw[who] = raw.p_not_improved
        table.p[who] = learnt.growth.apply(raw.p_not_improved)
        table.static_mean[who], table.static_raw[who] = static.mean, static.p_not_improved
        point, chance = self._challenge(self.fold != fold, who, rows, session)
        table.challenger_mean[who] = point
        theirs = np.clip(point + shift, self.criteria.lowest, self.criteria.highest)
        apart = np.where(np.isfinite(point), theirs - raw.mean, 0.0)
        table.mean[who] = raw.mean + learnt.weight * apart
        table.challenger_raw[who] = chance
        table.challenger_p[who] = learnt.challenger.apply(chance)
        table.now[who] = self.features(who, rows)[:, 1]

    def _summary(self, session: int, table: Predictions) -> dict[str, Any]:
        """What the back-test says of one session."""
        of = np.isfinite(table.mean)
        can = of & self.can_improve
        event, last = self.not_improved[can], self.last
        floor = self.criteria.lowest
        above_floor = of & (table.low > (-np.inf if floor is None else floor))
        fit_of = calibration(table.p[can], event) if can.any() else None
        summary: dict[str, Any] = {
            "session": session,
            "n": int(of.sum()),
            "base_rate": _mean(self.not_improved[can]),
            "growth": {
                "rmse": _rmse(table.mean - last, of),
                "auc": area_under_curve(table.raw[can], event),
                "auc_se": area_under_curve_se(table.raw[can], event),
                "brier_skill": brier_skill(table.p[can], event),
                "at_or_below_upper90": _mean((last <= table.high + 1e-6)[of]),
                "at_or_above_lower10": _mean((last >= table.low - 1e-6)[above_floor]),
                "calibration_slope": None if fit_of is None else fit_of.slope,
                "calibration_slope_se": None if fit_of is None else fit_of.slope_se,
                "calibration_table": calibration_table(table.p[can], event),
                "lower10_above_floor": int(above_floor.sum()),
            },
            "challenger": {
                "rmse": _rmse(table.challenger_mean - last, of),
                "auc": area_under_curve(table.challenger_raw[can], event),
                "brier_skill": brier_skill(table.challenger_p[can], event),
            },
            "static": {
                "rmse": _rmse(table.static_mean - last, of),
                "auc": area_under_curve(table.static_raw[can], event),
            },
            "last": {"rmse": _rmse(table.now - last, of)},
            "curve": {"rmse": _rmse(table.curve_mean - last, of)},
        }
        return summary

    def features(self, who: IntArray, rows: BoolArray) -> FloatArray:
        """Intake, last score and mean so far of each client, shape (clients, 3)."""
        return features_of(np.searchsorted(who, self.client[rows]), self.score[rows])


def _mean(values: BoolArray) -> float | None:
    return float(values.mean()) if values.size else None


def _rmse(error: FloatArray, of: BoolArray) -> float | None:
    chosen = error[of]
    if not chosen.size or np.isnan(chosen).any():
        return None
    return float(np.sqrt((chosen**2).mean()))
