"""The turns in a course of care: what its pages share, and somebody who comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from sessions_app import actions, clinic_time, rights, selectors
from sessions_app.forms import ReturnForm, add_problems
from sessions_app.models import Client, Episode

UNPROCESSABLE = 422


def in_care(request: HttpRequest, code: str) -> Episode:
    """The open episode in the address, else the client's newest; 404 where there is none to see."""
    episodes = Episode.objects.visible_to(request.user).filter(client__code=code, closed_on=None)
    wanted = request.GET.get("episode", "")
    if wanted:
        episodes = episodes.filter(pk=wanted if wanted.isdecimal() else None)
    episode = (
        episodes.select_related("client__identity", "client__key", "programme", "site")
        .order_by("-opened_on", "-pk")
        .first()
    )
    if episode is None:
        raise Http404
    return episode


def turn(
    request: HttpRequest,
    form: Any,
    template: str,
    context: dict[str, Any],
    perform: Callable[[], Any],
) -> HttpResponse | None:
    """Show the form, or do what it says; None when it was done."""
    if request.method == "POST" and form.is_valid():
        try:
            perform()
        except ValidationError as problem:
            add_problems(form, problem, together_at="together_on")
        else:
            return None
    status = UNPROCESSABLE if form.errors else 200
    return render(request, template, {"form": form, **context}, status=status)


@rights.needs("register_clients")
def returning(request: HttpRequest, code: str) -> HttpResponse:
    """A client who was here before begins a new course of care."""
    client = (
        Client.objects.registered_to(request.user)
        .select_related("identity", "key", "site")
        .filter(code=code)
        .first()
    )
    if client is None or client.episodes.filter(ending=Episode.Ending.DIED).exists():
        raise Http404
    form = ReturnForm(
        request.POST if request.method == "POST" else None,
        programmes=selectors.open_programmes(request.user),
        clinicians=selectors.working_clinicians(clinic_time.today()),
    )
    shown = turn(
        request,
        form,
        "clients/returning.html",
        {"client": client, "present": selectors.open_episode_of(client, request.user)},
        lambda: actions.open_episode(
            client=client,
            purpose_agreed_on=form.cleaned_data["opened_on"],
            by=request.user,
            **form.cleaned_data,
        ),
    )
    if shown is not None:
        return shown
    messages.success(request, _("A new episode begins for %(code)s.") % {"code": client.code})
    return redirect("clients")
