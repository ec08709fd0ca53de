from __future__ import annotations

from datetime import date
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from measures_app.models import OwnCheckpoint, RuleProposal
from measures_app.rule_sets import RULE_NUMBERS, own_checkpoints
from measures_app.speaking import PROMPT_RULES, REVIEW_RULES
from sessions_app import actions, audit, clinic_time, policies, rights
from sessions_app.atomic import action
from sessions_app.context import user_of
from sessions_app.models import Clinician


@action
def set_own_checkpoint(
    *, clinician: Clinician, session: int | None, by: Any, from_on: date | None = None
) -> OwnCheckpoint:
    """A clinician's own first checkpoint, earlier than the clinic's; None takes it back.

    It moves their own prompts from a day on (today), never those of the past.
    """
    rights.require(by, "see_rules")
    user = user_of(by)
    if user is None or clinician.user_id != user.pk:
        raise PermissionDenied("A checkpoint of one's own is for oneself.")
    day = from_on or clinic_time.today()
    if day < clinic_time.today():
        raise ValidationError({"from_on": _("From today on: the past stays as it was.")})
    clinics = int(policies.get("first_checkpoint", day))
    if session is not None and session < 2:
        raise ValidationError({"session": _("From session 2 on: there is no change before.")})
    if session is not None and session >= clinics:
        raise ValidationError(
            {"session": _("Earlier than the clinic's, which is session %(n)s.") % {"n": clinics}}
        )
    if session is None and clinician.pk not in own_checkpoints(day):
        raise ValidationError({"session": _("You have no checkpoint of your own.")})
    row = OwnCheckpoint.objects.create(
        clinician=clinician, session=session, from_on=day, set_by=user
    )
    audit.record(
        "own checkpoint set", subject_kind="clinician", subject=clinician.code, by=by,
        session=session,
    )  # fmt: skip
    return row


@action
def propose_rule_change(
    *, rule: str, what: str, why: str, by: Any, key: str = "", value: float | None = None
) -> RuleProposal:
    """Ask for a change of the rules, in words or as a number; everybody reads it."""
    rights.require(by, "see_rules")
    if rule not in (*REVIEW_RULES, *PROMPT_RULES):
        raise ValidationError({"rule": _("Choose a rule.")})
    what, why = what.strip(), why.strip()
    if not what:
        raise ValidationError({"what": _("Say what is to change.")})
    if not why:
        raise ValidationError({"why": _("Say why: whoever answers wasn't there.")})
    if bool(key) != (value is not None):
        raise ValidationError({"value": _("A number and its new value belong together.")})
    if key:
        if key not in RULE_NUMBERS:
            raise ValidationError({"key": _("This isn't a number of the rules.")})
        low, high = policies.RANGES[key]
        whole = isinstance(policies.DEFAULTS[key], int)
        if not low <= (value or 0) <= high or (whole and value != int(value or 0)):
            raise ValidationError(
                {"value": _("Between %(low)g and %(high)g.") % {"low": low, "high": high}}
            )
    proposal = RuleProposal.objects.create(
        rule=rule, what=what, why=why, key=key, value=value, proposed_by=user_of(by)
    )
    audit.record("rule change proposed", subject_kind="rules", subject=rule, by=by)
    return proposal


@action
def answer_rule_proposal(
    *, proposal: RuleProposal, answer: str, by: Any, words: str = "", from_on: date | None = None
) -> RuleProposal:
    """Accept a proposal from a day on, or decline it with words. Once.

    An accepted number becomes the clinic's policy from that day, and so the next rule version.
    """
    rights.require(by, "manage_policies")
    if user_of(by) is None:
        raise PermissionDenied("A proposal is answered by a person.")
    proposal = RuleProposal.objects.select_for_update().get(pk=proposal.pk)
    if proposal.answer:
        raise ValidationError(_("Somebody has answered this meanwhile."))
    if answer not in RuleProposal.Answer.values:
        raise ValidationError({"answer": _("Accept or decline.")})
    accepted = answer == RuleProposal.Answer.ACCEPTED
    if not accepted and not words.strip():
        raise ValidationError({"words": _("Say why not: the words stay beside the proposal.")})
    day = (from_on or clinic_time.today()) if accepted else None
    if day is not None and day < clinic_time.today():
        raise ValidationError({"from_on": _("From today on: the past stays as it was.")})
    if accepted and proposal.key:
        whole = isinstance(policies.DEFAULTS[proposal.key], int)
        value = int(proposal.value or 0) if whole else proposal.value
        try:
            actions.set_policy(key=proposal.key, value=value, by=by, from_on=day)
        except ValidationError as problem:
            raise ValidationError(problem.messages) from problem
    proposal.answer, proposal.answer_words, proposal.from_on = answer, words.strip(), day
    proposal.answered_by, proposal.answered_at = user_of(by), clinic_time.now()
    proposal.save(update_fields=["answer", "answer_words", "from_on", "answered_by", "answered_at"])
    audit.record(f"rule change {answer}", subject_kind="rules", subject=proposal.rule, by=by)
    return proposal
