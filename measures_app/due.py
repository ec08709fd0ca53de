"""What is asked of whom at a session: which measure, in which variant, in whose words.

The plan says what and how often; age decides the variant; an episode that began on another kind
of measure finishes on it; carers answer about a child in their own series. Partners and other
family answer about themselves, what the client is asked by default, at meetings of couples and
families. A totals-only measure is asked where the episode uses it or the plan names it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from measures_app import measures
from measures_app.definitions import MeasureDefinition
from measures_app.kept import kept
from measures_app.models import Administration, Measure, MeasureVersion
from measures_app.plans import RATERS, SELF, Line, Past, Plan, Taken, is_due
from sessions_app import clinic_time
from sessions_app.models import Episode, Meeting, Respondent, Session
from sessions_app.prepared import Prepared

ADULT = 18
# Partners and other family answer about themselves, where they are in the meeting.
BESIDE = (Respondent.Relation.PARTNER.value, Respondent.Relation.OTHER.value)
TOGETHER = (Meeting.Format.COUPLE, Meeting.Format.FAMILY)
CHANGE_PURPOSES = ("outcome", "symptom", "functioning")


@dataclass(frozen=True)
class Due:
    """One form that is due: a measure version for a respondent."""

    measure: Measure
    version: MeasureVersion
    definition: MeasureDefinition
    respondent: Respondent

    @property
    def key(self) -> str:
        return f"m{self.measure.pk}r{self.respondent.pk}"

    @property
    def words(self) -> dict[str, Any]:
        return self.definition.words(self.respondent.language)

    @property
    def title(self) -> str:
        return str(self.words.get("title") or self.measure.title)

    @property
    def at_start(self) -> bool:
        """Outcome comes at the start of a session, alliance at its end."""
        return self.measure.purpose != Measure.Purpose.ALLIANCE


@dataclass(frozen=True)
class Untaken:
    """Something that was due at a session and isn't there; `reason` is empty if none was given."""

    due: Due
    reason: str


def _covers(version: MeasureVersion, age: int) -> bool:
    return (version.age_from is None or age >= version.age_from) and (
        version.age_to is None or age <= version.age_to
    )


def age_of(episode: Episode, on: date) -> int:
    """The client's age that day; an adult's where it isn't known."""
    identity = getattr(episode.client, "identity", None)
    birth_date = identity.birth_date if identity else None
    age = clinic_time.age_on(on, episode.client.birth_year, birth_date)
    return ADULT if age is None else age


ASKED = (
    "client_id", "measure_id", "measure__purpose", "respondent_id", "episode_id", "session_id",
    "taken_on", "not_taken", "provenance",
)  # fmt: skip
_ASKED = Prepared(
    lambda clients: (
        Administration.objects.current()
        .filter(client__in=clients)
        .order_by("taken_at", "pk")
        .values_list(*ASKED)
    )
)
_ATTENDED = Prepared(
    lambda episodes: (
        Session.objects.filter(
            episode__in=episodes,
            status=Session.Status.ATTENDED,
            meeting__kind=Meeting.Kind.TREATMENT,
        )
        .order_by("held_on", "meeting__starts_at", "pk")
        .values_list("pk", "episode_id", "held_on")
    )
)
_PEOPLE = Prepared(lambda clients: Respondent.objects.filter(client__in=clients).order_by("pk"))


