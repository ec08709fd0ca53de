from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from measures_app.charts import IntervalRow, funnel_charts, interval_charts, remaining_charts
from reports_app import figures, group_figures
from reports_app import flow as flows
from reports_app import funnel as funnels
from reports_app.extract import CLINIC
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


@rights.needs("see_aggregates")
def funnel(request: HttpRequest) -> HttpResponse:
    """Do programmes differ by more than chance? Clinicians only where the policy lets a director
    see their numbers, and each of them is shown who looked."""
    asked = request.GET.get("period", "").strip() or str(this_month().year)
    by = request.GET.get("by", "programme")
    since_when = funnels.clinicians_since()
    dimensions = [(key, name) for key, name in funnels.BY.items()
                  if key != funnels.CLINICIAN or since_when]  # fmt: skip
    if by not in dict(dimensions):
        raise Http404
    scope = CLINIC if by == funnels.CLINICIAN else chosen_scope(request)
    problem, found, since = "", None, None
    try:
        period = parse_period(asked)
    except PeriodProblem as said:
        period, problem = this_month().year, str(said)
    else:
        with acting_as(system("report")):
            if by == funnels.CLINICIAN:
                found, seen = funnels.of_clinicians(period)
            else:
                found, since = group_figures.funnel(period, by, scope)
        if by == funnels.CLINICIAN:
            audit.sees_team(seen, "funnel of coded clinicians")
    audit.record("read", subject_kind="report", subject=str(period), what=f"funnel by {by}")
    title = _("Against the rest, by %(by)s") % {"by": funnels.BY[by]}
    context = {
        "period": period,
        "asked": asked,
        "problem": problem,
        "by": by,
        "dimensions": dimensions,
        "since_when": since_when if by == funnels.CLINICIAN else None,
        "programmes": Programme.objects.all(),
        "programme": scope.programme,
        "funnel": found,
        "title": title,
        "chart": funnel_charts(found.figure(title)) if found else "",
        "since": since,
        "fewest": funnels.FEWEST,
    }
    return render(request, "reports/funnel.html", context, status=400 if problem else 200)


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
