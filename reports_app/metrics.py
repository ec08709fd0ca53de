"""The monthly report's numbers: honest denominators, each rate with coverage and bounds.

Names are those of docs/methods.md. Outcomes count episodes that ended in the month; deaths and
assessments are outside outcome; series measured since mid-care are counted apart. One figure is
made here once, and page, CSV, XLSX and PDF show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from measures_app import measures
from measures_app.models import Measure, NormRow
from measures_app.psychometrics.effect import (
    effect_against_expected,
    effect_size,
    effect_with_reference_change,
    regression_to_the_mean,
)
from measures_app.psychometrics.norms import direction
from measures_app.psychometrics.rates import (
    BoundedRate,
    deterioration_rate,
    improvement_rate,
    recovery_rate,
    wilson,
)
from measures_app.strata import age_band
from reports_app.extract import CLINIC, OUTSIDE_OUTCOME, Extract
from reports_app.reference_change import References
from reports_app.waiting import of_all, waiting_metrics
from sessions_app import policies

NO_REFERENCE = "no reference year yet: by the night's own model, which hides a gain that all share"
FEWEST_PAIRS = 3
NO_REFERENCES: References = {}
CLASSES = ("recovered", "improved", "unchanged", "deteriorated")


@dataclass(frozen=True)
class Metric:
    """One tidy row. None is "can't be said", and the note says why."""

    month: str
    scope: str
    measure: str
    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    coverage: float | None = None
    worst: float | None = None
    best: float | None = None
    note: str = ""

    def as_row(self) -> tuple[Any, ...]:
        return astuple(self)


COLUMNS = tuple(field.name for field in fields(Metric))


class Maker:
    def __init__(self, month: str, scope: str, measure: str = "") -> None:
        self.month, self.scope, self.measure = month, scope, measure

    def __call__(self, metric: str, value: float | None = None, **rest: Any) -> Metric:
        finite = {
            name: None if isinstance(given, float) and not np.isfinite(given) else given
            for name, given in {"value": value, **rest}.items()
        }
        return Metric(self.month, self.scope, self.measure, metric, **finite)

    def share(
        self, metric: str, count: int, of: int, note: str = "", coverage: float | None = None
    ) -> Metric:
        """A plain rate with its Wilson interval; nothing of nothing is not a rate."""
        if of == 0:
            return self(metric, numerator=count, denominator=0, note=note or "nothing to count")
        interval = wilson(count, of)
        return self(
            metric,
            count / of,
            low=interval.low,
            high=interval.high,
            numerator=count,
            denominator=of,
            coverage=coverage,
            note=note,
        )

    def bounded(self, metric: str, rate: BoundedRate, note: str = "") -> Metric:
        return self(
            metric,
            rate.rate,
            low=rate.low,
            high=rate.high,
            numerator=rate.count,
            denominator=rate.measured,
            coverage=rate.coverage,
            worst=rate.worst,
            best=rate.best,
            note=note,
        )

    def mean(self, metric: str, values: pd.Series[Any], of: int, note: str = "") -> Metric:
        """A mean with its 95 % interval (normal), n and the share of episodes it rests on."""
        known = pd.to_numeric(values, errors="coerce").dropna().astype(float)
        n = len(known)
        if n == 0:
            return self(metric, denominator=0, coverage=0.0 if of else None, note="no value")
        mean = float(known.mean())
        half = 1.96 * float(known.std(ddof=1)) / n**0.5 if n > 1 else None
        return self(
            metric,
            mean,
            low=None if half is None else mean - half,
            high=None if half is None else mean + half,
            denominator=n,
            coverage=n / of if of else None,
            note=note,
        )


# What outcomes are made of; sharing rows out by measure copies every column they have.
OUTCOME_COLUMNS = [
    "age_at_opening", "measure__code", "ending", "mid_care", "scores", "first_score", "last_score",
    "started_clinical", "outcome_class", "expected_last", "reached_expected",
    "reference__reference_year", "reference__label", "reference__cutoff_on",
]  # fmt: skip


def main_measures(ended: pd.DataFrame) -> pd.Series[Any]:
    """Each episode's measure; one without any score belongs to what its age group is asked."""
    ages = ended["age_at_opening"]
    bands = ages.map({age: age_band(age) for age in ages.unique()})
    measured = ended["measure__code"]
    usual = measured.groupby(bands).agg(
        lambda codes: codes.mode().iloc[0] if codes.notna().any() else None
    )
    overall = measured.mode().iloc[0] if measured.notna().any() else ""
    return measured.where(measured.notna(), bands.map(usual)).fillna(overall)


