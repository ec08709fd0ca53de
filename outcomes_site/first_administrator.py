"""A new clinic's first account: one page, opened by a one-time token that the start prints."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

from django import forms
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from sessions_app import rates
from sessions_app.actions import people
from sessions_app.context import acting_as, system
from sessions_app.models import Installation, RoleGrant, User
from sessions_app.second_factor import BACKEND


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def issue_token() -> str | None:
    """A fresh token, the only one that opens the page; None when there are people already."""
    with acting_as(system("start")):
        if User.objects.exists():
            return None
        token = secrets.token_urlsafe(32)
        Installation.objects.update_or_create(
            id=1, defaults={"first_admin_token_hash": _hash(token)}
        )
    return token


def path_of(token: str) -> str:
    return reverse("first_administrator", args=[token])


class FirstAdministratorForm(forms.Form):
    clinic_name = forms.CharField(label=_("Name of the clinic"), max_length=120)
    name = forms.CharField(label=_("Your name"), max_length=120)
    email = forms.EmailField(label=_("Your e-mail address"))
    password = forms.CharField(
        label=_("Password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters, and not a common one."),
    )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("password"):
            person = User(email=found.get("email", ""), name=found.get("name", ""))
            try:
                validate_password(found["password"], person)
            except ValidationError as problem:
                self.add_error("password", problem)
        return found


@transaction.atomic
def create(*, token: str, clinic_name: str, name: str, email: str, password: str) -> User:
    """Use the token up: the first account, an administrator for the whole clinic.

    Raises `Http404` when the token isn't the current one or somebody was first.
    """
    with acting_as(system("start")) as start:
        installation = Installation.objects.select_for_update().filter(id=1).first()
        kept = installation.first_admin_token_hash if installation else ""
        if installation is None or not kept or not hmac.compare_digest(kept, _hash(token)):
            raise Http404
        if User.objects.exists():
            raise Http404
        installation.first_admin_token_hash = ""
        installation.clinic_name = clinic_name
        installation.save(update_fields=["first_admin_token_hash", "clinic_name"])
        user = people.add_user(email=email, name=name, password=password, by=start)
        people.grant_role(user=user, role=RoleGrant.Role.ADMINISTRATOR, by=start)
    return user


def _opens(token: str) -> bool:
    installation = Installation.objects.filter(id=1).first()
    kept = installation.first_admin_token_hash if installation else ""
    return bool(kept) and hmac.compare_digest(kept, _hash(token)) and not User.objects.exists()


@never_cache
@sensitive_post_parameters("password")
def page(request: HttpRequest, token: str) -> HttpResponse:
    """The form; with any other token, or once there are people, it is as if it weren't there."""
    if not _opens(token):
        if wait := rates.wait_for(rates.UNKNOWN_TOKENS, rates.address_of(request)):
            return rates.slow_down(request, wait)
        raise Http404
    form = FirstAdministratorForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = create(token=token, **form.cleaned_data)
        login(request, user, backend=BACKEND)
        return redirect("/")
    return render(request, "people/first_administrator.html", {"form": form})
