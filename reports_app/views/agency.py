from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from measures_app.charts import trend_svg
from reports_app import actions, still_looking
from reports_app.editions import CONTENT_TYPES, FORMATS, make_report, page_context
from reports_app.models import ReportRun
from reports_app.paper import PaperUnavailable, missing
from reports_app.periods import Month, PeriodProblem, months_back, parse_month
from reports_app.plots import trend_plot
from reports_app.small import rates_svg
from reports_app.trend import trends
from sessions_app import access, audit, clinic_time, policies
from sessions_app.context import acting_as, system
from sessions_app.models import Programme

LISTED_MONTHS = 24


def this_month() -> Month:
    return Month(clinic_time.today().replace(day=1))


def month_or_404(text: str) -> Month:
    try:
        return parse_month(text)
    except PeriodProblem:
        raise Http404 from None


def chosen_programme(request: HttpRequest) -> Programme | None:
    name = request.GET.get("programme", "")
    if not name:
        return None
    programme = Programme.objects.filter(name=name).first()
    if programme is None:
        raise Http404
    return programme


@access.needs("see_aggregates")
def agency(request: HttpRequest) -> HttpResponse:
    """How are the people we serve doing?"""
    month = (
        month_or_404(request.GET["month"]) if request.GET.get("month") else this_month().previous()
    )
    programme = chosen_programme(request)
    limit = int(policies.get("small_cell_limit"))
    with acting_as(system("report")):
        report = make_report(month, programme)
        trend = trends(month, programme, limit)
        looking = still_looking.of_clinic(programme)
    audit.record("read", subject_kind="report", subject=str(month), what="agency page")
    context = {
        **page_context(report),
        "looking": looking,
        "empty": report.as_of is None,
        "chart": rates_svg(report.metrics, limit),
        "trend": trend,
        "figures": [
            (f"plot-{i}", figure, trend_svg(figure), trend_plot(figure))
            for i, figure in enumerate(trend.figures)
        ],
        "programmes": Programme.objects.all(),
        "programme": programme,
        "months": months_back(this_month(), LISTED_MONTHS)[::-1],
        "month": month,
    }
    return render(request, "reports/agency.html", context)


@access.needs("export_reports")
def reports(request: HttpRequest) -> HttpResponse:
    """Which month? The newest finished one."""
    return redirect("report", str(this_month().previous()))


@access.needs("export_reports")
def month(request: HttpRequest, month: str) -> HttpResponse:
    """The month on one page, with its files."""
    shown, programme = month_or_404(month), chosen_programme(request)
    with acting_as(system("report")):
        report = make_report(shown, programme)
    audit.record("read", subject_kind="report", subject=str(shown), what="month page")
    context = {
        **page_context(report),
        "month": shown,
        "before": shown.previous(),
        "after": shown.next() if shown.next().start <= clinic_time.today() else None,
        "programme": programme,
        "programmes": Programme.objects.all(),
        "runs": ReportRun.objects.filter(period=str(shown)).prefetch_related("editions")[:10],
        "formats": FORMATS,
        "paper_missing": missing(),
        "empty": report.as_of is None,
    }
    return render(request, "reports/month.html", context)


@access.needs("export_reports")
def download(request: HttpRequest, month: str, format: str) -> HttpResponse:
    """A month's file: kept, and the same to the byte when nothing changed."""
    if format not in FORMATS:
        raise Http404
    shown, programme = month_or_404(month), chosen_programme(request)
    try:
        edition, name = actions.keep_edition(
            month=shown, programme=programme, format=format, by=request.user
        )
    except PaperUnavailable as problem:
        return HttpResponse(str(problem), status=503, content_type="text/plain; charset=utf-8")
    response = HttpResponse(bytes(edition.content), content_type=CONTENT_TYPES[format])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{format}"'
    response.headers["ETag"] = f'"{edition.checksum}"'
    return response


def month_url(month: Month) -> str:
    return reverse("report", args=[str(month)])
