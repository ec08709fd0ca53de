"""The back-test of the flag rules on the clinic's own history: caught, missed, false, how early.

Episodes are judged once enough time has passed: those opened later than the 90th centile of
episode length before the last day are "not judged yet". What helped clients look like false
alarms once flags are live, so before and since are counted apart; nothing retunes itself.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from django.db.models import Min

from measures_app.flagging import PROMPT_RULES, REVIEW_RULES
from measures_app.models import Flag
from measures_app.psychometrics.accuracy import calibration_table
from measures_app.psychometrics.flag_judging import (
    Course,
    RulePerformance,
    Share,
    judge,
    settings,
    within_budget,
)
from reports_app.models import EpisodeSummary
from reports_app.replay import EVERY_DAYS, Raised, Replay, replay_flags
from sessions_app import policies
from sessions_app.context import acting_as, system
from sessions_app.models import Session, Supervision

FEWEST_JUDGED = 30  # below it a rule's shares are "not known yet"
LENGTH_CENTILE = 0.9
NOT_IMPROVED, LOWER, STOPPED, WELL = "not_improved", "lower", "stopped", "well"
WARNS_OF = {
    "not_on_track": NOT_IMPROVED,
    "no_progress": NOT_IMPROVED,
    "checkpoint": NOT_IMPROVED,
    "deteriorated": LOWER,
    "at_risk_of_stopping": STOPPED,
    "overdue": STOPPED,
    "lost_in_transfer": STOPPED,
    "alliance_low": STOPPED,
    "alliance_falling": STOPPED,
    "ready_to_finish": WELL,
}
BAND_SESSIONS = (2, 3, 4, 6, 8)
CALIBRATED_AT = (3, 6, 8)
CALIBRATION_GROUPS = 5
THRESHOLDS = tuple(round(0.3 + 0.05 * k, 2) for k in range(14))  # .30 to .95
NOTES = (
    "For imported and simulated sessions, what was known on a day is dated by the session.",
    "Whether a booked session was attended is taken as it stands now.",
)
COLUMNS = [
    "episode_id", "clinician_id", "purpose", "opened_on", "closed_on", "ending", "attended",
    "scores", "mid_care", "improvement_possible", "outcome_class",
]  # fmt: skip


class NoHistory(ValueError):
    """There is nothing to look back on yet; the message says what is needed."""


@dataclass(frozen=True)
class History:
    """The clinic's ended episodes, and the days between which they lie."""

    first: date
    last: date
    episodes: pd.DataFrame
    live_since: date | None
    supervisors: int
    budget: int

    @property
    def horizon_days(self) -> int:
        """The 90th centile of episode length."""
        if self.episodes.empty:
            return 0
        days = self.episodes["closed_on"] - self.episodes["opened_on"]
        return math.ceil(float(np.quantile([d.days for d in days], LENGTH_CENTILE)))

    @property
    def judged_until(self) -> date:
        return self.last - timedelta(days=self.horizon_days)

    @property
    def weeks(self) -> float:
        return max((self.last - self.first).days, 1) / 7


def read_history(as_of: date) -> History:
    """The history up to a day.

    Raises
    ------
    NoHistory
        Before the first attended session.
    """
    with acting_as(system("back-test")):
        attended = Session.objects.filter(status=Session.Status.ATTENDED, held_on__lte=as_of)
        first = attended.aggregate(d=Min("held_on"))["d"]
        if first is None:
            raise NoHistory("There is no session to look back on yet.")
        ended = EpisodeSummary.objects.filter(closed_on__lte=as_of).order_by("episode_id")
        live = Flag.objects.aggregate(d=Min("raised_on"))["d"]
        in_force = Supervision.objects.filter(from_on__lte=as_of).exclude(to_on__lt=as_of)
        return History(
            first=first,
            last=as_of,
            episodes=pd.DataFrame.from_records(ended.values_list(*COLUMNS), columns=COLUMNS),
            live_since=live,
            supervisors=max(1, in_force.values("supervisor").distinct().count()),
            budget=int(policies.get("review_budget_per_week", as_of)),
        )


def _judgeable(rule: str, episodes: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Episodes for which it is known whether what a rule warns of came, and whether it did."""
    outcome = episodes["outcome_class"]
    target = WARNS_OF[rule]
    if target == STOPPED:
        rows = episodes[~episodes["ending"].isin(["", "unknown", "died", "assessment_only"])]
        return rows, (rows["ending"] == "client_stopped").to_numpy(bool)
    known = episodes[(outcome != "") & ~episodes["mid_care"].astype(bool)]
    if target == LOWER:
        return known, (known["outcome_class"] == "deteriorated").to_numpy(bool)
    better = known["outcome_class"].isin(["recovered", "improved"])
    if target == WELL:
        return known, (better | (known["ending"] == "agreed")).to_numpy(bool)
    able = known["improvement_possible"].eq(True) & (known["purpose"] == "change")
    return known[able], (~better[able]).to_numpy(bool)


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
    rows, positive = _judgeable(rule, episodes)
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


def _positives(history: History) -> dict[int, bool]:
    """Judged episodes, and whether they ended without reliable improvement."""
    judged = history.episodes[history.episodes["opened_on"] <= history.judged_until]
    rows, positive = _judgeable("not_on_track", judged)
    return dict(zip(rows["episode_id"].tolist(), positive.tolist(), strict=True))


def _thresholds(history: History, replay: Replay, silent_sessions: int) -> dict[str, Any]:
    """What other thresholds of "not on track" would have cost and caught; {} for too few."""
    ended = _positives(history)
    courses = {key: Course(tuple(t), tuple(p)) for key, (t, p) in replay.courses.items()}
    judged = [key for key in courses if key[0] in ended]
    if len(judged) < FEWEST_JUDGED:
        return {"note": f"not known yet: {len(judged)} judged, {FEWEST_JUDGED} are needed"}
    positive = np.array([ended[key[0]] for key in judged], dtype=bool)
    told = {"thresholds": THRESHOLDS, "silent_sessions": silent_sessions}
    caught = settings([courses[key] for key in judged], positive, history.weeks, **told)
    everyone = list(courses.values())
    cost = settings(everyone, np.zeros(len(everyone), dtype=bool), history.weeks, **told)
    priced = [replace(a, per_week=b.per_week) for a, b in zip(caught, cost, strict=True)]
    # All rules share one room: what the others bring is taken.
    others = sum(replay.others.values()) / history.weeks
    left = max(0.0, history.budget * history.supervisors - others)
    room = within_budget(priced, left)
    return {
        "judged": len(judged),
        "others_per_week": round(others, 3),
        "room_left": round(left, 3),
        "settings": [{k: _number(v) for k, v in asdict(one).items()} for one in priced],
        "within_budget": room.threshold if room else None,
    }


def _calibration(history: History, replay: Replay) -> list[dict[str, Any]]:
    """Said against seen at some sessions, in groups of similar chances."""
    ended = _positives(history)
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
        "not_on_track": _thresholds(history, replay, replay.silent_sessions),
        "calibration": _calibration(history, replay),
        "notes": list(NOTES),
    }
