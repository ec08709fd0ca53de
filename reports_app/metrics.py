"""The monthly report's numbers: honest denominators, each rate with coverage and bounds.

Names are those of docs/methods.md. Outcomes count episodes that ended in the month; deaths and
assessments are outside outcome; series measured since mid-care are counted apart. One figure is
made here once, and page, CSV, XLSX and PDF show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from measures_app import measures
from measures_app.models import Measure, NormRow
from measures_app.psychometrics.rates import BoundedRate, deterioration_rate, improvement_rate
from measures_app.strata import age_band
from reports_app.classes import class_counts, class_metrics
from reports_app.effects import effects, reached, with_reference
from reports_app.extract import OUTSIDE_OUTCOME, Extract
from reports_app.metric import Maker, Metric
from reports_app.reference_change import References
from reports_app.waiting import of_all, waiting_metrics
from sessions_app import policies

NO_REFERENCES: References = {}
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
    yield from effects(make, rows, better, everyone, retest)
    yield with_reference(make, rows, better, references)
    yield reached(make, rows)
    if classes:
        yield from class_metrics(make, class_counts(rows), borrowed=borrowed)


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
