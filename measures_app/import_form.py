"""The page's way to say what a file's columns mean."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app import imports
from measures_app.imports import guesses
from measures_app.imports.dates import SERIAL
from measures_app.imports.mapping import DATES
from measures_app.imports.rows import WORDS, plain_word
from measures_app.models import Measure
from sessions_app.forms import DayInput
from sessions_app.models import Programme

FIELDS = (
    (gettext_lazy("Who"), (
        ("client", gettext_lazy("client's number")),
        ("birth_year", gettext_lazy("year of birth")),
        ("age", gettext_lazy("age at the opening")),
        ("gender", gettext_lazy("gender")),
        ("language", gettext_lazy("language")),
        ("respondent", gettext_lazy("who answered")),
    )),
    (gettext_lazy("When"), (
        ("session_date", gettext_lazy("date of the session")),
        ("day", gettext_lazy("days since the episode began")),
        ("month", gettext_lazy("months since the episode began")),
        ("session", gettext_lazy("which of the day's sessions")),
        ("attendance", gettext_lazy("attendance")),
    )),
    (gettext_lazy("What"), (
        ("measure", gettext_lazy("measure")),
        ("total", gettext_lazy("total score")),
    )),
    (gettext_lazy("Care"), (
        ("clinician", gettext_lazy("clinician")),
        ("programme", gettext_lazy("programme")),
        ("site", gettext_lazy("site")),
        ("episode", gettext_lazy("episode's number")),
        ("opened_on", gettext_lazy("episode opened on")),
        ("care_began_on", gettext_lazy("care began on (before measuring)")),
        ("ended_on", gettext_lazy("episode ended on")),
        ("ending", gettext_lazy("how it ended")),
        ("problem", gettext_lazy("problem")),
        ("funder", gettext_lazy("funder")),
    )),
    (gettext_lazy("Referral"), (
        ("referred_on", gettext_lazy("referral received on")),
        ("referral_source", gettext_lazy("who referred")),
        ("first_offer_on", gettext_lazy("first appointment offered on")),
        ("referral_outcome", gettext_lazy("what came of the referral")),
        ("referral_outcome_on", gettext_lazy("when that was")),
    )),
)  # fmt: skip
ITEMS = 60
MOST_VALUES = 12  # beyond, a column that should hold a few words holds something else
CONSTANTS = ("measure", "opened_on", "programme", "clinician")


def field_choices() -> list[Any]:
    """Select options: everything that a column can mean."""
    items = [(f"item_{n}", _("item %(n)d") % {"n": n}) for n in range(1, ITEMS + 1)]
    return [("", _("leave out")), *FIELDS, (_("Answers"), items)]


class MappingForm(forms.Form):
    """What each column means; what holds for all rows; what a file's own words stand for."""

    measure = forms.ChoiceField(label=gettext_lazy("Measure"), required=False)
    date_format = forms.ChoiceField(label=gettext_lazy("How dates are written"), required=False)
    opened_on = forms.DateField(
        label=gettext_lazy("Episodes began on"),
        required=False,
        widget=DayInput(),
        help_text=gettext_lazy("Needed where sessions are counted in days or months."),
    )
    programme = forms.CharField(label=gettext_lazy("Programme"), max_length=120, required=False)
    clinician = forms.CharField(label=gettext_lazy("Clinician"), max_length=40, required=False)
    ended_after_days = forms.IntegerField(
        label=gettext_lazy("Ended after so many days without a session"),
        min_value=1,
        max_value=5000,
        required=False,
        help_text=gettext_lazy("Left empty, episodes stay open unless the file says otherwise."),
    )

    def __init__(
        self, data: Any = None, *, table: imports.Table, name: str, mapping: imports.Mapping | None
    ) -> None:
        self.table = table
        codes = [(m.code, f"{m.title} ({m.code})") for m in Measure.objects.filter(active=True)]
        known = [code for code, _title in codes]
        self.guessed = guesses.fields_of(table.columns, known)
        super().__init__(data, initial=self._initial(mapping, name, known))
        self.fields["measure"].choices = [("", _("as a column says")), *codes]  # type: ignore[attr-defined]  # ChoiceField
        self.fields["date_format"].choices = [  # type: ignore[attr-defined]  # ChoiceField
            ("", "2024-01-31"),
            *((way, guesses.EXAMPLES[way]) for way in guesses.DATE_FORMATS if way != SERIAL),
            (SERIAL, _("45322 (a spreadsheet's day number)")),
        ]
        programmes = list(Programme.objects.values_list("name", flat=True))
        self.fields["programme"].help_text = (
            _("Known here: %(names)s. Left empty: “Imported”.") % {"names": ", ".join(programmes)}
            if programmes
            else _("Left empty: “Imported”.")
        )
        chosen = {column: field for field, column in mapping.columns.items()} if mapping else None
        for index, column in enumerate(table.columns):
            initial = (chosen if chosen is not None else self.guessed).get(column, "")
            self.fields[f"column_{index}"] = forms.ChoiceField(
                label=column or _("(no name)"),
                choices=field_choices(),
                required=False,
                initial=initial,
            )
        self._add_values(mapping)

    def _initial(
        self, mapping: imports.Mapping | None, name: str, codes: list[str]
    ) -> dict[str, Any]:
        if mapping is not None:
            return {
                **mapping.constants,
                "date_format": mapping.date_format,
                "ended_after_days": mapping.ended_after_days,
            }
        initial: dict[str, Any] = {}
        of = {field: column for column, field in self.guessed.items()}
        if "measure" not in of:
            told = guesses.measure_named(of.get("total", ""), codes)
            initial["measure"] = told or guesses.measure_named(name.rsplit(".", 1)[0], codes)
        if when := of.get("session_date") or of.get("referred_on"):
            initial["date_format"] = guesses.date_format_of(self.table, when)
        return initial

    def _meant(self, index: int) -> str:
        field = f"column_{index}"
        return self.data.get(field, "") if self.is_bound else self.fields[field].initial

    def _add_values(self, mapping: imports.Mapping | None) -> None:
        """A select for each of a file's own words in a column that holds one of a few."""
        self.values: dict[str, tuple[str, str]] = {}
        for index in range(len(self.table.columns)):
            meant = self._meant(index)
            if meant not in WORDS:
                continue
            own = {cells[index] for _number, cells in self.table.rows}
            foreign = sorted(word for word in own if plain_word(word) not in WORDS[meant])
            if len(foreign) > MOST_VALUES:
                continue
            said = mapping.values.get(meant, {}) if mapping else {}
            ours = list(dict.fromkeys(str(v) for v in WORDS[meant].values() if v))
            for number, word in enumerate(foreign):
                name = f"value_{index}_{number}"
                self.values[name] = (meant, word)
                self.fields[name] = forms.ChoiceField(
                    label=_("“%(word)s” in %(column)s")
                    % {"word": word, "column": self.table.columns[index]},
                    choices=[("", "…"), *((one, one.replace("_", " ")) for one in ours)],
                    initial=said.get(word, ""),
                    error_messages={"required": _("Say what this stands for.")},
                )

    def column_fields(self) -> list[Any]:
        return [self[f"column_{index}"] for index in range(len(self.table.columns))]

    def value_fields(self) -> list[Any]:
        return [self[name] for name in self.values]

    def constant_fields(self) -> list[Any]:
        return [self[name] for name in self.base_fields]

    def clean(self) -> dict[str, Any]:
        try:
            self.mapping = self._mapping()
        except imports.MappingProblem as problem:
            self.add_error(None, str(problem))
        return self.cleaned_data

    def _mapping(self) -> imports.Mapping:
        given = self.cleaned_data
        columns: dict[str, str] = {}
        for index, column in enumerate(self.table.columns):
            field = given.get(f"column_{index}")
            if not field:
                continue
            if field in columns:
                raise imports.MappingProblem(
                    _("“%(a)s” and “%(b)s” can't both be %(field)s.")
                    % {"a": columns[field], "b": column, "field": field.replace("_", " ")}
                )
            columns[field] = column
        constants = {
            name: given[name].isoformat() if name in DATES else given[name]
            for name in CONSTANTS
            if given.get(name) and name not in columns
        }
        values: dict[str, dict[str, str]] = {}
        for name, (meant, word) in self.values.items():
            values.setdefault(meant, {})[word] = given.get(name, "")
        mapping = imports.Mapping(
            columns=columns,
            constants=constants,
            values=values,
            date_format=given.get("date_format") or "",
            ended_after_days=given.get("ended_after_days"),
        )
        mapping.check_against(self.table.columns)
        return mapping
