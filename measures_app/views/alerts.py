"""An answer that can't wait: seen by somebody, and what was done about it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy

from measures_app import alerts
from measures_app.actions import close_alert, see_alert
from measures_app.models import FlagEvent, ItemAlert
from sessions_app import audit, rights
from sessions_app.forms import add_problems

TOLD = {
    "raised": gettext_lazy("answered"),
    f"told: {alerts.CLINICIAN}": gettext_lazy("the clinician was told"),
    f"told: {alerts.COVER}": gettext_lazy("the others who treat were told"),
    f"told: {alerts.SUPERVISOR}": gettext_lazy("the supervisor was told"),
    f"told: {alerts.DUTY}": gettext_lazy("who is on duty was told"),
    "seen": gettext_lazy("seen"),
    "done": gettext_lazy("something was done"),
}


class DoneForm(forms.Form):
    done = forms.CharField(
        label=gettext_lazy("What was done"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": gettext_lazy("Say what was done.")},
    )


def _alert_or_404(pk: int, user: Any) -> ItemAlert:
    rows = ItemAlert.objects.visible_to(user).select_related(*alerts.NEEDED, "done_by")
    alert = rows.filter(pk=pk).first()
    if alert is None:
        raise Http404
    return alert


def _contact(alert: ItemAlert) -> str:
    known = alert.client.identity.opened() if hasattr(alert.client, "identity") else {}
    return ", ".join(known[name] for name in ("phone", "email") if known.get(name))


def _whereabouts(alert: ItemAlert) -> str:
    """Where the client was at a session by video or phone, and the number they gave."""
    session = alert.administration.session
    if session is None:
        return ""
    session.client = alert.client
    return ", ".join(session.whereabouts.values())


@rights.needs("decide")
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    """What was answered, who knows of it, and what is done about it?"""
    found = _alert_or_404(pk, request.user)
    audit.client_read(found.client, "item alert")
    if request.method == "POST" and request.POST.get("do") == "seen":
        see_alert(alert=found, by=request.user)
        return redirect("alert", pk)
    form = DoneForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            close_alert(alert=found, done=form.cleaned_data["done"], by=request.user)
            return redirect("alert", pk)
        except ValidationError as problem:
            add_problems(form, problem)
    events = list(FlagEvent.objects.filter(flag=found.flag_id))
    for event in events:
        event.words = TOLD.get(event.why, event.why)
    context = {
        "client": found.client,
        "shown": alerts.shown(found),
        "contact": _contact(found),
        "whereabouts": _whereabouts(found),
        "events": events,
        "form": form,
    }
    return render(request, "entry/alert.html", context, status=422 if form.errors else 200)
