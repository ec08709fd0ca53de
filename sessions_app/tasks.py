"""Background work of people and care. Tasks take ids and are safe to run twice."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.core.management import call_command

from sessions_app import (
    clinic_time,
    emergency,
    erasure_ledger,
    links,
    outbox,
    seals,
    webhooks,
    widening,
)
from sessions_app.actions.links import SEND
from sessions_app.actions.rights import EMERGENCY_MAIL
from sessions_app.actions.rights import apply_retention as apply_rules
from sessions_app.context import acting_as, system

outbox.handles(erasure_ledger.KIND)(erasure_ledger.write)
outbox.handles(webhooks.RESTS_MAIL)(webhooks.tell_that_it_rests)
outbox.handles(widening.KIND)(widening.tell)


@outbox.handles(SEND)
def send_link(payload: dict[str, Any], message_id: Any) -> None:
    links.send(payload, message_id)


@outbox.handles(EMERGENCY_MAIL)
def tell_of_emergency(payload: dict[str, Any], message_id: Any) -> None:
    emergency.tell(payload, message_id)


@shared_task(acks_late=True, name="retention.apply")
def apply_retention() -> int:
    """Erase who the rules reach today, some at a time; run again it goes on."""
    by = system("retention")
    with acting_as(by):
        return apply_rules(on=clinic_time.today(), by=by)


@shared_task(acks_late=True, name="outbox.deliver")
def deliver(pk: int) -> bool:
    return outbox.deliver(pk)


@shared_task(acks_late=True, name="outbox.sweep")
def sweep_outbox() -> int:
    return outbox.sweep()


@shared_task(acks_late=True, name="outbox.forget")
def forget_sent() -> int:
    """Mails and events sent longer ago than the clinic keeps them; run again it goes on."""
    return outbox.forget_sent(clinic_time.today())


@shared_task(acks_late=True, name="webhooks.sweep")
def sweep_webhooks() -> int:
    return webhooks.sweep()


@shared_task(acks_late=True, name="sign_ins.forget")
def forget_old_sign_ins() -> None:
    """Sessions on the server that are over: nobody can come back to them."""
    call_command("clearsessions")


@shared_task(acks_late=True, name="audit.seal")
def seal_audit() -> int:
    return seals.seal()
