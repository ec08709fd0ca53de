from __future__ import annotations

from datetime import date
from typing import Any

from django.core.exceptions import ValidationError

from sessions_app import audit, clinic_time, rights
from sessions_app.atomic import action
from sessions_app.context import acting_as, system, user_of
from sessions_app.models import Assignment, Clinician, CrisisText, DutyTurn, Episode


@action
def set_crisis_text(*, language: str, text: str, by: Any) -> CrisisText:
    """The words that a client reads at once after an answer that can't wait."""
    rights.require(by, "manage_policies")
    if not text.strip():
        raise ValidationError({"text": "Say whom a client can reach at any hour."})
    row = CrisisText.objects.create(language=language, text=text.strip(), set_by=user_of(by))
    audit.record("crisis text set", subject_kind="policy", subject=language, by=by)
    return row


@action
def set_duty(
    *, clinician: Clinician, by: Any, from_on: date | None = None, to_on: date | None = None
) -> DutyTurn:
    """Put somebody on duty; a turn without an end goes on until the next one begins.

    Raises
    ------
    ValidationError
        For somebody who can't be reached or couldn't open an alert.
    """
    rights.require(by, "manage_policies")
    user = clinician.user
    if user is None or not user.is_active:
        raise ValidationError({"clinician": f"{clinician} has no account: no mail reaches them."})
    if rights.CLINICIAN not in rights.roles(user):
        raise ValidationError({"clinician": f"{clinician} doesn't work as a clinician now."})
    begins = from_on or clinic_time.today()
    if to_on is not None and to_on < begins:
        raise ValidationError({"to_on": "A turn can't end before it begins."})
    turn = DutyTurn.objects.create(
        clinician=clinician, from_on=begins, to_on=to_on, set_by=user_of(by)
    )
    audit.record(
        "duty set", subject_kind="clinician", subject=clinician.code, by=by, from_on=str(begins)
    )
    return turn


@action
def bring_in_duty(*, episode: Episode, clinician: Clinician, why: str, by: Any) -> Assignment:
    """Let who is on duty see an episode that an alert has reached them about, from today.

    It is an assignment that ends the same day: the scope that follows is that of any past
    clinician, it is dated and says why. Who has one today gets no second.
    """
    rights.require(by, "decide")
    today = clinic_time.today()
    with acting_as(system("duty")):
        there = Assignment.objects.filter(
            episode=episode, clinician=clinician, part=Assignment.Part.DUTY, from_on=today
        ).first()
        if there is not None:
            return there
        row = Assignment.objects.create(
            episode=episode,
            clinician=clinician,
            part=Assignment.Part.DUTY,
            from_on=today,
            to_on=today,
            why_sealed=episode.client.seal(why, "assignment-why"),
        )
    audit.record(
        "brought in on duty",
        subject_kind="client",
        subject=episode.client.code,
        by=by,
        clinician=clinician.code,
    )
    return row
