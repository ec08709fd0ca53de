"""Background work of measures. Tasks take ids and are safe to run twice."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from measures_app.actions import drafts
from sessions_app import outbox
from sessions_app.context import acting_as, system
from sessions_app.models import Job


@outbox.handles(drafts.KIND)
def run_import(payload: dict[str, Any], message_id: Any) -> None:
    drafts.run_job(Job(pk=payload["job"]))


@shared_task(acks_late=True, name="imports.forget")
def forget_import_files() -> int:
    by = system("import")
    with acting_as(by):
        return drafts.forget_drafts(by=by)
