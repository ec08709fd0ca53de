from __future__ import annotations

from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from measures_app.charts import interval_charts, trend_svg
from reports_app import actions, figures
from reports_app.comparison import comparison
from reports_app.editions import CONTENT_TYPES, FORMATS, page_context, report_context, shown_report
from reports_app.extract import Scope
from reports_app.models import ContractTarget, ReportEdition, ReportRun
from reports_app.paper import PaperUnavailable, missing
from reports_app.periods import Month, Months, Period, PeriodProblem, months_back, parse_period
from reports_app.plots import trend_plot
from reports_app.small import rates_svg
from reports_app.trend import trends
from sessions_app import audit, clinic_time, policies, presence, progress, rights
from sessions_app.context import acting_as, system
from sessions_app.models import Episode, Programme

LISTED_MONTHS = 24


def this_month() -> Month:
    return Month(clinic_time.today().replace(day=1))


def period_or_404(text: str) -> Period:
    try:
        return parse_period(text)
    except PeriodProblem:
        raise Http404 from None


def chosen_scope(request: HttpRequest) -> Scope:
    """By the address: `programme`, `funder`."""
    programme = None
    if name := request.GET.get("programme", ""):
        programme = Programme.objects.filter(name=name).first()
        if programme is None:
            raise Http404
    funder = request.GET.get("funder") or None
    if funder is not None:
        with acting_as(system("report")):
            # Who has a contract, or pays for somebody: else any words would be a scope.
            named = (rows.objects.filter(funder=funder) for rows in (ContractTarget, Episode))
            if not any(rows.exists() for rows in named):
                raise Http404
    return Scope(programme, funder)


def _address(**wanted: str) -> str:
    """A query of what is wanted, empty without."""
    asked = {name: value for name, value in wanted.items() if value}
    return f"?{urlencode(asked)}" if asked else ""


def _kept_in_address(scope: Scope) -> dict[str, str]:
    return {
        "programme": scope.programme.name if scope.programme else "",
        "funder": scope.funder or "",
    }


@rights.needs("see_aggregates")
def agency(request: HttpRequest) -> HttpResponse:
    """How are the people we serve doing?"""
    asked = request.GET.get("month", "")
    period = period_or_404(asked) if asked else this_month().previous()
    scope = chosen_scope(request)
    limit = int(policies.get("small_cell_limit"))
    with acting_as(system("report")):
        report = shown_report(period, scope)
        trend = trends(period.last_month, figures.months_of(scope.programme), limit)
        looking = figures.looking_of(scope.programme)
        workload = figures.workload()
        funders = figures.funders()
    audit.record("read", subject_kind="report", subject=str(period), what="agency page")
    context = {
        **page_context(report),
        "looking": looking,
        "workload": workload,
        "empty": report.as_of is None,
        "chart": rates_svg(report.metrics, limit, interval_charts),
        "trend": trend,
        "figures": [
            (f"plot-{i}", figure, trend_svg(figure), trend_plot(figure))
            for i, figure in enumerate(trend.figures)
        ],
        "programmes": Programme.objects.all(),
        "programme": scope.programme,
        "funder": scope.funder,
        "funders": funders,
        "query": _address(**_kept_in_address(scope)),
        "months": months_back(this_month(), LISTED_MONTHS)[::-1],
        "month": period,
    }
    return render(request, "reports/agency.html", context)


@rights.needs("export_reports")
def reports(request: HttpRequest) -> HttpResponse:
    """Which month? The newest finished one."""
    return redirect("report", str(this_month().previous()))


@rights.needs("export_reports")
def month(request: HttpRequest, month: str) -> HttpResponse:
    """The period on one page, with its files and what it compares to."""
    try:
        shown = parse_period(month)
    except PeriodProblem as problem:
        return _month_page(request, this_month().previous(), str(problem), 404)
    try:
        asked = request.GET.get("period", "").strip() or _asked_range(request)
        if asked:
            return redirect(
                reverse("report", args=[str(parse_period(asked))])
                + _address(**_kept_in_address(chosen_scope(request)))
            )
    except PeriodProblem as problem:
        return _month_page(request, shown, str(problem), 400)
    return _month_page(request, shown)


