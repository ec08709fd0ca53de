from __future__ import annotations

from collections import Counter

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from measures_app.charts import IntervalRow, interval_svg
from measures_app.psychometrics.rates import deterioration_rate, improvement_rate
from reports_app import still_looking
from reports_app.extract import OUTSIDE_OUTCOME
from reports_app.models import EpisodeSummary
from reports_app.selectors import hours_this_week
from sessions_app import access
from sessions_app.models import AuditEvent, User

TOO_FEW = 15


@access.needs("record_sessions")
def practice(request: HttpRequest) -> HttpResponse:
    """Whom do I help? A clinician's own numbers, with their uncertainty; for nobody else."""
    clinician = getattr(request.user, "clinician", None)
    ended = list(
        EpisodeSummary.objects.filter(clinician=clinician, closed_on__isnull=False, mid_care=False)
        .exclude(ending__in=OUTSIDE_OUTCOME)
        .values_list("outcome_class", "ending")
        if clinician
        else ()
    )
    classes = Counter(name for name, _ending in ended if name)
    measured, total = sum(classes.values()), len(ended)
    better = classes["recovered"] + classes["improved"]
    rows = []
    if total >= TOO_FEW and measured:
        improved = improvement_rate(better, measured, total)
        lower = deterioration_rate(classes["deteriorated"], measured, total)
        rows = [
            IntervalRow(_("reliably better"), improved.rate, improved.low, improved.high, measured),
            IntervalRow(_("further from the goal"), lower.rate, lower.low, lower.high, measured),
        ]
    looks = []
    if clinician is not None:
        names = {f"user:{u.public_id}": u.name for u in User.objects.all()}
        looks = [
            (event.at, names.get(event.actor, event.actor), event.detail.get("what", ""))
            for event in AuditEvent.objects.filter(
                subject_kind="clinician", subject=clinician.code, action="read"
            )[:20]
        ]
    stopped = sum(1 for _name, ending in ended if ending == "client_stopped")
    looking = still_looking.of_clinician(clinician) if clinician else None
    context = {
        "looking": looking,
        "looking_at": still_looking.listed(looking, request.user) if looking else [],
        "clinician": clinician,
        "total": total,
        "measured": measured,
        "stopped": stopped,
        "too_few": TOO_FEW,
        "chart": interval_svg(rows) if rows else "",
        "rows": rows,
        "looks": looks,
        "hours": hours_this_week(clinician),
    }
    return render(request, "reports/practice.html", context)
