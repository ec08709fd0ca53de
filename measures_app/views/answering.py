"""A respondent answers: the same form by a link on their own device or on the clinic's tablet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from measures_app import alerts
from measures_app.actions import record_administration
from measures_app.due import due_at
from measures_app.respondents import Asked, RespondentForm, asked_of, session_of
from sessions_app import clinic_time, links, safety
from sessions_app.context import acting_as, system
from sessions_app.models import EntryLink, Respondent, Session
from sessions_app.submissions import KeyReused, once, replayed

READER = system("entry link")
NOT_THE_BODY = ("csrfmiddlewaretoken", "key")


@dataclass(frozen=True)
class Answering:
    """Who answers what, by which way in, and the page that a sending ends on.

    `done(late, status)` draws that page; `late` says that the answers were in already. What
    the person reads there first, after an answer that can't wait, is `crisis_text_for`.
    """

    link: EntryLink
    session: Session
    person: Respondent
    asked: Asked
    provenance: str
    in_the_room: bool  # somebody of the clinic is with them
    done: Callable[[bool, int], HttpResponse]


def asked_by(link: EntryLink, *, handed_over: bool = False) -> tuple[Session, Respondent, Asked]:
    """What a link's respondent is asked; read as the system, because age decides the variant."""
    with acting_as(READER):
        session = session_of(link)
        person = Respondent.objects.get(pk=link.respondent_id)
        return session, person, asked_of(session, person, handed_over=handed_over)


def kept_back(session: Session) -> list[tuple[Respondent, str]]:
    """Who isn't asked on a device all that is due, because the clinic isn't ready, and why."""
    with acting_as(READER):
        whole = Session.objects.select_related(
            "meeting", "episode__client__identity", "episode__client__key", "episode__site"
        ).get(pk=session.pk)
        people = {
            due.respondent.pk: due.respondent
            for due in due_at(whole.episode, whole.held_on, whole)
            if due.definition.alerts
        }
        found = [
            (person, alerts.what_is_lacking(person, attended=False)) for person in people.values()
        ]
    return [(person, lacking) for person, lacking in found if lacking]


def crisis_text_for(session: Session, person: Respondent) -> str:
    """The clinic's crisis text for who gave an answer here that can't wait; else empty."""
    with acting_as(READER):
        answered_so = alerts.has_answered_so(session.pk, person)
        return safety.crisis_text(person.language) if answered_so else ""


def _not_read_at_once(way: Answering, form: RespondentForm) -> str:
    """What a person can turn to who answers where nobody of the clinic is with them."""
    if way.in_the_room or not form.cannot_wait:
        return ""
    return safety.crisis_text(way.person.language)


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
        context = {"form": form, "asked": way.asked, "crisis": _not_read_at_once(way, form), **more}
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
