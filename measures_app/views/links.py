"""The respondent's own device: the link on the clinician's screen, and the form it opens."""

from __future__ import annotations

from typing import Any

import segno
from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_http_methods, require_POST

from measures_app.models import Administration
from measures_app.respondents import people_of
from measures_app.views.answering import (
    READER,
    Answering,
    answer,
    asked_by,
    crisis_text_for,
    kept_back,
)
from measures_app.views.tablets import tablets_for
from sessions_app import actions, clinic_time, links, rates, rights, texting
from sessions_app.actions.links import reach_of
from sessions_app.context import acting_as
from sessions_app.models import EntryLink, Episode, Respondent, Session


def _qr(url: str) -> SafeString:
    drawn = segno.make(url, error="m").svg_inline(scale=5, border=3, dark="#000", light="#fff")
    return mark_safe(drawn)  # segno's own drawing of an address that we made


def links_page(
    request: HttpRequest, session: Session, status: int = 200, **more: Any
) -> HttpResponse:
    live = EntryLink.objects.registered_to(request.user).filter(
        session=session, revoked_at=None, expires_at__gt=clinic_time.now()
    )
    people = people_of(session)
    context = {
        "session": session,
        "client": session.client,
        "people": [(person, reach_of(person)) for person in people],
        "today": clinic_time.today(),
        "languages": settings.LANGUAGES,
        "texting": texting.is_set_up(),
        "tablets": tablets_for(request.user, session),
        "kept_back": kept_back(session),
        "live": _with_state(list(live.select_related("respondent").order_by("pk"))),
        "may_enter": rights.may(request.user, "enter_scores"),
        **more,
    }
    return render(request, "entry/links.html", context, status=status)


def _with_state(links_there: list[EntryLink]) -> list[EntryLink]:
    """Links, each with how far it got: sent, opened, answered."""
    answered = _answered(links_there)
    for link in links_there:
        link.answered = link.respondent_id in answered
    return links_there


def _answered(links_there: list[EntryLink]) -> set[int]:
    """Whose answers are in. That there are some is no score: the front desk may know it."""
    if not links_there:
        return set()
    with acting_as(READER):
        rows = Administration.objects.current().filter(
            session=links_there[0].session_id, not_taken="",
            respondent__in=[link.respondent_id for link in links_there],
        )  # fmt: skip
        return set(rows.values_list("respondent_id", flat=True))


def chosen(request: HttpRequest, session: Session) -> Respondent:
    wanted = request.POST.get("respondent")
    who = next((person for person in people_of(session) if str(person.pk) == wanted), None)
    if who is None:
        raise Http404
    return who


def registered_session_or_404(pk: int, user: Any) -> Session:
    session = (
        Session.objects.registered_to(user)
        .select_related("meeting", "client__identity", "client__key")
        .filter(pk=pk)
        .exclude(episode__ending=Episode.Ending.DIED)
        .first()
    )
    if session is None:
        raise Http404
    return session


@rights.needs("enter_scores", "record_attendance")
def session_links(request: HttpRequest, pk: int) -> HttpResponse:
    """Who answers on a device? A link each, as a code to scan and shown once; or this device."""
    session = registered_session_or_404(pk, request.user)
    if request.method != "POST":
        return links_page(request, session)
    who = chosen(request, session)
    if request.POST.get("way"):
        return _send(request, session, who)
    link, token = actions.make_link(session=session, respondent=who, by=request.user)
    url = request.build_absolute_uri(reverse("respondent", args=[token]))
    made = {"who": who, "url": url, "qr": _qr(url), "until": link.expires_at}
    return links_page(request, session, made=made)


def _send(request: HttpRequest, session: Session, who: Respondent) -> HttpResponse:
    way = request.POST["way"]
    if way not in (EntryLink.Way.MAIL, EntryLink.Way.TEXT):
        raise Http404
    try:
        actions.send_link(session=session, respondent=who, way=way, by=request.user)
    except ValidationError as problem:
        messages.error(request, " ".join(problem.messages))
    else:
        messages.success(request, _("On its way to %(who)s.") % {"who": who})
    return redirect("session_links", session.pk)


class QuietForm(forms.Form):
    until = forms.DateField(required=False)


@rights.needs("enter_scores", "record_attendance")
@require_POST
def ask_not_before(request: HttpRequest, pk: int) -> HttpResponse:
    """Please don't ask until a day; without a day they may be asked again."""
    session = registered_session_or_404(pk, request.user)
    who, form = chosen(request, session), QuietForm(request.POST)
    try:
        if not form.is_valid():
            raise ValidationError(_("Write the day as it is in the calendar."))
        until = form.cleaned_data["until"]
        if until is None and "again" not in request.POST:
            raise ValidationError(_("Name a day to come: they are asked again from then on."))
        actions.ask_not_before(respondent=who, until=until, by=request.user)
    except ValidationError as problem:
        messages.error(request, " ".join(problem.messages))
    else:
        messages.success(request, _("Kept."))
    return redirect("session_links", session.pk)


class HowForm(forms.Form):
    language = forms.ChoiceField(choices=settings.LANGUAGES)
    sees_expected = forms.BooleanField(required=False)


@rights.needs("enter_scores", "record_attendance")
@require_POST
def how_asked(request: HttpRequest, pk: int) -> HttpResponse:
    """In which language somebody is asked, and whether their picture shows the expected."""
    session = registered_session_or_404(pk, request.user)
    who, form = chosen(request, session), HowForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        if who.relation != Respondent.Relation.SELF:  # sees no picture
            given["sees_expected"] = who.sees_expected
        actions.choose_how_asked(respondent=who, by=request.user, **given)
        messages.success(request, _("Kept."))
    else:
        messages.error(request, _("Choose one of the languages."))
    return redirect("session_links", session.pk)


@rights.needs("enter_scores", "record_attendance")
@require_POST
def close_link(request: HttpRequest, pk: int) -> HttpResponse:
    link = EntryLink.objects.registered_to(request.user).filter(pk=pk).first()
    if link is None:
        raise Http404
    actions.revoke_link(link=link, by=request.user)
    return redirect("session_links", link.session_id)


@require_http_methods(["GET", "HEAD", "POST"])
@csrf_exempt  # the address is the only right there is: a phone that keeps no cookies may send too
@gzip_page
def respondent(request: HttpRequest, token: str) -> HttpResponse:
    """The one form that the link opens. Opening uses nothing up; sending twice is sending once."""
    link_id = links.find(token)
    if link_id is None:
        wait = rates.wait_for(rates.UNKNOWN_TOKENS, rates.address_of(request))
    else:
        wait = rates.wait_for(rates.ONE_LINK, str(link_id))
    if wait:
        return rates.slow_down(request, wait, respondent=True)
    found = None if link_id is None else asked_by(link_id)
    if found is None:
        return render(request, "entry/link_closed.html", status=404)
    link, session, person, asked = found
    # A mail scanner that only asks whether there is a page hasn't opened the form.
    if link.opened_at is None and request.method != "HEAD":
        actions.note_opened(link=link, by=links.holder_of(link.pk))

    def done(late: bool, status: int) -> HttpResponse:
        context = {
            "more_at_the_end": asked.more_at_the_end,
            "late": late,
            "crisis": crisis_text_for(session, person, asked),
        }
        return render(request, "entry/thanks.html", context, status=status)

    provenance = Administration.Provenance.OWN_DEVICE
    return answer(request, Answering(link, session, person, asked, provenance, False, done))
