from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app import measures
from measures_app.definition_reader import parse_definition
from measures_app.definitions import DefinitionProblem, MeasureDefinition
from measures_app.models import Measure, MeasureVersion
from sessions_app import access
from sessions_app.context import acting_as, system
from sessions_app.forms import add_problems

LONGEST_DEFINITION = 200_000


class LoadForm(forms.Form):
    text = forms.CharField(
        label=gettext_lazy("Definition (TOML)"),
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"}),
        max_length=LONGEST_DEFINITION,
        help_text=gettext_lazy("docs/measures.md explains the format, with an example."),
    )


def _with_library() -> None:
    if not MeasureVersion.objects.exists():
        with acting_as(system("library")):
            measures.sync_library()


@access.needs("manage_measures", "see_clinical")
def index(request: HttpRequest) -> HttpResponse:
    """What can be asked here?"""
    _with_library()
    form = LoadForm(request.POST or None)
    preview: MeasureDefinition | None = None
    may_load = access.may(request.user, "manage_measures")
    if request.method == "POST" and not may_load:
        raise Http404
    if request.method == "POST" and form.is_valid():
        text = form.cleaned_data["text"]
        try:
            preview = parse_definition(text)
            if request.POST.get("do") == "load":
                version = measures.load_definition(preview, source_text=text, by=request.user)
                messages.success(request, _("Loaded as version %(n)d.") % {"n": version.version})
                return redirect(version.measure)
        except DefinitionProblem as problem:
            for fault in problem.faults:
                form.add_error("text", str(fault))
        except ValidationError as problem:
            add_problems(form, problem)
    rows = []
    for measure in Measure.objects.prefetch_related("versions", "norms"):
        versions = list(measure.versions.all())
        norms = list(measure.norms.all())
        rows.append((measure, versions[0] if versions else None, norms[0] if norms else None))
    context = {"rows": rows, "form": form, "preview": preview, "may_load": may_load}
    return render(request, "measures/index.html", context, status=422 if form.errors else 200)


@access.needs("manage_measures", "see_clinical")
def measure(request: HttpRequest, code: str) -> HttpResponse:
    """What does this measure ask, and how is it read?"""
    _with_library()
    shown = Measure.objects.filter(code=code).first()
    if shown is None:
        raise Http404
    version = measures.current_version(shown)
    definition = measures.definition_of(version)
    language = request.GET.get("language", "en")
    words: dict[str, Any] = definition.words(language)
    items = [
        (item, words.get("items", {}).get(item.id, {"label": item.id})) for item in definition.items
    ]
    context = {
        "measure": shown,
        "version": version,
        "definition": definition,
        "words": words,
        "items": items,
        "languages": sorted(definition.wording),
        "language": language,
        "norms": shown.norms.all(),
        "reliable_change": measures.reliable_change_of(measures.norm_for(shown)),
        "versions": shown.versions.all(),
    }
    return render(request, "measures/measure.html", context)
