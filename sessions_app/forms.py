"""Forms about people and the diary. What was typed stays when something is wrong."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from sessions_app import clinic_time
from sessions_app.models import Client, Clinician, Episode, Meeting, Programme, Site

LANGUAGES = settings.LANGUAGES


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self, **options: Any) -> None:
        super().__init__(format="%Y-%m-%d", **options)


class TimeInput(forms.TimeInput):
    input_type = "time"

    def __init__(self, **options: Any) -> None:
        super().__init__(format="%H:%M", **options)


CHOOSE = _("choose …")


def choose(queryset: Any, label: Any, **options: Any) -> forms.ModelChoiceField:
    """A choice among rows, which says that it waits for one."""
    return forms.ModelChoiceField(queryset, label=label, empty_label=CHOOSE, **options)


def offer(form: forms.Form, name: str, rows: Any) -> None:
    """Fill a choice; where there is only one row it is chosen already."""
    field = form.fields[name]
    field.queryset = rows  # type: ignore[attr-defined]  # ModelChoiceField
    if len(only := list(rows[:2])) == 1:
        form.initial.setdefault(name, only[0].pk)


def add_problems(form: forms.BaseForm, problem: ValidationError, **called: str) -> None:
    """Put an action's ValidationError beside the fields it names; others above the form.

    `called` says what an action's argument is called on this form.
    """
    if not hasattr(problem, "error_dict"):
        form.add_error(None, problem)
        return
    for argument, errors in problem.error_dict.items():
        name = called.get(argument, argument)
        form.add_error(name if name in form.fields else None, errors)


class RegisterForm(forms.Form):
    """A new client with the episode that begins: one page, the front desk's."""

    name = forms.CharField(max_length=120, label=_("Name"))
    birth_date = forms.DateField(label=_("Date of birth"), widget=DayInput(), required=False)
    gender = forms.ChoiceField(choices=Client.Gender.choices, required=False, label=_("Gender"))
    language = forms.ChoiceField(choices=LANGUAGES, label=_("Language of the forms"))
    phone = forms.CharField(max_length=40, required=False, label=_("Phone"))
    email = forms.EmailField(required=False, label=_("E-mail address"))
    own_number = forms.CharField(
        max_length=80, required=False, label=_("The clinic's own number for this client")
    )
    site = choose(Site.objects.all(), _("Site"))
    programme = choose(Programme.objects.none(), _("Programme"))
    lead = choose(Clinician.objects.none(), _("Clinician"))
    opened_on = forms.DateField(label=_("Care begins on"), widget=DayInput())
    purpose = forms.ChoiceField(
        choices=Episode.Purpose.choices, label=_("Purpose agreed with the client")
    )
    key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    namesake = forms.BooleanField(
        required=False, label=_("Another person of the same name and birth date")
    )

    def __init__(self, *args: Any, programmes: Any, clinicians: Any, **kwargs: Any) -> None:
        initial = {"opened_on": clinic_time.today(), "language": "en", "key": uuid.uuid4()}
        kwargs.setdefault("initial", initial)
        super().__init__(*args, **kwargs)
        offer(self, "site", Site.objects.all())
        offer(self, "programme", programmes)
        offer(self, "lead", clinicians)
        self.fields["name"].widget.attrs["autofocus"] = not self.is_bound

    def clean_key(self) -> uuid.UUID:
        return self.cleaned_data["key"] or uuid.uuid4()

    def groups(self) -> list[tuple[Any, list[Any]]]:
        """The fields as the page sets them out: the person, then the care."""
        named = list(self.fields)
        split = named.index("site")
        end = named.index("key")
        return [
            (_("The person"), [self[name] for name in named[:split]]),
            (_("The care"), [self[name] for name in named[split:end]]),
        ]


class EndingForm(forms.Form):
    """How and when an episode ended."""

    ending = forms.ChoiceField(
        label=_("How it ended"),
        choices=[c for c in Episode.Ending.choices if c[0]],
        widget=forms.RadioSelect,
    )
    on = forms.DateField(label=_("On"), widget=DayInput())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"on": clinic_time.today()})
        super().__init__(*args, **kwargs)


