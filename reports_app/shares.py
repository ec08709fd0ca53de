"""A period of several scopes at once: every row is read once and shared out.

Each scope read by itself costs as much as the clinic. `extract.extract` says the same of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from measures_app.strata import AGE_BANDS, age_band
from reports_app import extract as single
from reports_app.extract import CLINIC, COUNTED, Extract, Scope
from reports_app.in_care import in_care
from reports_app.periods import Period
from reports_app.reference_change import read as read_references
from reports_app.waiting import waits

PLACES = ["programme_id", "funder"]


def shared_out(
    period: Period, scopes: Sequence[Scope], tell: Callable[[], None] = lambda: None
) -> list[Extract]:
    """The extracts of the clinic, of programmes and of funders; told of each.

    Call within a unit of work that may see the clinic's aggregates.
    """
    rows = _Rows(period)
    found = []
    for scope in scopes:
        found.append(rows.extract(scope))
        tell()
    return found


def _of(rows: pd.DataFrame, scope: Scope) -> pd.Series[Any]:
    mask = pd.Series(True, index=rows.index)
    if scope.programme is not None:
        mask &= rows["programme_id"] == scope.programme.pk
    if scope.funder is not None:
        mask &= rows["funder"] == scope.funder
    return mask


def _frame(rows: Any, places: Sequence[str], *more: str) -> pd.DataFrame:
    """Rows at their places, under the places' names."""
    names = [*PLACES, *more]
    return pd.DataFrame.from_records(list(rows.values_list(*places, *more)), columns=names)


class _Rows:
    def __init__(self, period: Period) -> None:
        of_episodes = ["episode__programme_id", "episode__funder"]
        self.period = period
        self.ended = single.ended_in(period)
        for name in ("first_session_on", "last_session_on", "closed_on"):
            # Once here: each scope reckons with them.
            self.ended[name] = pd.to_datetime(self.ended[name])
        self.starters = single.starters(self.ended)
        self.opened = _frame(single.opened_in(period), PLACES)
        self.unsaid = _frame(single.unsaid_in(period), of_episodes)
        self.said = self._said(of_episodes)
        self.people = self.said[self.said["attended"] > 0]
        others = single.others_in(period).order_by().distinct()
        self.raters = _frame(others, of_episodes, "respondent_id")
        self.references = read_references()
        self.waits = waits(period, CLINIC)
        self.care = in_care(period, {}, PLACES)
        self.by_programme = single.said_by_programme(period)
        self.complete: dict[Any, int] | None = None

    def _said(self, of_episodes: list[str]) -> pd.DataFrame:
        """What came of sessions, by who they were with and where."""
        by = [*of_episodes, "client_id", "client__birth_year"]
        rows = single.said_in(self.period).values(*by).annotate(**COUNTED)
        return _frame(rows, of_episodes, "client_id", "client__birth_year", *COUNTED)

    def extract(self, scope: Scope) -> Extract:
        by_age = self._by_age(scope)
        ended = self.ended[_of(self.ended, scope)].reset_index(drop=True)
        return Extract(
            period=self.period,
            scope=scope,
            opened=int(_of(self.opened, scope).sum()),
            ended=ended,
            starters=self.starters,
            attendance=self._attendance(scope),
            served=sum(by_age.values()),
            served_by_age=by_age,
            collateral_raters=self.raters[_of(self.raters, scope)]["respondent_id"].nunique(),
            waits=self.waits.where(_of(self.waits.table, scope)),
            in_care=self.care.where(_of(self.care.table, scope)),
            references=self.references,
        )

    def _by_age(self, scope: Scope) -> dict[str, int]:
        people = self.people[_of(self.people, scope)].drop_duplicates("client_id")
        years = people["client__birth_year"].value_counts(dropna=False)
        counts = {name: 0 for name, _, _ in AGE_BANDS} | {"not recorded": 0}
        for year, n in years.items():
            age = None if pd.isna(year) else self.period.start.year - int(year)
            counts[age_band(age)] += int(n)
        return counts

    def _attendance(self, scope: Scope) -> dict[str, int]:
        unsaid = {"unentered": int(_of(self.unsaid, scope).sum())}
        if scope.funder is not None:
            return self._of_funder(scope) | unsaid
        if scope.is_clinic:
            total: Counter[str] = Counter()
            for said in self.by_programme.values():
                total.update(said)
            return single.no_sessions(self.period, scope) | dict(total) | unsaid
        said = self.by_programme.get(scope.programme.pk) if scope.programme else None
        return (said or single.no_sessions(self.period, scope)) | unsaid

    def _of_funder(self, scope: Scope) -> dict[str, int]:
        if self.complete is None:
            self.complete = single.complete_by(self.period, "episode__funder")
        said = self.said.loc[_of(self.said, scope), list(COUNTED)].sum()
        both = {"both_measures": self.complete.get(scope.funder, 0)}
        return {name: int(n) for name, n in said.items()} | both
