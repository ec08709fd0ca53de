"""Rows of the caseload and the review queue: a handful of queries, however many clients."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from measures_app import followups
from measures_app.charts import sparkline_svg
from measures_app.kept import kept
from measures_app.measures import choose_norm
from measures_app.models import Administration, Flag, Measure, Trajectory
from measures_app.sentences import class_words
from reports_app.models import EpisodeSummary
from reports_app.noticed import Said, said_of
from sessions_app import absences, clinic_time
from sessions_app.models import (
    Absence,
    Assignment,
    Clinician,
    Episode,
    Respondent,
    Session,
)
from sessions_app.prepared import Prepared

STANDING_WORDS = {
    "worse": "further than expected",
    "within": "about as expected",
    "better": "better than expected",
}


@dataclass
class Row:
    """One open episode as a list shows it."""

    episode: Episode
    spark: str = ""
    flags: list[Flag] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    sessions: int = 0
    last_seen: date | None = None
    next_on: date | None = None
    lead: str = ""
    standing: str = ""
    change: str = ""
    elsewhere: list[int] = field(default_factory=list)  # the client's other flagged episodes
    alliance: str = ""  # the last score, and the one before
    steps: list[str] = field(default_factory=list)  # what is to be done, beside the next session

    @property
    def client(self) -> Any:
        return self.episode.client

    @property
    def lead_said(self) -> Said | None:
        return self.said[0] if self.said else None

    @property
    def more_said(self) -> list[Said]:
        return self.said[1:]

    @property
    def noticed_on(self) -> date | None:
        return min((flag.raised_on for flag in self.flags), default=None)

    @property
    def put_off_until(self) -> date | None:
        return min((f.snoozed_until for f in self.flags if f.snoozed_until), default=None)

    @property
    def owner(self) -> Any:
        return next((flag.owner for flag in self.flags if flag.owner_id), None)


# By one list of numbers each, so that one plan serves a list of any length.
_TRAJECTORIES = Prepared(
    lambda given: (
        Trajectory.objects.filter(episode__pk__any_of=given[0])
        .order_by("pk")
        .values_list(
            "episode", "measure", "scores", "standing", "change_class", "respondent__relation"
        )
    )
)
_BOOKED = Prepared(
    lambda given: (
        Session.objects.filter(episode__pk__any_of=given[0], status=Session.Status.BOOKED)
        .order_by("-held_on")
        .values_list("episode", "held_on")
    )
)
_LEADS = Prepared(
    lambda given: Assignment.objects.filter(
        episode__pk__any_of=given[0], part=Assignment.Part.LEAD, to_on=None
    ).values_list("episode", "clinician", "clinician__name")
)
_SUMMARIES = Prepared(
    lambda given: EpisodeSummary.objects.filter(episode__pk__any_of=given[0]).values_list(
        "episode", "attended", "last_session_on"
    )
)
_EPISODES = Prepared(
    lambda given: Episode.objects.filter(pk__any_of=given[0]).select_related("client")
)
_NAMED = Prepared(
    lambda given: Episode.objects.filter(pk__any_of=given[0]).select_related(
        "client__identity", "client__key"
    )
)
_LIVE_FLAGS = Prepared(
    lambda given: (
        Flag.objects.live()
        .filter(episode__pk__any_of=given[0])
        .select_related("owner", "respondent")
    )
)
_FLAGS = Prepared(
    lambda given: Flag.objects.filter(pk__any_of=given[0]).select_related("owner", "respondent")
)


class Course(NamedTuple):
    """A stored trajectory as a list draws it: the scores alone, without its curves."""

    episode: int
    measure: int
    scores: list[float]
    standing: str
    change_class: str
    relation: str


def _main_courses(ids: list[int]) -> dict[int, Course]:
    """The client's own longest series of each episode."""
    chosen: dict[int, Course] = {}
    for values in _TRAJECTORIES.rows([ids]):
        row = Course(*values)
        there = chosen.get(row.episode)
        rank = (row.relation == "self", len(row.scores))
        if there is None or rank > (there.relation == "self", len(there.scores)):
            chosen[row.episode] = row
    return chosen


def _cutoffs(measures: set[int]) -> dict[int, float | None]:
    today, there = clinic_time.today(), kept()
    chosen = {pk: choose_norm(there.norms_of(pk), None, today) for pk in measures}
    return {pk: norm.cutoff for pk, norm in chosen.items() if norm is not None}


def _next_sessions(ids: list[int]) -> dict[int, date]:
    today = clinic_time.today()
    return {episode: day for episode, day in _BOOKED.rows([ids]) if day >= today}


def _leads(ids: list[int]) -> dict[int, tuple[int, str]]:
    """Number and name of who treats, by episode."""
    return {episode: (pk, name) for episode, pk, name in _LEADS.rows([ids])}


def _said_with_cover(lead: tuple[int, str] | None, away: dict[int, Absence]) -> str:
    """Who treats; while they are away, who stands in as well."""
    if lead is None:
        return ""
    pk, name = lead
    absence = away.get(pk)
    if absence is None:
        return name
    return _("%(lead)s (away; %(cover)s stands in)") % {"lead": name, "cover": absence.cover.name}


