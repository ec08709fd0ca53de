from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from measures_app.charts import IntervalRow, interval_charts
from measures_app.psychometrics.rates import deterioration_rate, improvement_rate
from reports_app import funnel, practice_log, still_looking
from reports_app import practice as numbers
from reports_app.models import PracticeEntry, PracticeShare
from reports_app.practice import TOO_FEW
from reports_app.selectors import hours_this_week
from sessions_app import access, audit, clinic_time, policies, rights
from sessions_app.forms import DayInput, add_problems
from sessions_app.models import AuditEvent, Clinician, User

UNPROCESSABLE = 422
LISTED = 30


class PracticeForm(forms.Form):
    """What was practised; at least one of hours, sessions and words."""

    on = forms.DateField(label=gettext_lazy("When"), widget=DayInput())
    skill = forms.ChoiceField(
        choices=PracticeEntry.Skill.choices, label=gettext_lazy("What you practised")
    )
    hours = forms.DecimalField(
        required=False, min_value=0, max_value=24, max_digits=4, decimal_places=1,
        label=gettext_lazy("Hours of deliberate practice"),
    )  # fmt: skip
    sessions_reviewed = forms.IntegerField(
        required=False, min_value=0, max_value=50, label=gettext_lazy("Sessions looked at again")
    )
    tried = forms.CharField(
        required=False, max_length=400, label=gettext_lazy("What you tried"),
        help_text=gettext_lazy("Name nobody: this is about you."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip

    def clean_hours(self) -> Decimal:
        return self.cleaned_data["hours"] or Decimal(0)

    def clean_sessions_reviewed(self) -> int:
        return self.cleaned_data["sessions_reviewed"] or 0


def _headline_rows(found: dict[str, Any]) -> list[IntervalRow]:
    """Improved, as at the start, further from the goal: of all that ended, once there are 15."""
    measured, total, classes = found["measured"], found["total"], found["classes"]
    if total < TOO_FEW or not measured:
        return []
    rows = []
    for label, count, rate in (
        (_("reliably better"), classes["recovered"] + classes["improved"], improvement_rate),
        (_("about as at the start"), classes["unchanged"], improvement_rate),
        (_("further from the goal"), classes["deteriorated"], deterioration_rate),
    ):
        known = rate(count, measured, total)
        rows.append(IntervalRow(label, known.rate, known.low, known.high, measured))
    ended = found["stopped_rate"]
    if ended.value is not None:
        rows.append(IntervalRow(_("stopped coming"), ended.value, ended.low, ended.high, ended.n))
    return rows


def _looks(clinician: Clinician) -> list[tuple[Any, str, str]]:
    """Who looked at a clinician's numbers, the newest first, with what."""
    names = {f"user:{u.public_id}": u.name for u in User.objects.all()}
    events = AuditEvent.objects.filter(
        subject_kind="clinician", subject=clinician.code, action="read"
    )
    return [
        (event.at, names.get(event.actor, event.actor), event.detail.get("what", ""))
        for event in events[:20]
    ]


def _context(clinician: Clinician, user: Any) -> dict[str, Any]:
    """What own page and shared page both say."""
    entries = list(PracticeEntry.objects.visible_to(user).filter(clinician=clinician))
    found = numbers.read(clinician, entries)
    rows = _headline_rows(found)
    return {
        **found,
        "clinician": clinician,
        "entries": entries[:LISTED],
        "hours_practised": sum(entry.hours for entry in entries),
        "too_few": TOO_FEW,
        "chart": interval_charts(rows) if rows else "",
        "rows": rows,
    }


def _own_page(request: HttpRequest, form: forms.Form | None = None) -> HttpResponse:
    clinician = getattr(request.user, "clinician", None)
    if clinician is None:
        return render(request, "reports/practice.html", {"clinician": None})
    looking = still_looking.of_clinician(clinician)
    shares = PracticeShare.objects.filter(clinician=clinician, ended_at=None)
    shared = list(shares.select_related("supervisor"))
    with_whom = {share.supervisor_id for share in shared}
    supervisors = access.supervisors_of(clinician).order_by("name")
    context = {
        **_context(clinician, request.user),
        "mine": True,
        "looking": looking,
        "looking_at": still_looking.listed(looking, request.user),
        "looks": _looks(clinician),
        "hours": hours_this_week(clinician),
        "form": form or PracticeForm(initial={"on": clinic_time.today()}),
        "shares": shared,
        "directors_since": funnel.clinicians_since(),
        "directors_from": policies.announced(funnel.POLICY),
        "may_share_with": [person for person in supervisors if person.pk not in with_whom],
    }
    status = UNPROCESSABLE if form is not None else 200
    return render(request, "reports/practice.html", context, status=status)


@rights.needs("record_sessions")
def practice(request: HttpRequest) -> HttpResponse:
    """Whom do I help? A clinician's own numbers and log; a supervisor's only where shared."""
    if request.method != "POST":
        return _own_page(request)
    form = PracticeForm(request.POST)
    if not form.is_valid():
        return _own_page(request, form)
    try:
        practice_log.log_practice(by=request.user, **form.cleaned_data)
    except ValidationError as problem:
        add_problems(form, problem)
        return _own_page(request, form)
    messages.success(request, _("Noted, for you alone."))
    return redirect("practice")


@rights.needs("record_sessions")
@require_POST
def take_back(request: HttpRequest, pk: int) -> HttpResponse:
    clinician = getattr(request.user, "clinician", None)
    entry = PracticeEntry.objects.filter(pk=pk, clinician=clinician).first()
    if clinician is None or entry is None:
        raise Http404
    practice_log.take_back_practice(entry=entry, by=request.user)
    return redirect("practice")


@rights.needs("record_sessions")
@require_POST
def share(request: HttpRequest) -> HttpResponse:
    """Let a supervisor of mine see this page, or no more."""
    clinician = getattr(request.user, "clinician", None)
    wanted = request.POST.get("supervisor", "")
    person = User.objects.filter(pk=wanted).first() if wanted.isdecimal() else None
    if clinician is None or person is None:
        raise Http404
    if request.POST.get("do") == "end":
        there = PracticeShare.objects.filter(
            clinician=clinician, supervisor=person, ended_at=None
        ).first()
        if there is not None:
            practice_log.end_practice_share(share=there, by=request.user)
        messages.success(request, _("%(name)s sees it no more.") % {"name": person.name})
        return redirect("practice")
    try:
        practice_log.share_practice(supervisor=person, by=request.user)
    except ValidationError as problem:
        messages.error(request, " ".join(problem.messages))
        return redirect("practice")
    messages.success(request, _("%(name)s can see this page now.") % {"name": person.name})
    return redirect("practice")


@rights.needs("review")
def shared(request: HttpRequest, code: str) -> HttpResponse:
    """What a clinician lets their supervisor see; each look is shown to the clinician."""
    there = PracticeShare.objects.filter(
        access.practice_of(request.user),
        clinician__code=code,
        supervisor=request.user,
        ended_at=None,
    )
    found = there.select_related("clinician").first()
    if found is None:
        raise Http404
    audit.sees_numbers_of(found.clinician, "practice page")
    context = {**_context(found.clinician, request.user), "mine": False}
    return render(request, "reports/practice.html", context)
