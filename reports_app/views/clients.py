from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from reports_app.case_review import case_context, case_review_pdf
from reports_app.paper import PaperUnavailable, missing
from reports_app.selectors import hours_this_week, rows_of
from sessions_app import access, audit
from sessions_app.models import Client, Episode

ROWS_A_PAGE = 50
SHOW = {"flagged": "worth a conversation", "waiting": "nothing booked"}


@access.needs("see_clinical")
def caseload(request: HttpRequest) -> HttpResponse:
    """Where does each of my clients stand?"""
    episodes = Episode.objects.visible_to(request.user).open()
    mine = getattr(request.user, "clinician", None)
    if request.GET.get("whose") == "mine" and mine is not None:
        episodes = episodes.filter(assignments__clinician=mine, assignments__to_on=None)
    page = Paginator(episodes.order_by("-opened_on", "-pk"), ROWS_A_PAGE).get_page(
        request.GET.get("page")
    )
    ids = [episode.pk for episode in page.object_list]
    rows = rows_of(Episode.objects.filter(pk__in=ids).order_by("-opened_on", "-pk"))
    show = request.GET.get("show", "")
    if show == "flagged":
        rows = [row for row in rows if row.flags]
    elif show == "waiting":
        rows = [row for row in rows if row.next_on is None]
    audit.record("read", subject_kind="caseload", rows=len(rows))
    context = {
        "rows": rows,
        "page": page,
        "show": show,
        "total": page.paginator.count,
        "hours": hours_this_week(mine),
        "filters": SHOW,
    }
    return render(request, "reports/caseload.html", context)


def client_or_404(code: str, user: Any) -> Client:
    client = (
        Client.objects.visible_to(user)
        .select_related("identity", "key", "site")
        .filter(code=code)
        .first()
    )
    if client is None:
        raise Http404
    return client


@access.needs("see_clinical")
def client(request: HttpRequest, code: str) -> HttpResponse:
    """Where does this client stand, and what is to be done next?"""
    shown = client_or_404(code, request.user)
    audit.client_read(shown, "progress page")
    context = case_context(shown, request.user, request.GET.get("episode"))
    context["paper_missing"] = missing()
    context["may_close"] = access.may(request.user, "close_episode")
    context["may_enter"] = access.may(request.user, "enter_scores")
    return render(request, "reports/client.html", context)


@access.needs("see_clinical")
def case_review(request: HttpRequest, code: str) -> HttpResponse:
    """The same on two pages of paper."""
    shown = client_or_404(code, request.user)
    try:
        content = case_review_pdf(shown, request.user)
    except PaperUnavailable as problem:
        return HttpResponse(str(problem), status=503, content_type="text/plain; charset=utf-8")
    audit.record("exported", subject_kind="client", subject=shown.code, what="case review")
    response = HttpResponse(content, content_type="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="case-{shown.code}.pdf"'
    return response
