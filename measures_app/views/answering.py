"""A respondent answers: the same form by a link on their own device or on the clinic's tablet."""

from __future__ import annotations

import uuid
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
from measures_app.models import Administration
from measures_app.respondents import Asked, RespondentForm, asked_of, link_with_session
from sessions_app import clinic_time, consent, links, safety
from sessions_app.actions import record_consent
from sessions_app.context import (
    ANONYMOUS,
    Actor,
    acting_as,
    current_actor,
    speaking_as,
    system,
)
from sessions_app.models import Consent, EntryLink, Respondent, Session
from sessions_app.submissions import KeyReused, once, replayed


class _Late(Exception):
    """The answers of this session are in already."""


READER = system("entry link")
NOT_THE_BODY = ("csrfmiddlewaretoken", "key", "statement")
FORM_OF = "link"  # the field that says whose form it is, where the address doesn't


@dataclass(frozen=True)
class Answering:
    """Who answers what, by which way in, and the page that a sending ends on.

    `done(late, status)` draws that page; `late` says that the answers were in already. What
    the person reads there first, after an answer that can't wait, is `crisis_text_for`.
    `left()` draws the page for who would rather not answer, where the device isn't their own.
    """

    link: EntryLink
    session: Session
    person: Respondent
    asked: Asked
    provenance: str
    in_the_room: bool  # somebody of the clinic is with them
    done: Callable[[bool, int], HttpResponse]
    way_back: str = ""  # address of the page that gives a handed-over device back
    left: Callable[[], HttpResponse] | None = None
    shared: bool = False  # one address shows one person's form after another's


def asked_by(
    link_id: int, *, handed_over: bool = False
) -> tuple[EntryLink, Session, Respondent, Asked] | None:
    """What a link's respondent is asked, while it is open; None once it is closed or too old.

    Read in one unit of work as the system, because age decides the variant. Whoever holds the
    link acts in the rest of the request, where nobody did.
    """
    then = links.holder_of(link_id) if current_actor() == ANONYMOUS else None
    with speaking_as(READER, then=then):
        link = link_with_session(link_id)
        if not links.is_open(link):
            return None
        asked = asked_of(link.session, link.respondent, handed_over=handed_over)
        return link, link.session, link.respondent, asked


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


def crisis_text_for(session: Session, person: Respondent, asked: Asked) -> str:
    """The clinic's crisis text for who gave an answer here that can't wait; else empty."""
    if asked.due and not any(due.definition.alerts for due in asked.due):
        return ""  # what they just answered has no such question
    with speaking_as(READER):
        answered_so = alerts.has_answered_so(session.pk, person)
        return safety.crisis_text(person.language) if answered_so else ""


def _not_read_at_once(way: Answering, form: RespondentForm) -> str:
    """What a person can turn to who answers where nobody of the clinic is with them."""
    if way.in_the_room or not form.cannot_wait:
        return ""
    return safety.crisis_text(way.person.language)


def _keep(way: Answering, form: RespondentForm, body: dict[str, Any], holder: Actor) -> None:
    """All of a question set or nothing, by the link's holder and with no other right."""

    def perform() -> None:
        for due in form.due:
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
            )
        _agreed(way, holder)

    once(key=form.cleaned_data["key"], body=body, by=holder, perform=perform)


def _agreed(way: Answering, holder: Actor) -> None:
    """Whoever sends what stood below the statement of who sees it has agreed to it."""
    shown = consent.to_show(way.person)
    if shown is not None:
        _say(way, holder, shown, Consent.Answer.AGREED)


def _say(way: Answering, holder: Actor, shown: consent.Statement, answer: str) -> Consent:
    return record_consent(
        respondent=way.person, answer=answer, way=Consent.Way.DEVICE, by=holder,
        language=shown.language, version=shown.version,
    )  # fmt: skip


def _declined(request: HttpRequest, way: Answering, holder: Actor) -> HttpResponse:
    """They would rather not: recorded, nothing of the form is kept, and nothing is asked."""
    with speaking_as(holder):
        shown = consent.to_show(way.person)
        if shown is not None:
            _say(way, holder, shown, Consent.Answer.DECLINED)
    return way.left() if way.left else render(request, "entry/declined.html")


def _was_sent(key: str, body: dict[str, Any], holder: Actor) -> bool:
    try:
        return replayed(key=uuid.UUID(key), body=body, by=holder) is not None
    except (ValueError, KeyReused):
        return False


def _body(request: HttpRequest) -> dict[str, Any]:
    return {name: request.POST.getlist(name) for name in request.POST if name not in NOT_THE_BODY}


def sent_before(request: HttpRequest) -> tuple[Respondent, str] | None:
    """Whose form this is if it is kept already, and the crisis text for them; else None.

    For an address that shows the next person's form once one was answered: when the answer to a
    sending is lost on the way, it comes again and finds another form there, or none.
    """
    link_id = request.POST.get(FORM_OF, "")
    if not link_id.isdecimal() or len(link_id) > 18:
        return None
    with speaking_as(holder := links.holder_of(int(link_id))):
        if not _was_sent(request.POST.get("key", ""), _body(request), holder):
            return None
    with speaking_as(READER):
        link = link_with_session(int(link_id))
    return link.respondent, crisis_text_for(link.session, link.respondent, Asked([], False))


def answer(request: HttpRequest, way: Answering) -> HttpResponse:
    """Show the form, or take it in; in the respondent's language."""
    with translation.override(way.person.language):
        return _answer(request, way)


def _answer(request: HttpRequest, way: Answering) -> HttpResponse:
    holder = links.holder_of(way.link.pk)

    def shown(form: RespondentForm, status: int = 200, **more: Any) -> HttpResponse:
        with speaking_as(holder):
            statement = consent.to_show(way.person)
        context = {
            "form": form,
            "asked": way.asked,
            "crisis": _not_read_at_once(way, form),
            "way_back": way.way_back,
            "own_device": way.provenance == Administration.Provenance.OWN_DEVICE,
            "form_of": way.link.pk if way.shared else None,
            "statement": statement,
            **more,
        }
        page = render(request, "entry/respondent.html", context, status=status)
        # Its style and script, which the content security policy then lets stand there.
        page.brings_along = context["own_device"]  # type: ignore[attr-defined]
        return page

    if request.method != "POST":
        return shown(RespondentForm(due=way.asked.due)) if way.asked.due else way.done(False, 200)
    if "decline" in request.POST:
        return _declined(request, way, holder)
    body = _body(request)
    try:
        with speaking_as(holder):
            form = RespondentForm(request.POST, due=way.asked.due)
            lacks = not form.is_valid() or (form.untouched() and not request.POST.get("as_it_is"))
            if way.asked.due and not lacks:
                _keep(way, form, body, holder)  # or finds it kept
                form = None
            elif _was_sent(request.POST.get("key", ""), body, holder):
                form = None
            elif not way.asked.due:
                # A second device, or the clinician from paper, was first.
                raise _Late
    except (ValidationError, KeyReused, _Late):
        return way.done(True, 409)
    if form is None:
        return way.done(False, 200)
    return shown(form, 422, untouched=0 if form.errors else form.untouched())
