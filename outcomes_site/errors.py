"""Pages for when something is wrong, drawn without a database: it may be what is wrong.

Each says what happened to what was sent, what to do next, and the number by which an
administrator finds the request in the log.
"""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import (
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse, RawPostDataException
from django.http.multipartparser import MultiPartParserError
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve

from sessions_app import kept_forms

RETRY_SECONDS = 30
SECRET = re.compile(r"password|credential|secret|^code$|^pin")  # a field that no page shows again


def _to_send_again(request: HttpRequest) -> dict[str, Any] | None:
    """What was typed, for the page itself: going back shows an empty form, as nothing is stored.

    It is sent on under the key and the token it came with. Not for what holds a password, nor for
    files, which have to be chosen again.
    """
    try:
        door = resolve(request.path_info).url_name
        fields = kept_forms.fields_of(request) if request.method == "POST" else []
        token, files = request.POST.get("csrfmiddlewaretoken", ""), bool(request.FILES)
    except (Resolver404, OSError, SuspiciousOperation, MultiPartParserError, RawPostDataException):
        return None  # it can't be read
    secret = hasattr(request, "sensitive_post_parameters") or any(
        SECRET.search(name) for name, _value in fields
    )
    if not fields or files or secret or door in kept_forms.OF_THE_SIGN_IN:
        return None
    return {"path": request.get_full_path(), "fields": fields, "token": token}


def _page(request: HttpRequest, status: int) -> HttpResponse:
    number = getattr(request, "request_id", "")
    if request.path.startswith(("/api/", "/fhir/")):
        words = {400: "This request can't be read.", 413: "This is too large.",
                 500: "Something went wrong here; nothing was written.",
                 503: "The database doesn't answer: try again."}  # fmt: skip
        return JsonResponse({"detail": words[status], "request_id": number}, status=status)
    context = {"request_id": number, "again": _to_send_again(request) if status >= 500 else None}
    return HttpResponse(render_to_string(f"{status}.html", context), status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    large = isinstance(exception, RequestDataTooBig | TooManyFieldsSent | TooManyFilesSent)
    return _page(request, 413 if large else 400)


def server_error(request: HttpRequest) -> HttpResponse:
    """503 when the database is away, which passes; else 500."""
    import sys

    problem: Any = sys.exc_info()[1]
    if isinstance(problem, OperationalError | InterfaceError):
        response = _page(request, 503)
        response.headers["Retry-After"] = str(RETRY_SECONDS)
        return response
    return _page(request, 500)
