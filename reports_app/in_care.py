"""Everybody who was in care in a period: how long so far, and whether it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from django.db.models import Q

from measures_app.psychometrics.survival import Survival, survival
from reports_app.models import EpisodeSummary
from reports_app.periods import Period
from sessions_app import clinic_time

COLUMNS = ("first_session_on", "closed_on", "ending")


def was_in_care(period: Period) -> Q:
    """Summaries of care with a session that had not ended before the period."""
    last = min(period.end, clinic_time.today())
    still = Q(closed_on=None) | Q(closed_on__gte=period.start)
    return still & Q(first_session_on__lte=last)


@dataclass(frozen=True)
class Care:
    """A row for each course of care: days at which it was first seen in the period, and last."""

    table: pd.DataFrame

    @property
    def length(self) -> Survival:
        """Days from the first session to the end; who still is in care, or died, is censored."""
        rows = self.table
        return survival(rows["entered"], rows["left"], rows["ended"])

    @property
    def still(self) -> int:
        """Courses of care that go on at the period's end."""
        return int(self.table["goes_on"].sum())

    def where(self, rows: pd.Series[Any]) -> Care:
        return Care(self.table[rows])


def care_of(rows: pd.DataFrame, period: Period) -> Care:
    """From summaries that `was_in_care` finds, with COLUMNS."""
    first, closed = (pd.to_datetime(rows[name]) for name in COLUMNS[:2])
    start, end = pd.Timestamp(period.start), pd.Timestamp(min(period.end, clinic_time.today()))
    until = closed.fillna(end).clip(upper=end)
    since = first.clip(lower=start)
    over = closed <= end
    table = rows.assign(
        entered=(since - first).dt.days,
        left=(until - first).dt.days,
        ended=over & (rows["ending"] != "died"),
        goes_on=~over,
    )
    return Care(table[until >= since])  # not where care closed before its first session


def in_care(period: Period, of: dict[str, Any], more: Sequence[str] = ()) -> Care:
    """Read a period's care; `of` filters summaries."""
    columns = [*COLUMNS, *more]
    found = EpisodeSummary.objects.filter(was_in_care(period), **of).order_by()
    rows = pd.DataFrame.from_records(found.values_list(*columns), columns=columns)
    return care_of(rows, period)
