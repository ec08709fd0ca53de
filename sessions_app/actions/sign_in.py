from __future__ import annotations

from itertools import pairwise
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from sessions_app import audit, live_sign_ins, lock_out, presence, rights, second_factor
from sessions_app.atomic import action
from sessions_app.context import user_of
from sessions_app.models import User


@action
def unlock_account(*, user: User, by: Any) -> None:
    """Forget an account's wrong passwords: it needn't wait any longer."""
    rights.require(by, "manage_people")
    lock_out.forget(user)
    audit.record("account unlocked", subject_kind="user", subject=user.public_id, by=by)


@action
def take_off_second_factor(*, user: User, by: Any) -> None:
    """A phone or key is lost: the factors go, and recovery codes with them.

    Sessions end and devices are no longer known. Nobody does it for themselves: who sits down at
    an administrator's place could. Raises `ValidationError` then.
    """
    rights.require(by, "manage_people")
    if user_of(by) == user:
        raise ValidationError("Another administrator takes off yours.")
    Authenticator.objects.filter(user=user).delete()
    User.objects.filter(pk=user.pk).update(unlock_pin="")
    second_factor.end_sessions(user)
    audit.record("second factor taken off", subject_kind="user", subject=user.public_id, by=by)


@action
def link_single_sign_on(*, user: User, subject: str, by: Any) -> None:
    """Say by which number the clinic's sign-in service knows an account; an empty one takes it off.

    Taking it off ends the account's sign-ins. Raises `ValidationError` for a number that is
    somebody else's, and for one's own account: who sits at an administrator's place could.
    """
    rights.require(by, "manage_people")
    if user_of(by) == user:
        raise ValidationError(_("Another administrator links yours."))
    issuer = settings.SSO["issuer"]
    if len(subject) > 191:
        raise ValidationError(_("This is too long for a number of the sign-in service."))
    others = SocialAccount.objects.filter(provider=issuer, uid=subject).exclude(user=user)
    if subject and others.exists():
        raise ValidationError(_("Another account has this number."))
    SocialAccount.objects.filter(provider=issuer, user=user).delete()
    if subject:
        SocialAccount.objects.create(provider=issuer, user=user, uid=subject, extra_data={})
    else:
        second_factor.end_sessions(user)
    what = "single sign-on linked" if subject else "single sign-on taken off"
    audit.record(what, subject_kind="user", subject=user.public_id, by=by)


@action
def reseal_second_factors(*, by: Any) -> int:
    """Seal the second factors' secrets under the current master key; how many it were."""
    rights.require(by, "rotate_keys")
    count = second_factor.reseal()
    if count:
        audit.record("second factors resealed", by=by, count=count)
    return count


@action
def set_unlock_pin(*, user: User, pin: str, by: Any) -> None:
    """Choose the PIN that takes up a sign-in of one's own that rests; an empty one takes it off.

    Raises `ValidationError` for one that is guessed at once.
    """
    if user_of(by) != user:
        raise PermissionDenied("Each person chooses their own PIN.")
    if pin and not presence.PIN.match(pin):
        raise ValidationError({"pin": _("Four to eight digits.")})
    steps = {int(b) - int(a) for a, b in pairwise(pin)}
    if pin and len(steps) == 1 and steps <= {-1, 0, 1}:
        raise ValidationError({"pin": _("This one is guessed at once: choose another.")})
    user.unlock_pin = make_password(pin) if pin else ""
    user.save(update_fields=["unlock_pin"])
    what = "unlock PIN set" if pin else "unlock PIN taken off"
    audit.record(what, subject_kind="user", subject=user.public_id, by=by)


@action
def end_sign_in(*, user: User, handle: str, by: Any, spared: str = "") -> int:
    """End one sign-in of a person, or with an empty handle all but the spared; how many.

    One's own, or anybody's for whoever looks after accounts.
    """
    if user_of(by) != user:
        rights.require(by, "manage_people")
    ended = 0
    for row, _here in live_sign_ins.sessions_of(user):
        wanted = not handle or live_sign_ins.handle_of(row.session_key) == handle
        if wanted and row.session_key != spared:
            row.delete()
            ended += 1
    audit.record("sign-ins ended", subject_kind="user", subject=user.public_id, by=by, count=ended)
    return ended
