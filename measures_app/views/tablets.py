"""The tablet at reception: it waits, shows the next client's form, thanks, and waits again.

The device is known by a session on the server that belongs to nobody and knows one tablet. It
shows no picture and nothing of anybody else: nobody of the clinic stands beside it.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from measures_app.models import Administration
from measures_app.respondents import people_of
from measures_app.views.answering import (
    FORM_OF,
    Answering,
    answer,
    asked_by,
    crisis_text_for,
    sent_before,
)
from sessions_app import actions, links, rights, selectors
from sessions_app.models import Session, Tablet
from sessions_app.views.sign_in import STAYS_AT

HELD = "tablet"
KEPT_FOR = 90 * 24 * 3600  # seconds; a device that isn't used for so long is enrolled anew


def tablets_for(user: Any, session: Session | None = None) -> list[Tablet]:
    """Tablets that somebody may start a client on; the front desk's to do, at its sites.

    A session's client is started where the session is; a tablet without a site goes about.
    """
    if not rights.may(user, "record_attendance"):
        return []
    return [
        tablet
        for tablet in selectors.desk_tablets(user)
        if session is None or tablet.site_id in (None, session.meeting.site_id)
    ]


@rights.needs("record_attendance")
def index(request: HttpRequest) -> HttpResponse:
    """Which devices wait at reception? This one can be made one of them."""
    status, sites = 200, list(selectors.desk_sites(request.user))
    if request.method == "POST":
        try:
            wanted = request.POST.get("site", "")
            site = next((s for s in sites if str(s.pk) == wanted), None)
            if site is None and len(sites) == 1:
                site = sites[0]
            tablet = actions.enrol_tablet(
                name=request.POST.get("name", "")[:40], site=site, by=request.user
            )
        except ValidationError as problem:
            messages.error(request, " ".join(problem.messages))
            status = 422
        else:
            request.session.flush()  # whoever holds the old cookie holds nothing
            request.session[HELD] = tablet.pk
            request.session[STAYS_AT] = reverse("tablet")
            request.session.set_expiry(KEPT_FOR)
            response = redirect("tablet")
            # Nothing of the desk's pages is left to go back to.
            response.headers["Clear-Site-Data"] = '"cache"'
            return response
    context = {"tablets": selectors.desk_tablets(request.user), "sites": sites}
    return render(request, "entry/tablets.html", context, status=status)


@rights.needs("record_attendance")
@require_POST
def retire(request: HttpRequest, pk: int) -> HttpResponse:
    tablet = get_object_or_404(Tablet, pk=pk)
    actions.retire_tablet(tablet=tablet, by=request.user)
    messages.success(request, _("“%(name)s” shows nothing from now on.") % {"name": tablet.name})
    return redirect("tablets")


@rights.needs("record_attendance")
@require_POST
def start(request: HttpRequest, pk: int) -> HttpResponse:
    """Start the next client: their form opens on the tablet that waits."""
    session = (
        Session.objects.registered_to(request.user).select_related("client").filter(pk=pk).first()
    )
    chosen = request.POST.get("tablet", "")
    if session is None:
        raise Http404
    there = tablets_for(request.user, session)
    tablet = next((one for one in there if str(one.pk) == chosen), None)
    if tablet is None:
        raise Http404
    people = people_of(session)  # the client first: whom the schedule starts
    wanted = request.POST.get("respondent") or str(people[0].pk)
    person = next((p for p in people if str(p.pk) == wanted), None)
    if person is None:
        raise Http404
    link = actions.start_on_tablet(
        tablet=tablet, session=session, respondent=person, by=request.user
    )
    opened = asked_by(link.pk)
    if opened is None or not opened[3].due:
        actions.clear_tablet(tablet=tablet, by=request.user)
        messages.error(request, _("Nothing is to be answered on a tablet now."))
        return _back(request, session)
    messages.success(request, _("The form is on “%(name)s” now.") % {"name": tablet.name})
    return _back(request, session)


def _back(request: HttpRequest, session: Session) -> HttpResponse:
    """To where the client was started from: the day, or the session's links."""
    if request.POST.get("back") != "schedule":
        return redirect("session_links", session.pk)
    return redirect(f"{reverse('schedule')}?day={session.held_on.isoformat()}#session-{session.pk}")


def _tablet(request: HttpRequest) -> Tablet:
    tablet = Tablet.objects.filter(pk=request.session.get(HELD), retired_at=None).first()
    if tablet is None:
        request.session.pop(STAYS_AT, None)  # out of use: somebody may sign in here again
        raise Http404
    return tablet


def state(request: HttpRequest) -> JsonResponse:
    """Which form is on the device, as a number that says nothing; asked every few seconds."""
    tablet = _tablet(request)
    open_link = links.open_link(tablet.link_id) if tablet.link_id else None
    return JsonResponse({"form": open_link.pk if open_link else None})


def _of_another(request: HttpRequest) -> HttpResponse:
    """A form that the tablet no longer shows: kept before, or called back meanwhile.

    Whoever is next has nothing to do with it, neither with its answers nor with a refusal.
    """
    before = sent_before(request)
    if before is None:
        return render(request, "entry/tablet_over.html", {"kept": False}, status=409)
    person, crisis = before
    with translation.override(person.language):
        return render(request, "entry/tablet_over.html", {"kept": True, "crisis": crisis})


def page(request: HttpRequest) -> HttpResponse:
    """The next client's form, or waiting for it."""
    tablet = _tablet(request)
    found = asked_by(tablet.link_id) if tablet.link_id else None
    of_this = request.POST.get(FORM_OF) == str(tablet.link_id)
    if request.method == "POST" and (found is None or not of_this):
        return _of_another(request)
    if found is None:
        return render(request, "entry/tablet.html")
    link, session, person, asked = found
    if link.opened_at is None:
        actions.note_opened(link=link, by=links.holder_of(link.pk))

    def done(late: bool, status: int) -> HttpResponse:
        actions.clear_tablet(tablet=tablet, by=links.holder_of(link.pk))
        with translation.override(person.language):
            crisis = crisis_text_for(session, person, asked)
            context = {"kept": True, "late": late, "crisis": crisis}
            return render(request, "entry/tablet_over.html", context, status=status)

    def left() -> HttpResponse:
        actions.clear_tablet(tablet=tablet, by=links.holder_of(link.pk))
        return render(request, "entry/tablet_over.html", {"left": True})

    provenance = Administration.Provenance.CLINIC_TABLET
    way = Answering(link, session, person, asked, provenance, False, done, left=left, shared=True)
    if request.method == "POST" or asked.due:
        return answer(request, way)
    return done(False, 200)
