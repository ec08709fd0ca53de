"""Scores from a file: bring it, say what its columns mean, look at what would be, do it.

Whoever may import sees their own file, and of what is stored nothing but how much of the file is
there already.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from measures_app import imports
from measures_app.actions import drafts
from measures_app.import_form import MappingForm
from measures_app.models import ImportDraft
from sessions_app import progress, rights, sealing
from sessions_app.forms import FileForm
from sessions_app.models import Job

PAGE_LIMIT = 20 * 1024 * 1024
PAGE_ROWS = 100_000  # each step reads the file again
SAMPLE_ROWS = 5
SHOWN_PROBLEMS = 100


@rights.needs("import_scores")
def start(request: HttpRequest) -> HttpResponse:
    """Which scores does the clinic bring with it? First the file."""
    form = FileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            if file.size > PAGE_LIMIT:
                raise imports.too_large(file.size, PAGE_LIMIT)
            content = file.read()
            rows = len(imports.read_table(content))
            if rows > PAGE_ROWS:
                raise imports.TableProblem(
                    _("The file has %(n)s rows: more than %(most)s go in by import_scores.")
                    % {"n": rows, "most": PAGE_ROWS}
                )
        except imports.TableProblem as problem:
            form.add_error("file", str(problem))
        else:
            draft = drafts.bring_file(name=file.name, content=content, by=request.user)
            return redirect("import_draft", draft.pk)
    mine = ImportDraft.objects.filter(user=request.user).select_related("job").defer("sealed")
    context = {"form": form, "drafts": mine.order_by("-created_at")}
    return render(request, "imports/start.html", context, status=422 if form.errors else 200)


def _mine(request: HttpRequest, pk: Any) -> ImportDraft:
    found = ImportDraft.objects.filter(pk=pk, user=request.user).select_related("job").first()
    if found is None:
        raise Http404
    return found


def _running(draft: ImportDraft) -> bool:
    return draft.job is not None and draft.job.finished_at is None


def _page(
    request: HttpRequest, draft: ImportDraft, form: MappingForm, status: int = 200
) -> HttpResponse:
    table = form.table
    report = draft.report if not form.errors else None
    mapping = drafts.stored_mapping(draft)
    context = {
        "draft": draft,
        "form": form,
        "table": table,
        "rows": len(table),
        "sample": [cells for _number, cells in table.rows[:SAMPLE_ROWS]],
        "report": report,
        "stopped": draft.job.problem if draft.job and draft.job.state == Job.State.STOPPED else "",
        "toml": imports.as_toml(mapping) if report and mapping else "",
    }
    if report:
        context |= {
            "problems": report["problems"][:SHOWN_PROBLEMS],
            "more_problems": max(0, report["count"] - SHOWN_PROBLEMS),
            "good_rows": report["rows"] - report["bad_rows"],
        }
    return render(request, "imports/draft.html", context, status=status)


@rights.needs("import_scores")
def draft(request: HttpRequest, pk: Any) -> HttpResponse:
    """Then what the columns mean, a preview, and only then the import."""
    row = _mine(request, pk)
    if _running(row):
        done = progress.of(row.job_id) or 0
        return render(request, "imports/running.html", {"draft": row, "job": row.job, "done": done})
    if request.method != "POST" and row.report and row.report["did"] == drafts.IMPORT:
        return redirect(_after(request, row))
    try:
        table = imports.read_table(row.content)
    except sealing.CannotOpen:  # its key is no longer in use here
        row.delete()
        messages.error(request, _("This file can't be opened any more: bring it again."))
        return redirect("import")
    form = MappingForm(
        request.POST or None, table=table, name=row.name, mapping=drafts.stored_mapping(row)
    )
    if request.method != "POST":
        return _page(request, row, form)
    do = request.POST.get("do", drafts.PREVIEW)
    if not form.is_valid() or do not in drafts.WAYS:
        return _page(request, row, form, status=422)
    drafts.try_file(draft=row, mapping=form.mapping, do=do, by=request.user)
    return redirect(_after(request, row))


def _after(request: HttpRequest, row: ImportDraft) -> str:
    """The page to go to when a try is over: what came of it, or the next file."""
    report = row.report
    if report and report["did"] == drafts.IMPORT:
        created = report["result"]["created"]
        referrals = report["result"]["created_by_kind"].get("referrals", 0)
        said = ngettext("%(n)d score imported.", "%(n)d scores imported.", created) % {"n": created}
        if referrals:
            said += " " + ngettext(
                "%(n)d referral imported.", "%(n)d referrals imported.", referrals
            ) % {"n": referrals}
        messages.success(request, said)
        row.delete()
        return "import"
    return row.get_absolute_url() + ("#report" if report else "")


@rights.needs("import_scores")
def state(request: HttpRequest, pk: Any) -> HttpResponse:
    """How far a long import is, for the page that waits for it."""
    row = _mine(request, pk)
    if not _running(row):
        return JsonResponse({"running": False})
    return JsonResponse(
        {"running": True, "done": progress.of(row.job_id) or 0, "total": row.job.total}
    )


@rights.needs("import_scores")
def bad_rows(request: HttpRequest, pk: Any) -> HttpResponse:
    """The rows that can't be read, each with its reasons, to be put right and brought again."""
    row = _mine(request, pk)
    if _running(row) or not row.report or not row.report["count"]:
        raise Http404
    response = HttpResponse(drafts.bad_rows_of(row), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="rows-to-put-right.csv"'
    return response


@rights.needs("import_scores")
@require_POST
def forget(request: HttpRequest, pk: Any) -> HttpResponse:
    """Take a file away before its day is over."""
    row = _mine(request, pk)
    if not _running(row):
        row.delete()
    return redirect("import")