class Desk:
    """Plan, measures and the past of some episodes, read once: what was or is due at sessions."""

    def __init__(self, episodes: Iterable[Episode]) -> None:
        there = kept()
        self.plan = Plan(there.plan)
        self.versions = {pk: one for pk, one in there.newest.items() if one.measure.active}
        episodes = {episode.pk: episode for episode in episodes}
        clients = {episode.client_id for episode in episodes.values()}
        self._taken: dict[int, list[Taken]] = {}
        self._not_taken: dict[tuple[int, int, int], str] = {}
        self._imported: set[int] = set()
        self._read_administrations(clients)
        self._visits: dict[int, list[tuple[int, date]]] = {}
        for pk, episode_id, day in _ATTENDED.rows(episodes):
            self._visits.setdefault(episode_id, []).append((pk, day))
        self._people: dict[int, list[Respondent]] = {}
        for person in _PEOPLE.objects(clients):
            self._people.setdefault(person.client_id, []).append(person)

    def _read_administrations(self, clients: set[int]) -> None:
        for row in _ASKED.rows(clients):
            client_id, measure_id, purpose, respondent_id, episode_id, session_id, day, *rest = row
            not_taken, provenance = rest
            if not_taken:
                self._not_taken[session_id or 0, measure_id, respondent_id] = not_taken
                continue
            if provenance == Administration.Provenance.IMPORT:
                self._imported.add(session_id or 0)
            self._taken.setdefault(client_id, []).append(
                Taken(measure_id, purpose, respondent_id, episode_id, session_id, day)
            )

    def taken_at(self, session: Session, respondent: Respondent) -> set[int]:
        """Measures (their ids) that a respondent has answered at a session."""
        return {
            t.measure_id
            for t in self._taken.get(respondent.client_id, ())
            if t.session_id == session.pk and t.respondent_id == respondent.pk
        }

    def attended(self, episode: Episode) -> list[tuple[int, date]]:
        """(number, day) of an episode's attended treatment sessions, in their order."""
        return self._visits.get(episode.pk, [])

    def past_of(self, episode: Episode) -> Past:
        return Past(
            episode.pk,
            tuple(self.attended(episode)),
            tuple(self._taken.get(episode.client_id, ())),
        )

    def _answering(self, episode: Episode, on: date, relation: str) -> list[Respondent]:
        """Respondents of a kind on a day; the client always answers about themselves.

        Who said "please don't ask until" is asked nothing meanwhile.
        """
        return [
            person
            for person in self._people.get(episode.client_id, ())
            if person.relation == relation
            and not person.is_quiet(on)
            and (
                relation == SELF
                or (person.from_on <= on and (person.to_on is None or person.to_on >= on))
            )
        ]

    def _variant(self, purpose: str, rater: str, age: int, group: bool) -> MeasureVersion | None:
        """The asked measure (with items) of a purpose and rater for an age."""
        fitting = [
            version
            for version in self.versions.values()
            if version.measure.purpose == purpose
            and version.measure.rater == rater
            and measures.definition_of(version).items
            and _covers(version, age)
            and version.measure.code.endswith("-group") == group
        ]
        # A variant made for the age goes before one for everybody; of two the one that was here
        # first, so that loading a measure doesn't change what is asked: the plan does.
        fitting.sort(key=lambda v: (v.age_from is None and v.age_to is None, v.measure_id))
        return fitting[0] if fitting else None

    def _asked(
        self,
        line: Line,
        person: Respondent,
        past: Past,
        age: int,
        group: bool,
        planned: set[int | None],
    ) -> MeasureVersion | None:
        """The version that a line asks of a respondent at an age; None where nothing fits."""
        rater = RATERS[line.relation]
        if line.measure_id is not None:
            version = self.versions.get(line.measure_id)
            fits = version is not None and version.measure.rater == rater and _covers(version, age)
            return version if fits else None
        version = self._variant(
            line.purpose, rater, age, group and line.purpose == Measure.Purpose.ALLIANCE
        )
        if line.purpose != Measure.Purpose.OUTCOME:
            return version
        # A birthday in care changes the variant; another kind of measure stays to the end. What
        # the plan names by itself was not begun instead of the outcome measure.
        begun = [
            t
            for t in past.taken
            if t.episode_id == past.episode_id
            and t.respondent_id == person.pk
            and t.purpose in CHANGE_PURPOSES
            and t.measure_id not in planned
        ]
        kept = self.versions.get(begun[-1].measure_id) if begun else None
        if kept is not None and (kept.measure.purpose != "outcome" or _covers(kept, age)):
            return kept
        return version

    def due_at(
        self, episode: Episode, on: date, session: Session | None = None, last: bool = False
    ) -> list[Due]:
        """Forms due at a session of an episode, in the order in which they are asked."""
        age = age_of(episode, on)
        group = session is not None and session.meeting.format == Meeting.Format.GROUP
        past = self.past_of(episode).before(on, session.pk if session else None)
        last = last or episode.closed_on == on
        lines = self.plan.deciding(on, age, episode.programme_id)
        planned = {line.measure_id for line in lines}
        found: dict[tuple[int, int], tuple[tuple[bool, bool, int, int], Due]] = {}
        together = session is not None and session.meeting.format in TOGETHER
        for position, line in enumerate(lines):
            people = [(p, age) for p in self._answering(episode, on, line.relation)]
            if together and line.relation == SELF and line.measure_id is None:
                # An adult's form: how old somebody beside the client is isn't kept.
                people += [(p, ADULT) for r in BESIDE for p in self._answering(episode, on, r)]
            for person, years in people:
                version = self._asked(line, person, past, years, group, planned)
                if version is None:
                    continue
                taken = [
                    t
                    for t in past.taken
                    if t.respondent_id == person.pk
                    and (
                        t.measure_id == version.measure_id
                        or (line.measure_id is None and t.purpose == line.purpose)
                    )
                ]
                if not is_due(line, past, taken, on, last_session=last):
                    continue
                due = Due(version.measure, version, measures.definition_of(version), person)
                place = (not due.at_start, person.relation != SELF, person.pk, position)
                found.setdefault((version.measure_id, person.pk), (place, due))
        return [due for _place, due in sorted(found.values(), key=lambda entry: entry[0])]

    def untaken_at(self, episode: Episode, session: Session) -> list[Untaken]:
        """What was due at an attended session and isn't there, with the reason if one was given.

        A session that came with an import isn't judged by the plan.
        """
        if session.pk in self._imported:
            return []
        there = {
            (t.measure_id, t.respondent_id)
            for t in self._taken.get(episode.client_id, ())
            if t.session_id == session.pk
        }
        return [
            Untaken(due, self._not_taken.get((session.pk, due.measure.pk, due.respondent.pk), ""))
            for due in self.due_at(episode, session.held_on, session)
            if (due.measure.pk, due.respondent.pk) not in there
        ]


