"""The second severity-adjusted effect size, and what a bad start alone would bring."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from measures_app import measures
from measures_app.models import NormRow
from reports_app.extract import CLINIC
from reports_app.metrics import monthly_metrics
from reports_app.published import publication_of, published_metrics
from reports_app.reference_change import Reference
from sessions_app import clinic_time
from tests.reports.published_clinic import PERIOD, PROGRAMMES, a_clinic

NAME = "relative_effect_size"


def _clinic(seed: int = 4) -> Any:
    """A clinic of chance whose clinical starters are held against the reference of 2026."""
    clinic, shares = a_clinic(seed, n=400)
    for data in (clinic, *(d for scopes in shares for d in scopes)):
        data.ended["reference__reference_year"] = 2026
        data.ended["reference__label"] = "own data (n = 300)"
        data.ended["reference__cutoff_on"] = clinic_time.today()
    held = {(code, 2026): Reference(-7.0, 6.0, 200) for code in ("core-10", "phq-9")}
    return (
        replace(clinic, references=held),
        [[replace(data, references=held) for data in scopes] for scopes in shares],
    )


def test_it_is_the_references_change_and_what_these_gained_beyond_it(db: Any) -> None:
    clinic, _shares = _clinic()
    rows = clinic.ended[
        (clinic.ended["measure__code"] == "phq-9")
        & ~clinic.ended["ending"].isin(["died"])
        & clinic.ended["started_clinical"].astype(bool)
        & (clinic.ended["outcome_class"] != "")
    ]
    # Lower is better: the reference changed by -7, and is 7 better.
    beyond = rows["expected_last"].to_numpy(float) - rows["last_score"].to_numpy(float)
    measures.sync_library()
    found = next(m for m in monthly_metrics(clinic) if (m.measure, m.metric) == ("phq-9", NAME))
    assert found.value == pytest.approx(float(np.mean(7 + beyond)) / 6.0)
    assert found.denominator == len(rows)
    assert found.low is not None
    assert "the reference of 2026" in found.note


def test_it_leaves_the_clinic_where_its_count_does(db: Any) -> None:
    clinic, shares = _clinic()
    made = publication_of(clinic, shares)
    measures.sync_library()
    said = 0
    for scope in (CLINIC, *PROGRAMMES):
        for m in published_metrics(made, PERIOD, scope):
            if m.metric == NAME:
                shown = made.counts[m.scope, m.measure, "clinical_foreseen"] is not None
                assert (m.value is not None) is shown, (m, shown)
                said += shown
    assert said


def test_of_a_year_without_reference_nothing_is_said(db: Any) -> None:
    clinic, _shares = a_clinic(4, n=400)
    found = [m for m in monthly_metrics(clinic) if m.metric == NAME]
    assert found
    assert {(m.value, m.note) for m in found} == {(None, "no reference year yet")}


def test_a_bad_start_alone_is_named_where_a_scope_is_selected(db: Any) -> None:
    clinic, shares = a_clinic(4, n=400)

    def notes(data: Any) -> set[str]:
        return {m.note for m in monthly_metrics(data) if m.metric == "effect_size" and m.value}

    assert not [note for note in notes(clinic) if "regression" in note], "of everyone: not known"
    assert all("has no retest reliability" in note for note in notes(shares[0][0]))
    measures.sync_library()
    for code in ("phq-9", "core-10"):
        row = NormRow.objects.filter(measure__code=code).first()
        assert row is not None
        row.pk, row.reliability, row.checksum = None, 0.8, f"retest {code}"
        row.save()
    # A programme whose clients begin 2 points nearer to the goal than everybody's.
    near = replace(shares[0][0], ended=shares[0][0].ended.copy())
    near.ended["first_score"] -= near.ended["first_score"].mean() - (
        clinic.starters["first_score"].mean() - 2.0
    )
    said = notes(near)
    assert said
    assert all("by regression to the mean (retest 0.8)" in note for note in said)
    assert all("of it -0." in note for note in said), "no gain, and a little loss, of its own"
