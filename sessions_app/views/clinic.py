"""What the clinic has decided: policies with their days, and its places of care."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sessions_app import actions, clinic_time, policies, presence, rights
from sessions_app.forms import DayInput, add_problems
from sessions_app.models import Policy, Programme, Site


class PlaceForm(forms.Form):
    kind = forms.ChoiceField(
        choices=[("site", gettext_lazy("site")), ("programme", gettext_lazy("programme"))],
        label=gettext_lazy("Add a"),
    )
    name = forms.CharField(max_length=120, label=gettext_lazy("Name"))
    restricted = forms.BooleanField(
        required=False, label=gettext_lazy("Restricted: unseen from outside the programme")
    )


class PolicyForm(forms.Form):
    key = forms.ChoiceField(
        choices=[(key, policies.WORDS[key]) for key in policies.DEFAULTS],
        label=gettext_lazy("Policy"),
    )
    value = forms.CharField(max_length=20, label=gettext_lazy("Value"))
    from_on = forms.DateField(widget=DayInput(), label=gettext_lazy("In force from"))

    def clean(self) -> dict[str, Any]:
        """Read the value as the policy's own kind: yes/no, whole number or number."""
        given = super().clean() or {}
        default = policies.DEFAULTS.get(given.get("key"))
        text = str(given.get("value", "")).strip().lower()
        try:
            if isinstance(default, bool):
                given["value"] = {"yes": True, "no": False}[text]
            elif default is not None:
                given["value"] = type(default)(text)
            if given.get("key") in policies.RANGES and "value" in given:
                low, high = policies.RANGES[given["key"]]
                if not low <= given["value"] <= high:
                    raise ValueError
        except (KeyError, ValueError):
            if isinstance(default, bool):
                why = _("This policy takes yes or no.")
            elif isinstance(default, float):
                why = _("A number between %(low)g and %(high)g.")
            else:
                why = _("A whole number between %(low)g and %(high)g.")
            low, high = policies.RANGES.get(given.get("key", ""), (0, 0))
            self.add_error("value", why % {"low": low, "high": high})
        return given


def _shown(value: Any) -> Any:
    return (_("yes") if value else _("no")) if isinstance(value, bool) else value


@rights.needs("manage_policies")
@presence.recently("POST")
def settings(request: HttpRequest) -> HttpResponse:
    """What has this clinic decided? Policies in force, their past, and places of care."""
    form = PolicyForm(
        request.POST if request.POST.get("form") == "policy" else None,
        initial={"from_on": clinic_time.today()},
    )
    place = PlaceForm(request.POST if request.POST.get("form") == "place" else None)
    try:
        if form.is_bound and form.is_valid():
            actions.set_policy(**form.cleaned_data, by=request.user)
            messages.success(request, _("Decided."))
            return redirect("settings")
        if place.is_bound and place.is_valid():
            given = place.cleaned_data
            if given["kind"] == "site":
                actions.add_site(name=given["name"], by=request.user)
            else:
                actions.add_programme(
                    name=given["name"], restricted=given["restricted"], by=request.user
                )
            messages.success(request, _("Added: %s.") % given["name"])
            return redirect("settings")
    except ValidationError as problem:
        add_problems(form if form.is_bound else place, problem)
    in_force = policies.all_on()
    context = {
        "policies": [(policies.WORDS[key], _shown(in_force[key])) for key in policies.DEFAULTS],
        "history": [
            (row, policies.WORDS.get(row.key, row.key), _shown(row.value))
            for row in Policy.objects.select_related("set_by").order_by("-from_on", "-pk")[:50]
        ],
        "form": form,
        "place": place,
        "sites": Site.objects.all(),
        "programmes": Programme.objects.all(),
    }
    status = 422 if form.errors or place.errors else 200
    return render(request, "people/settings.html", context, status=status)
