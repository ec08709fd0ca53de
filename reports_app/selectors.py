"""Rows of the caseload and the review queue: a handful of queries, however many clients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import QuerySet

from measures_app.charts import sparkline_svg
from measures_app.models import Flag, Measure, NormRow, Trajectory
from measures_app.sentences import class_words, flag_sentence
from reports_app.models import EpisodeSummary
from sessions_app import clinic_time
from sessions_app.models import Assignment, Clinician, Episode, Meeting, Session

GOOD_NEWS = "ready_to_finish"
# What a look is likely to change: being worse now weighs most, a date alone least.
WEIGHT = {
    "deteriorated": 1.0,
    "not_on_track": 0.8,
    "lost_in_transfer": 0.7,
    "no_progress": 0.6,
    "at_risk_of_stopping": 0.5,
    "overdue": 0.5,
}
STANDING_WORDS = {
    "worse": "further than expected",
    "within": "about as expected",
    "better": "better than expected",
}


@dataclass
class Row:
    """One open episode as a list shows it."""

    episode: Episode
    trajectory: Trajectory | None = None
    spark: str = ""
    flags: list[Flag] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    sessions: int = 0
    last_seen: date | None = None
    next_on: date | None = None
    lead: str = ""
    standing: str = ""
    change: str = ""
    benefit: float = 0.0

    @property
    def client(self) -> Any:
        return self.episode.client

    @property
    def noticed_on(self) -> date | None:
        return min((flag.raised_on for flag in self.flags), default=None)

    @property
    def owner(self) -> Any:
        return next((flag.owner for flag in self.flags if flag.owner_id), None)

    @property
    def good_news(self) -> bool:
        return bool(self.flags) and all(flag.rule == GOOD_NEWS for flag in self.flags)


def _main_trajectories(ids: list[int]) -> dict[int, Trajectory]:
    """The client's own longest series of each episode."""
    chosen: dict[int, Trajectory] = {}
    rows = Trajectory.objects.filter(episode__in=ids).select_related("respondent", "measure")
    for row in rows.order_by("pk"):
        there = chosen.get(row.episode_id)
        rank = (row.respondent.relation == "self", len(row.scores))
        if there is None or rank > (there.respondent.relation == "self", len(there.scores)):
            chosen[row.episode_id] = row
    return chosen


def _cutoffs(measures: Iterable[Measure]) -> dict[int, float | None]:
    found: dict[int, float | None] = {}
    for norm in NormRow.objects.filter(measure__in=set(measures), default=True).order_by("pk"):
        found[norm.measure_id] = norm.cutoff
    return found


def _next_sessions(ids: list[int]) -> dict[int, date]:
    today = clinic_time.today()
    rows = Session.objects.filter(
        episode__in=ids, status=Session.Status.BOOKED, held_on__gte=today
    ).order_by("-held_on")
    return dict(rows.values_list("episode", "held_on"))


def _leads(ids: list[int]) -> dict[int, Clinician]:
    rows = Assignment.objects.filter(
        episode__in=ids, part=Assignment.Part.LEAD, to_on=None
    ).select_related("clinician")
    return {row.episode_id: row.clinician for row in rows}


