"""Pages for when something is wrong, drawn without a database: it may be what is wrong.

Each says what happened to what was sent, what to do next, and the number by which an
administrator finds the request in the log.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

RETRY_SECONDS = 30


def _page(request: HttpRequest, status: int) -> HttpResponse:
    number = getattr(request, "request_id", "")
    if request.path.startswith(("/api/", "/fhir/")):
        words = {400: "This request can't be read.", 413: "This is too large.",
                 500: "Something went wrong here; nothing was written.",
                 503: "The database doesn't answer: try again."}  # fmt: skip
        return JsonResponse({"detail": words[status], "request_id": number}, status=status)
    return HttpResponse(render_to_string(f"{status}.html", {"request_id": number}), status=status)


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
