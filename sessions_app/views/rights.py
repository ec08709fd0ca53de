"""The clinic's part of clients' rights: its statement, how long it keeps, and emergencies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from sessions_app import (
    actions,
    audit,
    clinic_time,
    consent,
    emergency,
    policies,
    presence,
    rates,
    retention,
    rights,
)
from sessions_app.context import acting_as, system
from sessions_app.forms import LANGUAGES, DayInput, add_problems, choose
from sessions_app.models import EmergencyAccess, Programme, RetentionRule

AHEAD = timedelta(days=90)
SHOWN = 50


class StatementForm(forms.Form):
    asks_again = forms.BooleanField(
        label=gettext_lazy(
            "Show it before the next form to those too who agreed to an earlier one"
        ),
        required=False,
        initial=True,
    )

    def __init__(self, *args: Any, texts: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = dict(LANGUAGES)
        own = {
            language: forms.CharField(
                label=names.get(language, language),
                initial=text,
                max_length=4000,
                widget=forms.Textarea(attrs={"rows": 9, "lang": language}),
            )
            for language, text in texts.items()
        }
        self.fields = own | self.fields


@rights.needs("manage_policies")
@presence.recently("POST")
def statement(request: HttpRequest) -> HttpResponse:
    """What are clients told about who sees their scores?"""
    version, texts, _asking = consent.versions()
    form = StatementForm(request.POST or None, texts=texts)
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        try:
            actions.set_statement(texts=given, asks_again=given["asks_again"], by=request.user)
            messages.success(request, _("Kept: it stands before the next form of each."))
            return redirect("statement")
        except ValidationError as problem:
            add_problems(form, problem)
    context = {"form": form, "version": version}
    return render(request, "people/statement.html", context, status=422 if form.errors else 200)


class RetentionForm(forms.Form):
    programme = choose(Programme.objects.all(), gettext_lazy("Programme"))
    years = forms.IntegerField(
        label=gettext_lazy("Years after the end of care"), min_value=1, max_value=100
    )


@rights.needs("manage_policies")
@presence.recently("POST")
def keep_for(request: HttpRequest) -> HttpResponse:
    """How long do we know who somebody was?"""
    form = RetentionForm(request.POST if request.POST.get("form") == "rule" else None)
    if request.POST.get("form") == "end":
        programme = Programme.objects.filter(pk=request.POST.get("programme") or 0).first()
        if programme is None:
            raise Http404
        actions.end_retention(programme=programme, by=request.user)
        return redirect("retention")
    if form.is_bound and form.is_valid():
        try:
            actions.set_retention(**form.cleaned_data, by=request.user)
            messages.success(request, _("Decided. It reaches nobody before tomorrow's night."))
            return redirect("retention")
        except ValidationError as problem:
            add_problems(form, problem)
    today = clinic_time.today()
    with acting_as(system("retention preview")):  # codes and days: an administrator sees no more
        due = retention.due_until(today + AHEAD)
    context = {
        "form": form,
        "rules": RetentionRule.objects.filter(to_on=None).select_related("programme"),
        "due": due[:SHOWN],
        "more": max(0, len(due) - SHOWN),
        "until": today + AHEAD,
    }
    return render(request, "people/retention.html", context, status=422 if form.errors else 200)


class EmergencyForm(forms.Form):
    who = forms.CharField(max_length=120, label=gettext_lazy("Code, own number, or the whole name"))
    birth_date = forms.DateField(
        required=False, widget=DayInput(), label=gettext_lazy("Date of birth, with a name")
    )
    reason = forms.CharField(
        max_length=1000,
        label=gettext_lazy("What is the emergency?"),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    hours = forms.IntegerField(min_value=1, label=gettext_lazy("For how many hours"))


@rights.needs("see_clinical", "manage_people")
def emergencies(request: HttpRequest) -> HttpResponse:
    """Whose record was opened in an emergency, and may I open one?"""
    most = policies.get("emergency_hours")
    may_open = rights.may(request.user, "see_clinical")
    form = EmergencyForm(request.POST or None, initial={"hours": most})
    if request.method == "POST" and not may_open:
        raise Http404
    if request.method == "POST" and form.is_valid():
        answer = _opened(request, form)
        if answer is not None:
            return answer
    context = {"form": form if may_open else None, "most": most, "rows": _shown(request.user)}
    return render(request, "people/emergency.html", context, status=422 if form.errors else 200)


def _opened(request: HttpRequest, form: EmergencyForm) -> HttpResponse | None:
    if wait := rates.wait_for(emergency.SEARCHES, str(request.user.pk)):
        return rates.slow_down(request, wait)
    given = form.cleaned_data
    client = emergency.find(given["who"], given["birth_date"])
    if client is None:
        audit.record("emergency access: nobody found")
        form.add_error("who", _("Nobody is known by this. A name has to be whole, with its date."))
        return None
    try:
        actions.open_emergency(
            client=client, reason=given["reason"], hours=given["hours"], by=request.user
        )
    except ValidationError as problem:
        add_problems(form, problem, client="who")
        return None
    messages.success(request, _("Open. Everybody who treats this client is told."))
    return redirect("client", client.code)


def _shown(user: Any) -> list[EmergencyAccess]:
    """Those one may see by row, and for whoever looks after accounts each; newest first."""
    rows = EmergencyAccess.objects.select_related("user", "client__key", "client__identity")
    if rights.may(user, "manage_people"):
        with acting_as(system("emergency")):
            found = list(rows[:SHOWN])
        for row in found:
            row.may_end = row.ended_at is None and row.until_at > clinic_time.now()
        return found
    found = list(rows[:SHOWN])
    for row in found:
        row.why = row.reason
        row.may_end = (
            row.user_id == user.pk and row.ended_at is None and row.until_at > clinic_time.now()
        )
    return found


@rights.needs("see_clinical", "manage_people")
@require_POST
def end_emergency(request: HttpRequest, pk: int) -> HttpResponse:
    row = next((row for row in _shown(request.user) if row.pk == pk and row.may_end), None)
    if row is None:
        raise Http404
    actions.end_emergency(emergency=row, by=request.user)
    messages.success(request, _("Ended."))
    return redirect("emergency")
