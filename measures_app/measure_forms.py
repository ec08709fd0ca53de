"""Forms of the catalogue: a file to load, constants of the clinic's own, a line of the plan."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app.models import Measure, MeasurePlan, NormRow
from sessions_app import clinic_time
from sessions_app.forms import DayInput
from sessions_app.models import Programme
from sessions_app.submissions import body_hash

LONGEST = 500_000  # what a page carries; the command line takes more


class LoadForm(forms.Form):
    """A definition as a file or as text. `previewed` is the hash of what was looked at."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        required=False,
        help_text=gettext_lazy("A definition (TOML), or a FHIR R4 Questionnaire (JSON)."),
        widget=forms.ClearableFileInput(attrs={"accept": ".toml,.json,.txt"}),
    )
    text = forms.CharField(
        label=gettext_lazy("or its text"),
        required=False,
        strip=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"}),
        help_text=gettext_lazy("docs/measures.md explains the format, with an example."),
    )
    better = forms.ChoiceField(
        label=gettext_lazy("Better is"),
        required=False,
        choices=[
            ("", gettext_lazy("as the file says")),
            ("higher", gettext_lazy("higher")),
            ("lower", gettext_lazy("lower")),
        ],
    )
    side = forms.CharField(
        label=gettext_lazy("Further facts (TOML)"),
        required=False,
        strip=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text=gettext_lazy("Norms with their sources, alerts, purpose: docs/fhir.md."),
    )
    previewed = forms.CharField(widget=forms.HiddenInput, required=False)

    def clean(self) -> dict[str, Any]:
        """A chosen file goes before what stands in the text field, and then stands there."""
        given = super().clean() or {}
        upload = given.get("file")
        if upload is not None:
            if upload.size > LONGEST:
                self.add_error(
                    "file",
                    _("The file is larger than half a megabyte: use load_measure in a terminal."),
                )
                return given
            try:
                given["text"] = upload.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                self.add_error("file", _("The file is not UTF-8 text."))
                return given
        # A browser sends line ends of its own; the text is known by its hash.
        given["text"] = (given.get("text") or "").replace("\r\n", "\n")
        if "\x00" in given["text"]:
            self.add_error("text", _("The text holds a null character."))
        elif not given["text"].strip() and "text" not in self.errors:
            self.add_error("text", _("Choose a file, or paste its text."))
        return given

    def sign(self) -> str:
        """Hash of what would be loaded."""
        return body_hash({key: self.cleaned_data.get(key) for key in ("text", "better", "side")})


class NormForm(forms.Form):
    """Constants of the clinic's own, with where they come from."""

    population = forms.CharField(label=gettext_lazy("For whom"), max_length=120)
    country = forms.CharField(label=gettext_lazy("Country"), max_length=40, required=False)
    age_from = forms.IntegerField(
        label=gettext_lazy("Youngest age"), min_value=0, max_value=120, required=False
    )
    age_to = forms.IntegerField(
        label=gettext_lazy("Oldest age"), min_value=0, max_value=120, required=False
    )
    cutoff = forms.FloatField(label=gettext_lazy("Cutoff"), required=False)
    at_cutoff = forms.ChoiceField(
        label=gettext_lazy("A score at the cutoff is"),
        initial="functional",
        choices=[
            (NormRow.AtCutoff.CLINICAL, gettext_lazy("itself clinical")),
            (NormRow.AtCutoff.FUNCTIONAL, gettext_lazy("itself functional")),
            (NormRow.AtCutoff.NEITHER, gettext_lazy("neither")),
        ],
    )
    reliable_change = forms.FloatField(
        label=gettext_lazy("Reliable change, as published"), required=False, min_value=0.01
    )
    rc_inclusive = forms.BooleanField(
        label=gettext_lazy("A change of exactly that much counts"), required=False, initial=True
    )
    mean = forms.FloatField(label=gettext_lazy("Mean"), required=False)
    sd = forms.FloatField(label=gettext_lazy("SD"), required=False, min_value=0.01)
    reliability = forms.FloatField(
        label=gettext_lazy("Reliability"),
        required=False,
        min_value=0,
        max_value=1,
        help_text=gettext_lazy("With the SD it gives a reliable change where none is published."),
    )
    source = forms.CharField(
        label=gettext_lazy("Source"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy(
            "Publication with page or table, licence, or own data: which, when."
        ),
    )
    provisional = forms.CharField(
        label=gettext_lazy("Only borrowed? Say why"), max_length=200, required=False
    )
    from_on = forms.DateField(label=gettext_lazy("Counts from"), widget=DayInput())
    default = forms.BooleanField(
        label=gettext_lazy("New scores are read with it"), required=False, initial=True
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"from_on": clinic_time.today()})
        super().__init__(*args, **kwargs)

    @property
    def groups(self) -> list[list[forms.BoundField]]:
        """The fields as they stand beside one another."""
        rows = (
            ("population", "country", "age_from", "age_to"),
            ("cutoff", "at_cutoff", "reliable_change", "rc_inclusive"),
            ("mean", "sd", "reliability"),
        )
        return [[self[name] for name in row] for row in rows]


