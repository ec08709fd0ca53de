"""Finding a respondent's link by its token, and acting as the one who holds it.

The database narrows the holder to the link's own episode and respondent, while it is open
(row_security.py); the right that comes with it is to answer.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from django.db import connection
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from sessions_app import clinic_time, mail, texting
from sessions_app.actions.links import hash_of
from sessions_app.context import Actor, acting_as
from sessions_app.models import EntryLink, Outbox


def holder_of(link_id: int) -> Actor:
    """Who acts when a link is opened: nobody with an account."""
    return Actor("link", str(link_id))


def find(token: str) -> int | None:
    """The id of the link with this token; None when there is none, or it is closed or too old."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT outcomes_find_link(%s)", [hash_of(token)])
        return cursor.fetchone()[0]  # type: ignore[no-any-return]  # a bigint or NULL


def is_open(link: EntryLink) -> bool:
    return link.revoked_at is None and link.expires_at > clinic_time.now()


def send(payload: dict[str, Any], message_id: Any) -> None:
    """Carry out a promised message with a link, in the reader's language; then forget the token.

    No name and no code stands in it. A link that was closed meanwhile isn't sent.
    """
    link = EntryLink.objects.select_related("client__key", "respondent").get(pk=payload["link"])
    now = clinic_time.now()
    if "sealed" not in payload or link.revoked_at is not None or link.expires_at <= now:
        return
    sealed = base64.b64decode(payload["sealed"])
    known = json.loads(link.client.unseal(sealed, "link-message") or "{}")
    if not known:
        return  # the client was erased meanwhile
    address = mail.address_of("respondent", known["token"])
    with translation.override(link.respondent.language):
        until = date_format(link.expires_at.astimezone(clinic_time.zone()), "j F, H:i")
        words = {"address": address, "until": until}
        if link.way == EntryLink.Way.TEXT:
            text = _("A few questions from your clinic: %(address)s") % words
            texting.send(to=known["to"], text=text, message_id=message_id)
        else:
            mail.send(
                to=known["to"],
                subject=_("A few questions before you come"),
                text=_(
                    "Your clinic asks you a few questions. This opens them; you need no "
                    "account:\n\n%(address)s\n\nIt is open until %(until)s. Please don't pass it "
                    "on: it is yours alone.\n"
                )
                % words,
                message_id=message_id,
            )
    EntryLink.objects.filter(pk=link.pk).update(sent_at=now)
    Outbox.objects.filter(message_id=message_id).update(payload={"link": link.pk})


def open_link(link_id: int) -> EntryLink | None:
    """The link by its id, while it is open."""
    with acting_as(holder_of(link_id)):
        link = EntryLink.objects.get(pk=link_id)
    return link if is_open(link) else None
