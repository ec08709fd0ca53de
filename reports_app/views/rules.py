from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from measures_app import actions as measure_actions
from measures_app import measures, rule_sets, stopping, strata, weekly_lines
from measures_app.charts import SaidAndSeen, calibration_svg
from measures_app.flagging import PROMPT_RULES, REVIEW_RULES
from measures_app.models import ExpectedChangeModel, FlagRuleSet, NightlyRun, RuleProposal
from measures_app.psychometrics.rates import wilson
from reports_app import actions
from reports_app.rule_forms import AnswerForm, OwnCheckpointForm, ProposalForm, proposals_shown
from reports_app.rules_text import MEANING, NAME, WARNS_OF
from sessions_app import clinic_time, policies, progress, rights
from sessions_app.forms import add_problems
from sessions_app.models import Clinician

UNPROCESSABLE = 422
FULL = 100  # progress is told in hundredths


def _told(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The back-test's rules that spoke, with their names for people."""
    return [
        {**row, "name": NAME[row["rule"]], "warns": WARNS_OF[row["warns_of"]]}
        for row in result["rules"]
        if row["raised"]
    ]


def _models_in_use() -> list[tuple[ExpectedChangeModel, str]]:
    """What is read with, and what the year's reports compare to; each with its part in words."""
    place = ("measure_id", "relation", "stratum", "reference_year")
    year = clinic_time.today().year
    newest = (
        ExpectedChangeModel.objects.filter(Q(reference_year=None) | Q(reference_year=year))
        .select_related("measure")
        .order_by(*place, "-pk")
        .distinct(*place)
    )
    rows = list(newest)
    keyed = {(row.measure_id, row.relation, row.stratum): row
             for row in rows if row.reference_year is None}  # fmt: skip
    used = {row.pk for row in strata.without_withdrawn(keyed).values()}
    used |= {row.pk for row in rows if row.reference_year}
    names = strata.programme_names(row.stratum for row in rows)
    return [
        (row, strata.in_words(strata.parts_of(row.stratum)[1], names))
        for row in rows
        if row.pk in used
    ]


def _not_fitted(run: NightlyRun | None) -> list[dict[str, Any]]:
    """What last night could not fit, and why; with the part of the clinic in words."""
    rows = [row for row in (run.result.get("measures", []) if run else []) if row["problem"]]
    names = strata.programme_names(row.get("stratum", "") for row in rows)
    titles = measures.titles() if rows else {}
    return [
        {
            **row,
            "title": titles.get(row["measure"], row["measure"]),
            "part": strata.in_words(row.get("stratum", ""), names),
        }
        for row in rows
    ]


def _calibration(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The tables of what was said and seen, each with its picture and the groups' intervals."""
    told = []
    for table in result.get("calibration", []):
        groups = []
        for row in table["groups"]:
            within = wilson(min(row["n"], round(row["seen"] * row["n"])), row["n"])
            groups.append(SaidAndSeen(row["said"], row["seen"], within.low, within.high, row["n"]))
        title = _("Chances said and come true at session %(t)d") % {"t": table["session"]}
        told.append({**table, "groups": groups, "picture": calibration_svg(groups, title)})
    return told


def _forecasts(result: dict[str, Any]) -> dict[str, Any]:
    """Errors of the last score by way of foretelling it; and where the challenger comes nearer."""
    rows = result.get("forecasts", [])
    known = [row for row in rows if "growth" in row]
    return {
        "rows": rows,
        "known": known,
        "nearer": [row for row in known if row["challenger"] < row["growth"]],
    }


@rights.needs("see_rules")
def rules(request: HttpRequest) -> HttpResponse:
    """How are clients noticed, and what would that have caught here?"""
    return _page(request)


def _page(request: HttpRequest, status: int = 200, **forms: Any) -> HttpResponse:
    in_force = policies.all_on()
    run = NightlyRun.objects.filter(state=NightlyRun.State.DONE, live=True).first()
    done, running = actions.newest_backtest(), actions.running_backtest()
    room = done.result["budget_per_week"] * done.result["supervisors"] if done else 0
    clinician = Clinician.objects.filter(user=request.user).first()
    own = rule_sets.own_checkpoints(clinic_time.today()).get(clinician.pk) if clinician else None
    may_answer = rights.may(request.user, "manage_policies")
    context = {
        "review": [(NAME[rule], MEANING[rule]) for rule in REVIEW_RULES],
        "prompts": [(NAME[rule], MEANING[rule]) for rule in PROMPT_RULES],
        "in_force": in_force,
        "week": weekly_lines.newest_line(clinic_time.today()),
        "versions": FlagRuleSet.objects.all()[:20],
        "run": run,
        "models": _models_in_use(),
        "strata": strata.decided_in(in_force),
        "not_fitted": _not_fitted(run),
        "stopping": stopping.latest(clinic_time.today()),
        "backtest": done.result if done else None,
        "backtest_on": done.finished_at if done else None,
        "backtest_rules": _told(done.result) if done else [],
        "calibration": _calibration(done.result) if done else [],
        "forecasts": _forecasts(done.result) if done else {},
        "most_room": max(20, 3 * room),
        "running": running,
        "running_done": (progress.of(running.pk) or 0) if running else 0,
        "may_look_back": rights.may(request.user, "look_back"),
        "own_checkpoint": own,
        "own_form": OwnCheckpointForm(initial={"session": own}) if clinician else None,
        "proposal_form": ProposalForm(),
        "proposals": proposals_shown(may_answer, forms.pop("answered", None)),
        "may_answer": may_answer,
        **forms,
    }
    return render(request, "reports/rules.html", context, status=status)


@rights.needs("see_rules")
@require_POST
def own_checkpoint(request: HttpRequest) -> HttpResponse:
    """A clinician's own, earlier first checkpoint; left empty, the clinic's again."""
    clinician = Clinician.objects.filter(user=request.user).first()
    if clinician is None:
        raise Http404
    form = OwnCheckpointForm(request.POST)
    if not form.is_valid():
        return _page(request, UNPROCESSABLE, own_form=form)
    try:
        row = measure_actions.set_own_checkpoint(
            clinician=clinician, by=request.user, **form.cleaned_data
        )
    except ValidationError as problem:
        add_problems(form, problem)
        return _page(request, UNPROCESSABLE, own_form=form)
    if row.session is None:
        messages.success(request, _("The clinic's checkpoint is yours again, from today on."))
    else:
        messages.success(
            request, _("Your prompts come from session %(n)s on, from today.") % {"n": row.session}
        )
    return redirect("rules")


@rights.needs("see_rules")
@require_POST
def propose(request: HttpRequest) -> HttpResponse:
    """Ask for a change of the rules."""
    form = ProposalForm(request.POST)
    if not form.is_valid():
        return _page(request, UNPROCESSABLE, proposal_form=form)
    try:
        measure_actions.propose_rule_change(by=request.user, **form.cleaned_data)
    except ValidationError as problem:
        add_problems(form, problem)
        return _page(request, UNPROCESSABLE, proposal_form=form)
    messages.success(request, _("Proposed: everybody can read it, and the answer to come."))
    return redirect("rules")


@rights.needs("manage_policies")
@require_POST
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept a proposal from a day on, or decline it with words."""
    proposal = get_object_or_404(RuleProposal, pk=pk)
    form = AnswerForm(request.POST, prefix=f"p{pk}")
    if not form.is_valid():
        return _page(request, UNPROCESSABLE, answered=(pk, form))
    try:
        measure_actions.answer_rule_proposal(
            proposal=proposal, by=request.user, **form.cleaned_data
        )
    except ValidationError as problem:
        add_problems(form, problem)
        return _page(request, UNPROCESSABLE, answered=(pk, form))
    messages.success(request, _("Answered; the words stay beside the proposal."))
    return redirect("rules")


@rights.needs("look_back")
@require_POST
def look_back(request: HttpRequest) -> HttpResponse:
    actions.ask_for_backtest(by=request.user)
    messages.success(request, _("The clinic's history is being looked at; it appears below."))
    return redirect("rules")


@rights.needs("see_rules")
def look_back_state(request: HttpRequest) -> HttpResponse:
    """For the bar: whether it still runs, and how far it is."""
    running = actions.running_backtest()
    done = (progress.of(running.pk) or 0) if running else FULL
    return JsonResponse({"running": running is not None, "done": done, "total": FULL})
