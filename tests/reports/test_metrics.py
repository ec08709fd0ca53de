"""Every number of the month against a clinic worked by hand (docs/methods.md, groups)."""

from __future__ import annotations

import csv
import io
import math
import statistics
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from measures_app import measures
from measures_app.strata import age_band
from reports_app.editions import make_report
from reports_app.explain import label_of
from reports_app.extract import extract
from reports_app.metrics import monthly_metrics
from reports_app.models import EpisodeSummary
from reports_app.nightly import run_night
from reports_app.periods import Month
from reports_app.tasks import refresh_months
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Session
from tests.cast import BY
from tests.psychometrics.oracles import reference_file
from tests.reports.conftest import ENDED, FIRSTS, PAIRS, Month12, end_one, score, taken_back

CONTRACT = (
    "episodes_opened", "episodes_ended", "people_served", "clients_by_age_group",
    "collateral_raters", "mean_first_outcome", "mean_first_alliance", "mean_sessions", "mean_days",
    "effect_size", "severity_adjusted_effect_size", "reached_expected", "recovered", "improved",
    "unchanged", "deteriorated", "ended_planned", "ended_unplanned", "ended_by_clinic",
    "no_show_rate", "cancelled_rate", "both_measures_rate", "ended_circumstances",
    "stopped_improved", "stopped_unimproved", "waiting_median_days", "waiting_p90_days",
    "waiting_now", "sessions_held", "sessions_entered_rate", "stopped_lapsed",
)  # fmt: skip


def wilson(k: int, n: int) -> tuple[float, float]:
    """Both ends, from the textbook's formula and not from the product's."""
    z, p = 1.959963984540054, k / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def test_every_metric_of_the_contract_is_there(month: Month12) -> None:
    named = [metric.metric for metric in month.report().metrics]
    assert [name for name in CONTRACT if name not in named] == []


def test_a_month_without_anything_has_every_metric_and_no_rate(month: Month12) -> None:
    with acting_as(BY):
        metrics = make_report(Month(date(1995, 5, 1))).metrics
    assert [n for n in CONTRACT if n not in {m.metric for m in metrics}] == []
    counts = {"episodes_opened", "episodes_ended", "people_served", "clients_by_age_group",
              "collateral_raters", "referrals_received", "referrals_left",
              "waiting_now", "sessions_held"}  # fmt: skip
    assert all(m.value == 0 for m in metrics if m.metric in counts)
    assert all(m.value is None for m in metrics if m.metric not in counts)