def due_at(
    episode: Episode, on: date, session: Session | None = None, last: bool = False
) -> list[Due]:
    """Forms due at a session of an episode, in the order in which they are asked.

    Parameters
    ----------
    episode : Episode
    on : date
        Day of the session: it decides age, variant, plan and which carers answer.
    session : Session or None
        Its place in the course decides rhythms; its meeting's format whether a group is asked
        about. None is a session that isn't recorded yet.
    last : bool
        The course of care ends with this session, as far as is known.
    """
    return Desk([episode]).due_at(episode, on, session, last)


def due_today(sessions: Iterable[Session]) -> dict[int, list[Due]]:
    """Forms due at each of a day's sessions, by session, in a handful of queries for them all.

    The sessions bring `episode`, `client__identity`, `client__key` and `meeting` along.
    """
    sessions = list(sessions)
    for session in sessions:
        session.episode.client = session.client
    desk = Desk({session.episode for session in sessions})
    return {s.pk: desk.due_at(s.episode, s.held_on, s) for s in sessions}


def untaken_in(episode: Episode) -> dict[int, list[Untaken]]:
    """What was due and not taken, by attended session of an episode."""
    desk = Desk([episode])
    sessions = episode.sessions.filter(status=Session.Status.ATTENDED).select_related("meeting")
    treatment = sessions.filter(meeting__kind=Meeting.Kind.TREATMENT)
    found = {session.pk: desk.untaken_at(episode, session) for session in treatment}
    return {pk: untaken for pk, untaken in found.items() if untaken}


def due_at_the_end(episode: Episode) -> tuple[Session | None, list[Due]]:
    """The last session somebody came to, and what of the change measures is still due at it."""
    attended = episode.sessions.filter(
        status=Session.Status.ATTENDED, meeting__kind=Meeting.Kind.TREATMENT
    )
    rows = attended.select_related("meeting").order_by("held_on", "meeting__starts_at", "pk")
    last = rows.last()
    if last is None:
        return None, []
    desk = Desk([episode])
    due = desk.due_at(episode, last.held_on, last, last=True)
    there = {form.respondent.pk: desk.taken_at(last, form.respondent) for form in due}
    return last, [
        form for form in due if form.at_start and form.measure.pk not in there[form.respondent.pk]
    ]