ENDING_RATES = (
    ("ended_planned", "agreed"),
    ("ended_unplanned", "client_stopped"),
    ("ended_by_clinic", "clinic_ended"),
    ("ended_circumstances", "circumstances"),
)


def ending_rate(ending: str, count: int, known: int, total: int) -> BoundedRate:
    """Of the known endings, with bounds that count the unknown both ways."""
    return (improvement_rate if ending == "agreed" else deterioration_rate)(count, known, total)


def _endings(make: Maker, ended: pd.DataFrame) -> Iterator[Metric]:
    total = len(ended)
    counts = ended["ending"].value_counts()
    unknown = int(counts.get("unknown", 0))
    known = total - unknown
    lapsed, could, gap = lapses(ended)
    yield make.share("stopped_lapsed", lapsed, could, lapsed_of(gap) if could else "")
    note = f"endings not known: {unknown}" if unknown else ""
    for metric, ending in ENDING_RATES:
        count = int(counts.get(ending, 0))
        if total == 0:
            yield make(metric, numerator=0, denominator=0, note="no episode ended")
        elif known == 0:
            yield make(
                metric, numerator=0, denominator=0, coverage=0.0, worst=0.0, best=1.0, note=note
            )
        else:
            yield make.bounded(metric, ending_rate(ending, count, known, total), note)


def lapses(ended: pd.DataFrame) -> tuple[int, int, int]:
    """Care that ended long after its last session, of how much, and after how many days it counts.

    Of all endings but deaths and assessments, whatever was said of them.
    """
    gap = int(policies.get("return_reopens_days"))
    rows = ended[~ended["ending"].isin(OUTSIDE_OUTCOME)].dropna(subset=["last_session_on"])
    if rows.empty:
        return 0, 0, gap
    last, closed = (pd.to_datetime(rows[name]) for name in ("last_session_on", "closed_on"))
    return int(((closed - last).dt.days > gap).sum()), len(rows), gap


def lapsed_of(gap: int) -> str:
    return f"ended more than {gap} days after the last session, whatever was said of the ending"


def _attendance(make: Maker, counts: dict[str, int]) -> Iterator[Metric]:
    expected = counts["scheduled"] - counts["clinic_cancels"]
    ours = (
        f"apart: {counts['clinic_cancels']} cancelled by the clinic, "
        f"{counts['not_seen_by_us']} arrived and were not seen by us"
    )
    unsaid = counts["unentered"]
    note = f"{ours}; {unsaid} whose day has come are not entered" if unsaid else ours
    for name, what in (("no_show_rate", "no_shows"), ("cancelled_rate", "late_cancels")):
        if expected:
            rate = deterioration_rate(counts[what], expected, expected + unsaid)
            yield make.bounded(name, rate, note)
        else:
            yield make.share(name, counts[what], 0, note)
    yield make("sessions_held", counts["attended"])
    due = counts["scheduled"] + unsaid
    yield make.share("sessions_entered_rate", counts["scheduled"], due, ENTERED_OF)
    both, sat = counts["both_measures"], counts["attended"]
    if sat:
        # Who wasn't entered may have come, with both measures (best) or without (worst).
        rate = improvement_rate(both, sat, sat + unsaid)
        yield make.bounded("both_measures_rate", rate, note if unsaid else "")
    else:
        yield make.share("both_measures_rate", both, 0)


