"""Which other systems act in my name, and until when?"""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from sessions_app import actions, clinic_time, presence, rights
from sessions_app.actions.keys import LONGEST_DAYS, RIGHTS
from sessions_app.forms import add_problems
from sessions_app.models import ApiKey, Webhook


class KeyForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Which system"),
        help_text=gettext_lazy("So that you know in a year what this was for."),
        max_length=80,
    )
    days = forms.IntegerField(
        label=gettext_lazy("For how many days"), min_value=1, max_value=LONGEST_DAYS, initial=365
    )
    may_write = forms.BooleanField(
        label=gettext_lazy("It may also record scores, not only read"), required=False
    )


@rights.needs(*RIGHTS, "manage_people")
@presence.recently("POST")
def index(request: HttpRequest) -> HttpResponse:
    form, text = KeyForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            _key, text = actions.make_key(**form.cleaned_data, by=request.user)
            form = KeyForm()
        except ValidationError as problem:
            add_problems(form, problem)
    context = {
        "form": form if any(rights.may(request.user, right) for right in RIGHTS) else None,
        "text": text,
        "own": ApiKey.objects.filter(user=request.user),  # type: ignore[misc]  # signed in
        "told": Webhook.objects.filter(user=request.user, ended_at=None),  # type: ignore[misc]  # signed in
        "others": ApiKey.objects.filter(revoked_at=None, expires_on__gte=clinic_time.today())
        .exclude(user=request.user)  # type: ignore[misc]  # signed in
        .select_related("user")
        if rights.may(request.user, "manage_people")
        else (),
        "today": clinic_time.today(),
    }
    return render(request, "people/keys.html", context, status=422 if form.errors else 200)


@require_POST
@rights.needs(*RIGHTS, "manage_people")
@presence.recently("POST")
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    mine = Q() if rights.may(request.user, "manage_people") else Q(user=request.user)
    key = get_object_or_404(ApiKey.objects.filter(mine), pk=pk)
    actions.revoke_key(key=key, by=request.user)
    messages.success(request, _("The key opens nothing any more."))
    return redirect("keys")