# metric -> (count, of those measured, of all who could be, "good" or not)
BOUNDED = {
    "reliably_improved": (3, 8, 10, True),
    "improved": (1, 8, 10, True),
    "deteriorated": (2, 8, 10, False),
    "unchanged": (3, 8, 10, False),
    # Seven are known to have started on the clinical side, six of them with an outcome; one more
    # has no score at all.
    "recovered": (2, 6, 8, True),
    "reliably_improved_clinical_starters": (3, 6, 7, True),
    # Eleven of twelve endings are known.
    "ended_planned": (4, 11, 12, True),
    "ended_unplanned": (4, 11, 12, False),
    "ended_by_clinic": (1, 11, 12, False),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_a_rate_stands_with_its_coverage_and_bounds(month: Month12, name: str) -> None:
    count, measured, everyone, good = BOUNDED[name]
    metric = month.metric(name)
    least, most = count / everyone, (count + everyone - measured) / everyone
    assert (metric.numerator, metric.denominator) == (count, measured)
    assert metric.value == pytest.approx(count / measured)
    assert metric.coverage == pytest.approx(measured / everyone)
    worst, best = (least, most) if good else (most, least)
    assert (metric.worst, metric.best) == (pytest.approx(worst), pytest.approx(best))
    assert metric.low == pytest.approx(wilson(count, everyone)[0])
    assert metric.high == pytest.approx(wilson(count + everyone - measured, everyone)[1])


def test_a_session_nobody_has_entered_is_in_the_bounds_of_who_came(month: Month12) -> None:
    with taken_back():
        before = month.metric("no_show_rate")
        assert (before.coverage, before.worst, before.best) == (1, before.value, before.value)
        rows = Session.objects.filter(status="attended", held_on__lte=month.month.end)
        session = rows.filter(held_on__gte=month.month.start).first()
        Session.objects.filter(pk=session.pk).update(status="booked")
        refresh_months()
        found = month.metric("no_show_rate")
        expected = before.denominator - 1
        assert (found.numerator, found.denominator) == (before.numerator, expected)
        assert found.coverage == pytest.approx(expected / (expected + 1))
        assert found.worst == pytest.approx((before.numerator + 1) / (expected + 1))
        assert found.best == pytest.approx(before.numerator / (expected + 1))
        assert "1 whose day has come are not entered" in found.note


def test_days_of_care_count_those_who_are_still_in_it(month: Month12) -> None:
    """Everybody's care began and ended within the scene but for those open: by hand."""
    with acting_as(BY):
        rows = list(
            EpisodeSummary.objects.filter(first_session_on__lte=month.month.end).exclude(
                closed_on__lt=month.month.start
            )
        )
    stays, last = [], min(month.month.end, clinic_time.today())
    for row in rows:
        until = min(row.closed_on or last, last)
        over = row.closed_on is not None and row.closed_on <= last and row.ending != "died"
        stays.append(((until - row.first_session_on).days, over))
    left, shares = 1.0, {}
    for day in sorted({day for day, over in stays if over}):
        risk = sum(1 for other, _ in stays if other >= day)
        left *= 1 - sum(1 for other, over in stays if other == day and over) / risk
        shares[day] = left
    found = month.metric("care_all_median_days")
    assert found.value == min(day for day, share in shares.items() if share <= 0.5)
    assert (found.numerator, found.denominator) == (sum(over for _, over in stays), len(stays))


def test_people_and_means(month: Month12) -> None:
    assert month.metric("episodes_ended").value == len(ENDED)
    first = month.metric("mean_first_outcome")
    assert first.value == pytest.approx(statistics.mean(FIRSTS))
    half = 1.96 * statistics.stdev(FIRSTS) / math.sqrt(len(FIRSTS))
    assert (first.low, first.high) == (
        pytest.approx(statistics.mean(FIRSTS) - half),
        pytest.approx(statistics.mean(FIRSTS) + half),
    )
    assert (first.denominator, first.coverage) == (9, pytest.approx(0.9))
    assert month.metric("mean_sessions").value == 2
    assert month.metric("mean_days").value == 28


def _effect(pairs: list[tuple[float, float]], firsts: list[float]) -> tuple[float, float]:
    """(g, its standard error), from METHODS' formula in plain arithmetic."""
    sd, m = statistics.stdev(firsts), len(firsts) - 1
    gains = [last - first for first, last in pairs]
    j = math.gamma(m / 2) / (math.sqrt(m / 2) * math.gamma((m - 1) / 2))
    g = j * statistics.mean(gains) / sd
    variance = j * j * (
        statistics.variance(gains) / (sd * sd * (len(pairs) - 1)) + g * g / (2 * m)
    )  # fmt: skip
    return g, math.sqrt(variance)


def test_the_effect_size_stands_over_the_sd_of_all_who_started(month: Month12) -> None:
    metric = month.metric("effect_size")
    g, error = _effect(PAIRS, FIRSTS)
    assert metric.value == pytest.approx(g)
    assert metric.low == pytest.approx(g - 1.959963984540054 * error)
    assert (metric.denominator, metric.coverage) == (8, pytest.approx(0.8))


def test_a_programmes_effect_keeps_the_whole_clinics_sd(month: Month12) -> None:
    with taken_back():
        rows = [(20.0, 22.0, "agreed"), (21.0, 25.0, "agreed"), (22.0, 26.0, "agreed")]
        with acting_as(BY):
            groups = actions.add_programme(name="Groups", by=BY)
            for place, row in enumerate(rows):
                end_one(month.clinic, month.month, 100 + place, *row, programme=groups)
            run_night(clinic_time.today())
        metric = month.metric("effect_size", groups)
        everyone = FIRSTS + [first for first, _last, _ending in rows]
        g, _error = _effect([(first, last) for first, last, _e in rows], everyone)
        assert metric.value == pytest.approx(g)
        assert month.metric("episodes_ended", groups).value == 3
        assert month.metric("episodes_ended").value == len(ENDED) + 3


def test_the_clinics_own_cancellations_are_nobodys_no_show(month: Month12) -> None:
    with taken_back():
        clinic, held_on = month.clinic, month.month.start + timedelta(days=3)
        before = month.report()
        with acting_as(BY):
            status = Session.Status
            for state in (status.NO_SHOW, status.NO_SHOW, status.LATE_CANCEL, status.CLINIC_CANCEL):
                actions.record_session(
                    episode=clinic.episodes["boris"], held_on=held_on, status=state, by=BY
                )
            with_both = actions.record_session(
                episode=clinic.episodes["boris"], held_on=held_on + timedelta(days=1), by=BY
            )
            score(clinic.episodes["boris"], with_both, "outcome-adult", 20.0)
            score(clinic.episodes["boris"], with_both, "alliance-adult", 36.0)
            run_night(clinic_time.today())
        was = {m.metric: m for m in before.metrics if m.metric.endswith("_rate")}
        # Six sessions more, one of them the clinic's own doing.
        for name, more in (("no_show_rate", 2), ("cancelled_rate", 1)):
            now = month.metric(name)
            assert now.numerator == (was[name].numerator or 0) + more
            assert now.denominator == (was[name].denominator or 0) + 4
            assert "apart: 1 cancelled by the clinic" in now.note
        assert month.metric("sessions_entered_rate").value == 1.0
        both = month.metric("both_measures_rate")
        assert both.numerator == (was["both_measures_rate"].numerator or 0) + 1
        assert both.denominator == (was["both_measures_rate"].denominator or 0) + 1


def test_people_are_counted_once_and_by_the_age_they_reach(month: Month12) -> None:
    groups = {m.note: m.value for m in month.report().metrics if m.metric == "clients_by_age_group"}
    assert sum(v or 0 for v in groups.values()) == month.metric("people_served").value
    assert (groups["26-64"] or 0) >= len(ENDED)


@pytest.mark.parametrize(
    ("age", "band"),
    [(0, "0-12"), (12, "0-12"), (13, "13-17"), (17, "13-17"), (18, "18-25"), (25, "18-25"),
     (26, "26-64"), (64, "26-64"), (65, "65+"), (None, "not recorded")],
)  # fmt: skip
def test_an_age_at_a_bands_edge_has_one_band(age: int | None, band: str) -> None:
    assert age_band(age) == band


def test_measured_since_mid_care_stands_apart(month: Month12) -> None:
    with taken_back():
        with acting_as(BY):
            client = actions.register_client(
                by=BY, site=month.clinic.north, name="Mid Care", birth_year=1980
            )
            last_on = month.month.start + timedelta(days=20)
            episode = actions.open_episode(
                client=client, programme=month.clinic.therapy,
                opened_on=last_on - timedelta(days=60), lead=month.clinic.clinicians["bob"], by=BY,
            )  # fmt: skip
            for i, total in enumerate((None, None, None, 12.0, 30.0)):
                session = actions.record_session(
                    episode=episode, held_on=last_on - timedelta(days=7 * (4 - i)), by=BY
                )
                if total is not None:
                    score(episode, session, "outcome-adult", total)
            actions.close_episode(episode=episode, on=last_on, ending="agreed", by=BY)
            run_night(clinic_time.today())
        assert month.metric("recovered").numerator == BOUNDED["recovered"][0]
        assert month.metric("mean_first_outcome").note == "1 measured since mid-care, apart"


def _first_and_last(file: str) -> dict[str, tuple[float, float | None]]:
    """First and last whole-number PHQ-9 of each patient, straight from the trial's file."""
    scores: dict[str, list[tuple[float, float]]] = {}
    with reference_file("data", file).open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            try:
                at, total = float(row["month"]), float(row["phq9"])
            except ValueError:
                continue
            if at == at and total == total and total.is_integer() and 0 <= total <= 27:
                scores.setdefault(row["patient"], []).append((at, total))
    ordered = {who: sorted(rows) for who, rows in scores.items()}
    return {
        who: (rows[0][1], rows[-1][1] if len(rows) > 1 else None) for who, rows in ordered.items()
    }


def test_an_imported_trial_gives_the_classes_of_its_file(db: Any, tmp_path: Path) -> None:
    """REFRAMED: lower is better, cutoff 10 (10 is a case), 6 or more is a reliable change."""
    file = reference_file("data", "reframed_phq9.csv")
    mapping = Path(__file__).resolve().parents[2] / "docs" / "examples" / "reframed.toml"
    call_command(
        "import_scores", str(file), "--mapping", str(mapping), "--hold", str(tmp_path / "held.csv"),
        "--json", stdout=io.StringIO(),
    )  # fmt: skip
    pairs = _first_and_last("reframed_phq9.csv")
    both = [(a, b) for a, b in pairs.values() if b is not None]
    wanted = {
        "recovered": sum(a >= 10 and a - b >= 6 and b < 10 for a, b in both),
        "improved": sum(a - b >= 6 and not (a >= 10 and b < 10) for a, b in both),
        "deteriorated": sum(b - a >= 6 for a, b in both),
    }
    wanted["unchanged"] = len(both) - sum(wanted.values())
    counted = dict.fromkeys(wanted, 0.0)
    ended = measured = 0.0
    with acting_as(BY):
        measures.sync_library()
        run_night(clinic_time.today())
        month = Month(date(2023, 1, 1))
        while month.start < date(2025, 1, 1):
            for metric in make_report(month).metrics:
                if metric.metric in counted:
                    counted[metric.metric] += metric.numerator or 0
                if metric.metric == "unchanged":
                    measured += metric.denominator or 0
                if metric.metric == "episodes_ended":
                    ended += metric.value or 0
            month = month.next()
    assert (ended, measured) == (len(pairs), len(both))
    assert counted == wanted


def test_a_line_of_borrowed_constants_is_not_called_recovery(month):
    """The bundled measures' constants are borrowed until the clinic's own replace them."""
    metric = month.metric("recovered")
    assert metric.note.startswith("crossed the provisional line")
    assert label_of(metric) == "Crossed the provisional line"
    own = replace(metric, note="of those who started on the clinical side")
    assert label_of(own) == "Recovered"


def test_stopping_is_split_by_outcome_and_said_by_both_definitions(month: Month12) -> None:
    """Four stopped: two unchanged, one worse, one without a second score; one ending unknown."""
    better = month.metric("stopped_improved")
    assert (better.numerator, better.denominator) == (0, 3)
    assert (better.worst, better.best) == (0.0, 1 / 4)
    unimproved = month.metric("stopped_unimproved")
    assert (unimproved.numerator, unimproved.denominator) == (3, 8)
    assert (unimproved.best, unimproved.worst) == (3 / 10, 5 / 10)


def test_lapsing_asks_nobody(month: Month12) -> None:
    """Of ten with sessions, deaths and assessments apart, one was closed after 61 days."""
    with taken_back():
        rows = EpisodeSummary.objects.filter(episode__in=[e.pk for e in month.episodes])
        before = month.metric("stopped_lapsed")
        assert (before.numerator, before.denominator) == (0, 10)
        for place, days in ((0, 60), (1, 61), (10, 90)):
            row = rows.get(episode=month.episodes[place])
            row.last_session_on = row.closed_on - timedelta(days=days)
            row.save()
        after = next(m for m in monthly_metrics(extract(month.month)) if m.metric == before.metric)
        assert (after.numerator, after.denominator) == (1, 10), "61 days; 60 are within"
        assert after.note.startswith("ended more than 60 days after the last session")
