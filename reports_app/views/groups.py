from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from measures_app.charts import IntervalRow, interval_charts, remaining_charts
from reports_app import figures, group_figures
from reports_app import flow as flows
from reports_app.flow import In, Out
from reports_app.groups import ATTRIBUTE, DIMENSIONS, Table
from reports_app.lengths import TITLES, Length
from reports_app.periods import PeriodProblem, parse_period
from reports_app.views.agency import chosen_scope, this_month
from sessions_app import audit, policies, rights
from sessions_app.context import acting_as, system
from sessions_app.models import Programme


def _chart(table: Table) -> str:
    rows = [
        IntervalRow(g.name, g.improved.rate, g.improved.low, g.improved.high, g.improved.measured)
        for g in table.groups
        if g.improved is not None
    ]
    return interval_charts(rows) if rows else ""


@rights.needs("see_aggregates")
def groups(request: HttpRequest) -> HttpResponse:
    """Whom do we help, and whom less? The same outcomes by group, all choices in the address."""
    asked = request.GET.get("period", "").strip() or str(this_month().year)
    by = request.GET.get("by", "age")
    scope = chosen_scope(request)
    limit = int(policies.get("small_cell_limit"))
    problem, found, since = "", [], None
    with acting_as(system("report")):
        attributes = figures.attribute_names()
        if by not in DIMENSIONS and by.removeprefix(ATTRIBUTE) not in attributes:
            raise Http404
        try:
            period = parse_period(asked)
            found, since = group_figures.tables(period, by, scope)
        except PeriodProblem as said:
            period, problem = this_month().year, str(said)
    audit.record("read", subject_kind="report", subject=str(period), what=f"groups by {by}")
    context = {
        "period": period,
        "asked": asked,
        "problem": problem,
        "by": by,
        "dimensions": [
            *DIMENSIONS.items(),
            *((f"{ATTRIBUTE}{name}", name) for name in attributes),
        ],
        "programmes": Programme.objects.all(),
        "programme": scope.programme,
        "tables": [(table, _chart(table)) for table in found],
        "since": since,
        "limit": limit,
    }
    return render(request, "reports/groups.html", context, status=400 if problem else 200)


def _halves(everybody: In | Out | None) -> list[tuple[str, str, Length | None, str]]:
    """(key, title, what may be said, its chart) of everybody."""
    found = []
    for key, title in TITLES.items():
        if hasattr(everybody, key):
            length = getattr(everybody, key)
            chart = remaining_charts(length.figure(str(title))) if length else ""
            found.append((key, str(title), length, chart))
    return found


@rights.needs("see_aggregates")
def flow(request: HttpRequest) -> HttpResponse:
    """How do people come in, and how does care end? All choices in the address."""
    asked = request.GET.get("period", "").strip() or str(this_month().previous())
    by = request.GET.get("by", "programme")
    if by not in flows.BY:
        raise Http404
    scope = chosen_scope(request)
    limit = int(policies.get("small_cell_limit"))
    problem, found, since = "", None, None
    try:
        period = parse_period(asked)
    except PeriodProblem as said:
        period, problem = this_month().previous(), str(said)
    else:
        with acting_as(system("report")):
            found, since = group_figures.flow(period, by, scope)
    audit.record("read", subject_kind="report", subject=str(period), what=f"flow by {by}")
    context = {
        "period": period,
        "asked": asked,
        "problem": problem,
        "by": by,
        "dimensions": flows.BY.items(),
        "programmes": Programme.objects.all(),
        "programme": scope.programme,
        "flow": found,
        "into_halves": _halves(found and found.into_all),
        "out_halves": _halves(found and found.out_all),
        "waits_by_group": found and any(g.offer_all or g.seen_all for g in found.into),
        "care_by_group": found and any(g.length for g in found.out),
        "since": since,
        "limit": limit,
    }
    return render(request, "reports/flow.html", context, status=400 if problem else 200)
