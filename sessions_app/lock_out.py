"""After wrong passwords: rest. django-axes counts them; here is what it may know and what it says.

Counted by name and address together, so that neither a clinic behind one address nor a person
known by name to a stranger elsewhere is locked out. Of the name typed a keyed hash is kept:
people type their password there.
"""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt
from axes.signals import user_locked_out
from axes.utils import reset
from django.conf import settings
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.crypto import salted_hmac

from sessions_app import audit
from sessions_app.context import ANONYMOUS


def name_hash(name: str) -> str:
    return salted_hmac("sessions_app.lock_out", name.strip().lower()).hexdigest()


def hashed_name(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """What axes counts by."""
    given = credentials or (request.POST if request is not None else {})
    return name_hash(str(given.get("username", "")))


def forget(user: Any) -> int:
    """The wrong passwords of an account, from every address; how many rows went."""
    return int(reset(username=name_hash(user.email)))


def locked_hashes() -> set[str]:
    """Hashed names that wait now."""
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    return set(
        AccessAttempt.objects.filter(
            failures_since_start__gte=settings.AXES_FAILURE_LIMIT, attempt_time__gte=since
        ).values_list("username", flat=True)
    )


def locked_out(request: HttpRequest, response: Any = None, credentials: Any = None) -> HttpResponse:
    """The page that says how long it takes and who can shorten it."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    return render(request, "people/locked_out.html", {"minutes": minutes}, status=429)


@receiver(user_locked_out)
def record(sender: Any, **rest: Any) -> None:
    audit.record("locked out", by=ANONYMOUS)
