"""How far clinicians' outcomes lie apart in a clinic: a clinician's own are drawn towards it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Case, Count, F, FloatField, QuerySet, StdDev, Sum, Value, When

from measures_app.models import MeasureVersion
from measures_app.psychometrics.multilevel import clinic_icc, icc_of_sums
from measures_app.psychometrics.norms import direction
from reports_app.extract import OUTSIDE_OUTCOME
from reports_app.models import EpisodeSummary


@dataclass(frozen=True)
class Spread:
    """`units` turn a measure's difference into SDs of all first scores, better positive.

    `icc` is the share of the residuals' variance that lies between clinicians, `between` that
    variance; both NaN-free, 0 where nothing is known.
    """

    units: dict[int, float]
    icc: float
    between: float

    def as_json(self) -> dict[str, Any]:
        return {"units": list(self.units.items()), "icc": self.icc, "between": self.between}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Spread:
        return cls(dict(kept["units"]), kept["icc"], kept["between"])


def _units() -> dict[int, float]:
    versions = MeasureVersion.objects.order_by("version").values_list("measure", "better")
    signs = {pk: direction(better) for pk, better in versions}  # type: ignore[arg-type]
    rows = EpisodeSummary.objects.exclude(first_score=None).exclude(measure=None).values("measure")
    found = rows.annotate(sd=StdDev("first_score", sample=True)).order_by()
    return {row["measure"]: signs[row["measure"]] / row["sd"] for row in found if row["sd"]}


def _residuals(units: dict[int, float]) -> QuerySet[EpisodeSummary]:
    unit = Case(
        *(When(measure=pk, then=Value(size)) for pk, size in units.items()),
        output_field=FloatField(),
    )
    known = (
        EpisodeSummary.objects.filter(closed_on__isnull=False, mid_care=False, measure__in=units)
        .exclude(ending__in=OUTSIDE_OUTCOME)
        .exclude(outcome_class="")
        .exclude(expected_last=None)
        .exclude(clinician=None)
    )
    return known.annotate(r=unit * (F("last_score") - F("expected_last")))


def residuals() -> QuerySet[EpisodeSummary] | None:
    """Ended episodes with an outcome and `r`, observed minus expected in SDs, better positive.

    None where no measure has two differing first scores.
    """
    units = _units()
    return _residuals(units) if units else None


def count() -> Spread:
    """A pass over the clinic's ended episodes; call as the system."""
    units = _units()
    if not units:
        return Spread({}, 0.0, 0.0)
    sums = list(
        _residuals(units)
        .order_by().values("clinician")
        .annotate(n=Count("pk"), total=Sum("r"), squares=Sum(F("r") * F("r")))
        .values_list("n", "total", "squares")
    )  # fmt: skip
    if not sums:
        return Spread(units, 0.0, 0.0)
    n, total, squares = (np.array(column, dtype=float) for column in zip(*sums, strict=True))
    icc = clinic_icc(icc_of_sums(n, total, squares), len(n))
    mean = total.sum() / n.sum()
    variance = max(1e-9, squares.sum() / n.sum() - mean**2)
    return Spread(units, float(icc), float(icc * variance))
