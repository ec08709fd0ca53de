from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError

from measures_app import measures
from measures_app.actions.alerts import raise_alert
from measures_app.due import BESIDE
from measures_app.models import Administration, Measure, MeasureVersion
from measures_app.psychometrics.scoring import AnswerProblem
from sessions_app import audit, clinic_time, outbox, rights
from sessions_app.atomic import action
from sessions_app.context import user_of
from sessions_app.models import Client, Episode, Respondent, Session
from sessions_app.prepared import Prepared, PreparedInsert

CHANGED = "episode_changed"


@dataclass(frozen=True)
class Reading:
    """What answers or a bare total come to under a measure version."""

    answers: dict[str, Any] | None
    total: Decimal | None
    subscales: dict[str, str] | None
    prorated: bool
    alerts: tuple[str, ...] = ()  # items whose answer can't wait


def read_total(version: MeasureVersion, total: Any) -> Decimal:
    """A bare total as a number of the measure's own range and step.

    Raises
    ------
    ValidationError
        For text, a number out of range, or one between two steps.
    """
    try:
        value = Decimal(str(total).strip().replace(",", "."))
    except InvalidOperation:
        raise ValidationError({"total": f"“{total}” is not a number."}) from None
    if not value.is_finite() or not version.low <= value <= version.high:
        raise ValidationError(
            {
                "total": f"{total} is outside {version.low.normalize():f} to "
                f"{version.high.normalize():f}."
            }
        )
    if (value - version.low) % version.step:
        raise ValidationError(
            {"total": f"{total} lies between two steps of {version.step.normalize():f}."}
        )
    return value


def read_answers(version: MeasureVersion, answers: dict[str, Any]) -> Reading:
    """Score answers; untouched (None or absent) is missing, zero is an answer.

    Raises
    ------
    ValidationError
        Keyed by item, when an answer is out of range or no number.
    """
    definition = measures.definition_of(version)
    try:
        score = definition.score(answers)
    except AnswerProblem as problem:
        raise ValidationError({problem.item: problem.reason}) from None
    kept = {
        item.id: None if answers.get(item.id) in (None, "") else str(answers[item.id])
        for item in definition.items
    }
    subscales = {name: str(value) for name, value in score.subscales.items() if value is not None}
    return Reading(kept, score.total, subscales or None, score.prorated, score.alerts)


def _read(version: MeasureVersion, answers: dict[str, Any] | None, total: Any) -> Reading:
    if answers is not None:
        reading = read_answers(version, answers)
        if total is not None and reading.total != read_total(version, total):
            raise ValidationError(
                {"total": f"The total says {total}, the answers come to {reading.total}."}
            )
        return reading
    return Reading(None, read_total(version, total), None, False)


def _age(client: Client, on: date) -> int | None:
    identity = getattr(client, "identity", None)
    return clinic_time.age_on(on, client.birth_year, identity.birth_date if identity else None)


_CURRENT = Prepared(
    lambda place: (
        Administration.objects.current()
        .filter(session=place[0], measure=place[1], respondent=place[2])
        .order_by("pk")
        .select_for_update()
    )
)


_ROWS = PreparedInsert(Administration)


def _current_at(session: Session, measure: Measure, respondent: Respondent) -> Any:
    return next(iter(_CURRENT.objects([session.pk, measure.pk, respondent.pk])), None)


