"""What came after decisions and transfers: for a client like others, and for the clinic.

The forecast that was stored on a decision's day is read, never one of today: against a newer model
nothing that was decided could be told from what the model has learnt since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet, Subquery

from measures_app.models import FollowUp, Measure, MeasureVersion, Trajectory
from measures_app.psychometrics.decisions import (
    FEWEST,
    SESSIONS_AFTER,
    Decided,
    Estimate,
    WhatFollowed,
    share,
    what_followed,
)
from measures_app.series import Series
from sessions_app import clinic_time
from sessions_app.context import speaking_as, system
from sessions_app.models import Assignment, CaseReview, Meeting, Session
from sessions_app.prepared import Prepared

READER = system("what followed")
JUDGED_AFTER = timedelta(days=60)  # with nobody seen for so long, nobody came any more
MOST_ALIKE = 2000  # the newest; more would change no digit that is shown


@dataclass(frozen=True)
class Option:
    """One kind of decision, and what came after it."""

    decision: str
    label: str
    followed: WhatFollowed


@dataclass(frozen=True)
class Results:
    """The options in the order of the form, never by result, for one measure."""

    measure: Measure
    options: list[Option]
    sessions_after: int = SESSIONS_AFTER
    fewest: int = FEWEST

    @property
    def says_something(self) -> bool:
        return any(option.followed.says_something for option in self.options)


def _read(rows: QuerySet[FollowUp], today: date) -> list[tuple[FollowUp, Decided]]:
    """Each stored forecast with what was seen since, in two queries."""
    held = Q(
        episode__sessions__status=Session.Status.ATTENDED,
        episode__sessions__meeting__kind=Meeting.Kind.TREATMENT,
        episode__sessions__held_on__gt=F("review__reviewed_on"),
    )
    kept = list(
        rows.select_related("review", "measure").annotate(
            held_since=Count("episode__sessions", filter=held)
        )
    )
    courses = {
        (row.episode_id, row.measure_id, row.respondent_id, row.variant): row
        for row in Trajectory.objects.filter(episode__in={row.episode_id for row in kept}).only(
            "episode", "measure", "respondent", "variant", "t", "scores"
        )
    }
    found = []
    for row in kept:
        course = courses.get((row.episode_id, row.measure_id, row.respondent_id, row.variant))
        scores = list(zip(course.t, course.scores, strict=True)) if course else []
        first = scores[0][1] if scores else row.score
        found.append(
            (
                row,
                Decided(
                    t=row.t,
                    score=row.score,
                    gained=row.score - first,
                    forecast_t=row.forecast_t,
                    mean=row.forecast_mean,
                    low80=row.forecast_low80,
                    high80=row.forecast_high80,
                    after=[(t, score) for t, score in scores if t > row.t],
                    sessions=row.held_since,
                    may_still_come=row.review.reviewed_on > today - JUDGED_AFTER,
                ),
            )
        )
    return found


def _options(by_decision: dict[str, list[Decided]], better: Any) -> list[Option]:
    return [
        Option(decision, str(label), what_followed(by_decision.get(decision, []), better))
        for decision, label in CaseReview.Decision.choices
    ]


def _alike(given: Any) -> Any:
    measure, client, variant, relation, above, below = given
    return (
        FollowUp.objects.filter(
            measure=measure,
            variant=variant,
            respondent__relation=relation,
            score__gt=above,
            score__lt=below,
        )
        .exclude(review__client=client)
        .order_by("-pk")
        .values_list("pk")[:MOST_ALIKE]
    )


_ALIKE = Prepared(_alike)


def alike(s: Series, today: date | None = None) -> Results | None:
    """What tended to follow each option for clients of this clinic who stood alike.

    Read of the whole clinic, whoever asks: counts and means of at least fifteen, no client. None
    where the series' change can't be judged.
    """
    if s.criteria is None or s.mid_care or len(s.scores) < 2:
        return None
    here = Decided(s.t[-1], s.scores[-1], s.scores[-1] - s.scores[0], (), (), (), (), (), 0)
    change = s.criteria.reliable_change
    alike = (s.measure.pk, s.client_id, s.variant, s.relation)
    with speaking_as(READER):
        found = _ALIKE.rows([*alike, here.score - change, here.score + change])
        keys = [pk for (pk,) in found]
        read = _read(FollowUp.objects.filter(pk__in=keys), today or clinic_time.today())
    by_decision: dict[str, list[Decided]] = defaultdict(list)
    for row, decided in read:
        if decided.is_like(here, change):
            by_decision[row.review.decision].append(decided)
    return Results(s.measure, _options(by_decision, s.better))


def results(user: Any, since: date, today: date | None = None) -> list[Results]:
    """What came of the decisions in somebody's scope since a day, a measure after the other."""
    rows = FollowUp.objects.visible_to(user).filter(review__reviewed_on__gte=since)
    groups: dict[int, dict[str, list[Decided]]] = defaultdict(lambda: defaultdict(list))
    for row, decided in _read(rows, today or clinic_time.today()):
        groups[row.measure_id][row.review.decision].append(decided)
    versions = (
        MeasureVersion.objects.filter(measure__in=list(groups))
        .select_related("measure")
        .defer("definition", "source_text")
        .order_by("measure__title", "measure", "version")
    )
    newest = {version.measure_id: version for version in versions}
    return [Results(v.measure, _options(groups[v.measure_id], v.better)) for v in newest.values()]


@dataclass(frozen=True)
class Transfers:
    """Changes of the lead clinician: who was seen by the next, and who never was."""

    n: int
    judged: int
    lost: int
    lost_share: Estimate
    days: int | None  # median from the change to the first session with the next

    @property
    def seen(self) -> int:
        return self.judged - self.lost

    @property
    def says_something(self) -> bool:
        return self.judged >= FEWEST


def transfers(user: Any, since: date, today: date | None = None) -> Transfers:
    """Transfers in somebody's scope since a day, each matched to its next first session."""
    today = today or clinic_time.today()
    earlier = Assignment.objects.filter(
        episode=OuterRef("episode"), part=Assignment.Part.LEAD, from_on__lt=OuterRef("from_on")
    )
    first = (
        Session.objects.filter(
            episode=OuterRef("episode"),
            status=Session.Status.ATTENDED,
            meeting__kind=Meeting.Kind.TREATMENT,
            meeting__clinicians=OuterRef("clinician"),  # whoever goes on: the former one isn't it
            held_on__gte=OuterRef("from_on"),
        )
        .order_by()
        .values("episode")
        .annotate(first=Min("held_on"))
        .values("first")
    )
    rows = (
        Assignment.objects.visible_to(user)
        .filter(Exists(earlier), part=Assignment.Part.LEAD, from_on__gte=since)
        .annotate(first=Subquery(first))
        .values_list("from_on", "first")
    )
    return _count(rows, today)


def _count(rows: Iterable[tuple[date, date | None]], today: date) -> Transfers:
    pairs = list(rows)
    judged = [(day, seen) for day, seen in pairs if seen or day <= today - JUDGED_AFTER]
    waits = sorted((seen - day).days for day, seen in judged if seen)
    lost = len(judged) - len(waits)
    return Transfers(
        n=len(pairs),
        judged=len(judged),
        lost=lost,
        lost_share=share(lost, len(judged)),
        days=waits[len(waits) // 2] if len(waits) >= FEWEST else None,
    )
