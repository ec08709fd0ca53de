from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from reports_app import actions, figures
from reports_app.board import newest_entries, target_words
from reports_app.models import ContractTarget
from reports_app.month_forms import EntryForm, TargetForm
from reports_app.periods import Month, PeriodProblem, parse_month
from sessions_app import rights
from sessions_app.context import acting_as, system

FIELDS = ("complaints", "vacancies", "leavers", "sick_days", "changed")


def _initial(month: Month) -> dict[str, Any]:
    rows = newest_entries(month)
    return {name: getattr(rows[0], name) for name in FIELDS} if rows else {}


@rights.needs("enter_months")
def entries(request: HttpRequest, month: str) -> HttpResponse:
    """What happened in the clinic this month that no session tells?"""
    try:
        shown = parse_month(month)
    except PeriodProblem:
        raise Http404 from None
    sent = request.POST if request.method == "POST" else None
    is_target = sent is not None and sent.get("form") == "target"
    entry = EntryForm(None if is_target else sent, initial=_initial(shown))
    target = TargetForm(sent if is_target else None, initial={"from_on": shown.start})
    form = target if is_target else entry
    if sent is not None and form.is_valid():
        if is_target:
            actions.set_target(**form.cleaned_data, by=request.user)
        else:
            actions.enter_month(month=shown, **form.cleaned_data, by=request.user)
        messages.success(request, _("Kept."))
        return redirect("report_entries", str(shown))
    with acting_as(system("report")):
        funders = figures.funders()
    context = {
        "month": shown,
        "entry": entry,
        "target": target,
        "targets": [
            (row, target_words(row.metric, row.value))
            for row in ContractTarget.objects.select_related("set_by")
        ],
        "funders": funders,
        "may_read": rights.may(request.user, "export_reports"),
    }
    return render(request, "reports/entries.html", context, status=400 if form.errors else 200)
