"""Forms of the waiting list. What was typed stays when something is wrong."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sessions_app import clinic_time
from sessions_app.actions.referrals import LEFT
from sessions_app.forms import LANGUAGES, DayInput, choose, offer
from sessions_app.models import Client, Clinician, Episode, Programme, Referral, Site


class NewReferralForm(forms.Form):
    """Who is referred: somebody known by code or number, or a person who is new here."""

    client = forms.CharField(
        max_length=80,
        required=False,
        label=_("Known here: code or own number"),
        help_text=_("Leave it empty for a person who is new; then the name is needed."),
    )
    name = forms.CharField(max_length=120, required=False, label=_("Name"))
    birth_date = forms.DateField(label=_("Date of birth"), widget=DayInput(), required=False)
    gender = forms.ChoiceField(choices=Client.Gender.choices, required=False, label=_("Gender"))
    language = forms.ChoiceField(choices=LANGUAGES, label=_("Language of the forms"))
    phone = forms.CharField(max_length=40, required=False, label=_("Phone"))
    email = forms.EmailField(required=False, label=_("E-mail address"))
    received_on = forms.DateField(label=_("Referral received on"), widget=DayInput())
    source = forms.ChoiceField(
        choices=Referral.Source.choices, required=False, label=_("Who referred")
    )
    site = choose(Site.objects.all(), _("Site"))
    programme = choose(Programme.objects.none(), _("Programme"))
    funder = forms.CharField(max_length=80, required=False, label=_("Who pays, where it is known"))
    key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    namesake = forms.BooleanField(
        required=False, label=_("Another person of the same name and birth date")
    )

    def __init__(self, *args: Any, programmes: Any, sites: Any, **kwargs: Any) -> None:
        initial = {"received_on": clinic_time.today(), "language": "en", "key": uuid.uuid4()}
        kwargs.setdefault("initial", initial)
        super().__init__(*args, **kwargs)
        offer(self, "site", sites)
        offer(self, "programme", programmes)

    def clean_key(self) -> uuid.UUID:
        return self.cleaned_data["key"] or uuid.uuid4()

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        known, name = given.get("client", "").strip(), given.get("name", "").strip()
        if not known and not name:
            self.add_error("name", _("Write the name, or above the code of a client known here."))
        if known and name:
            self.add_error(
                "name", _("Either a client known here or a new person: leave one of them empty.")
            )
        return given

    def groups(self) -> list[tuple[Any, list[Any]]]:
        """The fields as the page sets them out."""
        named = list(self.fields)
        person, care = named[1 : named.index("received_on")], named[named.index("received_on") :]
        return [
            (_("The person"), [self["client"], *(self[name] for name in person)]),
            (_("The referral"), [self[name] for name in care[: care.index("key")]]),
        ]


class OfferForm(forms.Form):
    on = forms.DateField(label=_("First appointment offered on"), widget=DayInput())


class BeginForm(forms.Form):
    """Care begins, with whom and for what."""

    opened_on = forms.DateField(label=_("Care begins on"), widget=DayInput())
    lead = choose(Clinician.objects.none(), _("Clinician"))
    purpose = forms.ChoiceField(
        choices=Episode.Purpose.choices, label=_("Purpose agreed with the client")
    )

    def __init__(self, *args: Any, clinicians: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "lead", clinicians)


class LeaveForm(forms.Form):
    """Nobody will be seen, and why not."""

    outcome = forms.ChoiceField(
        label=_("What came of it"),
        choices=[(value, Referral.Outcome(value).label) for value in LEFT],
        widget=forms.RadioSelect,
    )
    on = forms.DateField(label=_("On"), widget=DayInput())
