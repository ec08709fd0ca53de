"""Effect sizes: raw, against the expected response, beside the reference; and who reached it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from measures_app.psychometrics.effect import (
    effect_against_expected,
    effect_size,
    effect_with_reference_change,
    regression_to_the_mean,
)
from measures_app.psychometrics.norms import direction
from measures_app.psychometrics.rates import improvement_rate
from reports_app.classes import CLINICAL_STARTERS
from reports_app.extract import CLINIC
from reports_app.metric import Maker, Metric
from reports_app.reference_change import References

NO_REFERENCE = "no reference year yet: by the night's own model, which hides a gain that all share"
FEWEST_PAIRS = 3


def _held_to(rows: pd.DataFrame) -> str:
    """Names the frozen models that the expected scores of these rows come from."""
    columns = [f"reference__{name}" for name in ("reference_year", "label", "cutoff_on")]
    found = rows[columns].drop_duplicates().sort_values(columns)
    named = [
        f"the reference of {int(year)}: {label}, up to {day:%Y-%m-%d}"
        for year, label, day in found.itertuples(index=False)
        if not pd.isna(year)
    ]
    if len(named) < len(found):
        named.append(NO_REFERENCE)
    return "; ".join(named)


def _drift(
    make: Maker, firsts: pd.Series[Any], starters: Any, spread: float, better: str,
    retest: float | None,
) -> str:  # fmt: skip
    """How much of a selected scope's effect its start alone would bring, in words.

    Of everyone together it can't be estimated without people who were not treated.
    """
    if make.scope == CLINIC.name:
        return ""
    if retest is None:
        return "; regression to the mean: not known, the measure has no retest reliability"
    found = regression_to_the_mean(
        float(starters.mean()), float(firsts.mean()), spread, retest, better  # type: ignore[arg-type]  # one of the two words
    )  # fmt: skip
    return f"; of it {found:+.3f} by regression to the mean (retest {retest:g})"


def effects(
    make: Maker,
    rows: pd.DataFrame,
    better: str,
    everyone: pd.Series[Any],
    retest: float | None = None,
) -> Iterator[Metric]:
    """Effect sizes of some episodes over the SD of everyone's first scores in the month.

    A programme is a selection, and its own SD would inflate the effect.
    """
    pairs = rows[rows["outcome_class"] != ""]
    starters = everyone.dropna().to_numpy(float)
    coverage = len(pairs) / len(rows) if len(rows) else None
    first, last = pairs["first_score"].to_numpy(float), pairs["last_score"].to_numpy(float)
    spread = float(np.std(starters, ddof=1)) if len(starters) > 1 else 0.0
    if min(len(pairs), len(starters)) < FEWEST_PAIRS or spread == 0.0:
        for name in ("effect_size", "severity_adjusted_effect_size"):
            yield make(
                name,
                denominator=len(pairs),
                coverage=coverage,
                note="too few differing first scores",
            )
        return
    size = effect_size(first, last, better, starters=starters)  # type: ignore[arg-type]  # better is one of the two words
    drift = _drift(make, rows["first_score"], starters, spread, better, retest)
    yield make(
        "effect_size", size.g, low=size.low, high=size.high, denominator=size.n,
        coverage=coverage, note=f"g; plain d = {size.d:.3f}{drift}",
    )  # fmt: skip
    known = pairs.dropna(subset=["expected_last"])
    if len(known) < FEWEST_PAIRS:
        yield make(
            "severity_adjusted_effect_size", denominator=len(known), note="no expected response yet"
        )
        return
    adjusted = effect_against_expected(
        known["last_score"].to_numpy(float), known["expected_last"].to_numpy(float), spread, better  # type: ignore[arg-type]  # as above
    )  # fmt: skip
    yield make(
        "severity_adjusted_effect_size", adjusted.value, low=adjusted.low, high=adjusted.high,
        denominator=adjusted.n, coverage=len(known) / len(rows),
        note=f"(last - expected from intake) / SD; {_held_to(known)}",
    )  # fmt: skip


def with_reference(make: Maker, rows: pd.DataFrame, better: str, references: References) -> Metric:
    """What those who started on the clinical side changed, were the reference's start theirs.

    On the scale of a raw effect size: the reference's mean change and what these gained beyond it.
    """
    name = "relative_effect_size"
    clinical = rows[rows["started_clinical"].eq(True) & (rows["outcome_class"] != "")]
    known = clinical.dropna(subset=["expected_last"])
    years = known["reference__reference_year"].dropna().unique()
    found = references.get((make.measure, int(years[0]))) if len(years) == 1 else None
    if (
        len(known) < FEWEST_PAIRS
        or found is None
        or known["reference__reference_year"].isna().any()
    ):
        note = (
            "fewer than the clinical-side starters it takes" if len(known) < FEWEST_PAIRS
            else "of more than one reporting year" if len(years) > 1 else "no reference year yet"
        )  # fmt: skip
        return make(name, denominator=len(known), note=note)
    sign = direction(better)  # type: ignore[arg-type]  # better is one of the two words
    size = effect_with_reference_change(
        known["first_score"].to_numpy(float), known["last_score"].to_numpy(float),
        known["expected_last"].to_numpy(float), reference_change=sign * found.change,
        sd=found.sd, cutoff=sign * np.inf, better=better,  # type: ignore[arg-type]  # as above
    )  # fmt: skip
    return make(
        name, size.value, low=size.low, high=size.high, denominator=size.n,
        coverage=len(known) / int(rows["started_clinical"].eq(True).sum()),
        note=f"(the reference's mean change + last - expected) / SD; {CLINICAL_STARTERS}; "
        f"{_held_to(known)}",
    )  # fmt: skip


def reached(make: Maker, rows: pd.DataFrame) -> Metric:
    """Last score as good as expected; without one, or without a model, it isn't known."""
    judged = rows[rows["outcome_class"] != ""].dropna(subset=["reached_expected"])
    if rows.empty:
        return make("reached_expected", numerator=0, denominator=0, note="no episode ended")
    if judged.empty:
        return make(
            "reached_expected", numerator=0, denominator=0, coverage=0.0,
            note="no expected response yet",
        )  # fmt: skip
    count = int(judged["reached_expected"].astype(bool).sum())
    rate = improvement_rate(count, len(judged), len(rows))
    return make.bounded("reached_expected", rate, _held_to(judged))
