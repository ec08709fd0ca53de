"""Care continuing without progress, on screen "still looking for what helps".

Sessions given after the second checkpoint in open episodes whose purpose is change and whose
scores show no reliable improvement so far: in all, and those given before any decision was
recorded. Measured series alone; those measured since mid-care, or with no room to improve on the
scale, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Min, Q, QuerySet
from django.db.models.functions import Coalesce

from measures_app.psychometrics.rates import Interval, wilson
from reports_app.models import EpisodeSummary
from sessions_app import policies
from sessions_app.models import CaseReview, Clinician, Episode, Programme

BETTER = ("recovered", "improved")
LISTED = 8


@dataclass(frozen=True)
class Looking:
    """One episode past the checkpoint without a reliable improvement so far."""

    episode_id: int
    since: int  # sessions given after the checkpoint
    undecided: int  # of them, before any decision was recorded
    continued: int  # how often "continue as we are" was decided


@dataclass(frozen=True)
class LookingCounts:
    """The same numbers as `StillLooking`'s, without whom they are of: what the night keeps."""

    checkpoint: int
    measured: int
    unmeasured: int
    episodes: int
    sessions: int
    undecided: int
    repeated: int

    @property
    def share(self) -> float | None:
        return self.episodes / self.measured if self.measured else None

    @property
    def interval(self) -> Interval:
        return wilson(self.episodes, self.measured)


@dataclass(frozen=True)
class StillLooking:
    """Counts of open `change` episodes past the second checkpoint; intervals are Wilson's 95 %."""

    checkpoint: int
    measured: int = 0  # with two scores or more
    unmeasured: int = 0  # no second score: not known
    found: list[Looking] = field(default_factory=list)

    @property
    def counts(self) -> LookingCounts:
        return LookingCounts(
            self.checkpoint, self.measured, self.unmeasured, self.episodes, self.sessions,
            self.undecided, self.repeated,
        )  # fmt: skip

    @property
    def episodes(self) -> int:
        return len(self.found)

    @property
    def sessions(self) -> int:
        return sum(one.since for one in self.found)

    @property
    def undecided(self) -> int:
        return sum(one.undecided for one in self.found)

    @property
    def repeated(self) -> int:
        """Episodes in which "continue as we are" was decided more than once."""
        return sum(one.continued > 1 for one in self.found)

    @property
    def share(self) -> float | None:
        return self.counts.share

    @property
    def interval(self) -> Interval:
        return self.counts.interval


def _look(summaries: QuerySet[EpisodeSummary]) -> StillLooking:
    checkpoint = int(policies.get("second_checkpoint"))
    rows = (
        summaries.filter(
            episode__closed_on=None,
            purpose=Episode.Purpose.CHANGE,
            mid_care=False,
            attended__gt=checkpoint,
        )
        .exclude(improvement_possible=False)
        .annotate(
            # One of unknown place counts as made at the start.
            first_decision=Min(Coalesce("episode__reviews__session_number", 0),
                               filter=Q(episode__reviews__isnull=False)),
            continued=Count(
                "episode__reviews",
                filter=Q(episode__reviews__decision=CaseReview.Decision.CONTINUE),
            ),
        )
        .order_by("episode")
        .values_list("episode", "attended", "scores", "class_so_far", "first_decision", "continued")
    )  # fmt: skip
    measured = unmeasured = 0
    found = []
    for episode, attended, scores, so_far, decided, continued in rows:
        if scores < 2 or not so_far:
            unmeasured += 1
            continue
        measured += 1
        if so_far in BETTER:
            continue
        until = attended if decided is None else min(attended, max(decided, checkpoint))
        found.append(Looking(episode, attended - checkpoint, until - checkpoint, continued))
    return StillLooking(checkpoint, measured, unmeasured, found)


def of_clinician(clinician: Clinician) -> StillLooking:
    return _look(EpisodeSummary.objects.filter(clinician=clinician))


def of_clinic(programme: Programme | None = None) -> LookingCounts:
    """The clinic's, or a programme's; call as the system."""
    rows = EpisodeSummary.objects.all()
    return _look(rows.filter(programme=programme) if programme else rows).counts


def listed(looking: StillLooking, user: Any) -> list[tuple[Looking, Episode]]:
    """The few with most sessions before a decision, with whom they are about."""
    first = sorted(looking.found, key=lambda one: (-one.undecided, -one.since, one.episode_id))
    first = first[:LISTED]
    episodes = (
        Episode.objects.visible_to(user)
        .filter(pk__in=[one.episode_id for one in first])
        .select_related("client__identity", "client__key")
        .in_bulk()
    )
    return [(one, episodes[one.episode_id]) for one in first if one.episode_id in episodes]
