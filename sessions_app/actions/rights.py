from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _

from sessions_app import access, audit, clinic_time, consent, outbox, policies, retention, rights
from sessions_app.actions.clients import erase_identity
from sessions_app.atomic import action
from sessions_app.context import acting_as, actor_of, system, user_of
from sessions_app.models import (
    Client,
    ClientKey,
    Consent,
    ConsentStatement,
    EmergencyAccess,
    EntryLink,
    Episode,
    Programme,
    Release,
    Respondent,
    Restriction,
    RetentionRule,
    User,
)

EMERGENCY_MAIL = "emergency access mail"
SHORTEST_REASON = 10  # letters
LONGEST_RELEASE = timedelta(days=5 * 366)


@action
def set_statement(
    *, texts: Mapping[str, str], by: Any, asks_again: bool = True
) -> ConsentStatement:
    """A new version of who sees the scores, in every language that respondents read."""
    rights.require(by, "manage_policies")
    given = {language: texts.get(language, "").strip() for language in consent.LANGUAGES}
    if empty := [language for language, text in given.items() if not text]:
        raise ValidationError({empty[0]: _("Say it in this language too: people are asked in it.")})
    newest = ConsentStatement.objects.order_by("-version").first()  # unique: two at once are not
    row = ConsentStatement.objects.create(
        version=newest.version + 1 if newest else 1,
        texts=given,
        asks_again=asks_again,
        set_by=user_of(by),
    )
    audit.record("statement set", subject_kind="policy", subject=row.version, by=by)
    return row


@action
def record_consent(
    *, respondent: Respondent, answer: str, way: str, by: Any, language: str = "", version: int = -1
) -> Consent:
    """What somebody said to the statement of who sees their scores; the newest counts.

    `version` is the one they saw (the one in force when not given). Withdrawing or declining
    closes the links that are open to them.
    """
    rights.require(by, "enter_scores")
    if answer not in Consent.Answer.values:
        raise ValidationError({"answer": f"Give one of: {', '.join(Consent.Answer.values)}."})
    row = Consent.objects.create(
        client_id=respondent.client_id,
        respondent=respondent,
        version=consent.versions()[0] if version < 0 else version,
        language=language or respondent.language,
        answer=answer,
        way=way,
        recorded_by=user_of(by),
    )
    if answer != Consent.Answer.AGREED and actor_of(by).kind != "link":
        EntryLink.objects.filter(respondent=respondent, revoked_at=None).update(
            revoked_at=clinic_time.now()
        )
    audit.record(
        "consent recorded", subject_kind="client", subject=respondent.client.code, by=by,
        answer=answer, version=row.version, relation=respondent.relation,
    )  # fmt: skip
    return row


def _in_scope(client: Client, by: Any) -> None:
    rights.require(by, "see_clinical")
    user = user_of(by)
    if user is not None and not Client.objects.visible_to(user).filter(pk=client.pk).exists():
        raise PermissionDenied("This client isn't in your scope.")


def _treats_in(programme: Programme, client: Client, by: Any) -> None:
    rights.require(by, "see_clinical")
    user = user_of(by)
    if user is None:
        return
    seen = Episode.objects.visible_to(user).filter(client=client, programme=programme)
    if not seen.exists():
        raise PermissionDenied("There is no such care in your scope.")


@action
def release_programme(
    *, client: Client, programme: Programme, until_on: date, way: str, by: Any
) -> Release:
    """The client agreed that a restricted programme's care is seen by who treats them elsewhere.

    Until a day, five years off at most; recorded by somebody who sees that care.
    """
    _treats_in(programme, client, by)
    today = clinic_time.today()
    if not programme.restricted:
        raise ValidationError({"programme": _("Whoever treats the client sees this one anyway.")})
    if not today <= until_on <= today + LONGEST_RELEASE:
        raise ValidationError({"until_on": _("Give a day from today on, within five years.")})
    if way not in (Consent.Way.SPOKEN, Consent.Way.PAPER):
        raise ValidationError({"way": _("Say whether it was in the room or on paper.")})
    row = Release.objects.create(
        client=client, programme=programme, from_on=today, until_on=until_on, way=way,
        recorded_by=user_of(by),
    )  # fmt: skip
    # Which programme stands in the row, for those who see it; the trail is read by others too.
    audit.record("consent to show care", subject_kind="client", subject=client.code, by=by,
                 way=way, until_on=until_on.isoformat())  # fmt: skip
    return row


@action
def withdraw_release(*, release: Release, by: Any) -> Release:
    """The client no longer agrees: from now on the programme's care is unseen elsewhere."""
    _treats_in(release.programme, release.client, by)
    release = Release.objects.select_for_update().get(pk=release.pk)
    if release.withdrawn_at is None:
        release.withdrawn_at = clinic_time.now()
        release.save(update_fields=["withdrawn_at"])
        audit.record("consent to show care withdrawn", subject_kind="client",
                     subject=release.client.code, by=by)  # fmt: skip
    return release


@action
def restrict_client(*, client: Client, reason: str, by: Any) -> Restriction:
    """Let a client's record rest: it is kept; nothing is asked, sent or given away of it."""
    _in_scope(client, by)
    if reason not in Restriction.Reason.values:
        raise ValidationError({"reason": f"Give one of: {', '.join(Restriction.Reason.values)}."})
    ClientKey.objects.select_for_update().get(client=client)
    if Restriction.objects.filter(client=client, to_on=None).exists():
        raise ValidationError({"client": _("The record rests already.")})
    row = Restriction.objects.create(
        client=client, reason=reason, from_on=clinic_time.today(), set_by=user_of(by)
    )
    EntryLink.objects.filter(client=client, revoked_at=None).update(revoked_at=clinic_time.now())
    audit.record("restricted", subject_kind="client", subject=client.code, by=by, reason=reason)
    return row


