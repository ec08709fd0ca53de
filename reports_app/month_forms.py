"""Forms of what is entered for a month, and of contracts' targets."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from reports_app.board import TARGETS, check_target
from reports_app.explain import LABELS
from sessions_app.forms import DayInput

MOST = 100_000


def _count(label: Any) -> forms.IntegerField:
    return forms.IntegerField(required=False, min_value=0, max_value=MOST, label=label)


class EntryForm(forms.Form):
    complaints = _count(_("Complaints"))
    vacancies = _count(_("Vacant posts at the month's end"))
    leavers = _count(_("Staff who left"))
    sick_days = _count(_("Days of sick leave, all staff together"))
    changed = forms.CharField(
        required=False,
        max_length=2000,
        label=_("What we changed because of last month"),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and all(value in (None, "") for value in cleaned.values()):
            raise forms.ValidationError(_("Nothing is entered yet: leave empty what isn't known."))
        return cleaned


class TargetForm(forms.Form):
    funder = forms.CharField(
        max_length=80,
        label=_("Funder, as episodes name it"),
        widget=forms.TextInput(attrs={"list": "funders", "autocomplete": "off"}),
    )
    metric = forms.ChoiceField(
        choices=[(name, LABELS[name]) for name in TARGETS],
        label=_("What the contract asks for"),
    )
    value = forms.FloatField(
        min_value=0,
        max_value=MOST,
        label=_("Target: a number a month, days, an effect size, or per cent"),
    )
    from_on = forms.DateField(label=_("From"), widget=DayInput())

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                check_target(cleaned["metric"], cleaned["value"])
            except ValidationError as problem:
                self.add_error(None, problem)
        return cleaned
