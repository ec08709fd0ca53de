"""Which other systems are told of new scores and flags, and did they take it?"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from sessions_app import access, actions, presence, rights, webhooks
from sessions_app.forms import add_problems
from sessions_app.models import User, Webhook

SHOWN = 50


class WebhookForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Which system"), max_length=80)
    url = forms.CharField(
        label=gettext_lazy("Address"),
        help_text=gettext_lazy("Beginning with https://, as that system's documentation says."),
        max_length=500,
        widget=forms.URLInput,
    )
    events = forms.MultipleChoiceField(
        label=gettext_lazy("It is told of"),
        choices=Webhook.Event.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    person = forms.ModelChoiceField(
        label=gettext_lazy("It stands for"),
        help_text=gettext_lazy(
            "It is told what this person sees, and nothing before they agree, among their keys."
        ),
        queryset=User.objects.none(),
    )

    def __init__(self, *args: Any, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.fields["person"].queryset = (  # type: ignore[attr-defined]  # a choice of people
            access.who_may_confer().order_by("name")
        )


@rights.needs("manage_people")
@presence.recently("POST")
def index(request: HttpRequest) -> HttpResponse:
    form, secret, made = WebhookForm(request.POST or None), "", None
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = actions.make_webhook(**form.cleaned_data, by=request.user)
            form = WebhookForm()
        except ValidationError as problem:
            add_problems(form, problem)
    context = {
        "form": form,
        "secret": secret,
        "made": made,
        "webhooks": Webhook.objects.select_related("user"),
    }
    return render(request, "people/webhooks.html", context, status=422 if form.errors else 200)


@rights.needs("manage_people")
def show(request: HttpRequest, pk: int) -> HttpResponse:
    """What became of the newest events of one subscription; what they said isn't kept."""
    webhook = get_object_or_404(Webhook.objects.select_related("user"), pk=pk)
    context = {
        "webhook": webhook,
        "rows": webhooks.last_of(webhook, SHOWN),
        "not_sent": (webhooks.NOT_SEEN, webhooks.OVER),
        "waiting": webhooks.waiting_of(webhook).count(),
    }
    return render(request, "people/webhook.html", context)


@require_POST
@rights.needs("see_clinical", "manage_people")
@presence.recently("POST")
def end(request: HttpRequest, pk: int) -> HttpResponse:
    looks_after = rights.may(request.user, "manage_people")
    mine = Q() if looks_after else Q(user=request.user)
    webhook = get_object_or_404(Webhook.objects.filter(mine), pk=pk)
    actions.end_webhook(webhook=webhook, by=request.user)
    messages.success(request, _("It is told nothing more."))
    return redirect("webhooks" if looks_after else "keys")


@require_POST
@rights.needs("see_clinical")
@presence.recently("POST")
def agree(request: HttpRequest, pk: int) -> HttpResponse:
    webhook = get_object_or_404(Webhook, pk=pk, user=request.user, ended_at=None)
    actions.agree_to_webhook(webhook=webhook, by=request.user)
    messages.success(request, _("From now on it is told what you see."))
    return redirect("keys")


@require_POST
@rights.needs("manage_people")
@presence.recently("POST")
def wake(request: HttpRequest, pk: int) -> HttpResponse:
    webhook = get_object_or_404(Webhook, pk=pk, ended_at=None)
    actions.wake_webhook(webhook=webhook, by=request.user)
    messages.success(request, _("What waited is sent within some minutes."))
    return redirect("webhook", pk=pk)
