"""Case conferences: called from the queue, held case by case, their minutes made of decisions."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from reports_app import case_files, conferences
from reports_app.conference_forms import CallForm, CaseForm
from reports_app.models import CaseFile
from reports_app.paper import missing
from sessions_app import actions, audit, progress, rights
from sessions_app.forms import add_problems
from sessions_app.models import CaseConference, ConferenceCase, Episode

UNPROCESSABLE = 422
LISTED = 30


def conference_or_404(pk: int, user: Any) -> CaseConference:
    found = CaseConference.objects.visible_to(user).filter(pk=pk)
    conference = found.select_related("called_by", "ended_by").first()
    if conference is None:
        raise Http404
    return conference


@rights.needs("see_clinical")
def index(request: HttpRequest) -> HttpResponse:
    """Which cases do we talk about together, and when?"""
    found = CaseConference.objects.visible_to(request.user).select_related("called_by")
    context = {
        "ahead": found.filter(ended_at=None).order_by("held_on", "pk")[:LISTED],
        "held": found.filter(ended_at__isnull=False)[:LISTED],
        "may_call": rights.may(request.user, "decide"),
    }
    return render(request, "reports/conferences.html", context)


@rights.needs("decide")
def call(request: HttpRequest) -> HttpResponse:
    """What do we talk about, when, and who comes?"""
    groups = conferences.to_choose_from(request.user)
    bound = request.method == "POST"
    form = CallForm(request.POST if bound else None, user=request.user)
    if bound and form.is_valid():
        order = [row.episode.pk for _name, rows in groups for row in rows]
        try:
            conference = actions.call_conference(
                held_on=form.cleaned_data["held_on"],
                people=form.cleaned_data["people"],
                episodes=form.chosen(order),
                by=request.user,
            )
        except ValidationError as problem:
            add_problems(form, problem, episode="cases")
        else:
            messages.success(request, _("Called. Set the order, the minutes and who presents."))
            return redirect(conference)
    chosen = set(request.POST.getlist("cases")) if bound else set()
    audit.record("read", subject_kind="review queue", rows=sum(len(rows) for _n, rows in groups))
    context = {"form": form, "groups": groups, "chosen": chosen}
    status = UNPROCESSABLE if form.errors else 200
    return render(request, "reports/conference_new.html", context, status=status)


def _page(
    request: HttpRequest,
    conference: CaseConference,
    status: int = 200,
    form_of: tuple[int, CaseForm] | None = None,
    problem: str = "",
) -> HttpResponse:
    user = request.user
    agenda = conferences.agenda_of(conference, user)
    people = list(conference.people.order_by("name"))
    sets = conference.called_by_id == user.pk or user in people
    may_set = sets and not conference.is_over and rights.may(user, "decide")
    forms = {}
    if may_set:
        there = [conference.called_by, *people]
        forms = {item.case.pk: CaseForm(case=item.case, people=there) for item in agenda}
        if form_of is not None:
            forms[form_of[0]] = form_of[1]
    file = case_files.waiting_or_newest(conference, user)
    decided = sum(bool(item.reviews) for item in agenda)
    context = {
        "conference": conference,
        "agenda": [(item, forms.get(item.case.pk)) for item in agenda],
        "people": people,
        "minutes": sum(item.case.minutes for item in agenda),
        "decided": decided,
        "may_set": may_set,
        "may_end": may_set and conference.called_by_id == user.pk,
        "problem": problem,
        "groups": (
            conferences.to_choose_from(user, {item.case.episode_id for item in agenda})
            if may_set
            else []
        ),
        "next": conferences.next_undecided(agenda, 0) if may_set else None,
        "file": file,
        "running_done": (progress.of(file.job_id) or 0) if file else 0,
        "paper_missing": missing(),
    }
    return render(request, "reports/conference.html", context, status=status)


@rights.needs("see_clinical")
def conference(request: HttpRequest, pk: int) -> HttpResponse:
    """The agenda before, the cases during, the minutes after."""
    shown = conference_or_404(pk, request.user)
    audit.record("read", subject_kind="conference", subject=shown.pk)
    return _page(request, shown)


def _case(request: HttpRequest, shown: CaseConference) -> ConferenceCase:
    wanted = request.POST.get("case", "")
    found = ConferenceCase.objects.visible_to(request.user).filter(conference=shown)
    found = found.select_related("conference", "client", "episode__programme", "presenter")
    case = found.filter(pk=wanted).first() if wanted.isdecimal() else None
    if case is None:
        raise Http404
    return case


def _episode(request: HttpRequest) -> Episode:
    wanted = request.POST.get("episode", "")
    found = Episode.objects.visible_to(request.user).select_related("client", "programme")
    episode = found.filter(pk=wanted).first() if wanted.isdecimal() else None
    if episode is None:
        raise Http404
    return episode


@rights.needs("decide")
@require_POST
def agenda(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a case, set its time and who presents, move it, take it off, or end the conference."""
    shown = conference_or_404(pk, request.user)
    do, by = request.POST.get("do", ""), request.user
    try:
        if do == "add":
            actions.add_to_conference(conference=shown, episode=_episode(request), by=by)
        elif do == "set":
            case = _case(request, shown)
            form = CaseForm(request.POST, case=case, people=[shown.called_by, *shown.people.all()])
            if not form.is_valid():
                return _page(request, shown, UNPROCESSABLE, (case.pk, form))
            try:
                actions.set_conference_case(case=case, by=by, **form.cleaned_data)
            except ValidationError as problem:
                add_problems(form, problem)
                return _page(request, shown, UNPROCESSABLE, (case.pk, form))
        elif do in ("earlier", "later"):
            case = _case(request, shown)
            actions.move_conference_case(case=case, later=do == "later", by=by)
        elif do == "off":
            actions.take_off_agenda(case=_case(request, shown), by=by)
        elif do == "end":
            actions.end_conference(conference=shown, by=by)
            messages.success(request, _("The conference is over: these are its minutes."))
        else:
            raise Http404
    except ValidationError as problem:
        return _page(request, shown, UNPROCESSABLE, problem=" ".join(problem.messages))
    return redirect(shown)


@rights.needs("see_clinical")
@require_POST
def ask_for_file(request: HttpRequest, pk: int) -> HttpResponse:
    """All cases on paper: the worker makes them, the page can be left meanwhile."""
    shown = conference_or_404(pk, request.user)
    try:
        case_files.ask_for_case_file(conference=shown, by=request.user)
    except ValidationError as problem:
        return _page(request, shown, UNPROCESSABLE, problem=" ".join(problem.messages))
    return redirect(shown)


@rights.needs("see_clinical")
def file_state(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """For the bar: how many cases are made."""
    file = CaseFile.objects.filter(pk=pk, user=request.user).select_related("job").first()
    if file is None:
        raise Http404
    job = file.job
    running = job.finished_at is None
    done = (progress.of(job.pk) or 0) if running else job.total
    return JsonResponse({"running": running, "done": done, "total": job.total})


@rights.needs("see_clinical")
def file(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The finished file, while all of it is in the person's scope."""
    found = case_files.file_for(pk, request.user)
    if found is None:
        raise Http404
    audit.record(
        "exported", subject_kind="conference", subject=found.conference_id, what="case file"
    )
    response = HttpResponse(found.content, content_type="application/pdf")
    name = f"cases-{found.conference.held_on:%Y-%m-%d}.pdf"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
