from __future__ import annotations

import base64
import hashlib
import json
import secrets
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from sessions_app import audit, clinic_time, outbox, rights
from sessions_app.atomic import action
from sessions_app.context import acting_as, system, user_of
from sessions_app.models import EntryLink, Episode, Respondent, Restriction, Session

SEND = "link_message"  # of the outbox
OPEN_FOR = timedelta(days=3)
AT_LEAST = timedelta(days=1)
HANDED_OVER_FOR = timedelta(hours=2)


def hash_of(token: str) -> str:
    """What is stored of a token: who reads the database can't open a form with it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _require(by: Any) -> None:
    if not rights.may(by, "record_attendance"):
        rights.require(by, "enter_scores")


@action
def make_link(
    *,
    session: Session,
    respondent: Respondent,
    by: Any,
    hand_over: bool = False,
    way: str = "",
) -> tuple[EntryLink, str]:
    """A respondent's own way to the forms of one session: the link and its token, shown once.

    It opens until three days after the session, and a newer one closes the earlier ones. With
    `hand_over` it is the clinic's tablet for the next two hours, beside the respondent's own.
    """
    _require(by)
    if respondent.client_id != session.client_id:
        raise ValidationError({"respondent": "This person doesn't answer about this client."})
    if Episode.objects.filter(pk=session.episode_id, ending=Episode.Ending.DIED).exists():
        raise ValidationError({"session": "Nothing more is asked about this client."})
    if Restriction.objects.filter(client=session.client_id, to_on=None).exists():
        raise ValidationError({"session": _("This client's record rests: nothing is asked.")})
    now = clinic_time.now()
    ends = max(clinic_time.at(session.held_on) + OPEN_FOR, now + AT_LEAST)
    if hand_over:
        ends = now + HANDED_OVER_FOR
    else:
        EntryLink.objects.filter(session=session, respondent=respondent, revoked_at=None).exclude(
            way=EntryLink.Way.TABLET
        ).update(revoked_at=now)
    token = secrets.token_urlsafe(24)
    link = EntryLink.objects.create(
        client_id=session.client_id,
        episode_id=session.episode_id,
        session=session,
        respondent=respondent,
        token_hash=hash_of(token),
        created_by=user_of(by),
        expires_at=ends,
        way=EntryLink.Way.TABLET if hand_over else way,
    )
    audit.record(
        "device handed over" if hand_over else "link made",
        subject_kind="client",
        subject=session.client.code,
        by=by,
        relation=respondent.relation,
    )
    return link, token


def reach_of(respondent: Respondent) -> dict[str, str]:
    """`{"email", "phone"}` by which a respondent can be reached, those that are known."""
    client = respondent.client
    if respondent.relation == Respondent.Relation.SELF:
        identity = getattr(client, "identity", None)
        known = identity.opened() if identity else {}
    else:
        known = respondent.contact
    return {name: known[name] for name in ("email", "phone") if known.get(name)}


@action
def send_link(*, session: Session, respondent: Respondent, way: str, by: Any) -> EntryLink:
    """Make a link and promise to send it to the respondent by e-mail or text message.

    Address and token wait in the outbox sealed under the client's key, and are forgotten there
    once they are sent: who reads the database can open no form with them.
    """
    to = reach_of(respondent).get("phone" if way == EntryLink.Way.TEXT else "email")
    if not to:
        raise ValidationError({"respondent": "No address is known for this person."})
    link, token = make_link(session=session, respondent=respondent, by=by, way=way)
    sealed = session.client.seal(json.dumps({"to": to, "token": token}), "link-message")
    outbox.promise(SEND, {"link": link.pk, "sealed": base64.b64encode(sealed).decode()})
    audit.record(
        "link sent", subject_kind="client", subject=session.client.code, by=by, way=str(way)
    )
    return link


@action
def note_opened(*, link: EntryLink, by: Any) -> EntryLink:
    """Keep when a link was first opened; opening it uses nothing up."""
    _require(by)
    with acting_as(system("entry link")):
        first = EntryLink.objects.filter(pk=link.pk, opened_at=None).update(
            opened_at=clinic_time.now()
        )
        if first:
            audit.record("link opened", subject_kind="client", subject=link.client.code, by=by)
    return link


@action
def revoke_link(*, link: EntryLink, by: Any) -> EntryLink:
    """Close a link before its time; what came in by it stays."""
    _require(by)
    if link.revoked_at is None:
        link.revoked_at = clinic_time.now()
        link.save(update_fields=["revoked_at"])
        audit.record("link closed", subject_kind="client", subject=link.client.code, by=by)
    return link
