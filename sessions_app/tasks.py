"""Background work of people and care. Tasks take ids and are safe to run twice."""

from __future__ import annotations

from celery import shared_task

from sessions_app import outbox, seals


@shared_task(acks_late=True, name="outbox.deliver")
def deliver(pk: int) -> bool:
    return outbox.deliver(pk)


@shared_task(acks_late=True, name="outbox.sweep")
def sweep_outbox() -> int:
    return outbox.sweep()


@shared_task(acks_late=True, name="audit.seal")
def seal_audit() -> int:
    return seals.seal()
