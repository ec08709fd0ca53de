"""What was answered in an episode, with what was corrected: nothing that stood once is hidden."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from measures_app.due import Untaken, untaken_in
from measures_app.models import Administration, NightlyRun
from sessions_app.models import Episode, Respondent, Session
from sessions_app.prepared import Prepared


@dataclass(frozen=True)
class Kept:
    """One asking: the row that stands (or was voided), and those it replaced, newest first."""

    row: Administration
    older: list[Administration]

    @property
    def title(self) -> str:
        whose = "" if self.row.respondent.relation == Respondent.Relation.SELF else self.whose
        return f"{self.row.measure.title} · {whose}" if whose else self.row.measure.title

    @property
    def whose(self) -> str:
        return str(self.row.respondent)


@dataclass
class Visit:
    """A session, or a day without one, with what was kept at it."""

    day: date
    session: Session | None
    kept: list[Kept] = field(default_factory=list)
    untaken: list[Untaken] = field(default_factory=list)


def newest_of(row: Administration) -> Administration:
    """The row that stands in place of one that was corrected."""
    while row.superseded_at is not None:
        following = (
            Administration.objects.filter(supersedes=row)
            .select_related("measure", "recorded_by", "voided_by", "client__key")
            .first()
        )
        if following is None:
            return row
        row = following
    return row


def visits_of(episode: Episode) -> list[Visit]:
    """Every session or day with something kept or due, newest first."""
    rows = list(
        Administration.objects.filter(episode=episode)
        .select_related(
            "measure", "version", "respondent", "session__meeting", "recorded_by", "voided_by"
        )
        .order_by("-taken_at", "measure__purpose", "pk")
    )
    for row in rows:
        row.client = episode.client  # whose key opens the reasons
    by_id = {row.pk: row for row in rows}
    replaced = {row.supersedes_id for row in rows}
    visits: dict[tuple[date, int | None], Visit] = {}
    for row in rows:
        if row.pk in replaced:
            continue
        older, last = [], row
        while last.supersedes_id is not None:
            before = by_id[last.supersedes_id]
            before.superseded_by = last  # known here: no query for it in a template
            older.append(before)
            last = before
        place = (row.taken_on, row.session_id)
        visit = visits.setdefault(place, Visit(row.taken_on, row.session))
        visit.kept.append(Kept(row, older))
    _add_untaken(episode, visits)
    return sorted(visits.values(), key=lambda visit: visit.day, reverse=True)


def _add_untaken(episode: Episode, visits: dict[tuple[date, int | None], Visit]) -> None:
    """Due and not entered; a reason that was given is a row of its own already."""
    untaken = untaken_in(episode)
    for session in episode.sessions.filter(pk__in=untaken):
        open_ones = [one for one in untaken[session.pk] if not one.reason]
        if open_ones:
            place = (session.held_on, session.pk)
            visit = visits.setdefault(place, Visit(session.held_on, session))
            visit.untaken = open_ones


_LAST_NIGHT = Prepared(
    lambda _none: (
        NightlyRun.objects.filter(live=True, state=NightlyRun.State.DONE)
        .order_by("-finished_at")
        .values_list("finished_at")[:1]
    )
)


def last_night_ended() -> datetime | None:
    """When the newest night that counts was done."""
    return next((ended for (ended,) in _LAST_NIGHT.always()), None)


def waits_for_the_night(row: Administration, ended: datetime | None) -> bool:
    """Whether the clinic's figures still rest on what this row replaced."""
    return row.supersedes_id is not None and (ended is None or row.recorded_at > ended)
