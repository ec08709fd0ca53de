"""`/healthz`: the process answers and the database too. `/readyz`: everything work needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from measures_app.models import NightlyRun
from outcomes_site import schema
from sessions_app import clinic_time

BROKER_PATIENCE = 2.0  # seconds


def healthz(request: HttpRequest) -> JsonResponse:
    """This process, and the database's answer to the smallest question."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "no database"}, status=503)
    return JsonResponse({"status": "ok"})


def _broker() -> str:
    if not settings.REDIS_URL:
        return "not configured"
    from outcomes_site.celery import app

    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=BROKER_PATIENCE)
    except Exception as problem:  # whatever the transport raises, the broker isn't there
        return type(problem).__name__
    return "ok"


def _migrations() -> str:
    try:
        waiting = schema.waiting(connection)
    except schema.HalfMade:
        return "half made"
    return "ok" if not waiting else f"{len(waiting)} waiting"


def _night() -> str:
    """Whether a night was completed yesterday or today; a new clinic has none yet."""
    last = NightlyRun.objects.filter(state="done", live=True).order_by("-as_of").first()
    if last is None:
        return "none yet"
    late = clinic_time.today() - last.as_of > timedelta(days=1)
    return f"last was {last.as_of.isoformat()}" if late else "ok"


def readyz(request: HttpRequest) -> JsonResponse:
    """Database, broker, migrations and last night, each by its word; 503 unless all are well."""
    parts: dict[str, Any] = {"broker": _broker()}
    try:
        parts |= {"database": "ok", "migrations": _migrations(), "night": _night()}
    except DatabaseError:
        parts["database"] = "does not answer"
    ready = all(
        parts.get(part) in allowed
        for part, allowed in {
            "database": {"ok"},
            "broker": {"ok"},
            "migrations": {"ok"},
            "night": {"ok", "none yet"},
        }.items()
    )
    return JsonResponse({"ready": ready, **parts}, status=200 if ready else 503)
