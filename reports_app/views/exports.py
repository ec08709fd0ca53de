"""What leaves the clinic row by row: de-identified, made by the worker, kept for a day."""

from __future__ import annotations

import uuid

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _

from reports_app import case_columns, case_rows
from sessions_app import audit, policies, presence, progress, rights
from sessions_app.context import acting_as, streamed, system
from sessions_app.forms import add_problems


class YearsForm(forms.Form):
    first_year = forms.TypedChoiceField(label=_("Care that began in"), coerce=int)
    last_year = forms.TypedChoiceField(label=_("up to and with"), coerce=int)

    def __init__(self, *args: object, years: list[int], **rest: object) -> None:
        super().__init__(*args, **rest)
        for name, year in (("first_year", years[:1]), ("last_year", years[-1:])):
            self.fields[name].choices = [(y, y) for y in years]
            self.fields[name].initial = next(iter(year), None)


@rights.needs("export_reports")
def exports(request: HttpRequest) -> HttpResponse:
    """Which rows may a researcher have?"""
    with acting_as(system("case rows")):
        years = case_rows.years()
    form = YearsForm(request.POST if request.method == "POST" else None, years=years)
    if request.method == "POST" and form.is_valid():
        try:
            case_rows.ask_for_case_rows(**form.cleaned_data, by=request.user)
        except ValidationError as problem:
            add_problems(form, problem)
        else:
            return redirect("exports")
    files = [
        (file, progress.of(file.job_id) or 0)
        for file in case_rows.files_of(request.user)
    ]  # fmt: skip
    context = {
        "form": form,
        "years": years,
        "files": files,
        "running": any(file.job.finished_at is None for file, _done in files),
        "limit": int(policies.get("small_cell_limit")),
        "columns": [(name, meaning) for name, (_path, meaning) in case_columns.COLUMNS.items()],
    }
    return render(request, "reports/exports.html", context, status=422 if form.errors else 200)


@rights.needs("export_reports")
def state(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """How far a file is, for the page that waits for it."""
    file = case_rows.files_of(request.user).filter(pk=pk).first()
    if file is None:
        raise Http404
    running = file.job.finished_at is None
    done = (progress.of(file.job_id) or 0) if running else file.job.total
    return JsonResponse({"running": running, "done": done, "total": file.job.total})


@rights.needs("export_reports")
@presence.recently("GET")
def download(request: HttpRequest, pk: uuid.UUID) -> HttpResponse | StreamingHttpResponse:
    """The finished file, part by part."""
    file = case_rows.file_for(pk, request.user)
    if file is None:
        raise Http404
    audit.record(
        "exported", subject_kind="case rows", subject=file.pk, by=request.user,
        **(file.job.result or {}),
    )  # fmt: skip
    body = streamed(request.user, lambda: case_rows.sent(file))
    response = StreamingHttpResponse(body, content_type="application/zip")
    name = f"case-rows-{file.first_year}-{file.last_year}.zip"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
