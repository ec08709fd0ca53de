"""The back-test of the flag rules on the clinic's own history: caught, missed, false, how early.

Episodes are judged once enough time has passed: those opened later than the 90th centile of
episode length before the last day are "not judged yet". What helped clients look like false
alarms once flags are live, so before and since are counted apart; nothing is retuned by what came
of flags.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from measures_app import series
from measures_app.flagging import PROMPT_RULES, REVIEW_RULES
from measures_app.psychometrics.accuracy import calibration_table
from measures_app.psychometrics.flag_judging import RulePerformance, Share, judge
from measures_app.series import Series
from reports_app.looked_back_on import (
    FEWEST_JUDGED,
    WARNS_OF,
    History,
    NoHistory,
    judgeable,
    positives,
    read_history,
)
from reports_app.replay import (
    EVERY_DAYS,
    FORETOLD_AT,
    Forecasts,
    Raised,
    Replay,
    replay_flags,
)
from reports_app.room import priced
from sessions_app.context import acting_as, system

__all__ = ["NoHistory", "read_history", "run_backtest"]

BAND_SESSIONS = (2, 3, 4, 6, 8)
CALIBRATED_AT = FORETOLD_AT
WAYS = ("growth", "challenger", "weighed", "static")
CALIBRATION_GROUPS = 5
NOTES = (
    "For imported and simulated sessions, what was known on a day is dated by the session.",
    "Whether a booked session was attended is taken as it stands now.",
)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _share(share: Share) -> dict[str, float | None]:
    return {name: _number(value) for name, value in asdict(share).items()}


def _told(found: RulePerformance) -> dict[str, Any]:
    if found.episodes < FEWEST_JUDGED:
        return {
            "episodes": found.episodes,
            "note": f"not known yet: {found.episodes} judged, {FEWEST_JUDGED} are needed",
        }
    return {
        "episodes": found.episodes,
        "positives": found.positives,
        "caught": found.caught,
        "missed": found.missed,
        "false": found.false,
        "sensitivity": _share(found.sensitivity),
        "specificity": _share(found.specificity),
        "ppv": _share(found.ppv),
        "lead_sessions": _number(found.lead),
        "interval_from": found.resampled,
    }


def _judge(rule: str, episodes: pd.DataFrame, first_t: dict[int, int]) -> dict[str, Any]:
    rows, positive = judgeable(rule, episodes)
    ids = rows["episode_id"].tolist()
    at = np.array([first_t.get(pk, -1) for pk in ids], dtype=float)
    lead = np.where(at >= 0, rows["attended"].to_numpy(float) - at, np.nan)
    clinician = rows["clinician_id"].fillna(-1).to_numpy(np.int64)
    return _told(judge(at >= 0, positive, lead, clinician))


def _by_rule(raised: list[Raised]) -> dict[str, dict[int, int]]:
    """Rule to episode to the session at which it first spoke, whatever the series."""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for flag in raised:
        at = found[flag.rule].get(flag.episode)
        found[flag.rule][flag.episode] = flag.t if at is None else min(at, flag.t)
    return found


def _rules(history: History, replay: Replay) -> list[dict[str, Any]]:
    first_t = _by_rule(replay.raised)
    count = Counter(flag.rule for flag in replay.raised)
    judged = history.episodes[history.episodes["opened_on"] <= history.judged_until]
    live = history.live_since
    told = []
    for rule in (*REVIEW_RULES, *PROMPT_RULES):
        row: dict[str, Any] = {
            "rule": rule,
            "kind": "prompt" if rule in PROMPT_RULES else "review",
            "warns_of": WARNS_OF[rule],
            "raised": count[rule],
            "raised_per_week": round(count[rule] / history.weeks, 3),
            "raised_per_supervisor_week": round(
                count[rule] / history.weeks / history.supervisors, 3
            ),
        }
        row |= _judge(rule, judged, first_t.get(rule, {}))
        if live is not None:
            before = judged["closed_on"] < live
            row["before_live"] = _judge(rule, judged[before], first_t.get(rule, {}))
            row["since_live"] = _judge(rule, judged[~before], first_t.get(rule, {}))
        told.append(row)
    return told


def _bands(replay: Replay) -> list[dict[str, Any]]:
    """Shares of new scores on the right side of each end of the 80 % band: .90 is meant."""
    rows = []
    for t in BAND_SESSIONS:
        looks = [look for look in replay.bands if look.t == t]
        better = [
            look.right_of_better_end for look in looks if look.right_of_better_end is not None
        ]
        row: dict[str, Any] = {"session": t, "n": len(looks)}
        if len(looks) >= FEWEST_JUDGED:
            row["not_worse_than_worse_end"] = round(
                sum(look.right_of_worse_end for look in looks) / len(looks), 4
            )
        if len(better) >= FEWEST_JUDGED:
            row["not_better_than_better_end"] = round(sum(better) / len(better), 4)
        rows.append(row)
    return rows


def _calibration(history: History, replay: Replay) -> list[dict[str, Any]]:
    """Said against seen at some sessions, in groups of similar chances."""
    ended = positives(history)
    tables = []
    for session in CALIBRATED_AT:
        said, came = [], []
        for (episode, _series), (looked_at, chances) in replay.courses.items():
            if session in looked_at and episode in ended:
                said.append(chances[looked_at.index(session)])
                came.append(ended[episode])
        if len(said) >= FEWEST_JUDGED:
            told = [
                {"n": n, "said": round(chance, 4), "seen": round(share, 4)}
                for n, chance, share in calibration_table(said, came, CALIBRATION_GROUPS)
            ]
            tables.append({"session": session, "n": len(said), "groups": told})
    return tables


def _last_scores(episodes: list[int], as_of: date) -> dict[tuple[int, str], tuple[Series, float]]:
    """Each series with its last score, as known at the end."""
    with acting_as(system("back-test")):
        found = series.as_series(series.scores(as_of=as_of, episode_ids=episodes))
    return {(s.episode_id, s.key): (s, s.scores[-1]) for s in found}


def _forecasts(history: History, replay: Replay) -> list[dict[str, Any]]:
    """How far the forecasts lay from the last score: the curve, the challenger, both, the start.

    The same judged clients for all of them, those who came again; a measure's own units.
    """
    ended = positives(history)
    lasts = _last_scores(list(ended), history.last)
    groups: dict[tuple[str, str, int], list[tuple[Forecasts, float]]] = defaultdict(list)
    for (episode, key, t), said in replay.forecasts.items():
        last = lasts.get((episode, key))
        if last is None or last[0].t[-1] <= t or math.isnan(said.challenger):
            continue
        measure = last[0].measure
        groups[measure.code, measure.title, t].append((said, last[1]))
    rows = []
    for (code, title, t), pairs in sorted(groups.items()):
        row: dict[str, Any] = {"measure": code, "title": title, "session": t, "n": len(pairs)}
        if len(pairs) >= FEWEST_JUDGED:
            came = np.array([last for _said, last in pairs])
            for way in WAYS:
                apart = np.array([getattr(said, way) for said, _last in pairs]) - came
                row[way] = round(float(np.sqrt((apart**2).mean())), 3)
            row |= _ends_of_bands(pairs)
        rows.append(row)
    return rows


def _ends_of_bands(pairs: list[tuple[Forecasts, float]]) -> dict[str, Any]:
    """Shares of last scores on the right side of each end of their 80 % band: .90 is meant."""
    above = [last >= said.low80 - 1e-6 for said, last in pairs if said.low80 > said.floor]
    told: dict[str, Any] = {
        "at_or_below_upper": round(
            sum(last <= s.high80 + 1e-6 for s, last in pairs) / len(pairs), 4
        )
    }
    if len(above) >= FEWEST_JUDGED:
        told["at_or_above_lower"] = round(sum(above) / len(above), 4)
    return told | {"above_floor": len(above)}


def run_backtest(
    as_of: date,
    *,
    every: int = EVERY_DAYS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """The whole back-test as plain values, ready for JSON.

    Raises
    ------
    NoHistory
        When there is nothing to look back on.
    """
    history = read_history(as_of)
    replay = replay_flags(history.first, as_of, every=every, progress=progress)
    ended = history.episodes
    judged = int((ended["opened_on"] <= history.judged_until).sum()) if len(ended) else 0
    entries = sum(replay.entries.values()) / history.weeks
    return {
        "from": history.first.isoformat(),
        "to": as_of.isoformat(),
        "every_days": every,
        "weeks": round(history.weeks, 1),
        "supervisors": history.supervisors,
        "budget_per_week": history.budget,
        "entries_per_week": round(entries, 3),
        "entries_per_supervisor_week": round(entries / history.supervisors, 3),
        "flags_live_since": history.live_since.isoformat() if history.live_since else None,
        "episodes": {
            "ended": len(ended),
            "judged": judged,
            "not_judged_yet": len(ended) - judged,
            "horizon_days": history.horizon_days,
            "judged_until": history.judged_until.isoformat(),
        },
        "rules": _rules(history, replay),
        "bands": _bands(replay),
        "budget": priced(history, replay),
        "calibration": _calibration(history, replay),
        "forecasts": _forecasts(history, replay),
        "notes": list(NOTES),
    }
