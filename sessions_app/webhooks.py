"""What another system is told when scores and flags change, and how it is sent.

The database writes an outbox row for each event and subscription, in the transaction of the event
and whichever way it came (row_security_webhooks.py). A task of its own sends them, so that an
address that answers slowly keeps no mail waiting. Each is opened as the person for whom the
subscription stands, at the moment it is sent: what they don't see isn't sent.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sessions_app import clinic_time, mail, outbox, sealing
from sessions_app.context import acting_as, system
from sessions_app.keys import HANDLE_LETTERS
from sessions_app.models import Outbox, User, Webhook
from sessions_app.outgoing import post

KIND = "webhook"
RESTS_MAIL = "webhook rests mail"
PLACE = "webhook secret"
RESTS_AFTER = timedelta(days=3)
AT_ONCE = 200  # of one subscription, a sweep
BY = system("webhooks")
NOT_SEEN = "not sent: outside what the person sees"
OVER = "not sent: the subscription is over"

# What tells about a subject: its body, or None where the person doesn't see it.
Teller = Callable[[int, User], dict[str, Any] | None]
TELLERS: dict[str, Teller] = {}


def tells(kind: str) -> Callable[[Teller], Teller]:
    """Register what makes the body of events that begin with `kind`: `f(subject, person)`."""

    def register(function: Teller) -> Teller:
        TELLERS[kind] = function
        return function

    return register


def new_secret() -> tuple[str, str, str]:
    """(handle, sealed secret, the secret as it is shown once)."""
    handle = "".join(secrets.choice(HANDLE_LETTERS) for _ in range(8))
    secret = f"ocwh_{secrets.token_urlsafe(32)}"
    return handle, sealing.seal_text(secret, f"{PLACE}:{handle}"), secret


def secret_of(webhook: Webhook) -> str:
    return sealing.open_text(webhook.secret_sealed, f"{PLACE}:{webhook.handle}")


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over "timestamp.body", in hexadecimal.

    Parameters
    ----------
    secret : str
        As it was shown, with its first letters.
    timestamp : int
        Seconds since 1970 of this sending.
    body : bytes
        As sent, untouched.

    Returns
    -------
    str
        64 digits.
    """
    text = str(timestamp).encode() + b"." + body
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


@outbox.handles(KIND, apart=True)
def tell(payload: dict[str, Any], message_id: Any) -> None:
    """Send one event, or note why it isn't sent; raises when it wasn't taken."""
    webhook = Webhook.objects.select_related("user").get(pk=payload["webhook"])
    if webhook.ended_at is not None or not webhook.user.is_active:
        _note(message_id, OVER)
        return
    kind = payload["event"].partition(".")[0]
    with acting_as(webhook.user):
        about = TELLERS[kind](payload["subject"], webhook.user)
    if about is None:
        _note(message_id, NOT_SEEN)
        return
    at = Outbox.objects.values_list("created_at", flat=True).get(message_id=message_id)
    told = {"id": str(message_id), "event": payload["event"], "at": at.isoformat(), **about}
    body = json.dumps(told, separators=(",", ":"), sort_keys=True).encode()
    timestamp = int(clinic_time.now().timestamp())
    signed = signature(secret_of(webhook), timestamp, body)
    headers = {
        "Content-Type": "application/json",
        "Outcomes-Event-Id": str(message_id),
        "Outcomes-Signature": f"t={timestamp},v1={signed}",
    }
    post(webhook.url, body, headers)


def _note(message_id: Any, why: str) -> None:
    Outbox.objects.filter(message_id=message_id).update(last_problem=why)


def waiting_of(webhook: Webhook) -> Any:
    return Outbox.objects.filter(kind=KIND, payload__webhook=webhook.pk, sent_at=None)


def last_of(webhook: Webhook, count: int) -> list[Outbox]:
    """The newest events of a subscription, taken or not; no bodies are kept."""
    rows = Outbox.objects.filter(kind=KIND, payload__webhook=webhook.pk)
    return list(rows.order_by("-pk")[:count])


def sweep() -> int:
    """Send what is due, subscription by subscription; returns how many were taken.

    The first of a subscription that isn't taken ends its turn: a receiver that is away costs one
    attempt, and order is kept. A sweep that takes longer than a minute has others beside it.
    """
    taken = 0
    with acting_as(BY):
        awake = list(
            Webhook.objects.filter(ended_at=None, rests_since=None)
            .exclude(agreed_at=None)
            .order_by("pk")
        )
    for webhook in awake:
        with acting_as(BY):
            rows = list(waiting_of(webhook).order_by("pk").values_list("pk", "due_at")[:AT_ONCE])
        for pk, due_at in rows:
            if due_at > clinic_time.now():
                break  # the oldest was refused: it is tried first, once its pause is over
            if outbox.deliver(pk):
                taken += 1
                continue
            with acting_as(BY):
                left = waiting_of(webhook).filter(pk=pk).exists()
            if left:
                break  # refused, or another sweep is sending it: none overtakes it
        _note_how_it_went(webhook)
    return taken


def _note_how_it_went(webhook: Webhook) -> None:
    from sessions_app.actions.webhooks import let_rest

    now = clinic_time.now()
    with acting_as(BY):
        refused = waiting_of(webhook).filter(attempts__gt=0).exists()
        sent = Outbox.objects.filter(
            kind=KIND, payload__webhook=webhook.pk, sent_at__isnull=False
        ).exclude(last_problem__in=(NOT_SEEN, OVER))
        row = Webhook.objects.select_for_update().get(pk=webhook.pk)
        newest = sent.order_by("-pk").values_list("sent_at", flat=True).first()
        if newest is not None:
            row.last_taken_at = max(newest, row.last_taken_at or newest)
        if not refused:
            row.failing_since = None
        elif row.failing_since is None or (newest is not None and newest > row.failing_since):
            row.failing_since = now
        row.save(update_fields=["last_taken_at", "failing_since"])
        if row.failing_since is not None and now - row.failing_since >= RESTS_AFTER:
            let_rest(webhook=row, by=BY)


def tell_that_it_rests(payload: dict[str, Any], message_id: Any) -> None:
    """Mail to who looks after accounts: which subscription rests; no address, nobody's name."""
    person = User.objects.get(pk=payload["user"])
    mail.send(
        to=person.email,
        subject="Another system takes no events any more",
        text=(
            "For some days none of what we sent to a system of the clinic was taken. It isn't "
            "tried any more until you say so; nothing is lost meanwhile.\n\n"
            f"{mail.address_of('webhook', payload['webhook'])}\n"
        ),
        message_id=message_id,
    )
