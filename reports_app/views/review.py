from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from measures_app import actions, alerts, decided, followups
from reports_app.case_review import case_context, chosen_episode
from reports_app.paper import missing
from reports_app.queue import lately, queue_of
from reports_app.review_forms import DecisionForm, HandToForm, PutOffForm, ResultForm
from reports_app.views.clients import client_or_404
from sessions_app import access, audit, policies, rights
from sessions_app.actions import record_review_result
from sessions_app.forms import add_problems
from sessions_app.models import CaseConference, CaseReview, Client, Episode

UNPROCESSABLE = 422
# What a decision leads on to: (page, the right to open it, what to choose there already).
NEXT_PAGE = {
    CaseReview.Decision.END: ("ending", "close_episode", ""),
    CaseReview.Decision.REFER: ("ending", "close_episode", Episode.Ending.REFERRED),
    CaseReview.Decision.TRANSFER: ("transfer", "transfer", ""),
}


@rights.needs("review", "decide")
def queue(request: HttpRequest) -> HttpResponse:
    """Who is worth a conversation this week?"""
    budget = int(policies.get("review_budget_per_week"))
    seen = access.all_episodes_seen(request.user)
    found = queue_of(request.user, budget, seen)
    due = followups.look(followups.due_among(seen))
    rows = len(found.talk) + len(found.good) + len(due)
    audit.record("read", subject_kind="review queue", rows=rows)
    context = {
        "queue": found,
        "alerts": alerts.waiting(request.user),
        "budget": budget,
        "lately": lately(request.user, seen),
        "due": due,
        "treats_shown": rights.may(request.user, "review"),
    }
    return render(request, "reports/review.html", context)


def _chosen(request: HttpRequest, client: Client) -> Episode:
    """The episode that a form's page was about."""
    wanted = request.POST.get("episode") or request.GET.get("episode")
    episode = chosen_episode(client, request.user, wanted, for_review=True)
    episode.client = client
    return episode


@rights.needs("review", "decide")
@require_POST
def take_up(request: HttpRequest, code: str) -> HttpResponse:
    client = client_or_404(code, request.user)
    episode = _chosen(request, client)
    try:
        actions.take_up(episode=episode, by=request.user)
    except ValidationError as problem:
        messages.error(request, " ".join(problem.messages))
        return redirect("review")
    return redirect(f"{reverse('review_case', args=[code])}?episode={episode.pk}")


def _hand_form(episode: Episode, user: Any, given: Any = None) -> HandToForm:
    others = [(pk, name) for pk, name in access.names_seeing(episode) if pk != user.pk]
    return HandToForm(given, people=others)


def _conference(request: HttpRequest, episode: Episode) -> CaseConference | None:
    """The conference in which the case is talked about just now, if the page came from one."""
    wanted = request.POST.get("conference") or request.GET.get("conference") or ""
    if not wanted.isdecimal():
        return None
    found = CaseConference.objects.visible_to(request.user).filter(
        pk=wanted, ended_at=None, cases__episode=episode
    )
    return found.first()


def _case_page(
    request: HttpRequest, client: Client, status: int = 200, **shown: forms.Form
) -> HttpResponse:
    """The page with its forms; those given hold what was typed."""
    user = request.user
    wanted = request.POST.get("episode") or request.GET.get("episode")
    context = case_context(client, user, wanted, for_review=True)
    episode = context["episode"]
    due = followups.look(followups.due_of(context["reviews"]))
    asks = any(group[0] != "" for group in context["noticed"])
    conference = _conference(request, episode)
    talked = CaseReview.Talked.TOGETHER if rights.may(user, "review") else CaseReview.Talked.ALONE
    if conference is not None:
        talked = CaseReview.Talked.CONFERENCE
    context |= {
        "conference": conference,
        "form": DecisionForm.empty(
            len(context["reviews"]), talked, conference.pk if conference else None
        ),
        "put_off_form": PutOffForm(),
        "hand_form": _hand_form(episode, user),
        "result_form": ResultForm(),
        **shown,
        "due": due[0] if due else None,
        "alike": decided.alike(context["main"].picture.series) if context["main"] else None,
        "may_put_off": asks and episode.is_open,
        "may_decide": rights.may(user, "decide"),
        "may_transfer": rights.may(user, "transfer"),
        "paper_missing": missing(),
    }
    return render(request, "reports/review_case.html", context, status=status)