def _asked_range(request: HttpRequest) -> str:
    days = [request.GET.get(name, "").strip() for name in ("from", "to")]
    if any(days) and not all(days):
        raise PeriodProblem(str(_("A range has two days: say from when and to when.")))
    return "..".join(days) if any(days) else ""


def _month_page(
    request: HttpRequest, period: Period, problem: str = "", status: int = 200
) -> HttpResponse:
    scope = chosen_scope(request)
    with acting_as(system("report")):
        report = shown_report(period, scope)
        compared = comparison(report)
        shown = report_context(report)
        funders = figures.funders()
    audit.record("read", subject_kind="report", subject=str(period), what="month page")
    after = period.next() if isinstance(period, Month | Months) else None
    runs = ReportRun.objects.filter(period=str(period), scope=scope.name).prefetch_related(
        Prefetch("editions", ReportEdition.objects.defer("content"))
    )[:10]
    job = actions.publishing(period, scope, request.user)
    context = {
        **shown,
        "compared": compared,
        "month": period,
        "before": period.previous(),
        "after": after if after and after.start <= clinic_time.today() else None,
        "programme": scope.programme,
        "programmes": Programme.objects.all(),
        "funder": scope.funder,
        "funders": funders,
        "query": _address(**_kept_in_address(scope)),
        "publishing": job,
        "publishing_done": (progress.of(job.pk) or 0) if job else 0,
        "published": next((run for run in runs if run.published), None),
        "runs": runs,
        "formats": FORMATS,
        "paper_missing": missing(),
        "empty": report.as_of is None,
        "problem": problem,
        "typed": {name: request.GET.get(name, "") for name in ("period", "from", "to")},
    }
    return render(request, "reports/month.html", context, status=status)


@rights.needs("export_reports")
@presence.recently("GET")
def download(request: HttpRequest, month: str, format: str) -> HttpResponse:
    """A period's file: kept, and the same to the byte when nothing changed."""
    if format not in FORMATS:
        raise Http404
    period, scope = period_or_404(month), chosen_scope(request)
    try:
        edition, name = actions.keep_edition(
            period=period, scope=scope, format=format, by=request.user,
            published=request.GET.get("use") == "publish",
        )  # fmt: skip
    except PaperUnavailable as problem:
        return HttpResponse(str(problem), status=503, content_type="text/plain; charset=utf-8")
    except actions.NotPublishable as problem:
        return _month_page(request, period, str(problem), 409)
    return _file(edition, name)


@rights.needs("export_reports")
@require_POST
def publish(request: HttpRequest, month: str) -> HttpResponse:
    """The files to leave the clinic: the worker makes them, the page can be left meanwhile."""
    period, scope = period_or_404(month), chosen_scope(request)
    try:
        actions.ask_to_publish(period=period, scope=scope, by=request.user)
    except actions.NotPublishable as problem:
        return _month_page(request, period, str(problem), 409)
    return redirect(reverse("report", args=[month]) + _address(**_kept_in_address(scope)))


@rights.needs("export_reports")
def publishing_state(request: HttpRequest, month: str) -> HttpResponse:
    """How far they are, for the page that waits."""
    job = actions.publishing(period_or_404(month), chosen_scope(request), request.user)
    running = job is not None and job.finished_at is None
    done = (progress.of(job.pk) or 0) if job else 0
    return JsonResponse({"running": running, "done": done, "total": job.total if job else 0})


@rights.needs("export_reports")
@presence.recently("GET")
def edition(request: HttpRequest, pk: int) -> HttpResponse:
    """A kept edition again, to the byte."""
    kept = get_object_or_404(ReportEdition.objects.select_related("run"), pk=pk)
    run = kept.run
    audit.record(
        "exported", subject_kind="report", subject=run.period, by=request.user,
        format=kept.format, edition=kept.pk,
    )  # fmt: skip
    kind = "-published" if run.published else ""
    return _file(kept, f"outcomes-{run.period}{kind}-edition-{run.pk}".replace("..", "-to-"))


def _file(edition: ReportEdition, name: str) -> HttpResponse:
    response = HttpResponse(bytes(edition.content), content_type=CONTENT_TYPES[edition.format])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{edition.format}"'
    response.headers["ETag"] = f'"{edition.checksum}"'
    return response