def rows_of(ids: list[int], flags: list[int] | None = None, *, named: bool = False) -> list[Row]:
    """Everything that a list of episodes shows, in about eight queries.

    `ids` are of episodes in scope, in the order wanted; `flags` are theirs (else the live ones).
    Without `named` nobody's name is read: a list by codes opens no identity.
    """
    there = {episode.pk: episode for episode in (_NAMED if named else _EPISODES).objects([ids])}
    found = [there[pk] for pk in ids if pk in there]
    courses = _main_courses(ids)
    cutoffs = _cutoffs({course.measure for course in courses.values()})
    coming, leads = _next_sessions(ids), _leads(ids)
    away = absences.on({pk for pk, _name in leads.values()})
    summaries = {episode: (n, last) for episode, n, last in _SUMMARIES.rows([ids])}
    by_episode: dict[int, list[Flag]] = defaultdict(list)
    for flag in _LIVE_FLAGS.objects([ids]) if flags is None else _FLAGS.objects([flags]):
        by_episode[flag.episode_id].append(flag)
    rows = []
    for episode in found:
        course = courses.get(episode.pk)
        row = Row(episode, flags=by_episode[episode.pk])
        if course is not None:
            row.spark = sparkline_svg(course.scores, cutoff=cutoffs.get(course.measure))
            row.standing = STANDING_WORDS.get(course.standing, "")
            scores = course.scores
            row.change = class_words(course.change_class, first=scores[0], last=scores[-1])
        row.sessions, row.last_seen = summaries.get(episode.pk, (0, None))
        row.next_on = coming.get(episode.pk)
        row.lead = _said_with_cover(leads.get(episode.pk), away)
        row.said = said_of(row.flags)
        rows.append(row)
    return rows


def add_alliance(rows: list[Row]) -> None:
    """The client's own last alliance scores, for a caseload's rows; one query."""
    scores: dict[int, list[float]] = defaultdict(list)
    found = Administration.objects.scored().filter(
        episode__in=[row.episode.pk for row in rows],
        measure__purpose=Measure.Purpose.ALLIANCE,
        respondent__relation=Respondent.Relation.SELF,
    )
    for episode, total in found.order_by("taken_at", "pk").values_list("episode", "total"):
        scores[episode].append(float(total))
    for row in rows:
        last = [f"{total:g}" for total in scores[row.episode.pk][-2:]]
        if len(last) == 2:
            row.alliance = _("alliance %(last)s, %(before)s before") % {
                "last": last[1], "before": last[0],
            }  # fmt: skip
        elif last:
            row.alliance = _("alliance %s") % last[0]


def unmeasured(episodes: QuerySet[Episode]) -> QuerySet[Episode]:
    """Episodes at whose last session nothing was measured."""
    last = (
        Session.objects.filter(episode=OuterRef("pk"))
        .attended()
        .treatment()
        .order_by("-held_on", "-meeting__starts_at", "-pk")
        .values("pk")[:1]
    )
    scored = Administration.objects.scored().filter(session=OuterRef("last_session"))
    seen = episodes.annotate(last_session=Subquery(last)).exclude(last_session=None)
    return seen.filter(~Exists(scored))


def to_do(episodes: QuerySet[Episode], user: Any) -> QuerySet[Episode]:
    """Episodes with a next step: a decision to look at again, or measures to be asked for."""
    again = followups.due_reviews(user).order_by().values("episode")
    bare = unmeasured(episodes).values("pk")
    return episodes.filter(Q(pk__in=again) | Q(pk__in=bare))


def add_steps(rows: list[Row], user: Any) -> None:
    """What is to be done next with each client, beside the next session; two queries."""
    ids = [row.episode.pk for row in rows]
    again = dict(
        followups.due_reviews(user).filter(episode__in=ids).values_list("episode", "follow_up_on")
    )
    bare = set(unmeasured(Episode.objects.filter(pk__in=ids)).values_list("pk", flat=True))
    for row in rows:
        if day := again.get(row.episode.pk):
            row.steps.append(_("look again at a decision, due %s") % date_format(day, "j M"))
        if row.episode.pk in bare:
            row.steps.append(_("nothing measured at the last session: ask at the next"))


def hours_of_week(clinician: Clinician | None) -> tuple[float, float]:
    """Contact hours of the running week, held and still booked; a group counts once."""
    if clinician is None:
        return 0.0, 0.0
    today = clinic_time.today()
    monday = today - timedelta(days=today.weekday())
    status = Session.Status
    rows = Session.objects.filter(
        Q(status=status.ATTENDED, held_on__lte=today) | Q(status=status.BOOKED, held_on__gte=today),
        meeting__clinicians=clinician,
        held_on__gte=monday,
        held_on__lt=monday + timedelta(days=7),
    ).order_by("meeting", "-status")  # held goes over booked: of a group some may have come
    meetings = {
        meeting: (minutes, state == status.ATTENDED)
        for meeting, minutes, state in rows.values_list("meeting", "meeting__minutes", "status")
    }
    held = sum(minutes for minutes, was_held in meetings.values() if was_held)
    return held / 60, (sum(minutes for minutes, _held in meetings.values()) - held) / 60


def hours_this_week(clinician: Clinician | None) -> float:
    """Contact hours of the running week: meetings held."""
    return hours_of_week(clinician)[0]
