"""What a reporting year's reference clients changed: the second severity-adjusted effect size.

The reference is the care of the clinic that had ended when the year's models were frozen. Of each
measure: the mean change of those who started on the clinical side, and the SD of first scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from django.db.models import Avg, Count, F, Max, Q, StdDev

from measures_app.models import ExpectedChangeModel
from reports_app.models import EpisodeSummary, KeptFigures

NAME = "reference change"
OUTSIDE_OUTCOME = ("died", "assessment_only")
FEWEST = 15  # of whom a reference is made


@dataclass(frozen=True)
class Reference:
    """Mean change from first to last score and SD of first scores, in the measure's units."""

    change: float
    sd: float
    n: int


References = Mapping[tuple[str, int], Reference]  # by measure and reporting year


def count() -> dict[tuple[str, int], Reference]:
    """A pass a reporting year over the care that had ended by its cutoff; call as the system."""
    found = {}
    frozen = ExpectedChangeModel.objects.exclude(reference_year=None).order_by()
    years = frozen.values("reference_year").annotate(cutoff=Max("cutoff_on"))
    for year, cutoff in years.values_list("reference_year", "cutoff"):
        ended = EpisodeSummary.objects.filter(
            closed_on__lte=cutoff, mid_care=False, first_score__isnull=False
        ).exclude(ending__in=OUTSIDE_OUTCOME)
        paired = Q(started_clinical=True) & ~Q(outcome_class="")
        rows = ended.order_by().values("measure__code").annotate(
            sd=StdDev("first_score", sample=True),
            change=Avg(F("last_score") - F("first_score"), filter=paired),
            n=Count("pk", filter=paired),
        )  # fmt: skip
        for row in rows:
            if row["n"] >= FEWEST and row["sd"]:
                key = row["measure__code"], year
                found[key] = Reference(row["change"], row["sd"], row["n"])
    return found


def _years() -> list[int]:
    frozen = ExpectedChangeModel.objects.exclude(reference_year=None).order_by("reference_year")
    return list(frozen.values_list("reference_year", flat=True).distinct())


def as_json(references: References) -> dict[str, Any]:
    rows = [[*key, *astuple(reference)] for key, reference in references.items()]
    return {"years": _years(), "rows": rows}


def read() -> References:
    """As the night counted them; counted where none has since the newest year's models."""
    kept = KeptFigures.objects.filter(of=NAME, scope="").values_list("content", flat=True).first()
    if kept is None or kept["years"] != _years():
        return count()
    return {(code, year): Reference(change, sd, n) for code, year, change, sd, n in kept["rows"]}
