"""Mail of the clinic, sent by the outbox: never from within a request.

A mail names no client: who reads over a shoulder, or a mail server's log, learns nobody's name.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse


def address_of(name: str, *args: Any) -> str:
    """The public address of one of our pages, for a mail written outside any request."""
    return f"{settings.PUBLIC_URL.rstrip('/')}{reverse(name, args=args)}"


def is_set_up() -> bool:
    """Whether mail leaves the house: without a server it would only fill the worker's log."""
    return not settings.EMAIL_BACKEND.endswith("console.EmailBackend")


def send(*, to: str, subject: str, text: str, message_id: Any) -> None:
    """Send one plain mail to one address; sent twice, it carries the same Message-ID."""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">") or "localhost"
    EmailMessage(subject, text, to=[to], headers={"Message-ID": f"<{message_id}@{domain}>"}).send()
