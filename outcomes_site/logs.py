"""What the site writes of its work: JSON lines with codes and counts, nothing of a client.

Where words could carry data they are left out. Of loggers that aren't ours, and of those of ours
that stand near data, the message is its template without what would be filled in (a path holds a
client's code or a respondent's token; a refused row holds values). Of an exception its kind and
the places it passed are told, and its own words only for kinds that speak of machines.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from pythonjsonlogger.json import JsonFormatter

request_id: ContextVar[str] = ContextVar("outcomes_request_id", default="")

# Loggers whose filled-in words speak of machines, processes and our own counts.
TRUSTED = ("outcomes", "outcomes_site", "sessions_app", "measures_app", "reports_app",
           "celery.worker", "celery.beat", "celery.bootsteps", "celery.redirected", "kombu",
           "py.warnings")  # fmt: skip
# Kinds of error whose own words say which machine didn't answer, never what a row held.
OF_MACHINES = {"OperationalError", "ConnectionError", "ConnectionRefusedError", "TimeoutError",
               "RedisError", "ImproperlyConfigured", "SettingsError", "DemoDatabase"}  # fmt: skip
PASSED_ON = re.compile(r"[A-Za-z0-9-]{8,64}\Z")
ROOT = re.compile(r"^.*/(?=(?:outcomes_site|sessions_app|measures_app|reports_app|site-packages)/)")


def trusted(name: str) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in TRUSTED)


def said_of(error: BaseException) -> list[str]:
    """An exception and what caused it, each by its kind; innermost last."""
    found: list[str] = []
    current: BaseException | None = error
    while current is not None and len(found) < 5:
        kind = type(current).__name__
        found.append(f"{kind}: {current}".strip() if kind in OF_MACHINES else kind)
        current = current.__cause__ or current.__context__
    return found


def passed(error: BaseException) -> list[str]:
    """The places an exception passed: file, line and function; no source, no values."""
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    return [f"{ROOT.sub('', frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]


def words_of(record: logging.LogRecord) -> str:
    """A record's message, as far as it can hold nothing of anyone."""
    if trusted(record.name):
        return record.getMessage()
    if record.msg == "%s: %s" and record.name == "django.request" and record.args:
        return str(record.args[0])  # type: ignore[index]  # the reason; the path is left out
    return str(record.msg)


class Lines(JsonFormatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname,
            "logger": record.name,
            "message": words_of(record),
        }
        if known := request_id.get():
            line["request_id"] = known
        if record.name.startswith("django") and hasattr(record, "status_code"):
            line["status"] = record.status_code
        line |= getattr(record, "facts", {})
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            line["error"] = said_of(record.exc_info[1])
            line["passed"] = passed(record.exc_info[1])
        return self.serialize_log_record(line)


class RequestLog:
    """Gives each request a number, and writes a line of how it went: view, status, time."""

    logger = logging.getLogger("outcomes.request")

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        from outcomes_site import metrics

        given = request.headers.get("X-Request-ID", "")
        number = given if PASSED_ON.match(given) else uuid.uuid4().hex
        request.request_id = number
        token = request_id.set(number)
        try:
            with metrics.timed(request) as seen:
                response = self.get_response(request)
                seen.status = response.status_code
            response.headers["X-Request-ID"] = number
            facts = {"view": seen.view, "method": seen.method, "status": seen.status,
                     "ms": round(seen.seconds * 1000, 1)}  # fmt: skip
            self.logger.info("request", extra={"facts": facts})
            return response
        finally:
            request_id.reset(token)


def configuration(level: str = "INFO") -> dict[str, Any]:
    """For `logging.config.dictConfig`: the site, its worker and its web server alike."""
    quiet: dict[str, Any] = {
        "django.security.DisallowedHost": {"handlers": [], "propagate": False},
        # Each of these stands in the request's own line already.
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "ERROR"},
        # What the PDF engine says of each step and font is nobody's news.
        "weasyprint": {"level": "ERROR"},
        "fontTools": {"level": "ERROR"},
        # What was refused stands in the audit trail.
        "axes": {"level": "ERROR"},
        "gunicorn.error": {"level": "WARNING", "handlers": [], "propagate": True},
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": "outcomes_site.logs.Lines"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "lines", "stream": sys.stderr}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": quiet,
    }
