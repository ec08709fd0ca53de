from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from measures_app import imports, measures
from measures_app.actions.imports import ImportRefused, ImportResult, import_records, known_versions
from measures_app.imports.mapping import DATES, FIELDS, SETTINGS
from measures_app.models import ImportDraft, Measure
from sessions_app import access, clinic_time, sealing
from sessions_app.context import acting_as, system
from sessions_app.forms import DayInput, FileForm

PAGE_LIMIT = 20 * 1024 * 1024
KEPT_FOR = timedelta(days=1)
SAMPLE_ROWS = 5
SHOWN_PROBLEMS = 100
GUESSES = {
    "client": ("client", "id", "patient", "client_id", "code"),
    "session_date": ("session_date", "date", "day_of_session"),
    "total": ("total", "score", "sum"),
    "day": ("day", "days", "time"),
    "month": ("month", "months"),
    "clinician": ("clinician", "therapist"),
}


class MappingForm(forms.Form):
    """What each column means; constants for what the file doesn't say."""

    measure = forms.ChoiceField(label=gettext_lazy("Measure"))
    opened_on = forms.DateField(
        label=gettext_lazy("Episodes began on"),
        required=False,
        widget=DayInput(),
        help_text=gettext_lazy("Needed where sessions are counted in days or months."),
    )
    programme = forms.CharField(label=gettext_lazy("Programme"), max_length=120, required=False)
    clinician = forms.CharField(label=gettext_lazy("Clinician"), max_length=40, required=False)
    date_format = forms.CharField(
        label=gettext_lazy("How dates are written"),
        max_length=20,
        required=False,
        help_text=gettext_lazy("Left empty: 2024-01-31. Else such as %d/%m/%Y."),
    )
    ended_after_days = forms.IntegerField(
        label=gettext_lazy("Episodes ended after so many days without a session"),
        min_value=1,
        required=False,
    )

    def __init__(self, *args: Any, columns: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.columns = columns
        known = [(m.code, f"{m.title} ({m.code})") for m in Measure.objects.filter(active=True)]
        choices = [("", _("as the column says")), *known]
        self.fields["measure"].choices = choices  # type: ignore[attr-defined]  # ChoiceField
        self.fields["measure"].required = False
        fields = [("", _("leave out")), *((name, name.replace("_", " ")) for name in FIELDS)]
        fields += [(f"item_{n}", f"item {n}") for n in range(1, 51)]
        for index, column in enumerate(columns):
            self.fields[f"column_{index}"] = forms.ChoiceField(
                label=column or _("(no name)"),
                choices=fields,
                required=False,
                initial=self._guess(column),
            )

    @staticmethod
    def _guess(column: str) -> str:
        name = column.strip().lower()
        if name in FIELDS:
            return name
        return next((field for field, words in GUESSES.items() if name in words), "")

    def column_fields(self) -> list[Any]:
        return [self[f"column_{index}"] for index in range(len(self.columns))]

    def constant_fields(self) -> list[Any]:
        return [self[name] for name in self.fields if not name.startswith("column_")]

    def mapping(self) -> imports.Mapping:
        given = self.cleaned_data
        chosen: dict[str, str] = {}
        for index, column in enumerate(self.columns):
            field = given.get(f"column_{index}")
            if not field:
                continue
            if field in chosen:
                raise imports.MappingProblem(
                    _("“%(a)s” and “%(b)s” can't both be %(field)s.")
                    % {"a": chosen[field], "b": column, "field": field.replace("_", " ")}
                )
            chosen[field] = column
        said = {name: given[name] for name in given if not name.startswith("column_")}
        constants = {
            name: value
            for name, value in said.items()
            if value not in (None, "") and name not in SETTINGS and name not in chosen
        }
        return imports.Mapping(
            columns=chosen,
            constants={
                name: value.isoformat() if name in DATES else value
                for name, value in constants.items()
            },
            date_format=said.get("date_format") or "",
            ended_after_days=said.get("ended_after_days"),
        )


def _forget_old_drafts() -> None:
    ImportDraft.objects.filter(created_at__lt=clinic_time.now() - KEPT_FOR).delete()


@access.needs("import_scores")
def start(request: HttpRequest) -> HttpResponse:
    """Which scores does the clinic bring with it? First the file."""
    form = FileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        content = file.read(PAGE_LIMIT + 1)
        try:
            imports.read_table(content, limit=PAGE_LIMIT)
        except imports.TableProblem as problem:
            form.add_error("file", str(problem))
        else:
            _forget_old_drafts()
            draft = ImportDraft(user=request.user, name=file.name[:120])
            draft.sealed, draft.master_key_id = sealing.wrap(content, f"import:{draft.pk}")
            draft.save(force_insert=True)
            return redirect("import_draft", draft.pk)
    return render(request, "imports/start.html", {"form": form}, status=422 if form.errors else 200)


def _try(
    table: imports.Table, mapping: imports.Mapping, *, keep: bool
) -> tuple[ImportResult, list[imports.Problem]]:
    """Import, or do as if: rights were asked at the door, the work is the system's."""
    with acting_as(system("import")):
        measures.sync_library()
        records, problems = imports.read_rows(table, mapping, known_versions())
        if problems:
            return ImportResult(), problems
        try:
            with transaction.atomic():
                result = import_records(records=records, mapping=mapping, by=system("import"))
                if not keep:
                    transaction.set_rollback(True)
        except ImportRefused as refused:
            return ImportResult(), refused.problems
        return result, []


@access.needs("import_scores")
def draft(request: HttpRequest, pk: Any) -> HttpResponse:
    """Then what the columns mean, a preview, and only then the import."""
    row = ImportDraft.objects.filter(pk=pk, user=request.user).first()
    if row is None:
        raise Http404
    content = sealing.unwrap(bytes(row.sealed), row.master_key_id, f"import:{row.pk}")
    table = imports.read_table(content, limit=PAGE_LIMIT)
    with acting_as(system("import")):
        measures.sync_library()
    form = MappingForm(request.POST or None, columns=table.columns)
    context: dict[str, Any] = {
        "draft": row,
        "form": form,
        "rows": len(table.rows),
        "columns": table.columns,
        "sample": [cells for _number, cells in table.rows[:SAMPLE_ROWS]],
    }
    if request.method != "POST":
        return render(request, "imports/draft.html", context)
    if form.is_valid():
        try:
            mapping = form.mapping()
            result, problems = _try(table, mapping, keep=request.POST.get("do") == "import")
        except (imports.MappingProblem, ValidationError) as problem:
            form.add_error(None, str(problem))
        else:
            if request.POST.get("do") == "import" and not problems:
                row.delete()
                messages.success(
                    request,
                    ngettext("%(n)d score imported.", "%(n)d scores imported.", result.created)
                    % {"n": result.created},
                )
                return redirect("import")
            context |= {
                "result": None if problems else result,
                "problems": problems[:SHOWN_PROBLEMS],
                "more_problems": max(0, len(problems) - SHOWN_PROBLEMS),
                "bad_rows": len({problem.row for problem in problems}),
            }
            return render(request, "imports/draft.html", context, status=422 if problems else 200)
    return render(request, "imports/draft.html", context, status=422)
