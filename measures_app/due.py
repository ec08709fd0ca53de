"""What is asked of whom at a session: which measure, in which variant, in whose words.

Age decides the variant; an open episode finishes on the measure it started with; carers answer
about a child in their own series. A totals-only measure is asked where the episode uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from measures_app import measures
from measures_app.definitions import MeasureDefinition
from measures_app.models import Administration, Measure, MeasureVersion
from sessions_app import clinic_time
from sessions_app.models import Episode, Meeting, Respondent, Session

ADULT = 18
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


def _latest_versions() -> dict[int, MeasureVersion]:
    rows = MeasureVersion.objects.filter(measure__active=True).select_related("measure")
    return {row.measure_id: row for row in rows.order_by("measure", "version")}


def _covers(version: MeasureVersion, age: int) -> bool:
    return (version.age_from is None or age >= version.age_from) and (
        version.age_to is None or age <= version.age_to
    )


def _variant(
    versions: dict[int, MeasureVersion], purpose: str, rater: str, age: int, group: bool = False
) -> MeasureVersion | None:
    """The asked measure (with items) of a purpose and rater for an age."""
    fitting = [
        version
        for version in versions.values()
        if version.measure.purpose == purpose
        and version.measure.rater == rater
        and version.definition.get("items")
        and _covers(version, age)
        and version.measure.code.endswith("-group") == group
    ]
    # A variant made for the age goes before one for everybody.
    fitting.sort(key=lambda v: (v.age_from is None and v.age_to is None, v.measure.code))
    return fitting[0] if fitting else None


def _started_with(
    episode: Episode, respondent: Respondent, purposes: tuple[str, ...]
) -> int | None:
    """The measure of this respondent's newest score in the episode, if any."""
    newest = (
        Administration.objects.scored()
        .filter(episode=episode, respondent=respondent, measure__purpose__in=purposes)
        .order_by("-taken_at", "-pk")
        .values_list("measure", flat=True)
        .first()
    )
    return newest


def _due(version: MeasureVersion, respondent: Respondent) -> Due:
    return Due(version.measure, version, measures.definition_of(version), respondent)


def age_of(episode: Episode, on: date) -> int:
    """The client's age that day; an adult's where it isn't known."""
    identity = getattr(episode.client, "identity", None)
    birth_date = identity.birth_date if identity else None
    age = clinic_time.age_on(on, episode.client.birth_year, birth_date)
    return ADULT if age is None else age


def due_at(episode: Episode, on: date, session: Session | None = None) -> list[Due]:
    """Forms due at a session of an episode, in the order in which they are asked.

    Parameters
    ----------
    episode : Episode
    on : date
        Day of the session: it decides age, variant and which carers answer.
    session : Session or None
        For the meeting's format: a group is asked about the group.
    """
    versions = _latest_versions()
    age = age_of(episode, on)
    group = session is not None and session.meeting.format == Meeting.Format.GROUP
    found: list[Due] = []
    people = [
        person
        for person in episode.client.respondents.all()
        if (person.from_on <= on and (person.to_on is None or person.to_on >= on))
        or person.relation == Respondent.Relation.SELF
    ]
    people.sort(key=lambda p: (p.relation != Respondent.Relation.SELF, p.pk))
    for person in people:
        himself = person.relation == Respondent.Relation.SELF
        if not himself and person.relation != Respondent.Relation.CARER:
            continue
        rater = "client" if himself else "carer"
        default = _variant(versions, "outcome", rater, age)
        started = _started_with(episode, person, CHANGE_PURPOSES)
        kept = versions.get(started) if started is not None else None
        # A birthday in care changes the variant; another kind of measure stays to the end.
        if kept is not None and (kept.measure.purpose != "outcome" or _covers(kept, age)):
            default = kept
        if default is not None:
            found.append(_due(default, person))
    client = people[0] if people else None
    alliance = _variant(versions, "alliance", "client", age, group)
    if client is not None and alliance is not None:
        found.append(_due(alliance, client))
    return found