def rows_of(episodes: QuerySet[Episode], flags: QuerySet[Flag] | None = None) -> list[Row]:
    """Everything that a list of episodes shows, in about eight queries."""
    found = list(episodes.select_related("client__identity", "client__key", "programme"))
    ids = [episode.pk for episode in found]
    trajectories = _main_trajectories(ids)
    cutoffs = _cutoffs(row.measure for row in trajectories.values())
    coming, leads = _next_sessions(ids), _leads(ids)
    summaries = {s.episode_id: s for s in EpisodeSummary.objects.filter(episode__in=ids)}
    by_episode: dict[int, list[Flag]] = defaultdict(list)
    live = Flag.objects.live() if flags is None else flags
    for flag in live.filter(episode__in=ids).select_related("owner").order_by("raised_on", "pk"):
        by_episode[flag.episode_id].append(flag)
    rows = []
    for episode in found:
        trajectory, summary = trajectories.get(episode.pk), summaries.get(episode.pk)
        row = Row(episode, trajectory, flags=by_episode[episode.pk])
        if trajectory is not None:
            row.spark = sparkline_svg(trajectory.scores, cutoff=cutoffs.get(trajectory.measure_id))
            row.standing = STANDING_WORDS.get(trajectory.standing, "")
            row.change = class_words(trajectory.change_class)
        row.sessions = summary.attended if summary else 0
        row.last_seen = summary.last_session_on if summary else None
        row.next_on = coming.get(episode.pk)
        row.lead = leads[episode.pk].name if episode.pk in leads else ""
        row.sentences = [flag_sentence(flag.rule, flag.evidence) for flag in row.flags]
        rows.append(row)
    return rows


def benefit_of(row: Row, today: date) -> float:
    """Expected benefit of looking: how far a rule's reason weighs, more while care is young.

    The weight of the strongest rule (docs/adr/0006), raised a little for each week nobody took
    it up so that nothing stays open silently, and falling with the sessions already given: what
    is changed early has more sessions to work in.
    """
    weight = max((WEIGHT.get(flag.rule, 0.0) for flag in row.flags), default=0.0)
    weeks = (today - row.noticed_on).days / 7 if row.noticed_on else 0.0
    waiting = 0.05 * min(weeks, 6.0) if row.owner is None else 0.0
    remaining = 1.0 / (1.0 + max(0, row.sessions - 6) / 12)
    return weight * remaining + waiting


def queue_rows(user: Any) -> tuple[list[Row], list[Row]]:
    """(worth a conversation, good news): one entry a client, by expected benefit of looking."""
    live = Flag.objects.visible_to(user).live().for_review()
    episodes = Episode.objects.visible_to(user).filter(pk__in=live.values("episode"))
    rows = rows_of(episodes, live)  # type: ignore[arg-type]  # FlagQuerySet is a QuerySet[Flag]
    today = clinic_time.today()
    for row in rows:
        row.benefit = benefit_of(row, today)
    talk = sorted((r for r in rows if not r.good_news), key=lambda r: (-r.benefit, r.client.code))
    good = sorted((r for r in rows if r.good_news), key=lambda r: r.client.code)
    return talk, good


def taken_up_share(user: Any, days: int = 35) -> tuple[int, int]:
    """(taken up or decided within a week, raised) of review flags raised in the weeks before."""
    today = clinic_time.today()
    raised = (
        Flag.objects.visible_to(user)
        .for_review()
        .exclude(rule=GOOD_NEWS)
        .filter(
            raised_on__gte=today - timedelta(days=days), raised_on__lte=today - timedelta(days=7)
        )
    )
    in_time = 0
    rows = list(raised.values_list("raised_on", "taken_up_at", "closed_on", "state"))
    for raised_on, taken_up_at, closed_on, state in rows:
        acted = [clinic_time.local_date(taken_up_at)] if taken_up_at else []
        if state == Flag.State.DECIDED:
            acted.append(closed_on)
        in_time += bool(acted) and (min(acted) - raised_on).days <= 7
    return in_time, len(rows)


def hours_this_week(clinician: Clinician | None) -> float:
    """Contact hours of the running week: meetings held, a group counts once."""
    if clinician is None:
        return 0.0
    today = clinic_time.today()
    monday = today - timedelta(days=today.weekday())
    meetings = (
        Meeting.objects.filter(
            clinicians=clinician,
            sessions__held_on__gte=monday,
            sessions__held_on__lte=today,
            sessions__status=Session.Status.ATTENDED,
        )
        .distinct()
        .values_list("minutes", flat=True)
    )
    return sum(meetings) / 60
