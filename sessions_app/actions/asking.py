from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from sessions_app import audit, clinic_time, rights
from sessions_app.atomic import action
from sessions_app.models import Respondent, Session


@action
def ask_not_before(*, respondent: Respondent, until: date | None, by: Any) -> Respondent:
    """Keep "please don't ask until" a day; None lifts it from today on.

    What was due before it was said stays due and not taken.
    """
    if not rights.may(by, "record_attendance"):
        rights.require(by, "enter_scores")
    today = clinic_time.today()
    if until is not None and until <= today:
        raise ValidationError({"until": "Name a day to come: they are asked again from then on."})
    if until is not None:
        respondent.quiet_from, respondent.quiet_until = today, until
    elif respondent.quiet_from is not None and respondent.quiet_from < today:
        respondent.quiet_until = today
    else:
        respondent.quiet_from = respondent.quiet_until = None
    respondent.save(update_fields=["quiet_from", "quiet_until"])
    audit.record(
        "asked not to ask" if until else "may be asked again",
        subject_kind="client",
        subject=respondent.client.code,
        by=by,
        until=str(until or ""),
    )
    return respondent


@action
def choose_how_asked(
    *, respondent: Respondent, language: str, sees_expected: bool, by: Any
) -> Respondent:
    """Choose in which language somebody is asked, and whether their picture shows the expected.

    Answers keep the language that they were given in.
    """
    if not rights.may(by, "record_attendance"):
        rights.require(by, "enter_scores")
    if language not in dict(settings.LANGUAGES):
        raise ValidationError({"language": "There are no words of ours in this language."})
    respondent.language, respondent.sees_expected = language, sees_expected
    respondent.save(update_fields=["language", "sees_expected"])
    if respondent.relation == Respondent.Relation.SELF:
        respondent.client.language = language
        respondent.client.save(update_fields=["language"])
    audit.record(
        "how they are asked chosen",
        subject_kind="client",
        subject=respondent.client.code,
        by=by,
        language=language,
        sees_expected=sees_expected,
    )
    return respondent


@action
def note_whereabouts(*, session: Session, where: str, call_back: str, by: Any) -> Session:
    """Keep, sealed, where a client is during a session by video or phone, and their number."""
    rights.require(by, "enter_scores")
    said = {"where": where.strip(), "call_back": call_back.strip()}
    known = {name: text for name, text in said.items() if text}
    session.whereabouts_sealed = (
        session.client.seal(json.dumps(known), "session-whereabouts") if known else None
    )
    session.save(update_fields=["whereabouts_sealed"])
    audit.record("whereabouts noted", subject_kind="client", subject=session.client.code, by=by)
    return session
