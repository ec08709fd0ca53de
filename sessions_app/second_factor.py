"""The second factor: who must have one, where its secrets lie, and what waits until it is set up.

django-allauth keeps the factors (an app's codes, passkeys, recovery codes) and asks for them
between password and session. Here are the clinic's rules around it: its policy by role, secrets
sealed under the master key, and a middleware that leads whoever must have a factor and has none
to the page where it is set up, whichever page they asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed, authenticator_added, authenticator_removed
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, login
from django.contrib.sessions.models import Session
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from sessions_app import audit, policies, rights, sealing
from sessions_app.context import acting_as
from sessions_app.keys import DOORS

BACKEND = "sessions_app.at_each_request.Accounts"
PLACE = "second factor"  # what a sealed secret is bound to
ELSEWHERE = "single_sign_on"  # in the session: of whom, and whether its second factor counts
SHOWN_NOW = "second_factor_shown"  # of the one request that brings somebody back from there
MET = "second_factor_met"  # in the session: for whom the rule was found kept
OPEN = ("/second-factor/", "/sign-in/", "/sign-out/", "/static/", "/healthz", "/readyz",
        "/presence/", "/unlock/", "/lock/")  # fmt: skip
SECRETS = ("secret", "seed")  # of an app; of recovery codes


def seal(text: str) -> str:
    return sealing.seal_text(text, PLACE)


def unseal(sealed: str) -> str:
    return sealing.open_text(sealed, PLACE)


def reseal() -> int:
    """Seal every secret that an older master key sealed under the current one; how many."""
    count = 0
    for factor in Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN):
        old = {
            name: text
            for name, text in factor.data.items()
            if name in SECRETS and sealing.sealed_under(text) != settings.MASTER_KEY_ID
        }
        if old:
            factor.data |= {name: seal(unseal(text)) for name, text in old.items()}
            factor.save(update_fields=["data"])
            count += 1
    return count


def end_sessions(user: Any) -> int:
    """End every session of a person, wherever; how many. Sessions live twelve hours at most."""
    ended = 0
    for session in Session.objects.filter(expire_date__gte=timezone.now()).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
            ended += 1
    return ended


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up; allauth's own notices are left to our pages."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def login(self, request: HttpRequest, user: Any) -> None:
        login(request, user, backend=BACKEND)

    def get_login_stages(self) -> list[str]:
        """Between password and session: none where a second factor that counts was just shown."""
        stages = super().get_login_stages()
        if getattr(self.request, SHOWN_NOW, False):
            return [stage for stage in stages if not stage.startswith("allauth.mfa.")]
        return stages

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Ways to show who is there before factors change; whoever came from there, there too."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if settings.SSO and ELSEWHERE in self.request.session:
            way = {
                "id": "single_sign_on",
                "description": settings.SSO["name"],
                "url": reverse("single_sign_on_again"),
            }
            methods.append(way)
        return methods

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        if message:
            messages.add_message(request, level, message, extra_tags=extra_tags)


class SecondFactorAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("This code isn't the one of now: wait for the next and type that."),
    }

    def get_totp_issuer(self) -> str:
        from sessions_app.models import Installation

        installation = Installation.objects.first()
        return (installation and installation.clinic_name) or "Clinic outcomes"

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return str(_("Passkey %(number)d") % {"number": count + 1})

    def encrypt(self, text: str) -> str:
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text)


def has_one(user: Any) -> bool:
    """Whether the person has a factor besides recovery codes."""
    factors = Authenticator.objects.filter(user_id=user.pk)
    return bool(factors.exclude(type=Authenticator.Type.RECOVERY_CODES).exists())


def shown_elsewhere(request: HttpRequest) -> bool:
    """Whether this session began with the provider's own second factor, which counted."""
    there = request.session.get(ELSEWHERE, {})
    return bool(there.get("factor")) and there.get("of") == request.user.pk


def waived() -> bool:
    """A demo on loopback has made-up people: its banner says so on every page."""
    from sessions_app.models import Installation

    return settings.IS_LOCAL and Installation.objects.filter(demo=True).exists()


def must_have_one(user: Any) -> bool:
    """Whether the clinic's policy asks a second factor of any of the person's roles."""
    in_force = policies.all_on()
    return any(in_force[f"second_factor_{role}"] for role in rights.roles(user))


def met(request: HttpRequest) -> bool:
    """Whether the person signed in has the factor that the clinic asks of them, or needs none."""
    # Found once a session: pages ask the database nothing more for it.
    if request.session.get(MET) == request.user.pk:
        return True
    user = request.user
    if shown_elsewhere(request):
        return True
    if has_one(user) or not must_have_one(user) or waived():
        request.session[MET] = user.pk
        return True
    return False


class SecondFactorMiddleware:
    """Whoever must have a second factor and has none is led to set it up before anything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (
            settings.SECOND_FACTORS
            and request.user.is_authenticated
            # A key was made by somebody who had signed in whole, and has no session to note it in.
            and not hasattr(request, "api_key")
            and not request.path.startswith(OPEN)
            and not met(request)
        ):
            if request.path.startswith(DOORS):
                why = _("Set up your second factor first.")
                return JsonResponse({"detail": str(why)}, status=403)
            return redirect("mfa_index")
        return self.get_response(request)


def _record(what: str, user: Any, authenticator: Any) -> None:
    with acting_as(user):
        audit.record(
            what, subject_kind="user", subject=user.public_id, by=user, kind=authenticator.type
        )


@receiver(authenticator_added)
def added(sender: Any, user: Any, authenticator: Any, **rest: Any) -> None:
    _record("second factor added", user, authenticator)


@receiver(authenticator_removed)
def removed(sender: Any, request: HttpRequest, user: Any, authenticator: Any, **rest: Any) -> None:
    request.session.pop(MET, None)
    _record("second factor removed", user, authenticator)


@receiver(authentication_failed)
def refused(sender: Any, user: Any, authenticator: Any, **rest: Any) -> None:
    _record("second factor refused", user, authenticator)
