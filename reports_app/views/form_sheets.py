from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app import measures
from measures_app.due import due_at
from measures_app.models import Measure
from reports_app import form_sheets
from reports_app.paper import PaperUnavailable
from sessions_app import audit, rates, rights
from sessions_app.models import Session
from sessions_app.session_code import NoSessionCode, decode

UNPROCESSABLE = 422


def _size(request: HttpRequest) -> str:
    size = request.GET.get("size", "a4")
    if size not in form_sheets.SIZES:
        raise Http404
    return size


def _pdf(make: Callable[[], bytes], name: str) -> HttpResponse:
    try:
        content = make()
    except PaperUnavailable as problem:
        return HttpResponse(str(problem), status=503, content_type="text/plain; charset=utf-8")
    response = HttpResponse(content, content_type="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{name}.pdf"'
    return response


@rights.needs("enter_scores", "manage_measures")
def measure_form(request: HttpRequest, code: str) -> HttpResponse:
    """A measure to print and fill in by hand."""
    measure = Measure.objects.filter(code=code).first()
    if measure is None:
        raise Http404
    definition = measures.definition_of(measures.current_version(measure))
    if not definition.items:
        raise Http404  # a measure that takes totals has no form
    language, size = request.GET.get("language", "en"), _size(request)
    return _pdf(lambda: form_sheets.measure_pdf(definition, language, size), f"form-{code}")


def _session(pk: int, request: HttpRequest) -> Session:
    session = (
        Session.objects.visible_to(request.user)
        .select_related("meeting", "episode__client__identity", "episode__client__key")
        .filter(pk=pk)
        .first()
    )
    if session is None:
        raise Http404
    return session


@rights.needs("enter_scores")
def session_forms(request: HttpRequest, pk: int) -> HttpResponse:
    """Every form due at a session, with the code that leads back to it."""
    session = _session(pk, request)
    due = [d for d in due_at(session.episode, session.held_on, session) if d.definition.items]
    if not due:
        messages.error(request, _("Nothing is to be asked at this session."))
        return redirect("session_links", session.pk)
    audit.client_read(session.episode.client, "printed forms")
    size = _size(request)
    return _pdf(lambda: form_sheets.session_pdf(session, due, size), f"forms-{pk}")


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=20,
        label=gettext_lazy("Code at the foot of the form"),
        help_text=gettext_lazy("For example 0003P-C."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )


@rights.needs("enter_scores")
def by_code(request: HttpRequest) -> HttpResponse:
    """Which session is this form from?"""
    form = CodeForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            found = Session.objects.visible_to(request.user).filter(
                pk=decode(form.cleaned_data["code"])
            )
            if session := found.first():
                return redirect("session_edit", session.pk)
            form.add_error("code", _("There is no such session among your clients'."))
        except NoSessionCode as problem:
            form.add_error("code", str(problem))
        if wait := rates.wait_for(rates.UNKNOWN_CODES, str(request.user.pk)):
            return rates.slow_down(request, wait)
    status = UNPROCESSABLE if form.errors else 200
    return render(request, "entry/by_code.html", {"form": form}, status=status)
