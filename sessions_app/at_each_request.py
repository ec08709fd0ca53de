"""What each page of a sign-in begins with: its session and its account, by statements planned once.

Django's own store and backend; only how a row is found is another. Settings name the module as
SESSION_ENGINE, and `Accounts` among AUTHENTICATION_BACKENDS.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from sessions_app.models import User
from sessions_app.prepared import Prepared

_STORED = Prepared(lambda keys: Session.objects.filter(session_key=keys[0]))
_ACCOUNTS = Prepared(lambda pks: User.objects.filter(pk__in=pks))


class SessionStore(db.SessionStore):
    """A sign-in's session, or that of a device in a client's hands."""

    def _get_session_from_db(self) -> Session | None:
        found: list[Session] = _STORED.objects([self.session_key])
        if found and found[0].expire_date > timezone.now():
            return found[0]
        self._session_key = None
        return None

    def overwrite(self) -> None:
        """Keep what is in it now, where the row still stands: an ended session stays ended.

        One statement where `save` takes three and may make the row anew.
        """
        content: dict[str, Any] = dict(self.items())
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {Session._meta.db_table} SET session_data = %s WHERE session_key = %s",
                [self.encode(content), self.session_key],
            )
        self.modified = False


class Accounts(ModelBackend):
    """Passwords as Django checks them."""

    def get_user(self, user_id: int) -> User | None:
        user: User | None = next(iter(_ACCOUNTS.objects([user_id])), None)
        return user if user is not None and self.user_can_authenticate(user) else None
