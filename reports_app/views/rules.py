from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from measures_app import stopping
from measures_app.flagging import PROMPT_RULES, REVIEW_RULES
from measures_app.models import ExpectedChangeModel, FlagRuleSet, NightlyRun
from reports_app import actions
from reports_app.rules_text import MEANING, NAME, WARNS_OF
from sessions_app import access, clinic_time, policies, progress

FULL = 100  # progress is told in hundredths


def _told(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The back-test's rules that spoke, with their names for people."""
    return [
        {**row, "name": NAME[row["rule"]], "warns": WARNS_OF[row["warns_of"]]}
        for row in result["rules"]
        if row["raised"]
    ]


@access.needs("see_rules")
def rules(request: HttpRequest) -> HttpResponse:
    """How are clients noticed, and what would that have caught here?"""
    in_force = policies.all_on()
    run = NightlyRun.objects.filter(state=NightlyRun.State.DONE, live=True).first()
    models = ExpectedChangeModel.objects.select_related("measure").order_by("-pk")[:10]
    done, running = actions.newest_backtest(), actions.running_backtest()
    room = done.result["budget_per_week"] * done.result["supervisors"] if done else 0
    context = {
        "review": [(NAME[rule], MEANING[rule]) for rule in REVIEW_RULES],
        "prompts": [(NAME[rule], MEANING[rule]) for rule in PROMPT_RULES],
        "in_force": in_force,
        "versions": FlagRuleSet.objects.all()[:20],
        "run": run,
        "models": models,
        "stopping": stopping.latest(clinic_time.today()),
        "backtest": done.result if done else None,
        "backtest_on": done.finished_at if done else None,
        "backtest_rules": _told(done.result) if done else [],
        "most_room": max(20, 3 * room),
        "running": running,
        "running_done": (progress.of(running.pk) or 0) if running else 0,
        "may_look_back": access.may(request.user, "look_back"),
    }
    return render(request, "reports/rules.html", context)


@access.needs("look_back")
@require_POST
def look_back(request: HttpRequest) -> HttpResponse:
    actions.ask_for_backtest(by=request.user)
    messages.success(request, _("The clinic's history is being looked at; it appears below."))
    return redirect("rules")


@access.needs("see_rules")
def look_back_state(request: HttpRequest) -> HttpResponse:
    """For the bar: whether it still runs, and how far it is."""
    running = actions.running_backtest()
    done = (progress.of(running.pk) or 0) if running else FULL
    return JsonResponse({"running": running is not None, "done": done, "total": FULL})
