"""The night in the worker. Tasks take ISO dates and ids and are safe to run twice."""

from __future__ import annotations

from datetime import date
from typing import Any

from celery import shared_task

from measures_app.actions.administrations import CHANGED
from reports_app import nightly
from sessions_app import clinic_time, outbox


@shared_task(acks_late=True, name="night.run")
def run_night(as_of: str | None = None) -> None:
    """The night of a date (of the clinic's today, when the timetable asks)."""
    nightly.run_night(date.fromisoformat(as_of) if as_of else clinic_time.today())


@outbox.handles(CHANGED)
def episode_changed(payload: dict[str, Any], message_id: Any) -> None:
    nightly.refresh_episode(payload["episode"], clinic_time.today())
