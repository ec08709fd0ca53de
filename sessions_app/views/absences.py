"""Who is away, and who stands in: one's own to enter, a supervisor's or an administrator's."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from sessions_app import access, actions, clinic_time, rights, selectors
from sessions_app.forms import DayInput, add_problems, choose
from sessions_app.models import Absence, Clinician

RIGHTS = ("record_sessions", "review", "manage_people")


class AbsenceForm(forms.Form):
    clinician = choose(Clinician.objects.none(), gettext_lazy("Who is away"))
    from_on = forms.DateField(label=gettext_lazy("First day"), widget=DayInput())
    to_on = forms.DateField(
        label=gettext_lazy("Last day (empty: not known yet)"), widget=DayInput(), required=False
    )
    cover = choose(Clinician.objects.none(), gettext_lazy("Who stands in"))

    def __init__(self, *args: Any, mine: QuerySet[Clinician], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        working = selectors.working_clinicians(clinic_time.today())
        own, covers = self.fields["clinician"], self.fields["cover"]
        own.queryset = mine  # type: ignore[attr-defined]  # ModelChoiceField
        covers.queryset = working.filter(user__is_active=True)  # type: ignore[attr-defined]  # ModelChoiceField


class EndForm(forms.Form):
    last_day = forms.DateField(label=gettext_lazy("Last day"), widget=DayInput())


def _whose(user: Any) -> QuerySet[Clinician]:
    """Clinicians whose absences this person may enter."""
    if rights.may(user, "manage_people"):
        return Clinician.objects.filter(active_to=None)
    return access.my_clinicians(user)


@rights.needs(*RIGHTS)
def index(request: HttpRequest) -> HttpResponse:
    """Who is away, and who stands in?"""
    mine = _whose(request.user).order_by("name")
    own = getattr(request.user, "clinician", None)
    form = AbsenceForm(
        request.POST if request.method == "POST" else None,
        mine=mine,
        initial={"clinician": own, "from_on": clinic_time.today()},
    )
    if form.is_bound and form.is_valid():
        try:
            actions.set_absence(**form.cleaned_data, by=request.user)
        except ValidationError as problem:
            add_problems(form, problem)
        else:
            messages.success(request, _("Entered."))
            return redirect("absences")
    today = clinic_time.today()
    seen = Q(clinician__in=mine)
    if own is not None:
        seen |= Q(cover=own)
    rows = Absence.objects.during(today, None).filter(seen)
    owned = set(mine.values_list("pk", flat=True))
    context = {
        "rows": [
            (row, row.clinician_id in owned)
            for row in rows.select_related("clinician", "cover").order_by("from_on", "pk")
        ],
        "today": today,
        "form": form,
    }
    return render(request, "people/absences.html", context, status=422 if form.errors else 200)


@rights.needs(*RIGHTS)
@require_POST
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody is back sooner, or somebody else is to stand in."""
    absence = Absence.objects.filter(pk=pk, clinician__in=_whose(request.user)).first()
    if absence is None:
        raise Http404
    form = EndForm(request.POST)
    try:
        if not form.is_valid():
            raise ValidationError(_("Name the last day."))
        actions.end_absence(absence=absence, by=request.user, **form.cleaned_data)
        messages.success(request, _("Entered."))
    except ValidationError as problem:
        messages.error(request, " ".join(problem.messages))
    return redirect("absences")
