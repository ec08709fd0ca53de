"""Forms of a case conference: when and with whom, how long a case takes, who presents it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sessions_app import access, clinic_time
from sessions_app.actions.conferences import MINUTES
from sessions_app.forms import DayInput
from sessions_app.models import ConferenceCase, Episode, User


class CallForm(forms.Form):
    """When, with whom, and which cases of the queue; the cases are boxes beside their curves."""

    held_on = forms.DateField(label=_("On"), widget=DayInput())
    people = forms.ModelMultipleChoiceField(
        User.objects.none(),
        required=False,
        label=_("Who is asked to it"),
        help_text=_("Each sees the cases of their own scope, and no others."),
        widget=forms.CheckboxSelectMultiple,
    )
    cases = forms.ModelMultipleChoiceField(Episode.objects.none(), required=False)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"held_on": clinic_time.today()})
        super().__init__(*args, **kwargs)
        people = access.who_may_confer().exclude(pk=user.pk).order_by("name")
        self.fields["people"].queryset = people  # type: ignore[attr-defined]
        open_ones = Episode.objects.visible_to(user).open().select_related("client")
        self.fields["cases"].queryset = open_ones  # type: ignore[attr-defined]

    def chosen(self, order: list[int]) -> list[Episode]:
        """The chosen cases as the queue orders them."""
        places = {pk: place for place, pk in enumerate(order)}
        return sorted(
            self.cleaned_data["cases"], key=lambda one: (places.get(one.pk, len(places)), one.pk)
        )


class CaseForm(forms.Form):
    """How long, and who presents: the people of the conference are offered."""

    minutes = forms.IntegerField(min_value=MINUTES[0], max_value=MINUTES[1], label=_("Minutes"))
    presenter = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, label=_("Presents")
    )

    def __init__(
        self, *args: Any, case: ConferenceCase, people: Iterable[User], **kwargs: Any
    ) -> None:
        kwargs.setdefault("initial", {"minutes": case.minutes, "presenter": case.presenter_id})
        super().__init__(*args, prefix=f"case-{case.pk}", **kwargs)
        self.people = {person.pk: person for person in people}
        if case.presenter is not None:
            self.people.setdefault(case.presenter.pk, case.presenter)
        named = sorted(self.people.values(), key=lambda person: person.name)
        choices = [("", _("nobody yet")), *((person.pk, person.name) for person in named)]
        self.fields["presenter"].choices = choices  # type: ignore[attr-defined]

    def clean_presenter(self) -> User | None:
        return self.people.get(self.cleaned_data["presenter"])
