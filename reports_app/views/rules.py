from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from measures_app.flagging import PROMPT_RULES, REVIEW_RULES
from measures_app.models import ExpectedChangeModel, FlagRuleSet, NightlyRun
from reports_app.rules_text import MEANING
from sessions_app import access, policies


@access.needs("see_rules")
def rules(request: HttpRequest) -> HttpResponse:
    """How are clients noticed? Every rule, readable by everyone it concerns."""
    in_force = policies.all_on()
    run = NightlyRun.objects.filter(state=NightlyRun.State.DONE, live=True).first()
    models = ExpectedChangeModel.objects.select_related("measure").order_by("-pk")[:10]
    context = {
        "review": [(rule, MEANING[rule]) for rule in REVIEW_RULES],
        "prompts": [(rule, MEANING[rule]) for rule in PROMPT_RULES],
        "in_force": in_force,
        "versions": FlagRuleSet.objects.all()[:20],
        "run": run,
        "models": models,
    }
    return render(request, "reports/rules.html", context)
