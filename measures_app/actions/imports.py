from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import connection

from measures_app import measures
from measures_app.imports.diary import Held, Place, place_of, sessions_of
from measures_app.imports.ground import Ground
from measures_app.imports.mapping import Mapping
from measures_app.imports.people import lay
from measures_app.imports.reading import Row
from measures_app.imports.referred import Referred
from measures_app.imports.rows import Problem, Record
from measures_app.models import Administration, Measure, MeasureVersion
from sessions_app import audit, bulk, clinic_time, rights
from sessions_app.atomic import action
from sessions_app.context import user_of


class ImportRefused(ValueError):
    """Rows contradict what is stored; nothing was written."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} rows contradict what is stored.")
        self.problems = sorted(problems, key=lambda problem: problem.row)


@dataclass
class ImportResult:
    """What the file holds and what of it was new."""

    clients: int = 0
    episodes: int = 0
    sessions: int = 0
    scores: int = 0
    referrals: int = 0
    created: int = 0
    unchanged: int = 0
    created_by_kind: dict[str, int] = field(default_factory=dict)


def known_versions() -> dict[str, MeasureVersion]:
    """Measure code -> the version that imported scores are read with."""
    return {
        measure.code: measures.current_version(measure)
        for measure in Measure.objects.filter(active=True)
    }


def _marks(answers: dict[str, Any]) -> dict[str, Decimal]:
    """Answers as numbers: 1 and 1.0 are one answer. Untouched ones are left out."""
    return {item: Decimal(mark) for item, mark in answers.items() if mark not in (None, "")}


def _same(there: Administration, record: Record) -> bool:
    """Whether the stored score is this one; a stored bare total agrees with answers to it."""
    if there.total != record.total:
        return False
    if there.answers is None or record.answers is None:
        return True
    return _marks(there.answers) == _marks(record.answers)


def _new_scores(
    scored: list[tuple[Place, Record]],
    held: dict[Place, Held],
    ground: Ground,
    versions: dict[str, MeasureVersion],
) -> list[tuple[Place, Record]]:
    """The records whose score isn't stored yet; one that differs is a problem."""
    stored = {
        (row.session_id, row.measure_id, row.respondent_id): row
        for row in Administration.objects.current()
        .filter(episode__in={place[0] for place, _ in scored}, session__isnull=False)
        .only("session", "measure", "respondent", "total", "answers", "not_taken")
    }
    new = []
    for place, record in scored:
        respondent = ground.respondents[record.client, record.relation]
        key = (held[place].id, versions[record.measure].measure_id, respondent.pk)
        there = stored.get(key)
        if there is None:
            new.append((place, record))
        elif not _same(there, record):
            other = "other answers are" if there.total == record.total else "another score is"
            why = f"{other} stored for this session: correct it on the session's page"
            ground.refuse(record, "total", record.total, why, there.total or there.not_taken)
    return new


def _rows(
    new: list[tuple[Place, Record]],
    held: dict[Place, Held],
    ground: Ground,
    versions: dict[str, MeasureVersion],
) -> Iterator[tuple[Any, ...]]:
    norms: dict[tuple[str, int | None], Any] = {}
    for place, record in new:
        version, client = versions[record.measure], ground.clients[record.client]
        age = clinic_time.age_on(record.held_on, client.birth_year)
        if (record.measure, age) not in norms:
            norm = measures.norm_for(version.measure, age)
            norms[record.measure, age] = norm.pk if norm else None
        yield (
            client.pk, place[0], held[place].id,
            ground.respondents[record.client, record.relation].pk, version.measure_id, version.pk,
            norms[record.measure, age], record.language or client.language, record.answers,
            record.total, record.subscales, record.prorated,
            held[place].taken_at(record.held_on).isoformat(), record.held_on.isoformat(),
            record.held_on.isoformat(), age,
        )  # fmt: skip


@action
def import_records(*, records: list[Row], mapping: Mapping, by: Any) -> ImportResult:
    """Write an import's records, all or nothing; run again it changes nothing.

    Raises
    ------
    ImportRefused
        When a row contradicts a stored client, episode, session, score or referral.
    """
    rights.require(by, "import_scores")
    if not records:
        return ImportResult()
    referred = [row for row in records if isinstance(row, Referred)]
    records, everybody = [row for row in records if isinstance(row, Record)], records
    with connection.cursor() as cursor:  # two imports at once would add the same people twice
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('import_scores'))")
    ground = lay(records, mapping, referred)
    _refuse_if_any(ground)
    held = sessions_of(records, ground)
    _refuse_if_any(ground)
    versions = known_versions()
    scored = [(place_of(record, ground), record) for record in records if record.has_score]
    new = _new_scores(scored, held, ground, versions)
    _refuse_if_any(ground)
    user = user_of(by)
    created = bulk.copy_rows(
        Administration,
        [
            "client", "episode", "session", "respondent", "measure", "version", "norm",
            "language", "answers", "total", "subscales", "prorated", "taken_at", "taken_on",
            "known_on", "age_years",
        ],
        _rows(new, held, ground, versions),
        {
            "provenance": Administration.Provenance.IMPORT,
            "manner": "",
            "not_taken": "",
            "recorded_at": clinic_time.now(),
            "recorded_by": user.pk if user else None,
            "correction_reason_sealed": b"",
            "voided": False,
            "void_reason_sealed": b"",
        },
    )  # fmt: skip
    audit.record(
        "scores imported",
        by=by,
        scores=created,
        unchanged=len(scored) - created,
        **dict(ground.created),
    )
    return ImportResult(
        clients=len({row.client for row in everybody}),
        episodes=len({place[0] for place in held}),
        sessions=len(held),
        scores=len(scored),
        referrals=len({(one.client, one.programme, one.received_on) for one in referred}),
        created=created,
        unchanged=len(scored) - created,
        created_by_kind=dict(ground.created),
    )


def _refuse_if_any(ground: Ground) -> None:
    if ground.problems:
        raise ImportRefused(ground.problems)


def import_what_can_be(
    *, records: list[Row], mapping: Mapping, by: Any
) -> tuple[ImportResult, list[Problem]]:
    """Import the records that nothing stored speaks against; the others come back as problems.

    Within the caller's transaction.
    """
    problems: list[Problem] = []
    while True:
        try:
            return import_records(records=records, mapping=mapping, by=by), problems
        except ImportRefused as refused:
            problems += refused.problems
            bad = {problem.row for problem in refused.problems}
            records = [record for record in records if record.row not in bad]