ENTERED_OF = "of the sessions whose day has come, those of which somebody said what came of them"
CLINICAL_STARTERS = "of those who started on the clinical side"
STOPPED_OF = "of endings known, with an outcome where the client stopped"
PROVISIONAL = "crossed the provisional line: its constants are borrowed"


def class_counts(rows: pd.DataFrame) -> dict[str, int]:
    """What the class rates of some endings are made of: each a number of episodes."""
    label = rows["outcome_class"]
    has_outcome, clinical = label != "", rows["started_clinical"].eq(True)
    better = label.isin(["recovered", "improved"])
    judged = has_outcome & rows["reached_expected"].notna()
    stopped = rows["ending"] == "client_stopped"
    counts = {name: int((label == name).sum()) for name in CLASSES}
    return counts | {
        "ended": len(rows),
        "measured": int(has_outcome.sum()),
        "better": int(better.sum()),
        "no_score": int((rows["scores"] == 0).sum()),
        "clinical": int(clinical.sum()),
        "clinical_measured": int((clinical & has_outcome).sum()),
        "clinical_better": int((clinical & better).sum()),
        "judged": int(judged.sum()),
        "clinical_foreseen": int((judged & clinical).sum()),
        "reached": int(rows.loc[judged, "reached_expected"].astype(bool).sum()),
        "stopped": int(stopped.sum()),
        "stopped_measured": int((stopped & has_outcome).sum()),
        "stopped_better": int((stopped & better).sum()),
        "ending_known": int((rows["ending"] != "unknown").sum()),
    }


def recovered_of(c: Mapping[str, int]) -> BoundedRate:
    missing = c["clinical"] - c["clinical_measured"]
    return recovery_rate(c["recovered"], c["clinical"], missing, c["no_score"])


def _classes(make: Maker, c: Mapping[str, int], *, borrowed: bool = False) -> Iterator[Metric]:
    ended, measured = c["ended"], c["measured"]
    if ended == 0:
        for name in (*CLASSES, "reliably_improved", "stopped_improved", "stopped_unimproved"):
            yield make(name, numerator=0, denominator=0, note="no episode ended")
        return
    yield make.bounded(
        "recovered",
        recovered_of(c),
        f"{PROVISIONAL}; {CLINICAL_STARTERS}" if borrowed else CLINICAL_STARTERS,
    )
    yield make.bounded(
        "improved",
        improvement_rate(c["improved"], measured, ended),
        "reliably better, not recovered",
    )
    yield make.bounded("unchanged", deterioration_rate(c["unchanged"], measured, ended))
    yield make.bounded("deteriorated", deterioration_rate(c["deteriorated"], measured, ended))
    yield make.bounded(
        "reliably_improved", improvement_rate(c["better"], measured, ended), "recovered included"
    )
    yield from stopping(make, c)
    if c["clinical"]:
        yield make.bounded(
            "reliably_improved_clinical_starters",
            improvement_rate(c["clinical_better"], c["clinical_measured"], c["clinical"]),
            "of those who started on the clinical side; recovered included",
        )


def fate_known(c: Mapping[str, int]) -> int:
    """Endings of which it is known that they were another, or that this was one and how it went."""
    return c["ending_known"] - (c["stopped"] - c["stopped_measured"])


def stopping(make: Maker, c: Mapping[str, int]) -> Iterator[Metric]:
    """Clients who stopped, by outcome; and stopping as those define it who ask for no change.

    The second is out of the endings that are known. A client who stopped without a second score
    may have improved (best) or not (worst), and so may one whose ending isn't known.
    """
    if c["stopped"]:
        yield make.bounded(
            "stopped_improved",
            improvement_rate(c["stopped_better"], c["stopped_measured"], c["stopped"]),
            "of those who stopped coming; recovered included",
        )
    else:
        yield make("stopped_improved", numerator=0, denominator=0, note="nobody stopped coming")
    known = fate_known(c)
    if known:
        yield make.bounded(
            "stopped_unimproved",
            deterioration_rate(c["stopped_measured"] - c["stopped_better"], known, c["ended"]),
            STOPPED_OF,
        )
    else:
        yield make("stopped_unimproved", numerator=0, denominator=0, note="no ending is known")


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


