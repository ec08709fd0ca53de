"""The clinic's ended episodes, and which of them can be judged: what a back-test is held to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from django.db.models import Min

from measures_app.models import Flag
from measures_app.weekly_lines import supervisors_on
from reports_app.models import EpisodeSummary
from sessions_app import policies
from sessions_app.context import acting_as, system
from sessions_app.models import Session

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
        live = Flag.objects.noticed().aggregate(d=Min("raised_on"))["d"]
        return History(
            first=first,
            last=as_of,
            episodes=pd.DataFrame.from_records(ended.values_list(*COLUMNS), columns=COLUMNS),
            live_since=live,
            supervisors=supervisors_on(as_of),
            budget=int(policies.get("review_budget_per_week", as_of)),
        )


def judgeable(rule: str, episodes: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
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


def positives(history: History) -> dict[int, bool]:
    """Judged episodes, and whether they ended without reliable improvement."""
    judged = history.episodes[history.episodes["opened_on"] <= history.judged_until]
    rows, positive = judgeable("not_on_track", judged)
    return dict(zip(rows["episode_id"].tolist(), positive.tolist(), strict=True))
