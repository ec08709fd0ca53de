from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from measures_app import alerts
from measures_app.models import Flag
from reports_app.case_review import case_context, case_review_pdf
from reports_app.paper import PaperUnavailable, missing
from reports_app.selectors import (
    add_alliance,
    add_steps,
    hours_of_week,
    rows_of,
    to_do,
)
from sessions_app import access, audit, clinic_time, rights
from sessions_app.models import Client, Episode, Session
from sessions_app.prepared import Prepared

ROWS_A_PAGE = 50
SHOW = ("", "flagged", "waiting", "todo")


def _shown(episodes: Any, show: str, user: Any) -> Any:
    """The rows that a filter leaves, over the whole caseload and not over one page of it."""
    if show == "flagged":
        live = Flag.objects.live().filter(episode=OuterRef("pk"))
        return episodes.filter(Exists(live.exclude(kind=Flag.Kind.PROMPT)))
    if show == "waiting":
        booked = Session.objects.filter(
            episode=OuterRef("pk"),
            status=Session.Status.BOOKED,
            held_on__gte=clinic_time.today(),
        )
        return episodes.filter(~Exists(booked))
    if show == "todo":
        return to_do(episodes, user)
    return episodes


@rights.needs("see_clinical")
def caseload(request: HttpRequest) -> HttpResponse:
    """Where does each of my clients stand?"""
    episodes = Episode.objects.visible_to(request.user).open()
    mine = getattr(request.user, "clinician", None)
    supervises = rights.may(request.user, "review")
    whose = "mine" if mine is not None and request.GET.get("whose") == "mine" else ""
    if whose:
        episodes = episodes.filter(assignments__clinician=mine, assignments__to_on=None).distinct()
    show = request.GET.get("show", "")
    total = episodes.count()
    found = _shown(episodes, show, request.user).order_by("-opened_on", "-pk")
    page = Paginator(found, ROWS_A_PAGE).get_page(request.GET.get("page"))
    ids = [episode.pk for episode in page.object_list]
    rows = rows_of(ids, named=True)
    hours, booked = hours_of_week(mine)
    add_alliance(rows)
    add_steps(rows, request.user)
    audit.record("read", subject_kind="caseload", rows=len(rows))
    context = {
        "rows": rows,
        "page": page,
        "show": show if show in SHOW else "",
        "whose": whose,
        "both": mine is not None and supervises,
        "treats_shown": supervises and not whose,
        "may_transfer": rights.may(request.user, "transfer"),
        "total": total,
        "hours": hours,
        "booked": booked,
    }
    return render(request, "reports/caseload.html", context)


_CLIENT = Prepared(
    lambda codes: Client.objects.filter(code__in=codes).select_related("identity", "key", "site")
)


def client_or_404(code: str, user: Any) -> Client:
    """A client in clinical scope, with the numbers of their `episodes_seen`."""
    for client in _CLIENT.objects([code]):
        client.episodes_seen = access.episodes_seen(user, client.pk)
        if client.episodes_seen:
            found: Client = client
            return found
    raise Http404


@rights.needs("see_clinical")
def client(request: HttpRequest, code: str) -> HttpResponse:
    """Where does this client stand, and what is to be done next?"""
    shown = client_or_404(code, request.user)
    audit.client_read(shown, "progress page")
    context = case_context(shown, request.user, request.GET.get("episode"))
    context["paper_missing"] = missing()
    context["alerts"] = alerts.waiting(request.user, context["episode"])
    context["may_close"] = rights.may(request.user, "close_episode")
    context["may_enter"] = rights.may(request.user, "enter_scores")
    return render(request, "reports/client.html", context)


@rights.needs("see_clinical")
def case_review(request: HttpRequest, code: str) -> HttpResponse:
    """The same on two pages of paper."""
    shown = client_or_404(code, request.user)
    try:
        content = case_review_pdf(shown, request.user, request.GET.get("episode"))
    except PaperUnavailable as problem:
        return HttpResponse(str(problem), status=503, content_type="text/plain; charset=utf-8")
    audit.record("exported", subject_kind="client", subject=shown.code, what="case review")
    response = HttpResponse(content, content_type="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="case-{shown.code}.pdf"'
    return response
