from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from measures_app import measures
from measures_app.imports.mapping import Mapping
from measures_app.imports.people import BATCH, Ground, lay, reference_of
from measures_app.imports.rows import Problem, Record
from measures_app.models import Administration, Measure, MeasureVersion
from sessions_app import access, audit, clinic_time
from sessions_app.context import user_of
from sessions_app.models import Meeting, MeetingClinician, Session

LAST_HOUR = 23


class ImportRefused(ValueError):
    """Rows contradict what is stored; nothing was written."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} rows contradict what is stored.")
        self.problems = problems


@dataclass
class ImportResult:
    """What the file holds and what of it was new."""

    clients: int = 0
    episodes: int = 0
    sessions: int = 0
    scores: int = 0
    created: int = 0
    unchanged: int = 0
    created_by_kind: dict[str, int] = field(default_factory=dict)


def known_versions() -> dict[str, MeasureVersion]:
    """Measure code -> the version that imported scores are read with."""
    return {
        measure.code: measures.current_version(measure)
        for measure in Measure.objects.filter(active=True)
    }


SessionKey = tuple[int, Any, int]  # episode, day, which of that day


def _places(records: list[Record], ground: Ground) -> list[SessionKey]:
    """Each record's session: several sessions a day are told apart by the column session."""
    order: dict[tuple[int, Any], list[str]] = defaultdict(list)
    places = []
    for record in records:
        episode = ground.episodes[record.client, reference_of(record)]
        names = order[episode.pk, record.held_on]
        if record.session not in names:
            names.append(record.session)
        places.append((episode.pk, record.held_on, names.index(record.session)))
    return places


def _sessions(
    records: list[Record], places: list[SessionKey], ground: Ground
) -> dict[SessionKey, Session]:
    episodes = {episode.pk: episode for episode in ground.episodes.values()}
    found: dict[SessionKey, Session] = {}
    counts: dict[tuple[int, Any], int] = defaultdict(int)
    for session in Session.objects.filter(episode__in={place[0] for place in places}).order_by(
        "held_on", "meeting__starts_at", "pk"
    ):
        day = (session.episode_id, session.held_on)
        found[(*day, counts[day])] = session
        counts[day] += 1
    seen: list[Session] = []
    new: dict[SessionKey, Record] = {}
    for place, record in zip(places, records, strict=True):
        session = found.get(place)
        if session is None:
            new.setdefault(place, record)
        elif session.status == Session.Status.BOOKED:
            session.status = record.status
            seen.append(session)
    Session.objects.bulk_update(seen, ["status"], batch_size=BATCH)
    meetings = Meeting.objects.bulk_create(
        (
            Meeting(
                starts_at=clinic_time.at(place[1], min(12 + place[2], LAST_HOUR)),
                site_id=episodes[place[0]].site_id,
            )
            for place in new
        ),
        batch_size=BATCH,
    )
    MeetingClinician.objects.bulk_create(
        (
            MeetingClinician(meeting=meeting, clinician=ground.clinicians[record.clinician])
            for meeting, record in zip(meetings, new.values(), strict=True)
            if record.clinician
        ),
        batch_size=BATCH,
    )
    created = Session.objects.bulk_create(
        (
            Session(
                meeting=meeting,
                episode_id=place[0],
                client_id=episodes[place[0]].client_id,
                held_on=place[1],
                status=record.status,
            )
            for meeting, (place, record) in zip(meetings, new.items(), strict=True)
        ),
        batch_size=BATCH,
    )
    ground.created["sessions"] += len(created)
    return found | dict(zip(new, created, strict=True))


def _outside_episode(records: list[Record], ground: Ground) -> list[Problem]:
    problems = []
    for record in records:
        episode = ground.episodes[record.client, reference_of(record)]
        if record.held_on < episode.opened_on:
            why = f"lies before the stored episode's opening on {episode.opened_on}"
        elif episode.closed_on is not None and record.held_on > episode.closed_on:
            why = f"lies after the stored episode's end on {episode.closed_on}"
        else:
            continue
        problems.append(Problem(record.row, "session_date", record.held_on.isoformat(), why))
    return problems


@transaction.atomic
def import_records(*, records: list[Record], mapping: Mapping, by: Any) -> ImportResult:
    """Write an import's records, all or nothing; run again it changes nothing.

    Raises
    ------
    ImportRefused
        When a row contradicts a stored score or episode.
    """
    access.require(by, "import_scores")
    if not records:
        return ImportResult()
    ground = lay(records, mapping)
    problems = _outside_episode(records, ground)
    if problems:
        raise ImportRefused(problems)
    places = _places(records, ground)
    sessions = _sessions(records, places, ground)
    versions = known_versions()
    norms: dict[tuple[str, int | None], Any] = {}
    stored = {
        (row.session_id, row.measure_id, row.respondent_id): row
        for row in Administration.objects.current().filter(
            episode__in={place[0] for place in places}, session__isnull=False
        )
    }
    new: list[Administration] = []
    unchanged = 0
    scored = [
        (place, record)
        for place, record in zip(places, records, strict=True)
        if record.total is not None or record.answers is not None
    ]
    for place, record in scored:
        version = versions[record.measure]
        session = sessions[place]
        respondent = ground.respondents[record.client, record.relation]
        there = stored.get((session.pk, version.measure_id, respondent.pk))
        if there is not None and there.total == record.total:
            unchanged += 1
            continue
        if there is not None:
            why = f"the stored score of this session is {there.total}: correct it there"
            problems.append(Problem(record.row, "total", str(record.total), why))
            continue
        client = ground.clients[record.client]
        age = clinic_time.age_on(record.held_on, client.birth_year)
        if (record.measure, age) not in norms:
            norms[record.measure, age] = measures.norm_for(version.measure, age)
        new.append(
            Administration(
                client=client,
                episode_id=place[0],
                session=session,
                respondent=respondent,
                measure_id=version.measure_id,
                version=version,
                norm=norms[record.measure, age],
                language=record.language,
                provenance=Administration.Provenance.IMPORT,
                answers=record.answers,
                total=record.total,
                subscales=record.subscales,
                prorated=record.prorated,
                taken_at=clinic_time.at(record.held_on, min(12 + place[2], LAST_HOUR)),
                taken_on=record.held_on,
                known_on=record.held_on,
                recorded_by=user_of(by),
                age_years=age,
            )
        )
    if problems:
        raise ImportRefused(problems)
    Administration.objects.bulk_create(new, batch_size=BATCH)
    audit.record(
        "scores imported", by=by, scores=len(new), unchanged=unchanged, **dict(ground.created)
    )
    return ImportResult(
        clients=len({record.client for record in records}),
        episodes=len({place[0] for place in places}),
        sessions=len(set(places)),
        scores=len(scored),
        created=len(new),
        unchanged=unchanged,
        created_by_kind=dict(ground.created),
    )
