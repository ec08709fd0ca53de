from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError

from sessions_app import audit, clinic_time, outbox, rights, sealing, webhooks
from sessions_app.atomic import action
from sessions_app.context import user_of
from sessions_app.models import RoleGrant, User, Webhook
from sessions_app.outgoing import NotAllowed, checked


@action
def make_webhook(
    *, name: str, url: str, events: Sequence[str], person: User, by: Any
) -> tuple[Webhook, str]:
    """Subscribe another system to events; its secret is returned here and never again.

    Nothing is sent until `person`, for whom it stands, agrees: an administrator would else see
    clinical rows at an address of their choice.
    """
    rights.require(by, "manage_people")
    if not name.strip():
        raise ValidationError({"name": "Say which system it is."})
    try:
        checked(url)
    except NotAllowed as problem:
        raise ValidationError({"url": str(problem)}) from None
    wanted = [event for event in Webhook.Event.values if event in events]
    if not wanted or len(wanted) != len(set(events)):
        raise ValidationError({"events": "Choose what it is told."})
    if not person.is_active or not rights.may(person, "see_clinical"):
        raise ValidationError({"person": "Choose somebody who treats or supervises."})
    handle, sealed, secret = webhooks.new_secret()
    row = Webhook.objects.create(
        name=name.strip(),
        url=url,
        events=wanted,
        user=person,
        handle=handle,
        secret_sealed=sealed,
        created_by=user_of(by),
    )
    audit.record(
        "webhook made", subject_kind="webhook", subject=handle, by=by,
        events=wanted, person=str(person.public_id),
    )  # fmt: skip
    return row, secret


def _of_ones_own(webhook: Webhook, by: Any) -> bool:
    user = user_of(by)
    return user is not None and user.pk == webhook.user_id


@action
def agree_to_webhook(*, webhook: Webhook, by: Any) -> Webhook:
    """Let a subscription stand for oneself: from now on it is told what one sees."""
    rights.require(by, "see_clinical")
    row = Webhook.objects.select_for_update().get(pk=webhook.pk)
    if not _of_ones_own(row, by):
        raise PermissionDenied("Whoever it stands for agrees, nobody else.")
    if row.ended_at is not None:
        raise ValidationError("It was ended meanwhile.")
    if row.agreed_at is None:
        row.agreed_at = clinic_time.now()
        row.save(update_fields=["agreed_at"])
        audit.record("webhook agreed to", subject_kind="webhook", subject=row.handle, by=by)
    return row


@action
def end_webhook(*, webhook: Webhook, by: Any) -> Webhook:
    """Tell it nothing more; what waits isn't sent. By who it stands for, or an administrator."""
    if not _of_ones_own(webhook, by):
        rights.require(by, "manage_people")
    row = Webhook.objects.select_for_update().get(pk=webhook.pk)
    if row.ended_at is None:
        row.ended_at = clinic_time.now()
        row.save(update_fields=["ended_at"])
        webhooks.waiting_of(row).update(sent_at=row.ended_at, last_problem=webhooks.OVER)
        audit.record("webhook ended", subject_kind="webhook", subject=row.handle, by=by)
    return row


@action
def let_rest(*, webhook: Webhook, by: Any) -> Webhook:
    """Try no more for now; whoever looks after accounts is told."""
    rights.require(by, "rest_webhooks")
    row = Webhook.objects.select_for_update().get(pk=webhook.pk)
    if row.rests_since is not None or row.ended_at is not None:
        return row
    now = clinic_time.now()
    row.rests_since, row.failing_since = now, row.failing_since or now
    row.save(update_fields=["rests_since", "failing_since"])
    today = clinic_time.today()
    holders = RoleGrant.objects.filter(
        rights.in_force(today), role=rights.ADMINISTRATOR, from_on__lte=today, user__is_active=True
    )
    for person in sorted(set(holders.values_list("user_id", flat=True))):
        outbox.promise(webhooks.RESTS_MAIL, {"webhook": row.pk, "user": person})
    audit.record("webhook rests", subject_kind="webhook", subject=row.handle, by=by)
    return row


@action
def wake_webhook(*, webhook: Webhook, by: Any) -> Webhook:
    """Try again: what waited is sent in its order."""
    rights.require(by, "manage_people")
    row = Webhook.objects.select_for_update().get(pk=webhook.pk)
    row.failing_since = row.rests_since = None
    row.save(update_fields=["failing_since", "rests_since"])
    webhooks.waiting_of(row).update(due_at=clinic_time.now(), attempts=0)
    audit.record("webhook woken", subject_kind="webhook", subject=row.handle, by=by)
    return row


@action
def reseal_webhooks(*, by: Any) -> int:
    """Seal every secret that an older master key sealed under the current one; how many."""
    rights.require(by, "rotate_keys")
    count = 0
    for row in Webhook.objects.select_for_update():
        if sealing.sealed_under(row.secret_sealed) != settings.MASTER_KEY_ID:
            place = f"{webhooks.PLACE}:{row.handle}"
            row.secret_sealed = sealing.seal_text(
                sealing.open_text(row.secret_sealed, place), place
            )
            row.save(update_fields=["secret_sealed"])
            count += 1
    if count:
        audit.record("webhook secrets sealed anew", by=by, webhooks=count)
    return count
