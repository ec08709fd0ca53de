"""Summary rows as data frames: the one way that reports read the clinic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from measures_app.models import Administration, Measure
from measures_app.strata import AGE_BANDS, age_band
from reports_app.in_care import Care, in_care
from reports_app.models import EpisodeSummary, SessionMonth
from reports_app.periods import Period
from reports_app.reference_change import OUTSIDE_OUTCOME, References
from reports_app.reference_change import read as read_references
from reports_app.waiting import Waits, waits
from sessions_app import clinic_time
from sessions_app.models import Client, Programme, Respondent, Session

SUMMARY_COLUMNS = [
    "episode_id", "client_id", "programme__name", "purpose", "gender", "age_at_opening",
    "opened_on", "closed_on", "ending", "attended", "no_shows", "first_session_on",
    "last_session_on", "measure__code", "scores", "mid_care", "first_score", "last_score",
    "started_clinical", "improvement_possible", "outcome_class", "expected_last",
    "reference__reference_year", "reference__label", "reference__cutoff_on",
    "reached_expected", "first_alliance", "programme_id", "funder",
]  # fmt: skip
# What is counted of sessions -> the state of which it is the number.
COUNTS = {
    "scheduled": "",
    "attended": Session.Status.ATTENDED,
    "no_shows": Session.Status.NO_SHOW,
    "late_cancels": Session.Status.LATE_CANCEL,
    "clinic_cancels": Session.Status.CLINIC_CANCEL,
    "not_seen_by_us": Session.Status.NOT_SEEN_BY_US,
    "both_measures": "",
}
ATTENDANCE = [*COUNTS, "minutes"]
COUNTED: dict[str, Any] = {
    "scheduled": Count("pk"),
    **{name: Count("pk", filter=Q(status=value)) for name, value in COUNTS.items() if value},
}


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
    references: References = field(default_factory=dict)  # what reporting years are held against


def _within(period: Period, field: str) -> dict[str, Any]:
    return {f"{field}__gte": period.start, f"{field}__lte": period.end}


def attendance(period: Period, scope: Scope = CLINIC) -> dict[str, int]:
    """Sessions by what came of them: from the night's months where they say it, else counted.

    `unentered` are those whose day has come and of which nobody has said what came of them.
    """
    said = _said(period, scope)[0] if _by_months(period, scope) else _counted(period, scope)[0]
    return said | {"unentered": unsaid_in(period, scope).count()}


def said_by_programme(period: Period) -> dict[Any, dict[str, int]]:
    """The same by programme (its key), without those of which nobody has said."""
    if period.whole_months:
        return _said(period, CLINIC, "programme")
    return _counted(period, CLINIC, "episode__programme")


def no_sessions(period: Period, scope: Scope) -> dict[str, int]:
    """What `attendance` says of a scope that has none, but for those of which nobody has said."""
    return dict.fromkeys(ATTENDANCE if _by_months(period, scope) else COUNTS, 0)


def _by_months(period: Period, scope: Scope) -> bool:
    return period.whole_months and scope.funder is None


def unsaid_in(period: Period, scope: Scope = CLINIC) -> QuerySet[Session]:
    until = min(period.end, clinic_time.today())
    due = Session.objects.expected().filter(held_on__gte=period.start, held_on__lte=until)
    return due.filter(status=Session.Status.BOOKED, **scope.of("episode__"))


def _said(period: Period, scope: Scope, by: str = "") -> dict[Any, dict[str, int]]:
    """From the night's months, by a column, or under 0."""
    rows = SessionMonth.objects.filter(**_within(period, "month"), **scope.of()).order_by()
    sums = {name: Sum(name) for name in ATTENDANCE}
    found = rows.values(by).annotate(**sums) if by else [rows.aggregate(**sums)]
    return {row.pop(by, 0): {name: row[name] or 0 for name in ATTENDANCE} for row in found}


def _counted(period: Period, scope: Scope, by: str = "") -> dict[Any, dict[str, int]]:
    """From the sessions themselves, by a column, or under 0."""
    rows = said_in(period, scope)
    pairs = complete_by(period, by, scope)
    found = rows.values(by).annotate(**COUNTED) if by else [rows.aggregate(**COUNTED)]
    return {(key := row.pop(by, 0)): row | {"both_measures": pairs.get(key, 0)} for row in found}


