"""What stands ready for an answer that can't wait: the clinic's words, and who is on duty."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sessions_app import actions, clinic_time, policies, presence, rights, safety
from sessions_app.forms import LANGUAGES, DayInput, add_problems, choose
from sessions_app.models import Clinician, CrisisText, DutyTurn

TURNS_SHOWN = 12


class CrisisForm(forms.Form):
    language = forms.ChoiceField(choices=LANGUAGES, label=gettext_lazy("Language"))
    text = forms.CharField(
        label=gettext_lazy("What a client reads at once"),
        help_text=gettext_lazy("Whom they can call at any hour, and where they can go."),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )


class DutyForm(forms.Form):
    clinician = choose(Clinician.objects.none(), gettext_lazy("On duty"))
    from_on = forms.DateField(label=gettext_lazy("From"), widget=DayInput())
    to_on = forms.DateField(
        label=gettext_lazy("Until (empty: until the next)"), widget=DayInput(), required=False
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["clinician"]
        field.queryset = Clinician.objects.filter(user__is_active=True)  # type: ignore[attr-defined]  # ModelChoiceField


@rights.needs("manage_policies")
@presence.recently("POST")
def settings(request: HttpRequest) -> HttpResponse:
    """What happens when an answer can't wait?"""
    asked = request.POST.get("form")
    words = CrisisForm(request.POST if asked == "words" else None)
    duty = DutyForm(
        request.POST if asked == "duty" else None, initial={"from_on": clinic_time.today()}
    )
    try:
        if words.is_bound and words.is_valid():
            actions.set_crisis_text(**words.cleaned_data, by=request.user)
            messages.success(request, _("Kept."))
            return redirect("safety")
        if duty.is_bound and duty.is_valid():
            actions.set_duty(**duty.cleaned_data, by=request.user)
            messages.success(request, _("Kept."))
            return redirect("safety")
    except ValidationError as problem:
        add_problems(words if words.is_bound else duty, problem)
    texts: dict[str, str] = {}
    for row in CrisisText.objects.order_by("-pk"):
        texts.setdefault(row.language, row.text)
    context = {
        "texts": [(label, texts.get(code, "")) for code, label in LANGUAGES],
        "on_duty": safety.on_duty(),
        "turns": DutyTurn.objects.select_related("clinician").order_by("-from_on", "-pk")[
            :TURNS_SHOWN
        ],
        "minutes": policies.get("alert_pass_minutes"),
        "words": words,
        "duty": duty,
    }
    status = 422 if words.errors or duty.errors else 200
    return render(request, "people/safety.html", context, status=status)
