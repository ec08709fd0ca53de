"""A demo waives rules that protect people: its database is refused by production settings."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import ProgrammingError
from django.db.backends.signals import connection_created

REFUSAL = "refuse a demo's database"


class DemoDatabase(ImproperlyConfigured):
    """Production settings were pointed at a demo clinic."""


def refuse(sender: Any, connection: Any, **rest: Any) -> None:
    """Look at the mark on each new connection, before anything else is asked."""
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT demo FROM sessions_app_installation")
        except ProgrammingError:
            return  # no tables yet
        row = cursor.fetchone()
    if row is not None and row[0]:
        connection.close()
        raise DemoDatabase(
            "This database holds a demo clinic, with known people and without second factors. "
            "Point DATABASE_URL at another one; a demo runs with `python3 manage.py up --demo`."
        )


def connect() -> None:
    if settings.IS_PRODUCTION:
        connection_created.connect(refuse, dispatch_uid=REFUSAL)