def said_in(period: Period, scope: Scope = CLINIC) -> QuerySet[Session]:
    """Sessions of which somebody has said what came of them."""
    held = Session.objects.filter(**_within(period, "held_on"), **scope.of("episode__"))
    return held.exclude(status=Session.Status.BOOKED).order_by()


def complete_by(period: Period, by: str, scope: Scope = CLINIC) -> dict[Any, int]:
    """Sessions attended that have both an outcome and an alliance score, by a column or under 0."""
    scored = Administration.objects.scored().filter(session=OuterRef("pk"))
    # By their numbers: the measures are few, and joined they would be looked up for each score.
    alliance = Q(
        measure__in=list(
            Measure.objects.filter(purpose=Measure.Purpose.ALLIANCE).values_list("pk", flat=True)
        )
    )
    both = Exists(scored.filter(alliance)) & Exists(scored.exclude(alliance))
    complete = attended_in(period, scope).filter(both)
    if not by:
        return {0: complete.count()}
    return dict(complete.values(by).annotate(n=Count("pk")).values_list(by, "n"))


def _served_by_age(period: Period, attended: QuerySet[Session]) -> dict[str, int]:
    """People, unduplicated, by age group in the period's first year of birth reckoning."""
    counts = {name: 0 for name, _, _ in AGE_BANDS} | {"not recorded": 0}
    people = Client.objects.filter(pk__in=attended.values("client")).order_by()
    for row in people.values("birth_year").annotate(n=Count("pk")):
        year = row["birth_year"]
        counts[age_band(None if year is None else period.start.year - year)] += row["n"]
    return counts


def ended_in(period: Period, scope: Scope = CLINIC) -> pd.DataFrame:
    """Summaries of the endings of a period, as they were opened."""
    rows = EpisodeSummary.objects.filter(**_within(period, "closed_on"), **scope.of())
    found = rows.order_by("episode_id").values_list(*SUMMARY_COLUMNS)
    return pd.DataFrame.from_records(found, columns=SUMMARY_COLUMNS)


def opened_in(period: Period, scope: Scope = CLINIC) -> QuerySet[EpisodeSummary]:
    return EpisodeSummary.objects.filter(**_within(period, "opened_on"), **scope.of()).order_by()


def attended_in(period: Period, scope: Scope = CLINIC) -> QuerySet[Session]:
    return Session.objects.filter(
        status=Session.Status.ATTENDED, **_within(period, "held_on"), **scope.of("episode__")
    ).order_by()


def others_in(period: Period, scope: Scope = CLINIC) -> QuerySet[Administration]:
    """Scores of a period that somebody beside the client gave."""
    rows = _scored_in(period, scope)
    return rows.exclude(respondent__relation=Respondent.Relation.SELF).order_by()


def _scored_in(period: Period, scope: Scope) -> QuerySet[Administration]:
    return Administration.objects.scored().filter(
        **_within(period, "taken_on"), **scope.of("episode__")
    )


def raters_in(period: Period, scope: Scope = CLINIC) -> int:
    """How many people beside the clients gave a score.

    Each is looked for: there are far fewer of them than scores in a year.
    """
    scored = _scored_in(period, scope).filter(respondent=OuterRef("pk"))
    others = Respondent.objects.exclude(relation=Respondent.Relation.SELF)
    return others.filter(Exists(scored)).count()


def starters(ended: pd.DataFrame) -> pd.DataFrame:
    """First scores that stand for "everyone who started": those that outcomes are made of."""
    inside = ~ended["ending"].isin(OUTSIDE_OUTCOME) & ~ended["mid_care"].astype(bool)
    return ended.loc[inside, ["measure__code", "first_score"]]


def extract(period: Period, scope: Scope = CLINIC) -> Extract:
    """Read a period; call within a unit of work that may see the clinic's aggregates."""
    by_age = _served_by_age(period, attended_in(period, scope))
    ended = ended_in(period, scope)
    return Extract(
        period=period,
        scope=scope,
        opened=opened_in(period, scope).count(),
        ended=ended,
        starters=starters(ended if scope.is_clinic else ended_in(period)),
        attendance=attendance(period, scope),
        served=sum(by_age.values()),
        served_by_age=by_age,
        collateral_raters=raters_in(period, scope),
        waits=waits(period, scope),
        in_care=in_care(period, scope.of()),
        references=read_references(),
    )


def named_funders() -> list[str]:
    """Who pays for episodes, as the clinic wrote it."""
    rows = EpisodeSummary.objects.exclude(funder="").order_by("funder")
    return list(rows.values_list("funder", flat=True).distinct())
