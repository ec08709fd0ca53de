from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from measures_app.actions import set_plan_line
from measures_app.measure_forms import PlanForm
from measures_app.models import Measure, MeasurePlan
from measures_app.plans import Line, Plan
from measures_app.views.catalogue import reads, with_library
from sessions_app import clinic_time, rights
from sessions_app.models import Programme

OK, UNPROCESSABLE = 200, 422
HISTORY_SHOWN = 50


def _rows(lines: list[Line]) -> list[dict[str, Any]]:
    titles = dict(Measure.objects.values_list("pk", "title"))
    programmes = dict(Programme.objects.values_list("pk", "name"))
    purposes = dict(Measure.Purpose.choices)
    return [
        {
            "line": line,
            "asks": titles[line.measure_id]
            if line.measure_id
            else _("%s measure for the age") % purposes[line.purpose],
            "whom": _("each carer") if line.relation == "carer" else _("the client"),
            "programme": programmes.get(line.programme_id, ""),
        }
        for line in lines
    ]


@reads
def plans(request: HttpRequest) -> HttpResponse:
    """What is asked when, and of whom?"""
    with_library()
    today = clinic_time.today()
    plan = Plan()
    changes = MeasurePlan.objects.select_related("measure", "programme", "set_by").order_by(
        "-from_on", "-pk"
    )
    context = {
        "rows": _rows(plan.on(today)),
        "coming": changes.filter(from_on__gt=today),
        "history": changes.filter(from_on__lte=today)[:HISTORY_SHOWN],
        "may_set": rights.may(request.user, "manage_measures"),
    }
    return render(request, "measures/plans.html", context)


def _line_or_404(key: str) -> Line:
    """The newest word on a line, also of one that only begins later."""
    for line in Plan().on(clinic_time.today().replace(year=9999)):
        if line.key == key:
            return line
    raise Http404


def _initial(line: Line) -> dict[str, Any]:
    return {
        "asks": f"measure:{line.measure_id}" if line.measure_id else f"purpose:{line.purpose}",
        "relation": line.relation,
        "programme": line.programme_id,
        "rhythm": line.rhythm,
        "every": line.every,
        "age_from": line.age_from,
        "age_to": line.age_to,
        "from_on": clinic_time.today(),
    }


def _set(request: HttpRequest, key: str, initial: dict[str, Any]) -> HttpResponse:
    form = PlanForm(request.POST or None, key=key, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            set_plan_line(key=key, by=request.user, **form.given())
        except ValidationError as problem:
            form.place(problem)
        else:
            messages.success(request, _("Kept. What was asked until then stays readable."))
            return redirect("plans")
    status = UNPROCESSABLE if form.errors else OK
    return render(request, "measures/plan.html", {"form": form, "key": key}, status=status)


@rights.needs("manage_measures")
def new(request: HttpRequest) -> HttpResponse:
    """What more shall be asked?"""
    with_library()
    return _set(request, "", {"from_on": clinic_time.today()})


@rights.needs("manage_measures")
def change(request: HttpRequest, key: str) -> HttpResponse:
    """How often shall this be asked from now on?"""
    with_library()
    return _set(request, key, _initial(_line_or_404(key)))
