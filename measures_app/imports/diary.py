"""The sessions of an import: found, or written in bulk with their meetings."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

from measures_app.imports.ground import BATCH, Ground
from measures_app.imports.rows import Record
from sessions_app import bulk, clinic_time
from sessions_app.models import Meeting, MeetingClinician, Session

LAST_HOUR = 23
Day = tuple[int, date]  # episode, day
Place = tuple[int, date, str]  # and the file's name of that day's session


@dataclass(frozen=True, slots=True)
class Held:
    """A session, stored or new, as far as its scores need it."""

    id: int
    order: int  # which of the day's

    def taken_at(self, day: date) -> Any:
        return clinic_time.at(day, min(12 + self.order, LAST_HOUR))


def place_of(record: Record, ground: Ground) -> Place:
    return ground.episodes[record.client, record.reference].pk, record.held_on, record.session


def _match(name: str, unclaimed: list[Session]) -> Session | None:
    """The stored session that the file means.

    One of the same name; else one without any (booked, entered or imported without a name); a
    row that names none takes the only one there is.
    """
    for wanted in (name, ""):
        for session in unclaimed:
            if session.reference == wanted:
                return session
    return unclaimed[0] if not name and len(unclaimed) == 1 else None


def _find(
    places: dict[Place, Record], ground: Ground
) -> tuple[dict[Place, Session], dict[Day, int]]:
    by_day: dict[Day, list[Session]] = defaultdict(list)
    for session in Session.objects.filter(episode__in={place[0] for place in places}).order_by(
        "held_on", "meeting__starts_at", "pk"
    ):
        by_day[session.episode_id, session.held_on].append(session)
    counts = {day: len(sessions) for day, sessions in by_day.items()}
    found: dict[Place, Session] = {}
    # Those that match by name choose first.
    for place in sorted(
        places,
        key=lambda p: p[2] not in {s.reference for s in by_day.get((p[0], p[1]), ())},
    ):
        unclaimed = by_day.get((place[0], place[1]), [])
        session = _match(place[2], unclaimed)
        if session is not None:
            unclaimed.remove(session)
            found[place] = session
        elif unclaimed and not place[2]:
            record = places[place]
            why = "several sessions are stored for this day: say which in a column session"
            ground.refuse(record, "session_date", record.held_on, why, len(unclaimed))
    return found, counts


def _update(
    found: dict[Place, Session], said: dict[Place, str], ground: Ground, places: dict[Place, Record]
) -> None:
    changed = []
    for place, session in found.items():
        status = said[place]
        if session.status == Session.Status.BOOKED:
            session.status = status or Session.Status.ATTENDED
        elif status and status != session.status:
            why = "says otherwise than the session stored here"
            ground.refuse(places[place], "attendance", status, why, session.status)
            continue
        elif session.reference == place[2] or not place[2]:
            continue
        session.reference = session.reference or place[2]
        changed.append(session)
    Session.objects.bulk_update(changed, ["status", "reference"], batch_size=BATCH)


def sessions_of(records: list[Record], ground: Ground) -> dict[Place, Held]:
    """Each record's session by its place; problems go to the ground's."""
    places: dict[Place, Record] = {}
    said: dict[Place, str] = {}
    whose: dict[Place, str] = {}
    for record in records:
        place = place_of(record, ground)
        places.setdefault(place, record)
        said[place] = said.get(place) or record.status
        whose[place] = whose.get(place) or record.clinician
    found, counts = _find(places, ground)
    _update(found, said, ground, places)
    held = {place: Held(session.pk, 0) for place, session in found.items()}
    new = [place for place in places if place not in found]
    if ground.problems or not new:
        return held
    episodes = {episode.pk: episode for episode in ground.episodes.values()}
    meetings = bulk.reserve_ids(Meeting, len(new))
    sessions = bulk.reserve_ids(Session, len(new))
    for place, key in zip(new, sessions, strict=True):
        day = place[:2]
        held[place] = Held(key, counts.get(day, 0))
        counts[day] = counts.get(day, 0) + 1
    bulk.copy_rows(
        Meeting,
        ["id", "starts_at", "site"],
        (
            (key, held[place].taken_at(place[1]).isoformat(), ground.sites[places[place].site].pk)
            for key, place in zip(meetings, new, strict=True)
        ),
        {
            "minutes": 50,
            "format": Meeting.Format.INDIVIDUAL,
            "kind": Meeting.Kind.TREATMENT,
            "telehealth": False,
        },
    )
    bulk.copy_rows(
        MeetingClinician,
        ["meeting", "clinician"],
        (
            (key, ground.clinicians[whose[place]].pk)
            for key, place in zip(meetings, new, strict=True)
            if whose[place]
        ),
    )
    bulk.copy_rows(
        Session,
        ["id", "meeting", "episode", "client", "held_on", "status", "reference"],
        (
            (
                key,
                meeting,
                place[0],
                episodes[place[0]].client_id,
                place[1].isoformat(),
                said[place] or Session.Status.ATTENDED,
                place[2],
            )
            for key, meeting, place in zip(sessions, meetings, new, strict=True)
        ),
        {"obstacle": "", "recorded_at": clinic_time.now()},
    )
    ground.created["sessions"] += len(new)
    return held
