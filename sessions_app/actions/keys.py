from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError

from sessions_app import audit, clinic_time, keys, rights
from sessions_app.atomic import action
from sessions_app.context import user_of
from sessions_app.models import ApiKey

LONGEST_DAYS = 730
# Those of the doors for machines: a key without one of them would open nothing.
RIGHTS = ("see_clinical", "see_registry")


@action
def make_key(*, name: str, days: int, may_write: bool, by: Any) -> tuple[ApiKey, str]:
    """A key for another system in one's own name; its text is returned here and never again.

    Nobody makes a key for somebody else: an administrator would see clinical rows through it.
    """
    person = user_of(by)
    if person is None or not any(rights.may(person, right) for right in RIGHTS):
        raise PermissionDenied("A key stands for a person who sees clients.")
    if not name.strip():
        raise ValidationError({"name": "Say which system will use it."})
    if not 1 <= days <= LONGEST_DAYS:
        raise ValidationError({"days": f"Between 1 and {LONGEST_DAYS} days."})
    handle, secret_hash, text = keys.new()
    key = ApiKey.objects.create(
        user=person,
        name=name.strip(),
        handle=handle,
        secret_hash=secret_hash,
        may_write=may_write,
        expires_on=clinic_time.today() + timedelta(days=days),
    )
    audit.record(
        "API key made", subject_kind="key", subject=handle, by=by, days=days, may_write=may_write
    )
    return key, text


@action
def revoke_key(*, key: ApiKey, by: Any) -> ApiKey:
    """End a key now: one's own, or anybody's for whoever looks after accounts."""
    if user_of(by) is None or user_of(by).pk != key.user_id:
        rights.require(by, "manage_people")
    if key.revoked_at is None:
        key.revoked_at = clinic_time.now()
        key.save(update_fields=["revoked_at"])
        audit.record("API key revoked", subject_kind="key", subject=key.handle, by=by)
    return key
