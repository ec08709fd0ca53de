"""From a referral to the first offer to the first session: who waited, who still does, who left.

First seen is the first session attended, from the night's summaries. A wait ends when somebody
is seen, or when it was recorded why nobody will be; care that was begun and closed without any
session is such an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
from django.db.models import Q

from measures_app.psychometrics.survival import Survival, survival
from measures_app.psychometrics.waits import wait_quantile
from reports_app.periods import Period
from sessions_app import clinic_time, policies
from sessions_app.models import Referral

if TYPE_CHECKING:
    from reports_app.extract import Scope
    from reports_app.metric import Maker, Metric

COLUMNS = {
    "pk": "referral",
    "programme__name": "programme",
    "programme_id": "programme_id",
    "funder": "funder",
    "source": "source",
    "received_on": "received",
    "first_offer_on": "offered",
    "outcome": "outcome",
    "outcome_on": "outcome_on",
    "episode__summary__first_session_on": "seen",
    "episode__closed_on": "closed",
}
DAYS = ("received", "offered", "outcome_on", "seen", "closed")
WORDS = dict(Referral.Outcome.choices)
WHO_WAITED = (
    "of all who waited in the period; those who left or still wait count as long as they did"
)
OF_ALL = {
    "offer_all_median_days": f"{WHO_WAITED}; whoever was seen without an offer had it by then",
    "waiting_all_median_days": WHO_WAITED,
    "care_all_median_days": (
        "of all in care in the period; who still is counts as long as it has been"
    ),
}
NOT_HALF = "not half of them so far"


@dataclass(frozen=True)
class Waits:
    """One period's referrals in days and counts; `table` has a row for each."""

    table: pd.DataFrame
    limit: int

    @property
    def referred(self) -> int:
        return int(self.table["referred"].sum())

    @property
    def left(self) -> dict[str, int]:
        """Who left without being seen in the period, by how."""
        gone = self.table.loc[self.table["left"], "outcome"].value_counts()
        return {str(name): int(n) for name, n in sorted(gone.items())}

    @property
    def to_offer(self) -> pd.Series[Any]:
        rows = self.table[self.table["offered_now"]]
        return (rows["offered"] - rows["received"]).dt.days

    @property
    def to_seen(self) -> pd.Series[Any]:
        rows = self.table[self.table["seen_now"]]
        return (rows["seen"] - rows["received"]).dt.days

    @property
    def waiting(self) -> pd.Series[Any]:
        """Days so far of each who waits at the period's end."""
        return self.table.loc[self.table["waits"], "so_far"]

    @property
    def over(self) -> int:
        return int((self.waiting > self.limit).sum())

    @property
    def to_seen_of_all(self) -> Survival:
        """Days until seen of everybody who waited in the period; who left or waits is censored."""
        return self._of_all(self.table["seen"])

    @property
    def to_offer_of_all(self) -> Survival:
        """The same until a first offer; who was seen without one entered had it by then."""
        return self._of_all(self.table[["offered", "seen"]].min(axis=1))

    @property
    def without_offer(self) -> pd.Series[Any]:
        """Whether somebody waits at the period's end and was offered nothing so far."""
        return self.table["waits"] & ~(self.table["offered"] <= self.table["until"])

    def _of_all(self, reached: pd.Series[Any]) -> Survival:
        """Days from the referral to `reached`, of everybody who waited for it in the period."""
        rows = self.table
        until = pd.concat([reached, rows["over_on"], rows["until"]], axis=1).min(axis=1)
        there = (until >= rows["from_on"]) & ~(reached < rows["received"])
        rows, until, reached = rows[there], until[there], reached[there]
        return survival(
            (rows["from_on"] - rows["received"]).dt.days,
            (until - rows["received"]).dt.days,
            reached == until,
        )

    def where(self, rows: pd.Series[Any]) -> Waits:
        return Waits(self.table[rows], self.limit)


def _rows(scope: Scope, start: Any, end: Any) -> list[tuple[Any, ...]]:
    """The referrals that a period concerns: its own, and those that waited at its end."""
    of = Referral.objects.filter(received_on__lte=end, **scope.of())
    own = (
        Q(received_on__gte=start)
        | Q(first_offer_on__gte=start)
        | Q(outcome_on__gte=start)
        | Q(outcome="")
    )
    # Care was opened before, and the first session came in the period, later, or never.
    opened = Q(episode__summary__first_session_on__gte=start) | Q(
        episode__summary__first_session_on=None, episode__isnull=False
    )
    return list(of.filter(own | opened).order_by().values_list(*COLUMNS))


