"""Keys of other systems: `Authorization: Bearer oc_<handle>_<secret>`."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, JsonResponse

from sessions_app import clinic_time, rates
from sessions_app.context import acting_as
from sessions_app.models import ApiKey

DOORS = ("/api/v1/", "/fhir/")
WRITTEN = re.compile(r"oc_([a-z0-9]{8})_([A-Za-z0-9_-]{43})")
HANDLE_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
REFUSED = "This key is unknown, expired or revoked."


def new() -> tuple[str, str, str]:
    """(handle, secret's hash, the whole text); the text is kept nowhere."""
    handle = "".join(secrets.choice(HANDLE_LETTERS) for _ in range(8))
    secret = secrets.token_urlsafe(32)
    return handle, hash_of(secret), f"oc_{handle}_{secret}"


def hash_of(secret: str) -> str:
    # 256 random bits: a slow hash would add nothing but waiting.
    return hashlib.sha256(secret.encode()).hexdigest()


def holder(text: str) -> ApiKey | None:
    """The key in force behind what was sent, with its person; None for anything else."""
    parts = WRITTEN.fullmatch(text)
    if parts is None:
        return None
    key = ApiKey.objects.select_related("user").filter(handle=parts[1], revoked_at=None).first()
    if key is None or not hmac.compare_digest(key.secret_hash, hash_of(parts[2])):
        return None
    if key.expires_on < clinic_time.today() or not key.user.is_active:
        return None
    return key


class KeyMiddleware:
    """Whoever sends a key acts as its person, at the doors for machines and nowhere else.

    Sits before the actor is told to the database. A key that doesn't hold is refused, whatever
    else was sent with it: nobody should find out months later that a cookie did the work.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not request.path.startswith(DOORS):
            return self.get_response(request)
        key = holder(text.strip())
        if key is None and (wait := rates.wait_for(rates.UNKNOWN_KEYS, rates.address_of(request))):
            return rates.slow_down(request, wait)
        if key is None and not request.path.startswith(DOORS[0]):
            request.user = AnonymousUser()  # this door says no in its own way
            return self.get_response(request)
        if key is None:
            return JsonResponse(
                {"detail": REFUSED}, status=401, headers={"WWW-Authenticate": "Bearer"}
            )
        request.user, request.api_key = key.user, key  # type: ignore[attr-defined]  # like a session's
        self._note_use(key)
        return self.get_response(request)

    def _note_use(self, key: ApiKey) -> None:
        today = clinic_time.today()
        if key.last_used_on != today:  # once a day: reading shouldn't write all the time
            with acting_as(key.user):
                ApiKey.objects.filter(pk=key.pk).update(last_used_on=today)
