"""Where a person is signed in: their sessions on the server, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session as StoredSession
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

HERE = "presence"  # in the session: when it began, was last used, rests (presence.py)


def agent_of(request: HttpRequest) -> str:
    """The browser and the system in two words; nothing more of a device is kept."""
    text = request.headers.get("User-Agent", "")
    browsers = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
    systems = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"),
               ("Windows", "Windows"), ("Mac OS", "Mac"), ("Linux", "Linux"))  # fmt: skip
    named = [next((word for sign, word in known if sign in text), "") for known in
             (browsers, systems)]  # fmt: skip
    return " · ".join(filter(None, named))


def handle_of(session_key: str) -> str:
    """What a page may call a session: its key is what opens it."""
    return salted_hmac("sessions_app.presence", session_key).hexdigest()[:24]


def sessions_of(user: Any) -> Iterator[tuple[StoredSession, dict[str, Any]]]:
    """The person's live sessions on the server, each with what is known of it.

    Sessions live a day at most: walking them all is a few milliseconds for a large clinic.
    """
    for row in StoredSession.objects.filter(expire_date__gte=timezone.now()).iterator():
        data = row.get_decoded()
        if data.get(SESSION_KEY) == str(user.pk):
            yield row, data.get(HERE, {})