class PlanForm(forms.Form):
    """A line of the plan. Of a line that is there, what it asks of whom stays."""

    asks = forms.ChoiceField(label=gettext_lazy("What is asked"))
    relation = forms.ChoiceField(
        label=gettext_lazy("Of whom"),
        choices=[("self", gettext_lazy("the client")), ("carer", gettext_lazy("each carer"))],
    )
    programme = forms.ModelChoiceField(
        Programme.objects.filter(active=True),
        label=gettext_lazy("Programme"),
        required=False,
        empty_label=gettext_lazy("all programmes"),
    )
    rhythm = forms.ChoiceField(label=gettext_lazy("How often"), choices=MeasurePlan.Rhythm.choices)
    every = forms.IntegerField(
        label=gettext_lazy("Number n"),
        required=False,
        min_value=1,
        max_value=730,
        help_text=gettext_lazy("For every nth session, or days."),
    )
    age_from = forms.IntegerField(
        label=gettext_lazy("Youngest age"), min_value=0, max_value=120, required=False
    )
    age_to = forms.IntegerField(
        label=gettext_lazy("Oldest age"), min_value=0, max_value=120, required=False
    )
    from_on = forms.DateField(label=gettext_lazy("From"), widget=DayInput())
    withdrawn = forms.BooleanField(
        label=gettext_lazy("Take the line out: a more general one decides then, if there is one"),
        required=False,
    )

    FIXED = ("asks", "relation", "programme")

    def __init__(self, *args: Any, key: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        purposes = [
            (f"purpose:{value}", _("%s measure for the age") % label)
            for value, label in Measure.Purpose.choices
        ]
        measures = [
            (f"measure:{measure.pk}", measure.title)
            for measure in Measure.objects.filter(active=True, rater__in=("client", "carer"))
        ]
        self.fields["asks"].choices = [  # type: ignore[attr-defined]  # ChoiceField
            (_("By age"), purposes),
            (_("One measure"), measures),
        ]
        if key:
            for name in self.FIXED:
                self.fields[name].disabled = True
        else:
            del self.fields["withdrawn"]

    def given(self) -> dict[str, Any]:
        """What the action is called with."""
        given = dict(self.cleaned_data)
        kind, _colon, value = given.pop("asks").partition(":")
        given["purpose"] = value if kind == "purpose" else ""
        given["measure"] = Measure.objects.get(pk=value) if kind == "measure" else None
        return given

    def place(self, problem: ValidationError) -> None:
        """Put an action's errors beside the fields they name; `measure` is asked as `asks`."""
        if not hasattr(problem, "error_dict"):
            self.add_error(None, problem)
            return
        for name, errors in problem.error_dict.items():
            name = "asks" if name == "measure" else name
            self.add_error(name if name in self.fields else None, errors)
