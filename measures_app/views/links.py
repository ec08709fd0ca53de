"""The respondent's own device: the link on the clinician's screen, and the form it opens."""

from __future__ import annotations

from typing import Any

import segno
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_POST

from measures_app.actions import record_administration
from measures_app.models import Administration
from measures_app.respondents import Asked, RespondentForm, asked_of, session_of
from sessions_app import access, actions, clinic_time, links
from sessions_app.context import acting_as, system
from sessions_app.models import EntryLink, Respondent, Session
from sessions_app.submissions import KeyReused, once, replayed

READER = system("entry link")
NOT_THE_BODY = ("csrfmiddlewaretoken", "key")


def _qr(url: str) -> SafeString:
    drawn = segno.make(url, error="m").svg_inline(scale=5, border=3, dark="#000", light="#fff")
    return mark_safe(drawn)  # segno's own drawing of an address that we made


@access.needs("enter_scores", "record_attendance")
def session_links(request: HttpRequest, pk: int) -> HttpResponse:
    """Who answers on their own device? A link each, as a code to scan; shown once."""
    session = (
        Session.objects.registered_to(request.user)
        .select_related("meeting", "client__identity", "client__key")
        .filter(pk=pk)
        .first()
    )
    if session is None:
        raise Http404
    relations = (Respondent.Relation.SELF, Respondent.Relation.CARER)
    people = list(session.client.respondents.filter(relation__in=relations).order_by("pk"))
    made: dict[str, Any] = {}
    if request.method == "POST":
        who = next((p for p in people if str(p.pk) == request.POST.get("respondent")), None)
        if who is None:
            raise Http404
        link, token = actions.make_link(session=session, respondent=who, by=request.user)
        url = request.build_absolute_uri(reverse("respondent", args=[token]))
        made = {"who": who, "url": url, "qr": _qr(url), "until": link.expires_at}
    now = clinic_time.now()
    live = EntryLink.objects.registered_to(request.user).filter(
        session=session, revoked_at=None, expires_at__gt=now
    )
    context = {
        "session": session,
        "client": session.client,
        "people": people,
        "made": made,
        "live": live.select_related("respondent").order_by("pk"),
        "may_enter": access.may(request.user, "enter_scores"),
    }
    return render(request, "entry/links.html", context)


@access.needs("enter_scores", "record_attendance")
@require_POST
def close_link(request: HttpRequest, pk: int) -> HttpResponse:
    link = EntryLink.objects.registered_to(request.user).filter(pk=pk).first()
    if link is None:
        raise Http404
    actions.revoke_link(link=link, by=request.user)
    return redirect("session_links", link.session_id)


def _keep(link: EntryLink, form: RespondentForm, body: dict[str, Any], session: Session) -> None:
    """All of a question set or nothing, by the link's holder and with no other right."""
    holder = links.holder_of(link.pk)

    def perform() -> list[int]:
        return [
            record_administration(
                episode=session.episode,
                session=session,
                measure=due.measure,
                respondent=due.respondent,
                provenance=Administration.Provenance.OWN_DEVICE,
                manner=form.cleaned_data["manner"],
                answers=form.answers_to(due),
                taken_at=clinic_time.now(),
                by=holder,
            ).pk
            for due in form.due
        ]

    with acting_as(holder):
        once(key=form.cleaned_data["key"], body=body, by=holder, perform=perform)


def _was_sent(link: EntryLink, request: HttpRequest, body: dict[str, Any]) -> bool:
    holder = links.holder_of(link.pk)
    try:
        with acting_as(holder):
            return replayed(key=request.POST.get("key", ""), body=body, by=holder) is not None
    except (ValidationError, ValueError, KeyReused):
        return False


def _shown(
    request: HttpRequest, asked: Asked, form: RespondentForm, status: int = 200, **more: Any
) -> HttpResponse:
    context = {"form": form, "asked": asked, **more}
    return render(request, "entry/respondent.html", context, status=status)


def _done(
    request: HttpRequest, more_at_the_end: bool, status: int = 200, late: bool = False
) -> Any:
    context = {"more_at_the_end": more_at_the_end, "late": late}
    return render(request, "entry/thanks.html", context, status=status)


def respondent(request: HttpRequest, token: str) -> HttpResponse:
    """The one form that the link opens. Opening uses nothing up; sending twice is sending once."""
    link = links.find(token)
    if link is None:
        return render(request, "entry/link_closed.html", status=404)
    with acting_as(READER):
        session = session_of(link)
        person = Respondent.objects.get(pk=link.respondent_id)
        asked = asked_of(session, person)
    with translation.override(person.language):
        response = _answer(request, link, session, asked)
        response.headers["Content-Language"] = person.language
    return response


def _answer(request: HttpRequest, link: EntryLink, session: Session, asked: Asked) -> HttpResponse:
    if request.method != "POST":
        if not asked.due:
            return _done(request, asked.more_at_the_end)
        return _shown(request, asked, RespondentForm(due=asked.due))
    body = {name: request.POST.getlist(name) for name in request.POST if name not in NOT_THE_BODY}
    if _was_sent(link, request, body):
        return _done(request, asked.more_at_the_end)
    if not asked.due:
        # A second device, or the clinician from paper, was first.
        return _done(request, asked.more_at_the_end, status=409, late=True)
    form = RespondentForm(request.POST, due=asked.due)
    if not form.is_valid():
        return _shown(request, asked, form, status=422)
    untouched = form.untouched()
    if untouched and not request.POST.get("as_it_is"):
        return _shown(request, asked, form, status=422, untouched=untouched)
    try:
        _keep(link, form, body, session)
    except (ValidationError, KeyReused):
        return _done(request, asked.more_at_the_end, status=409, late=True)
    return _done(request, asked.more_at_the_end)
