"""Forms of the review page: what was decided, what can wait, who has it, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sessions_app import clinic_time
from sessions_app.forms import DayInput, choose
from sessions_app.models import CaseReview, User

FOLLOW_UP_WEEKS = 4


class DecisionForm(forms.Form):
    seen_reviews = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    decision = forms.ChoiceField(
        choices=CaseReview.Decision.choices,
        label=_("What was decided"),
        widget=forms.RadioSelect,
    )
    change_of = forms.ChoiceField(
        required=False,
        label=_("If the approach changes: what of it"),
        choices=[
            ("", "–"),
            ("goals", _("goals")),
            ("method", _("method")),
            ("relationship", _("relationship")),
            ("dose", _("how often")),
            ("medication", _("medication consult")),
        ],
    )
    talked = forms.ChoiceField(
        required=False, choices=CaseReview.Talked.choices, label=_("Who talked about it")
    )
    conference = forms.IntegerField(required=False, widget=forms.HiddenInput)
    note = forms.CharField(label=_("Why, in a sentence"), widget=forms.Textarea(attrs={"rows": 3}))
    client_said = forms.CharField(
        required=False,
        label=_("What the client said"),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    follow_up_on = forms.DateField(required=False, label=_("Look again on"), widget=DayInput())

    @classmethod
    def empty(cls, seen: int, talked: str = "", conference: int | None = None) -> DecisionForm:
        ahead = clinic_time.today() + timedelta(weeks=FOLLOW_UP_WEEKS)
        given = {"talked": talked, "conference": conference}
        return cls(initial={"seen_reviews": seen, "follow_up_on": ahead, **given})


class PutOffForm(forms.Form):
    until = forms.DateField(label=_("Back on the list on"), widget=DayInput())
    why = forms.CharField(label=_("Why it can wait"), max_length=200)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"until": clinic_time.today() + timedelta(weeks=2)})
        super().__init__(*args, prefix="later", **kwargs)


class HandToForm(forms.Form):
    to = choose(User.objects.none(), _("A colleague who may see this client"))

    def __init__(self, *args: Any, people: Sequence[tuple[int, str]], **kwargs: Any) -> None:
        """`people`: numbers and names of those who may be chosen."""
        super().__init__(*args, prefix="hand", **kwargs)
        field: Any = self.fields["to"]  # a ModelChoiceField
        field.queryset = User.objects.filter(pk__in=[pk for pk, _name in people])
        field.choices = [("", field.empty_label), *people]


class ResultForm(forms.Form):
    result = forms.CharField(label=_("What came of it, in a sentence"), max_length=400)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, prefix="result", **kwargs)
