"""A respondent answers: the same form by a link on their own device or on the clinic's tablet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from measures_app.actions import record_administration
from measures_app.respondents import Asked, RespondentForm, asked_of, session_of
from sessions_app import clinic_time, links
from sessions_app.context import acting_as, system
from sessions_app.models import EntryLink, Respondent, Session
from sessions_app.submissions import KeyReused, once, replayed

READER = system("entry link")
NOT_THE_BODY = ("csrfmiddlewaretoken", "key")


@dataclass(frozen=True)
class Answering:
    """Who answers what, by which way in, and the page that a sending ends on.

    `done(late, status)` draws that page; `late` says that the answers were in already.
    """

    link: EntryLink
    session: Session
    person: Respondent
    asked: Asked
    provenance: str
    done: Callable[[bool, int], HttpResponse]


def asked_by(link: EntryLink, *, handed_over: bool = False) -> tuple[Session, Respondent, Asked]:
    """What a link's respondent is asked; read as the system, because age decides the variant."""
    with acting_as(READER):
        session = session_of(link)
        person = Respondent.objects.get(pk=link.respondent_id)
        return session, person, asked_of(session, person, handed_over=handed_over)


def _keep(way: Answering, form: RespondentForm, body: dict[str, Any]) -> None:
    """All of a question set or nothing, by the link's holder and with no other right."""
    holder = links.holder_of(way.link.pk)

    def perform() -> list[int]:
        return [
            record_administration(
                episode=way.session.episode,
                session=way.session,
                measure=due.measure,
                respondent=due.respondent,
                provenance=way.provenance,
                manner=form.cleaned_data["manner"],
                answers=form.answers_to(due),
                taken_at=clinic_time.now(),
                by=holder,
            ).pk
            for due in form.due
        ]

    with acting_as(holder):
        once(key=form.cleaned_data["key"], body=body, by=holder, perform=perform)


def _was_sent(way: Answering, request: HttpRequest, body: dict[str, Any]) -> bool:
    holder = links.holder_of(way.link.pk)
    try:
        with acting_as(holder):
            return replayed(key=request.POST.get("key", ""), body=body, by=holder) is not None
    except (ValidationError, ValueError, KeyReused):
        return False


def answer(request: HttpRequest, way: Answering) -> HttpResponse:
    """Show the form, or take it in; in the respondent's language."""
    with translation.override(way.person.language):
        return _answer(request, way)


def _answer(request: HttpRequest, way: Answering) -> HttpResponse:
    def shown(form: RespondentForm, status: int = 200, **more: Any) -> HttpResponse:
        context = {"form": form, "asked": way.asked, **more}
        return render(request, "entry/respondent.html", context, status=status)

    if request.method != "POST":
        return shown(RespondentForm(due=way.asked.due)) if way.asked.due else way.done(False, 200)
    body = {name: request.POST.getlist(name) for name in request.POST if name not in NOT_THE_BODY}
    if _was_sent(way, request, body):
        return way.done(False, 200)
    if not way.asked.due:
        # A second device, or the clinician from paper, was first.
        return way.done(True, 409)
    form = RespondentForm(request.POST, due=way.asked.due)
    if not form.is_valid():
        return shown(form, 422)
    untouched = form.untouched()
    if untouched and not request.POST.get("as_it_is"):
        return shown(form, 422, untouched=untouched)
    try:
        _keep(way, form, body)
    except (ValidationError, KeyReused):
        return way.done(True, 409)
    return way.done(False, 200)