class ClinicianWithLoad(forms.ModelChoiceField):
    """A clinician with how many clients they have now; nothing about results."""

    load: Mapping[int, int] = {}

    def label_from_instance(self, obj: Any) -> str:
        load = self.load.get(obj.pk, 0)
        return ngettext(
            "%(name)s · %(load)d open client", "%(name)s · %(load)d open clients", load
        ) % {"name": obj.name, "load": load}


class TransferForm(forms.Form):
    """Who goes on, from when, and why."""

    to = ClinicianWithLoad(
        Clinician.objects.none(), label=_("Who goes on with this client"), empty_label=CHOOSE
    )
    on = forms.DateField(label=_("From"), widget=DayInput())
    reason = forms.CharField(label=_("Why, in a sentence"), max_length=200)
    summary = forms.CharField(
        label=_("For whoever goes on"),
        help_text=_(
            "Begun from what is recorded; change and complete it, best together with the client. "
            "It stands on the client's page."
        ),
        max_length=8000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 12}),
    )
    together_on = forms.DateField(
        required=False,
        label=_("A first session together, on"),
        help_text=_("Optional: booked for both clinicians. Fewer clients are lost that way."),
        widget=DayInput(),
    )
    together_time = forms.TimeField(required=False, label=_("at"), widget=TimeInput())

    def clean(self) -> dict[str, Any]:
        """Day and time of a first session together become one moment, `together_at`."""
        given = super().clean() or {}
        day, time = given.pop("together_on", None), given.pop("together_time", None)
        if bool(day) != bool(time) and not {"together_on", "together_time"} & set(self.errors):
            self.add_error(
                "together_time" if day else "together_on",
                _("A first session together needs its day and its time."),
            )
        whole = day and time
        given["together_at"] = clinic_time.at(day, time.hour, time.minute) if whole else None
        return given

    def __init__(
        self,
        *args: Any,
        clinicians: Any,
        load: Mapping[int, int],
        summary: str = "",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("initial", {"on": clinic_time.today(), "summary": summary})
        super().__init__(*args, **kwargs)
        self.fields["to"].load = load  # type: ignore[attr-defined]  # ClinicianWithLoad
        self.fields["to"].queryset = clinicians  # type: ignore[attr-defined]  # ModelChoiceField


class ReturnForm(forms.Form):
    """A further episode of a client who is known."""

    programme = choose(Programme.objects.none(), _("Programme"))
    lead = choose(Clinician.objects.none(), _("Clinician"))
    opened_on = forms.DateField(label=_("Care begins on"), widget=DayInput())
    purpose = forms.ChoiceField(
        choices=Episode.Purpose.choices, label=_("Purpose agreed with the client")
    )

    def __init__(self, *args: Any, programmes: Any, clinicians: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"opened_on": clinic_time.today()})
        super().__init__(*args, **kwargs)
        self.fields["programme"].queryset = programmes  # type: ignore[attr-defined]  # ModelChoiceField
        self.fields["lead"].queryset = clinicians  # type: ignore[attr-defined]  # ModelChoiceField


class FindForm(forms.Form):
    """Search goes by POST: names belong in no address, history or log."""

    text = forms.CharField(
        max_length=80,
        required=False,
        label=_("Name, code or own number"),
        help_text=_("Whole words of a name, or their first three letters."),
    )


class BookForm(forms.Form):
    """A place in the diary for a client."""

    client = forms.CharField(
        max_length=80, label=_("Client"), help_text=_("Code, own number or name.")
    )
    time = forms.TimeField(label=_("Time"), widget=TimeInput())
    minutes = forms.IntegerField(min_value=5, max_value=480, initial=50, label=_("Minutes"))
    clinician = choose(Clinician.objects.none(), _("Clinician"))
    kind = forms.ChoiceField(choices=Meeting.Kind.choices, label=_("Kind"))
    telehealth = forms.BooleanField(required=False, label=_("By video or phone"))

    def __init__(self, *args: Any, clinicians: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "clinician", clinicians)

    def starts_at(self, day: date) -> datetime:
        time = self.cleaned_data["time"]
        return clinic_time.at(day, time.hour, time.minute)


class FileForm(forms.Form):
    file = forms.FileField(label=_("File"), help_text=_("CSV or XLSX."))
