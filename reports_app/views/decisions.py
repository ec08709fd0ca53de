"""What came of our decisions?"""

from __future__ import annotations

from datetime import date

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app import decided
from sessions_app import audit, clinic_time, policies, rights
from sessions_app.context import speaking_as, system

PERIODS = (
    ("1", gettext_lazy("the last year")),
    ("3", gettext_lazy("the last three years")),
    ("10", gettext_lazy("the last ten years")),
)
READER = system("report")


def _years_before(today: date, years: int) -> date:
    day = min(today.day, 28)
    return date(today.year - years, today.month, day)


@rights.needs("review", "decide", "see_aggregates")
def results(request: HttpRequest) -> HttpResponse:
    """By decision and by transfer: one's own clients', or the clinic's for who sees aggregates."""
    years = request.GET.get("years", "3")
    if years not in dict(PERIODS):
        years = "3"
    since = _years_before(clinic_time.today(), int(years))
    clinical = rights.may(request.user, "see_clinical")
    if clinical:
        found = decided.results(request.user, since)
        transfers = decided.transfers(request.user, since)
    else:
        with speaking_as(READER):
            found = decided.results(READER, since)
            transfers = decided.transfers(READER, since)
    audit.record("read", subject_kind="report", subject="decisions", what="results of decisions")
    context = {
        "results": found,
        "transfers": transfers,
        "since": since,
        "years": years,
        "periods": PERIODS,
        "whose": _("clients in your care") if clinical else _("the whole clinic"),
        # Within one's own scope a count tells nothing new.
        "limit": 0 if clinical else int(policies.get("small_cell_limit")),
    }
    return render(request, "reports/decisions.html", context)