def waits(period: Period, scope: Scope) -> Waits:
    """Read a period; call within a unit of work that may see the clinic's aggregates."""
    start, end = period.start, min(period.end, clinic_time.today())
    found = pd.DataFrame.from_records(_rows(scope, start, end), columns=list(COLUMNS.values()))
    table = found.set_index("referral").sort_index()
    return Waits(marked(table, start, end), int(policies.get("waiting_limit_days", end)))


def marked(table: pd.DataFrame, start: date, end: date) -> pd.DataFrame:
    """What a period holds of each referral: received, offered, seen, left in it; waits at its end.

    Parameters
    ----------
    table : DataFrame
        A row a referral, with `outcome` and the days of DAYS.
    """
    table = table.assign(**{name: pd.to_datetime(table[name]) for name in DAYS})
    first, last = pd.Timestamp(start), pd.Timestamp(end)

    def within(days: pd.Series[Any]) -> pd.Series[Any]:
        return (days >= first) & (days <= last)

    accepted = table["outcome"] == Referral.Outcome.ACCEPTED
    # Never seen: the day it was said, or the day on which care closed without a session.
    gone = table["outcome_on"].where(~accepted, table["closed"].where(table["seen"].isna()))
    return table.assign(
        referred=within(table["received"]),
        offered_now=within(table["offered"]),
        seen_now=within(table["seen"]) & (table["seen"] >= table["received"]),
        left=within(gone),
        waits=~(table["seen"] <= last) & ~(gone <= last),
        so_far=(last - table["received"]).dt.days,
        over_on=pd.concat([table["seen"], gone], axis=1).min(axis=1),
        from_on=table["received"].clip(lower=first),
        until=last,
    )


def _finite(value: float) -> float | None:
    return value if value == value and abs(value) != float("inf") else None


def _quantile(make: Maker, name: str, waits: Waits, share: float) -> Metric:
    found = wait_quantile(waits.to_seen, waits.waiting, share)
    if found.n == 0:
        return make(name, denominator=0, note="nobody was seen for the first time")
    beyond = found.worst == float("inf")
    return make(
        name,
        found.value,
        low=_finite(found.low),
        high=_finite(found.high),
        denominator=found.n,
        coverage=found.coverage,
        worst=_finite(found.worst),
        best=found.best,
        note=f"of those seen; {found.waiting} still wait"
        + (", too many to say how long at worst" if beyond else ""),
    )


def of_all(make: Maker, name: str, found: Survival) -> Metric:
    """The median of everybody it could have happened to in the period, by the product limit."""
    note = OF_ALL[name]
    if found.n == 0:
        return make(name, denominator=0, note="nobody to say it of")
    value, low, high = (_finite(day) for day in found.quantile(0.5))
    if value is None:
        note += f"; {NOT_HALF}"
    return make(
        name, value, low=low, high=high, numerator=found.events, denominator=found.n,
        coverage=found.events / found.n, note=note,
    )  # fmt: skip


def _plain(make: Maker, name: str, days: pd.Series[Any], note: str) -> Metric:
    found = wait_quantile(days, [], 0.5)
    if found.n == 0:
        return make(name, denominator=0, note="nobody to say it of")
    return make(
        name, found.value, low=_finite(found.low), high=_finite(found.high), denominator=found.n,
        note=note,
    )  # fmt: skip


def left_words(left: dict[str, int]) -> str:
    """Who left without being seen, in words."""
    said = {"accepted": "care closed without a session"}
    return ", ".join(f"{n} {said.get(name, WORDS.get(name, name))}" for name, n in left.items())


def waiting_metrics(make: Maker, waits: Waits) -> Iterator[Metric]:
    """The flow into care, in the report's order."""
    waiting = waits.waiting
    yield make("referrals_received", waits.referred)
    yield make("referrals_left", sum(waits.left.values()), note=left_words(waits.left))
    yield _plain(make, "first_offer_median_days", waits.to_offer, "of those offered in the period")
    yield _quantile(make, "waiting_median_days", waits, 0.5)
    yield _quantile(make, "waiting_p90_days", waits, 0.9)
    yield of_all(make, "offer_all_median_days", waits.to_offer_of_all)
    yield of_all(make, "waiting_all_median_days", waits.to_seen_of_all)
    yield make("waiting_now", len(waiting), note="at the end of the period")
    yield _plain(make, "waiting_now_median_days", waiting, "so far, of those who still wait")
    yield make.share(
        "waiting_over_limit", waits.over, len(waiting), f"longer than {waits.limit} days"
    )
