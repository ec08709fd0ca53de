from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.mfa.base.views import IndexView
from django import forms
from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from sessions_app import audit, kept_forms, lock_out, presence, second_factor, single_sign_on
from sessions_app.context import ANONYMOUS, person

STAYS_AT = "stays_at"  # in the session of a device in clients' hands: its one page


class SignInForm(AuthenticationForm):
    username = forms.EmailField(
        label=_("E-mail address"),
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )
    error_messages = {
        "invalid_login": _("This address and password don't belong together."),
        "inactive": _("This account is closed."),
    }


class SignIn(auth_views.LoginView):
    template_name = "people/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Whoever swipes back on a device in clients' hands finds its one page again."""
        if STAYS_AT in request.session:
            return redirect(request.session[STAYS_AT])
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        kept = kept_forms.KEPT in self.request.session
        return super().get_context_data(**more, elsewhere=settings.SSO, kept=kept)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """The password is right; allauth asks for the second factor, or signs in."""
        user = form.get_user()
        # Who typed the password just now isn't asked for it again a page later.
        record_authentication(self.request, user, method="password", reauthenticated=True)
        return perform_login(self.request, Login(user=user, redirect_url=self.get_success_url()))


class SecondFactors(IndexView):
    """allauth's page of a person's factors; it says when one has to be set up first."""

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        asked = settings.SECOND_FACTORS and not second_factor.met(self.request)
        return super().get_context_data(**more, asked=asked)


class SignOut(auth_views.LogoutView):
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        came_by_it = second_factor.ELSEWHERE in request.session
        response = super().post(request, *args, **kwargs)
        # Else the next person at this device is signed in there as the one before.
        elsewhere = single_sign_on.sign_out_address(request) if came_by_it else ""
        if elsewhere:
            response = HttpResponseRedirect(elsewhere)
        # Not the cookies: the session's is void, and a known device stays known for its day.
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response


@receiver(user_logged_in)
def signed_in(sender: Any, request: HttpRequest, user: Any, **rest: Any) -> None:
    lock_out.forget(user)
    presence.begin(request, user)
    if request.session.get(kept_forms.KEPT, {}).get("who") != str(user.public_id):
        kept_forms.forget(request)
    # Noted before the session was theirs, so nobody else's is taken for it.
    there = request.session.get(second_factor.ELSEWHERE, {})
    how = {"how": "single sign-on"} if there.get("of") == user.pk else {}
    if not how:
        request.session.pop(second_factor.ELSEWHERE, None)
    audit.record("signed in", subject_kind="user", subject=user.public_id, by=person(user), **how)


@receiver(user_logged_out)
def signed_out(sender: Any, request: HttpRequest, user: Any, **rest: Any) -> None:
    if user is not None:
        audit.record("signed out", subject_kind="user", subject=user.public_id, by=person(user))


@receiver(user_login_failed)
def not_signed_in(sender: Any, **rest: Any) -> None:
    # The address tried is not kept: people type their password there.
    audit.record("sign-in refused", by=ANONYMOUS)