@rights.needs("review", "decide")
def case(request: HttpRequest, code: str) -> HttpResponse:
    """What do we see, what did we decide before, and what now?"""
    client = client_or_404(code, request.user)
    if request.method != "POST":
        audit.client_read(client, "review page")
        return _case_page(request, client)
    episode = _chosen(request, client)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _case_page(request, client, UNPROCESSABLE, form=form)
    given = form.cleaned_data
    if given.pop("conference") is not None:
        given["conference"] = _conference(request, episode)
        if given["conference"] is None:
            form.add_error(None, _("The conference is over, or the case isn't on its agenda."))
            return _case_page(request, client, UNPROCESSABLE, form=form)
    try:
        actions.decide(episode=episode, by=request.user, **given)
    except actions.DecidedMeanwhile as problem:
        form = _carried_over(request, episode.reviews.count())
        form.add_error(None, problem)
        return _case_page(request, client, 409, form=form)
    except ValidationError as problem:
        add_problems(form, problem)
        return _case_page(request, client, UNPROCESSABLE, form=form)
    if given.get("conference") is not None:
        messages.success(request, _("Recorded in the conference's minutes."))
        return redirect(given["conference"])
    return _on_to_the_act(request, episode, given["decision"])


def _on_to_the_act(request: HttpRequest, episode: Episode, decision: str) -> HttpResponse:
    """To the page where a decision is carried out, for who may; else back to the queue."""
    page, right, chosen = NEXT_PAGE.get(CaseReview.Decision(decision), ("", "", ""))
    if page and rights.may(request.user, right):
        messages.success(request, _("Recorded. This is where it is carried out."))
        address = reverse(page, args=[episode.client.code])
        return redirect(f"{address}?episode={episode.pk}&ending={chosen}")
    if page == "ending":
        messages.success(request, _("Recorded. Whoever treats the client ends the episode."))
    elif page:
        messages.success(request, _("Recorded. A supervisor chooses who goes on."))
    else:
        messages.success(request, _("Recorded. It comes back on its day."))
    return redirect("review")


def _carried_over(request: HttpRequest, seen: int) -> DecisionForm:
    """What was typed, under the colleague's decision that has now been seen."""
    data = request.POST.copy()
    data["seen_reviews"] = str(seen)
    form = DecisionForm(data)
    form.full_clean()
    return form


def _did(request: HttpRequest, form: forms.Form, act: Callable[[], Any]) -> bool:
    """Do what a form says; False where it can't be, with the reason beside its field."""
    if not form.is_valid():
        return False
    try:
        act()
    except ValidationError as problem:
        add_problems(form, problem)
        return False
    return True


@rights.needs("review", "decide")
@require_POST
def put_off(request: HttpRequest, code: str) -> HttpResponse:
    """Not now: off the list until a day, with a reason."""
    client = client_or_404(code, request.user)
    episode = _chosen(request, client)
    form = PutOffForm(request.POST)
    if not _did(
        request,
        form,
        lambda: actions.put_off(episode=episode, by=request.user, **form.cleaned_data),
    ):
        return _case_page(request, client, UNPROCESSABLE, put_off_form=form)
    messages.success(request, _("Put off: it comes back by itself on its day."))
    return redirect("review")


@rights.needs("review", "decide")
@require_POST
def hand_to(request: HttpRequest, code: str) -> HttpResponse:
    """A colleague has it from now on."""
    client = client_or_404(code, request.user)
    episode = _chosen(request, client)
    form = _hand_form(episode, request.user, request.POST)
    if not _did(
        request,
        form,
        lambda: actions.hand_to(episode=episode, by=request.user, **form.cleaned_data),
    ):
        return _case_page(request, client, UNPROCESSABLE, hand_form=form)
    messages.success(request, _("%(name)s has it now.") % {"name": form.cleaned_data["to"].name})
    return redirect("review")


@rights.needs("review", "decide")
@require_POST
def result(request: HttpRequest, code: str) -> HttpResponse:
    """What came of a decision, asked once on its day."""
    client = client_or_404(code, request.user)
    episode = _chosen(request, client)
    wanted = request.POST.get("review", "")
    review = CaseReview.objects.visible_to(request.user).filter(episode=episode)
    review = review.filter(pk=wanted).first() if wanted.isdecimal() else None
    if review is None:
        raise Http404
    form = ResultForm(request.POST)
    if not _did(
        request,
        form,
        lambda: record_review_result(review=review, by=request.user, **form.cleaned_data),
    ):
        return _case_page(request, client, UNPROCESSABLE, result_form=form)
    messages.success(request, _("Kept. What now?"))
    return redirect(f"{reverse('review_case', args=[code])}?episode={episode.pk}")
