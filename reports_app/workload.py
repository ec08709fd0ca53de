"""Hours and outcome: do the same clinicians fare differently in their busier quarters?

Outcome is last score minus expected, in SDs of first scores, of care that ended in a quarter;
hours are contact hours a week of that quarter (meetings, a group once). Nothing is expected: a
published study found none. Within clinicians alone; nobody is compared with anybody.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Sum
from django.db.models.functions import TruncQuarter

from measures_app.psychometrics.within import within_slope
from reports_app.models import SessionMonth
from reports_app.spread import residuals

QUARTERS = 12
WEEKS = 365.25 / 4 / 7
STEP = 5.0  # hours a week that the sentence speaks of


@dataclass(frozen=True)
class Workload:
    """What `STEP` more hours a week went with, in SDs; None where too few can say it."""

    difference: float | None
    low: float | None
    high: float | None
    clinicians: int
    quarters: int  # of all clinicians
    episodes: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _since(today: date) -> tuple[date, date]:
    """From the first day of the quarters looked at to the first day of the running one."""
    running = date(today.year, (today.month - 1) // 3 * 3 + 1, 1)
    number = 4 * running.year + (running.month - 1) // 3 - QUARTERS
    return date(number // 4, number % 4 * 3 + 1, 1), running


def count(today: date) -> Workload:
    """Over the last quarters that are over; call as the system."""
    start, end = _since(today)
    hours = {
        (row["clinician"], row["quarter"]): row["total"] / 60 / WEEKS
        for row in SessionMonth.objects.filter(month__gte=start, month__lt=end)
        .exclude(clinician=None)
        .annotate(quarter=TruncQuarter("month"))
        .values("clinician", "quarter")
        .annotate(total=Sum("minutes"))
        .order_by()
    }
    known = residuals()
    cells = [] if known is None else [
        (row["clinician"], hours.get((row["clinician"], row["quarter"])), row["mean"], row["n"])
        for row in known.filter(closed_on__gte=start, closed_on__lt=end)
        .annotate(quarter=TruncQuarter("closed_on"))
        .values("clinician", "quarter")
        .annotate(n=Count("pk"), mean=Sum("r") / Count("pk"))
        .order_by()
    ]  # fmt: skip
    cells = [cell for cell in cells if cell[1] is not None]
    who, x, y, n = ([cell[i] for cell in cells] for i in range(4))
    found = within_slope(x, y, n, who)
    said = found.slope == found.slope
    return Workload(
        *((STEP * value if said else None) for value in (found.slope, found.low, found.high)),
        clinicians=found.groups,
        quarters=found.cells,
        episodes=sum(n),
    )
