"""What came of a decision: the forecast of its day, and where the client stands on the follow-up.

A raw change would flatter any decision taken at a low point (regression to the mean): what is
shown is the score since, against the forecast that was stored when the decision was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from measures_app.charts import number
from measures_app.expected import Reading, read_episode
from measures_app.models import FollowUp, Trajectory
from sessions_app import clinic_time
from sessions_app.models import CaseReview, Meeting, Respondent, Session
from sessions_app.prepared import Prepared


def _order(reading: Reading) -> tuple[bool, int, int]:
    s = reading.series
    return (s.relation == Respondent.Relation.SELF, len(s.scores), -s.measure.pk)


def keep_forecast(review: CaseReview) -> FollowUp | None:
    """Store what was forecast on the day of a decision; None where nothing was scored yet."""
    scored = [r for r in read_episode(review.episode) if r.series.criteria is not None]
    if not scored:
        return None
    main = max(scored, key=_order)
    s = main.series
    return FollowUp.objects.create(
        review=review,
        episode_id=review.episode_id,
        measure=s.measure,
        respondent_id=s.respondent_id,
        variant=s.variant,
        model=main.model,
        t=s.t[-1],
        score=s.scores[-1],
        forecast_t=main.forecast_t,
        forecast_mean=main.forecast_mean,
        forecast_low80=main.forecast_low80,
        forecast_high80=main.forecast_high80,
    )


@dataclass(frozen=True)
class Due:
    """A decision whose day has come, with what happened since."""

    review: CaseReview
    ahead: FollowUp | None
    sessions: int  # treatment sessions since the decision
    scores: tuple[tuple[int, float], ...] = ()  # (session, score) after the decision's last score

    @property
    def compared(self) -> tuple[int, float, float, float, float] | None:
        """(session, score, forecast, low80, high80) at the last score that the forecast reaches."""
        if self.ahead is None:
            return None
        reached = [(t, score) for t, score in self.scores if t in self.ahead.forecast_t]
        if not reached:
            return None
        t, score = reached[-1]
        place = self.ahead.forecast_t.index(t)
        return (
            t,
            score,
            self.ahead.forecast_mean[place],
            self.ahead.forecast_low80[place],
            self.ahead.forecast_high80[place],
        )

    @property
    def since(self) -> str:
        """What happened since, in a line of numbers."""
        if self.ahead is None:
            return _("no score then")
        values = {"then": number(self.ahead.score)}
        if not self.scores:
            return _("%(then)s then, no score since") % values
        values["now"] = number(self.scores[-1][1])
        compared = self.compared
        if compared is None:
            return _("%(then)s then, %(now)s now; no forecast reaches it") % values
        t, score, mean, low, high = compared
        values |= {"mean": number(mean), "low": number(low), "high": number(high)}
        if t == self.scores[-1][0]:
            return _("%(then)s then, %(now)s now; forecast %(mean)s (80 %%: %(low)s – %(high)s)"
                     ) % values  # fmt: skip
        values |= {"t": str(t), "score": number(score)}
        return _("%(then)s then, %(now)s now; at session %(t)s %(score)s, forecast %(mean)s "
                 "(80 %%: %(low)s – %(high)s)") % values  # fmt: skip


def due_reviews(user: Any, today: date | None = None) -> QuerySet[CaseReview]:
    """Decisions in scope whose follow-up has come and of which nothing is said yet."""
    return _due(CaseReview.objects.visible_to(user), today)


_DUE_NOW = Prepared(
    lambda given: _due(
        CaseReview.objects.filter(episode__pk__any_of=given[0]), given[1]
    ).values_list("pk")
)


def due_among(episodes: list[int]) -> QuerySet[CaseReview]:
    """The same of these episodes, for `look`; found by a plan made once: often nothing is due."""
    found = [pk for (pk,) in _DUE_NOW.rows([episodes, clinic_time.today()])]
    rows = CaseReview.objects.filter(pk__in=found) if found else CaseReview.objects.none()
    return rows.order_by("follow_up_on", "pk")


def due_of(reviews: Iterable[CaseReview], today: date | None = None) -> QuerySet[CaseReview]:
    """The same among decisions that were read already, of which most wait for nothing."""
    today = today or clinic_time.today()
    waiting = (r for r in reviews if r.result_at is None and r.follow_up_on is not None)
    come = [r.pk for r in waiting if r.follow_up_on <= today]
    return _due(
        CaseReview.objects.filter(pk__in=come) if come else CaseReview.objects.none(), today
    )


def _due(reviews: QuerySet[CaseReview], today: date | None) -> QuerySet[CaseReview]:
    """A newer decision about the episode, or its ending, is what came of an older one."""
    newest = CaseReview.objects.filter(episode=OuterRef("episode")).order_by("-recorded_at", "-pk")
    return reviews.filter(
        follow_up_on__lte=today or clinic_time.today(),
        result_at=None,
        episode__closed_on=None,
        pk=Subquery(newest.values("pk")[:1]),
    ).order_by("follow_up_on", "pk")


def look(reviews: QuerySet[CaseReview]) -> list[Due]:
    """What happened since each of these decisions, in three queries however many they are."""
    held = Q(
        episode__sessions__status=Session.Status.ATTENDED,
        episode__sessions__meeting__kind=Meeting.Kind.TREATMENT,
        episode__sessions__held_on__gt=F("reviewed_on"),
    )
    rows = list(
        reviews.select_related("client__identity", "client__key", "recorded_by").annotate(
            held_since=Count("episode__sessions", filter=held)
        )
    )
    ahead = {row.review_id: row for row in FollowUp.objects.filter(review__in=rows)}
    series = {
        (row.episode_id, row.measure_id, row.respondent_id, row.variant): row
        for row in Trajectory.objects.filter(
            episode__in=[kept.episode_id for kept in ahead.values()]
        ).only("episode", "measure", "respondent", "variant", "t", "scores")
    }
    found = []
    for review in rows:
        kept = ahead.get(review.pk)
        seen = (
            series.get((kept.episode_id, kept.measure_id, kept.respondent_id, kept.variant))
            if kept
            else None
        )
        after = (
            tuple((t, s) for t, s in zip(seen.t, seen.scores, strict=True) if t > kept.t)
            if seen is not None and kept is not None
            else ()
        )
        found.append(Due(review, kept, review.held_since, after))
    return found