def _effects(
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


def _with_reference(make: Maker, rows: pd.DataFrame, better: str, references: References) -> Metric:
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


def _reached(make: Maker, rows: pd.DataFrame) -> Metric:
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


def _outcomes(
    make: Maker,
    rows: pd.DataFrame,
    better: str,
    starters: pd.Series[Any] | None = None,
    *,
    borrowed: bool = False,
    classes: bool = True,
    references: References = NO_REFERENCES,
    retest: float | None = None,
) -> Iterator[Metric]:
    since_mid_care = rows["mid_care"].astype(bool)
    apart = int(since_mid_care.sum())
    rows = rows[~since_mid_care]
    note = f"{apart} measured since mid-care, apart" if apart else ""
    yield make.mean("mean_first_outcome", rows["first_score"], len(rows), note)
    everyone = rows["first_score"] if starters is None else starters
    yield from _effects(make, rows, better, everyone, retest)
    yield _with_reference(make, rows, better, references)
    yield _reached(make, rows)
    if classes:
        yield from _classes(make, class_counts(rows), borrowed=borrowed)


def monthly_metrics(data: Extract, *, classes: bool = True) -> list[Metric]:
    """Every metric of a period and scope, in the report's order; without class rates if told so."""
    month, scope = str(data.period), data.scope.name
    make = Maker(month, scope)
    ended = data.ended
    metrics = [
        make("episodes_opened", data.opened),
        make("episodes_ended", len(ended)),
        make("people_served", data.served, note="people with a session attended, each once"),
        *(
            make("clients_by_age_group", count, numerator=count, denominator=data.served, note=band)
            for band, count in data.served_by_age.items()
        ),
        make("collateral_raters", data.collateral_raters),
        make.mean("mean_first_alliance", ended["first_alliance"], len(ended)),
        make.mean("mean_sessions", ended["attended"], len(ended)),
        make.mean("mean_days", _days(ended), len(ended), "from the first session to the last"),
        of_all(make, "care_all_median_days", data.in_care.length),
        *_endings(make, ended),
        *_attendance(make, data.attendance),
        *waiting_metrics(make, data.waits),
    ]
    outcome = ended.loc[~ended["ending"].isin(OUTSIDE_OUTCOME), OUTCOME_COLUMNS]
    if outcome.empty:
        metrics.extend(_outcomes(make, outcome, "higher", classes=classes))
        return metrics
    directions = dict(Measure.objects.values_list("code", "versions__better"))
    borrowed = measures.borrowed()
    # The least of a measure's norm rows: it claims the most for chance.
    norms = NormRow.objects.exclude(reliability=None).order_by("-reliability")
    retests = dict(norms.values_list("measure__code", "reliability"))
    by_measure = outcome.groupby(main_measures(outcome), sort=True)
    for code, rows in by_measure:
        firsts = data.starters.loc[data.starters["measure__code"] == code, "first_score"]
        maker = Maker(month, scope, str(code))
        better = directions.get(code) or "higher"
        found = _outcomes(
            maker, rows, better, firsts, borrowed=code in borrowed, classes=classes,
            references=data.references, retest=retests.get(str(code)),
        )  # fmt: skip
        metrics.extend(found)
    return metrics


def _days(ended: pd.DataFrame) -> pd.Series[Any]:
    first = pd.to_datetime(ended["first_session_on"])
    last = pd.to_datetime(ended["last_session_on"])
    return (last - first).dt.days