@action
def record_administration(
    *,
    episode: Episode,
    measure: Measure,
    provenance: str,
    by: Any,
    respondent: Respondent | None = None,
    session: Session | None = None,
    answers: dict[str, Any] | None = None,
    total: Any = None,
    not_taken: str = "",
    taken_at: datetime | None = None,
    known_on: date | None = None,
    language: str = "",
    manner: str = "",
    at_new_session: bool = False,
) -> Administration:
    """Keep one asking of a measure: its answers, a bare total, or why it wasn't taken.

    A measure first put down as not taken and then taken after all supersedes that; a second
    score for the same session, measure and respondent is refused: correct the first.
    `at_new_session`: it was recorded in this very action, and there is no first to look for.
    """
    rights.require(by, "enter_scores")
    client = episode.client
    respondent = respondent or client.respondents.get(relation=Respondent.Relation.SELF)
    if respondent.client_id != client.pk:
        raise ValidationError({"respondent": "This person doesn't answer about this client."})
    if session is not None and session.episode_id != episode.pk:
        raise ValidationError({"session": "The session belongs to another episode."})
    if not_taken and (answers is not None or total is not None):
        raise ValidationError({"not_taken": "It was either taken or not."})
    if not_taken and not_taken not in Administration.NotTaken.values:
        raise ValidationError({"not_taken": "Choose why it wasn't taken."})
    if not not_taken and answers is None and total is None:
        raise ValidationError({"total": "Give a score, or say why it wasn't taken."})
    moment = taken_at or (session.meeting.starts_at if session else clinic_time.now())
    day = session.held_on if session and taken_at is None else clinic_time.local_date(moment)
    today = clinic_time.today()
    if day > today:
        raise ValidationError({"taken_at": "A score can't lie in the future."})
    version = measures.current_version(measure)
    reading = Reading(None, None, None, False) if not_taken else _read(version, answers, total)
    # Partners and other family answer about themselves: the client's age says nothing of them.
    about_client = respondent.relation not in BESIDE
    age = _age(client, day) if about_client else None
    look = session is not None and not at_new_session
    earlier = _current_at(session, measure, respondent) if look else None
    if earlier is not None and not earlier.not_taken:
        raise ValidationError(
            {"total": f"There is a score of {earlier.total} for this session: correct it instead."}
        )
    if earlier is not None:
        earlier.superseded_at = clinic_time.now()
        earlier.save(update_fields=["superseded_at"])
    row = _ROWS.create(
        client=client,
        episode=episode,
        session=session,
        respondent=respondent,
        measure=measure,
        version=version,
        norm=measures.norm_for(measure, age),
        language=language or respondent.language,
        provenance=provenance,
        manner=manner,
        answers=reading.answers,
        total=reading.total,
        subscales=reading.subscales,
        prorated=reading.prorated,
        not_taken=not_taken,
        taken_at=moment,
        taken_on=day,
        known_on=known_on or today,
        recorded_by=user_of(by),
        age_years=age,
        supersedes=earlier,
        correction_reason_sealed=client.seal(
            "taken after all" if earlier else "", "correction-reason"
        ),
    )
    audit.record(
        "score entered",
        subject_kind="client",
        subject=client.code,
        by=by,
        measure=measure.code,
        provenance=provenance,
    )
    # What was answered long ago elsewhere asks nobody for a reply now.
    if reading.alerts and provenance != Administration.Provenance.IMPORT:
        raise_alert(administration=row, items=reading.alerts, by=by)
    outbox.promise(CHANGED, {"episode": episode.pk}, joined=True)
    return row


def _alerts_of(row: Administration) -> tuple[str, ...]:
    """Items whose answer couldn't wait when the row was kept."""
    if not row.answers:
        return ()
    return measures.definition_of(row.version).score(row.answers).alerts


@action
def correct_administration(
    *,
    administration: Administration,
    reason: str,
    by: Any,
    answers: dict[str, Any] | None = None,
    total: Any = None,
) -> Administration:
    """Put a score right: a new row supersedes the old one, which stays with who, when and why."""
    rights.require(by, "enter_scores")
    if not reason.strip():
        raise ValidationError({"reason": "Say why the score is corrected."})
    old = Administration.objects.select_for_update().get(pk=administration.pk)
    if old.superseded_at is not None or old.voided:
        raise ValidationError({"total": "This score was corrected meanwhile: look again."})
    reading = _read(old.version, answers, total)
    now = clinic_time.now()
    old.superseded_at = now
    old.save(update_fields=["superseded_at"])
    row = Administration.objects.create(
        client_id=old.client_id,
        episode_id=old.episode_id,
        session_id=old.session_id,
        respondent_id=old.respondent_id,
        measure_id=old.measure_id,
        version_id=old.version_id,
        norm_id=old.norm_id,
        language=old.language,
        provenance=old.provenance,
        manner=old.manner,
        answers=reading.answers,
        total=reading.total,
        subscales=reading.subscales,
        prorated=reading.prorated,
        taken_at=old.taken_at,
        taken_on=old.taken_on,
        known_on=clinic_time.today(),
        recorded_by=user_of(by),
        age_years=old.age_years,
        supersedes=old,
        correction_reason_sealed=old.client.seal(reason.strip(), "correction-reason"),
    )
    audit.record(
        "score corrected",
        subject_kind="client",
        subject=old.client.code,
        by=by,
        measure=old.measure.code,
    )
    new = tuple(item for item in reading.alerts if item not in _alerts_of(old))
    if new and old.provenance != Administration.Provenance.IMPORT:
        raise_alert(administration=row, items=new, by=by)
    outbox.promise(CHANGED, {"episode": old.episode_id}, joined=True)
    return row


@action
def void_administration(*, administration: Administration, reason: str, by: Any) -> Administration:
    """Take a score out of every reading; it stays visible with who, when and why."""
    rights.require(by, "enter_scores")
    if not reason.strip():
        raise ValidationError({"reason": "Say why the score doesn't count."})
    row = Administration.objects.select_for_update().get(pk=administration.pk)
    if row.superseded_at is not None or row.voided:
        raise ValidationError({"total": "This score was changed meanwhile: look again."})
    row.voided = True
    row.voided_at = clinic_time.now()
    row.voided_by = user_of(by)
    row.void_reason_sealed = row.client.seal(reason.strip(), "void-reason")
    row.save(update_fields=["voided", "voided_at", "voided_by", "void_reason_sealed"])
    audit.record(
        "score voided",
        subject_kind="client",
        subject=row.client.code,
        by=by,
        measure=row.measure.code,
    )
    outbox.promise(CHANGED, {"episode": row.episode_id}, joined=True)
    return row
