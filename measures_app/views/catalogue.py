from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from measures_app import fhir, measures
from measures_app.actions import add_norm_row
from measures_app.definition_reader import parse_definition
from measures_app.definitions import DefinitionProblem, MeasureDefinition
from measures_app.measure_forms import LoadForm, NormForm
from measures_app.models import Measure, MeasureVersion
from measures_app.schema_check import SCHEMA_FILE
from measures_app.shown import norms_of, planned, shown, times_taken, versions_of
from sessions_app import clinic_time, rights
from sessions_app.context import acting_as, system
from sessions_app.forms import add_problems

OK, UNPROCESSABLE = 200, 422
# Everybody who works here may read what is asked; it says nothing about anyone.
reads = rights.needs("see_clinical", "manage_measures", "see_aggregates", "see_registry")


def with_library() -> None:
    """A clinic's first look: the bundled measures are there without a command."""
    if not MeasureVersion.objects.exists():
        with acting_as(system("library")):
            measures.sync_library()


def measure_or_404(code: str) -> Measure:
    with_library()
    found = Measure.objects.filter(code=code).first()
    if found is None:
        raise Http404
    return found


@reads
def index(request: HttpRequest) -> HttpResponse:
    """What can be asked here?"""
    with_library()
    newest = Prefetch(
        "versions", MeasureVersion.objects.order_by("measure", "-version"), to_attr="all_versions"
    )
    asked, totals = [], []
    today = clinic_time.today()
    for measure in Measure.objects.prefetch_related(newest, "norms"):
        version = measure.all_versions[0]
        row = {
            "measure": measure,
            "version": version,
            "norm": measures.choose_norm(measure.norms.all(), None, today),
            "shown": shown(measures.definition_of(version)),
        }
        (asked if version.definition.get("items") else totals).append(row)
    context = {
        "asked": asked,
        "totals": totals,
        "may_load": rights.may(request.user, "manage_measures"),
    }
    return render(request, "measures/index.html", context)


@reads
def measure(request: HttpRequest, code: str) -> HttpResponse:
    """What does this measure ask, and how is it read?"""
    found = measure_or_404(code)
    versions = versions_of(found)
    wanted = request.GET.get("version", "")
    chosen = next((v.version for v in versions if str(v.version.version) == wanted), None)
    if wanted and chosen is None:
        raise Http404
    version = chosen or versions[0].version
    context = {
        "measure": found,
        "version": version,
        "is_newest": version == versions[0].version,
        "shown": shown(measures.definition_of(version), request.GET.get("language", "en")),
        "norms": norms_of(found),
        "versions": versions,
        "planned": planned(found),
        "taken": times_taken(found),
        "may_load": rights.may(request.user, "manage_measures"),
    }
    return render(request, "measures/measure.html", context)


def _file(content: str, name: str, kind: str) -> HttpResponse:
    response = HttpResponse(content, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@reads
def definition_file(request: HttpRequest, code: str) -> HttpResponse:
    """The newest definition, byte for byte as it was loaded."""
    found = measure_or_404(code)
    text = measures.current_version(found).source_text
    return _file(text, f"{code}.toml", "application/toml; charset=utf-8")


@reads
def questionnaire(request: HttpRequest, code: str) -> HttpResponse:
    """The newest definition as a FHIR R4 Questionnaire."""
    version = measures.current_version(measure_or_404(code))
    resource = fhir.to_questionnaire(measures.definition_of(version), version=str(version.version))
    text = json.dumps(resource, ensure_ascii=False, indent=2)
    return _file(text, f"{code}.json", "application/fhir+json; charset=utf-8")


@reads
def schema(request: HttpRequest) -> HttpResponse:
    """The published schema of the format."""
    return _file(
        SCHEMA_FILE.read_text(encoding="utf-8"), SCHEMA_FILE.name, "application/schema+json"
    )


def _read(form: LoadForm) -> tuple[MeasureDefinition, str, tuple[str, ...]]:
    """The definition in a form, its text, and what of a Questionnaire wasn't kept."""
    text: str = form.cleaned_data["text"]
    if text.lstrip()[:1] not in ("{", "[", "<"):
        if form.cleaned_data["better"] or form.cleaned_data["side"].strip():
            raise ValidationError(
                {"side": _("These are for a Questionnaire: a definition says it itself.")}
            )
        return parse_definition(text), text, ()
    side = fhir.read_side(form.cleaned_data["side"])
    if form.cleaned_data["better"]:
        side["better"] = form.cleaned_data["better"]
    loaded = fhir.read_measure(text.encode(), side=side, known=measures.current_definitions())
    return loaded.definition, loaded.text, loaded.notes


@rights.needs("manage_measures")
def load(request: HttpRequest) -> HttpResponse:
    """Which measure shall be asked from now on? Looked at before it is loaded."""
    with_library()
    form = LoadForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        # What was read stands in the text field from here on, so that it can be put right there.
        form.data = form.data.copy()
        form.data["text"] = form.cleaned_data["text"]
        form.data["previewed"] = form.sign()
        try:
            definition, text, notes = _read(form)
            looked = form.cleaned_data["previewed"] == form.sign()
            if looked and "file" not in request.FILES and "look" not in request.POST:
                version = measures.load_definition(definition, source_text=text, by=request.user)
                messages.success(
                    request,
                    _("Loaded as version %(n)d. The plan says when it is asked.")
                    % {"n": version.version},
                )
                return redirect(version.measure)
            context |= {
                "shown": shown(definition, next(iter(definition.wording), "en")),
                "notes": notes,
                "known": Measure.objects.filter(code=definition.code).first(),
            }
        except (DefinitionProblem, fhir.FhirProblem) as problem:
            for fault in problem.faults:
                form.add_error("text", str(fault))
        except ValidationError as problem:
            add_problems(form, problem)
    status = UNPROCESSABLE if form.errors else OK
    return render(request, "measures/load.html", context, status=status)


@rights.needs("manage_measures")
def add_norm(request: HttpRequest, code: str) -> HttpResponse:
    """With which constants of our own shall this measure be read?"""
    found = measure_or_404(code)
    form = NormForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            add_norm_row(measure=found, by=request.user, **form.cleaned_data)
        except ValidationError as problem:
            add_problems(form, problem)
        else:
            messages.success(request, _("Added. Series that have begun keep the row they have."))
            return redirect(found)
    context = {
        "form": form,
        "measure": found,
        "version": measures.current_version(found),
        "norms": norms_of(found),
    }
    status = UNPROCESSABLE if form.errors else OK
    return render(request, "measures/norm.html", context, status=status)