@action
def lift_restriction(*, restriction: Restriction, by: Any) -> Restriction:
    """The record is worked with again from today."""
    _in_scope(restriction.client, by)
    restriction = Restriction.objects.select_for_update().get(pk=restriction.pk)
    if restriction.to_on is None:
        restriction.to_on = clinic_time.today()
        restriction.save(update_fields=["to_on"])
        audit.record(
            "restriction lifted", subject_kind="client", subject=restriction.client.code, by=by
        )
    return restriction


@action
def open_emergency(*, client: Client, reason: str, by: Any, hours: int = 0) -> EmergencyAccess:
    """Open a client's whole record for some hours, because somebody may come to harm.

    Who treats or supervises there, and who looks after accounts, is told by mail; the audit trail
    and the client's page keep it. `client` is one that the system found: it isn't in scope yet.

    Raises
    ------
    ValidationError
        Without a reason in words, for too long, or when the client is in scope anyway.
    """
    rights.require(by, "see_clinical")
    user = user_of(by)
    if user is None:
        raise PermissionDenied("A person opens a record in an emergency, nobody else.")
    most = policies.get("emergency_hours")
    hours = hours or most
    if not 1 <= hours <= most:
        raise ValidationError({"hours": _("Between 1 and %(most)d hours.") % {"most": most}})
    if len(reason.strip()) < SHORTEST_REASON:
        raise ValidationError({"reason": _("Say in a sentence what the emergency is.")})
    if Client.objects.visible_to(user).filter(pk=client.pk).exists():
        raise ValidationError({"client": _("This client is in your care: open the page.")})
    now = clinic_time.now()
    with acting_as(system("emergency")):
        found = Client.objects.select_related("key").get(pk=client.pk)
        told = set(_concerned(found))
        row = EmergencyAccess.objects.create(
            user=user,
            client=found,
            reason_sealed=found.seal(reason.strip(), "emergency-reason"),
            from_at=now,
            until_at=now + timedelta(hours=hours),
        )
    for person in sorted(told - {user.pk}):
        outbox.promise(EMERGENCY_MAIL, {"access": row.pk, "user": person})
    audit.record(
        "emergency access opened", subject_kind="client", subject=client.code, by=by,
        hours=hours, told=len(told),
    )  # fmt: skip
    return row


def _concerned(client: Client) -> set[int]:
    """Who sees the client, and who looks after accounts; as the system."""
    people: set[int] = set()
    for episode in client.episodes.select_related("programme"):
        people |= set(access.people_seeing(episode).values_list("pk", flat=True))
    today = clinic_time.today()
    administrators = User.objects.filter(
        Q(grants__to_on=None) | Q(grants__to_on__gte=today),
        grants__from_on__lte=today,
        grants__role=rights.ADMINISTRATOR,
        is_active=True,
    )
    return people | set(administrators.values_list("pk", flat=True))


@action
def end_emergency(*, emergency: EmergencyAccess, by: Any) -> EmergencyAccess:
    """End emergency access before its time: one's own, or for whoever looks after accounts."""
    if user_of(by) is None or user_of(by).pk != emergency.user_id:
        rights.require(by, "manage_people")
    with acting_as(system("emergency")):
        row = EmergencyAccess.objects.select_related("client").get(pk=emergency.pk)
        code = row.client.code
        if row.ended_at is None:
            row.ended_at = clinic_time.now()
            row.save(update_fields=["ended_at"])
    audit.record("emergency access ended", subject_kind="client", subject=code, by=by)
    return row


@action
def set_retention(*, programme: Programme, years: int, by: Any) -> RetentionRule:
    """From today a programme's clients lose their identity so many years after care ended."""
    rights.require(by, "manage_policies")
    if not 1 <= years <= 100:
        raise ValidationError({"years": _("Between 1 and 100 years.")})
    today = clinic_time.today()
    RetentionRule.objects.filter(programme=programme, to_on=None).update(to_on=today)
    row = RetentionRule.objects.create(
        programme=programme, years=years, from_on=today, set_by=user_of(by)
    )
    audit.record(
        "retention set", subject_kind="programme", subject=programme.pk, by=by, years=years
    )
    return row


@action
def end_retention(*, programme: Programme, by: Any) -> None:
    """A programme's clients are kept until somebody decides anew."""
    rights.require(by, "manage_policies")
    today = clinic_time.today()
    if RetentionRule.objects.filter(programme=programme, to_on=None).update(to_on=today):
        audit.record("retention ended", subject_kind="programme", subject=programme.pk, by=by)


@action
def apply_retention(*, on: date, by: Any, limit: int = 500) -> int:
    """Erase who the rules have reached by a day, at most so many at once; how many it were.

    A rule set today reaches nobody before the day after: the preview comes first.
    """
    rights.require(by, "erase_identity")
    count = 0
    for due in retention.due_until(on, set_before=on)[:limit]:
        erase_identity(client=Client.objects.get(pk=due.client_id), reason="retention", by=by)
        count += 1
    if count:
        audit.record("retention applied", by=by, clients=count)
    return count
