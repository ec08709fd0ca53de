"""Models frozen for reporting years: what a year's outcomes are compared with.

Against a model that is fitted every night, a clinic that gets better can't be seen to.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from measures_app.fitting import FitReport, digest
from measures_app.models import ExpectedChangeModel, Measure
from measures_app.psychometrics import growth
from measures_app.series import CHANGE_PURPOSES
from measures_app.strata import ModelKey


def freeze_references(reports: Collection[FitReport], measure: Measure, as_of: date) -> int:
    """Keep a growth model for the reporting year, on its first night with a model of own data.

    The reference is the whole clinic's: its parts are compared on it. How many were kept.
    """
    frozen = 0
    if measure.purpose not in CHANGE_PURPOSES:
        return frozen
    for report in reports:
        row = report.model
        if row is None or report.stratum or row.clients < growth.PROVISIONAL:
            continue
        place = {"relation": report.relation, "stratum": report.variant}
        kept = ExpectedChangeModel.objects.filter(measure=measure, **place)
        if kept.filter(reference_year=as_of.year).exists():
            continue
        parameters = {**row.parameters, "frozen_from": row.pk, "reference_year": as_of.year}
        ExpectedChangeModel.objects.create(
            measure=measure,
            **place,
            label=row.label,
            cutoff_on=row.cutoff_on,
            clients=row.clients,
            rows=row.rows,
            parameters=parameters,
            code_version=row.code_version,
            checksum=digest(json.dumps(parameters, sort_keys=True, allow_nan=False)),
            reference_year=as_of.year,
        )
        frozen += 1
    return frozen


@dataclass(frozen=True)
class References:
    """Models frozen for reporting years, oldest first, by measure, relation and variant."""

    by_key: dict[ModelKey, list[ExpectedChangeModel]]

    def of(self, key: ModelKey, year: int) -> ExpectedChangeModel | None:
        """The year's own; else the newest before it; else the oldest there is."""
        rows = self.by_key.get(key, [])
        before = [row for row in rows if (row.reference_year or 0) <= year]
        return (before or rows[:1] or [None])[-1]


def references_on(as_of: date) -> References:
    """What was frozen for reporting years by a day."""
    rows = ExpectedChangeModel.objects.filter(
        reference_year__lte=as_of.year, cutoff_on__lte=as_of
    ).order_by("reference_year")
    found: dict[ModelKey, list[ExpectedChangeModel]] = {}
    for row in rows:
        found.setdefault((row.measure_id, row.relation, row.stratum), []).append(row)
    return References(found)
