from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.db import transaction

from sessions_app import access, audit, lock_out, second_factor
from sessions_app.context import user_of
from sessions_app.models import User


@transaction.atomic
def unlock_account(*, user: User, by: Any) -> None:
    """Forget an account's wrong passwords: it needn't wait any longer."""
    access.require(by, "manage_people")
    lock_out.forget(user)
    audit.record("account unlocked", subject_kind="user", subject=user.public_id, by=by)


@transaction.atomic
def take_off_second_factor(*, user: User, by: Any) -> None:
    """A phone or key is lost: the factors go, and recovery codes with them.

    Sessions end and devices are no longer known. Nobody does it for themselves: who sits down at
    an administrator's place could. Raises `ValidationError` then.
    """
    access.require(by, "manage_people")
    if user_of(by) == user:
        raise ValidationError("Another administrator takes off yours.")
    Authenticator.objects.filter(user=user).delete()
    second_factor.end_sessions(user)
    audit.record("second factor taken off", subject_kind="user", subject=user.public_id, by=by)


@transaction.atomic
def reseal_second_factors(*, by: Any) -> int:
    """Seal the second factors' secrets under the current master key; how many it were."""
    access.require(by, "rotate_keys")
    count = second_factor.reseal()
    if count:
        audit.record("second factors resealed", by=by, count=count)
    return count
