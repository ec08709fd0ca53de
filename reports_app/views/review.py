from __future__ import annotations

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from measures_app import actions
from reports_app.case_review import case_context, chosen_episode
from reports_app.paper import missing
from reports_app.queue import queue_of, taken_up_share
from reports_app.views.clients import client_or_404
from sessions_app import access, audit, clinic_time, policies
from sessions_app.forms import DayInput, add_problems
from sessions_app.models import CaseReview

FOLLOW_UP_WEEKS = 4


class DecisionForm(forms.Form):
    seen_reviews = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    decision = forms.ChoiceField(
        choices=CaseReview.Decision.choices,
        label=gettext_lazy("What was decided"),
        widget=forms.RadioSelect,
    )
    change_of = forms.ChoiceField(
        required=False,
        label=gettext_lazy("If the approach changes: what of it"),
        choices=[
            ("", "–"),
            ("goals", gettext_lazy("goals")),
            ("method", gettext_lazy("method")),
            ("relationship", gettext_lazy("relationship")),
            ("dose", gettext_lazy("how often")),
            ("medication", gettext_lazy("medication consult")),
        ],
    )
    note = forms.CharField(
        label=gettext_lazy("Why, in a sentence"), widget=forms.Textarea(attrs={"rows": 3})
    )
    client_said = forms.CharField(
        required=False,
        label=gettext_lazy("What the client said"),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    follow_up_on = forms.DateField(
        required=False, label=gettext_lazy("Look again on"), widget=DayInput()
    )


@access.needs("review", "decide")
def queue(request: HttpRequest) -> HttpResponse:
    """Who is worth a conversation this week?"""
    budget = int(policies.get("review_budget_per_week"))
    found = queue_of(request.user, budget)
    in_time, raised = taken_up_share(request.user)
    audit.record("read", subject_kind="review queue", rows=len(found.talk) + len(found.good))
    context = {
        "queue": found,
        "budget": budget,
        "in_time": in_time,
        "raised": raised,
        "treats_shown": access.may(request.user, "review"),
    }
    return render(request, "reports/review.html", context)


@access.needs("review", "decide")
@require_POST
def take_up(request: HttpRequest, code: str) -> HttpResponse:
    client = client_or_404(code, request.user)
    episode = chosen_episode(client, request.user, request.POST.get("episode"), for_review=True)
    episode.client = client
    try:
        actions.take_up(episode=episode, by=request.user)
    except ValidationError as problem:
        messages.error(request, " ".join(problem.messages))
        return redirect("review")
    return redirect(f"{reverse('review_case', args=[code])}?episode={episode.pk}")


@access.needs("review", "decide")
def case(request: HttpRequest, code: str) -> HttpResponse:
    """What do we see, what did we decide before, and what now?"""
    client = client_or_404(code, request.user)
    context = case_context(client, request.user, request.GET.get("episode"), for_review=True)
    episode = context["episode"]
    seen = len(context["reviews"])
    status = 200
    if request.method == "POST":
        form = DecisionForm(request.POST)
        status = 422
        if form.is_valid():
            try:
                actions.decide(episode=episode, by=request.user, **form.cleaned_data)
            except actions.DecidedMeanwhile as problem:
                form = _carried_over(request, seen)
                form.add_error(None, problem)
                status = 409
            except ValidationError as problem:
                add_problems(form, problem)
            else:
                messages.success(request, _("Recorded. It comes back on its day."))
                return redirect("review")
    else:
        audit.client_read(client, "review page")
        ahead = clinic_time.today() + timedelta(weeks=FOLLOW_UP_WEEKS)
        form = DecisionForm(initial={"seen_reviews": seen, "follow_up_on": ahead})
    context |= {
        "form": form,
        "may_decide": access.may(request.user, "decide"),
        "may_transfer": access.may(request.user, "transfer"),
        "paper_missing": missing(),
    }
    return render(request, "reports/review_case.html", context, status=status)


def _carried_over(request: HttpRequest, seen: int) -> DecisionForm:
    """What was typed, under the colleague's decision that has now been seen."""
    data = request.POST.copy()
    data["seen_reviews"] = str(seen)
    form = DecisionForm(data)
    form.full_clean()
    return form
