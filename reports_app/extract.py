"""Summary rows as data frames: the one way that reports read the clinic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from measures_app.models import Administration, Measure
from measures_app.strata import AGE_BANDS, age_band
from reports_app.in_care import Care, in_care
from reports_app.models import EpisodeSummary, SessionMonth
from reports_app.periods import Period
from reports_app.waiting import Waits, waits
from sessions_app import clinic_time
from sessions_app.models import Programme, Respondent, Session

OUTSIDE_OUTCOME = ("died", "assessment_only")
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
class Scope:
    """Whose numbers: the whole clinic's, a programme's, or those that one funder pays for."""

    programme: Programme | None = None
    funder: str | None = None  # "" where none is recorded

    @property
    def name(self) -> str:
        """As the files' column says it."""
        parts = [self.programme.name] if self.programme else []
        if self.funder is not None:
            parts.append(f"funder: {self.funder or 'not recorded'}")
        return ", ".join(parts) or "clinic"

    @property
    def key(self) -> str:
        """As kept figures are found by it, whatever the programme is called by then."""
        parts = [f"programme:{self.programme.pk}"] if self.programme else []
        if self.funder is not None:
            parts.append(f"funder:{self.funder}")
        return ",".join(parts)

    @classmethod
    def from_key(cls, key: str) -> Scope | None:
        """The scope of a key; None where its programme is gone."""
        part, named, funder = key.partition("funder:")
        programme = None
        if number := part.removeprefix("programme:").rstrip(","):
            programme = Programme.objects.filter(pk=number).first()
            if programme is None:
                return None
        return cls(programme, funder if named else None)

    @property
    def is_clinic(self) -> bool:
        return self.programme is None and self.funder is None

    def of(self, path: str = "") -> dict[str, Any]:
        """Filter of rows whose episode (or summary) lies at `path`."""
        found: dict[str, Any] = {}
        if self.programme is not None:
            found[f"{path}programme"] = self.programme
        if self.funder is not None:
            found[f"{path}funder"] = self.funder
        return found


CLINIC = Scope()


@dataclass(frozen=True)
class Extract:
    """What a period's report is made of."""

    period: Period
    scope: Scope
    opened: int
    ended: pd.DataFrame
    starters: pd.DataFrame  # first scores of the whole clinic's endings, whatever the programme
    attendance: dict[str, int]
    served: int
    served_by_age: dict[str, int]
    collateral_raters: int
    waits: Waits
    in_care: Care


def _frame(rows: QuerySet[Any]) -> pd.DataFrame:
    return pd.DataFrame.from_records(rows.values_list(*SUMMARY_COLUMNS), columns=SUMMARY_COLUMNS)


def _within(period: Period, field: str) -> dict[str, Any]:
    return {f"{field}__gte": period.start, f"{field}__lte": period.end}


def attendance(period: Period, scope: Scope = CLINIC) -> dict[str, int]:
    """Sessions by what came of them: from the night's months where they say it, else counted.

    `unentered` are those whose day has come and of which nobody has said what came of them.
    """
    until = min(period.end, clinic_time.today())
    due = Session.objects.expected().filter(held_on__gte=period.start, held_on__lte=until)
    unsaid = due.filter(status=Session.Status.BOOKED, **scope.of("episode__")).count()
    return _said(period, scope) | {"unentered": unsaid}


def _said(period: Period, scope: Scope) -> dict[str, int]:
    if period.whole_months and scope.funder is None:
        rows = SessionMonth.objects.filter(**_within(period, "month"), **scope.of())
        totals = rows.aggregate(**{name: Sum(name) for name in ATTENDANCE})
        return {name: totals[name] or 0 for name in ATTENDANCE}
    return _counted(period, scope)


def _counted(period: Period, scope: Scope) -> dict[str, int]:
    status = Session.Status
    scored = Administration.objects.scored().filter(session=OuterRef("pk"))
    alliance = Q(measure__purpose=Measure.Purpose.ALLIANCE)
    both = Exists(scored.filter(alliance)) & Exists(scored.exclude(alliance))
    held = Session.objects.filter(**_within(period, "held_on"), **scope.of("episode__"))
    counts: dict[str, int] = (
        held.exclude(status=status.BOOKED)
        .order_by()
        .aggregate(
            scheduled=Count("pk"),
            attended=Count("pk", filter=Q(status=status.ATTENDED)),
            no_shows=Count("pk", filter=Q(status=status.NO_SHOW)),
            late_cancels=Count("pk", filter=Q(status=status.LATE_CANCEL)),
            clinic_cancels=Count("pk", filter=Q(status=status.CLINIC_CANCEL)),
            not_seen_by_us=Count("pk", filter=Q(status=status.NOT_SEEN_BY_US)),
        )
    )
    counts["both_measures"] = held.filter(both, status=status.ATTENDED).count()
    return counts


def _served_by_age(period: Period, attended: QuerySet[Session]) -> dict[str, int]:
    """People, unduplicated, by age group in the period's first year of birth reckoning."""
    counts = {name: 0 for name, _, _ in AGE_BANDS} | {"not recorded": 0}
    people = attended.values("client__birth_year").annotate(n=Count("client", distinct=True))
    for row in people.order_by("client__birth_year"):
        year = row["client__birth_year"]
        counts[age_band(None if year is None else period.start.year - year)] += row["n"]
    return counts


def _everyone(period: Period) -> pd.DataFrame:
    return _frame(EpisodeSummary.objects.filter(**_within(period, "closed_on")).order_by())


def _starters(ended: pd.DataFrame) -> pd.DataFrame:
    """First scores that stand for "everyone who started": those that outcomes are made of."""
    inside = ~ended["ending"].isin(OUTSIDE_OUTCOME) & ~ended["mid_care"].astype(bool)
    return ended.loc[inside, ["measure__code", "first_score"]]


def extract(period: Period, scope: Scope = CLINIC) -> Extract:
    """Read a period; call within a unit of work that may see the clinic's aggregates."""
    summaries = EpisodeSummary.objects.filter(**scope.of()).order_by("episode_id")
    attended = Session.objects.filter(
        status=Session.Status.ATTENDED, **_within(period, "held_on"), **scope.of("episode__")
    ).order_by()
    others = (
        Administration.objects.scored()
        .filter(**_within(period, "taken_on"), **scope.of("episode__"))
        .exclude(respondent__relation=Respondent.Relation.SELF)
    )
    by_age = _served_by_age(period, attended)
    ended = _frame(summaries.filter(**_within(period, "closed_on")))
    return Extract(
        period=period,
        scope=scope,
        opened=summaries.filter(**_within(period, "opened_on")).count(),
        ended=ended,
        starters=_starters(ended if scope.is_clinic else _everyone(period)),
        attendance=attendance(period, scope),
        served=sum(by_age.values()),
        served_by_age=by_age,
        collateral_raters=others.aggregate(n=Count("respondent", distinct=True))["n"],
        waits=waits(period, scope),
        in_care=in_care(period, scope.of()),
    )


def named_funders() -> list[str]:
    """Who pays for episodes, as the clinic wrote it."""
    rows = EpisodeSummary.objects.exclude(funder="").order_by("funder")
    return list(rows.values_list("funder", flat=True).distinct())
