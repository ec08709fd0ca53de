"""A case conference as its page shows it: agenda, what was decided, and what can be added."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from reports_app.queue import Queue, queue_of
from reports_app.selectors import Row, rows_of
from sessions_app import policies
from sessions_app.models import CaseConference, CaseReview, ConferenceCase


@dataclass
class AgendaItem:
    """One case of a conference that the person may see, with what was decided in it."""

    case: ConferenceCase
    row: Row
    reviews: list[CaseReview] = field(default_factory=list)


def agenda_of(conference: CaseConference, user: Any) -> list[AgendaItem]:
    """The cases within a person's scope, in their order; others don't exist here."""
    cases = list(
        ConferenceCase.objects.visible_to(user)
        .filter(conference=conference)
        .select_related("presenter", "client__key", "episode__programme")
    )
    ids = [case.episode_id for case in cases]
    rows = {row.episode.pk: row for row in rows_of(ids)}
    decided: dict[int, list[CaseReview]] = defaultdict(list)
    for review in (
        CaseReview.objects.visible_to(user)
        .filter(conference=conference)
        .select_related("recorded_by", "client__key")
    ):
        decided[review.episode_id].append(review)
    return [
        AgendaItem(case, rows[case.episode_id], decided[case.episode_id])
        for case in cases
        if case.episode_id in rows
    ]


def next_undecided(agenda: list[AgendaItem], after: int) -> AgendaItem | None:
    """The next case of the agenda without a decision, after an episode's own place."""
    ids = [item.case.episode_id for item in agenda]
    at = ids.index(after) + 1 if after in ids else 0
    return next((item for item in agenda[at:] + agenda[:at] if not item.reviews), None)


def to_choose_from(user: Any, without: set[int] | None = None) -> list[tuple[str, list[Row]]]:
    """(what they are, rows) of the queue: this week's, beyond it, and the good news."""
    found: Queue = queue_of(user, int(policies.get("review_budget_per_week")))
    groups = [("talk", found.talk), ("beyond", found.beyond), ("good", found.good)]
    left = [
        (name, [row for row in rows if row.episode.pk not in (without or set())])
        for name, rows in groups
    ]
    return [(name, rows) for name, rows in left if rows]
