"""Summary rows as data frames: the one way that reports read the clinic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from django.db.models import Count, QuerySet, Sum

from measures_app.models import Administration
from reports_app.models import EpisodeSummary, SessionMonth
from reports_app.periods import Month
from sessions_app.models import Programme, Respondent, Session

OUTSIDE_OUTCOME = ("died", "assessment_only")
AGE_BANDS = [
    ("0-12", 0, 12),
    ("13-17", 13, 17),
    ("18-25", 18, 25),
    ("26-64", 26, 64),
    ("65+", 65, 200),
]
SUMMARY_COLUMNS = [
    "episode_id", "client_id", "programme__name", "purpose", "gender", "age_at_opening",
    "opened_on", "closed_on", "ending", "attended", "no_shows", "first_session_on",
    "last_session_on", "measure__code", "scores", "mid_care", "first_score", "last_score",
    "started_clinical", "improvement_possible", "outcome_class", "expected_last",
    "reference__reference_year", "reference__label", "reference__cutoff_on",
    "reached_expected", "first_alliance",
]  # fmt: skip
ATTENDANCE = [
    "scheduled", "attended", "no_shows", "late_cancels", "clinic_cancels", "not_seen_by_us",
    "both_measures", "minutes",
]  # fmt: skip


@dataclass(frozen=True)
class Extract:
    """What a month's report is made of."""

    month: Month
    programme: Programme | None
    opened: int
    ended: pd.DataFrame
    starters: pd.DataFrame  # first scores of the whole clinic's endings, whatever the programme
    attendance: dict[str, int]
    served: int
    served_by_age: dict[str, int]
    collateral_raters: int


def _frame(rows: QuerySet[Any]) -> pd.DataFrame:
    return pd.DataFrame.from_records(rows.values_list(*SUMMARY_COLUMNS), columns=SUMMARY_COLUMNS)


def _within(month: Month, field: str) -> dict[str, Any]:
    return {f"{field}__gte": month.start, f"{field}__lte": month.end}


def age_band(age: int | None) -> str:
    """The report's age group; `not recorded` where the age isn't known."""
    if age is None or pd.isna(age):
        return "not recorded"
    return next((name for name, low, high in AGE_BANDS if low <= age <= high), "not recorded")


def attendance(month: Month, programme: Programme | None) -> dict[str, int]:
    rows = SessionMonth.objects.filter(month=month.start)
    if programme is not None:
        rows = rows.filter(programme=programme)
    totals = rows.aggregate(**{name: Sum(name) for name in ATTENDANCE})
    return {name: totals[name] or 0 for name in ATTENDANCE}


def _served_by_age(month: Month, attended: QuerySet[Session]) -> dict[str, int]:
    """People, unduplicated, by age group in the month's first year of birth reckoning."""
    counts = {name: 0 for name, _, _ in AGE_BANDS} | {"not recorded": 0}
    people = attended.values("client__birth_year").annotate(n=Count("client", distinct=True))
    for row in people.order_by("client__birth_year"):
        year = row["client__birth_year"]
        counts[age_band(None if year is None else month.start.year - year)] += row["n"]
    return counts


def _everyone(month: Month) -> pd.DataFrame:
    return _frame(EpisodeSummary.objects.filter(**_within(month, "closed_on")).order_by())


def _starters(ended: pd.DataFrame) -> pd.DataFrame:
    """First scores that stand for "everyone who started": those that outcomes are made of."""
    inside = ~ended["ending"].isin(OUTSIDE_OUTCOME) & ~ended["mid_care"].astype(bool)
    return ended.loc[inside, ["measure__code", "first_score"]]


def extract(month: Month, programme: Programme | None = None) -> Extract:
    """Read a month; call within a unit of work that may see the clinic's aggregates."""
    summaries = EpisodeSummary.objects.order_by("episode_id")
    attended = Session.objects.filter(
        status=Session.Status.ATTENDED, **_within(month, "held_on")
    ).order_by()
    others = (
        Administration.objects.scored()
        .filter(**_within(month, "taken_on"))
        .exclude(respondent__relation=Respondent.Relation.SELF)
    )
    if programme is not None:
        summaries = summaries.filter(programme=programme)
        attended = attended.filter(episode__programme=programme)
        others = others.filter(episode__programme=programme)
    by_age = _served_by_age(month, attended)
    ended = _frame(summaries.filter(**_within(month, "closed_on")))
    return Extract(
        month=month,
        programme=programme,
        opened=summaries.filter(**_within(month, "opened_on")).count(),
        ended=ended,
        starters=_starters(ended if programme is None else _everyone(month)),
        attendance=attendance(month, programme),
        served=sum(by_age.values()),
        served_by_age=by_age,
        collateral_raters=others.aggregate(n=Count("respondent", distinct=True))["n"],
    )
