"""Tells the API that a key was sent instead of a cookie."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from sessions_app.models import ApiKey, User


class KeyAuthentication(BaseAuthentication):
    """The middleware has read the key; with one there is no cookie to forge a request with."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        key = getattr(request._request, "api_key", None)
        return None if key is None else (key.user, key)
