"""Finding a respondent's link by its token, and acting as the one who holds it.

The database narrows the holder to the link's own episode and respondent, while it is open
(row_security.py); the right that comes with it is to answer.
"""

from __future__ import annotations

from django.db import connection

from sessions_app import clinic_time
from sessions_app.actions.links import hash_of
from sessions_app.context import Actor, acting_as
from sessions_app.models import EntryLink


def holder_of(link_id: int) -> Actor:
    """Who acts when a link is opened: nobody with an account."""
    return Actor("link", str(link_id))


def find(token: str) -> EntryLink | None:
    """The open link with this token; None when there is none, or it is closed or too old."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT outcomes_find_link(%s)", [hash_of(token)])
        link_id = cursor.fetchone()[0]
    return None if link_id is None else open_link(link_id)


def open_link(link_id: int) -> EntryLink | None:
    """The link by its id, while it is open."""
    with acting_as(holder_of(link_id)):
        link = EntryLink.objects.get(pk=link_id)
    if link.revoked_at is not None or link.expires_at <= clinic_time.now():
        return None
    return link
