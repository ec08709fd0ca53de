"""Control charts: two rules, limits that allow for restless months, a frozen baseline."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from measures_app.psychometrics.control import mean_chart, rate_chart, rolling_year

EVEN = np.array([30, 34, 30, 26, 33, 27, 31, 29, 30, 32, 28, 30])


def months(*later):
    return np.concatenate([EVEN, later])


def test_the_centre_is_that_of_the_first_twelve_months_and_frozen():
    chart = rate_chart(months(58, 58), np.full(14, 60))
    assert chart.centre == pytest.approx(EVEN.sum() / 720)
    assert chart.beyond.tolist() == [False] * 12 + [True, True]
    assert not chart.run.any()
    three = 3 * math.sqrt(0.5 * 0.5 / 60)
    assert chart.spread == 1
    assert chart.high[0] - chart.centre == pytest.approx(three)


def test_a_run_of_eight_on_one_side_is_a_signal_and_seven_are_not():
    eight = rate_chart(months(29, *([33] * 8)), np.full(21, 60))
    assert np.flatnonzero(eight.run).tolist() == [20]
    assert not rate_chart(months(29, *([33] * 7)), np.full(20, 60)).run.any()
    broken = rate_chart(months(29, *([33] * 4), 30, *([33] * 4)), np.full(22, 60))
    assert not broken.run.any()  # a month on the centre line


def test_a_month_without_clients_is_skipped_by_both_rules():
    cases, n = months(29, *([33] * 4), 0, *([33] * 4)), np.full(22, 60)
    n[17] = 0
    chart = rate_chart(cases, n)
    assert math.isnan(chart.value[17])
    assert not chart.beyond[17]
    assert np.flatnonzero(chart.run).tolist() == [21]


def test_months_younger_than_sixty_days_are_hollow_and_never_signal():
    chart = rate_chart(months(58, 58), np.full(14, 60), age_days=[*range(420, 60, -30), 60, 30])
    assert chart.hollow.tolist() == [False] * 13 + [True]
    assert chart.beyond.tolist() == [False] * 12 + [True, False]


def test_restless_months_widen_the_limits():
    rng = np.random.default_rng(2)
    share = rng.beta(0.6 * 19, 0.4 * 19, 24)
    chart = rate_chart(rng.binomial(200, share), np.full(24, 200))
    plain = 3 * np.sqrt(chart.centre * (1 - chart.centre) / 200)
    assert chart.spread > 2
    assert (chart.high[0] - chart.centre) > 1.5 * plain


def test_false_alarms_over_two_stable_years_stay_rare():
    rng = np.random.default_rng(9)
    charts = [rate_chart(rng.binomial(60, 0.6, 24), np.full(24, 60)) for _ in range(400)]
    alarms = np.mean([(chart.beyond | chart.run).any() for chart in charts])
    assert alarms < 0.18


def test_few_expected_cases_get_binomial_limits():
    cases = np.array([1, 0, 2, 1, 1, 0, 1, 2, 0, 1, 1, 2, 6])
    chart = rate_chart(cases, np.full(13, 20))
    p = chart.centre
    assert chart.high[-1] == binom.isf(0.0013498980316301, 20, p) / 20
    assert chart.low[-1] == 0
    assert chart.beyond.tolist() == [False] * 12 + [True]


def test_before_twelve_months_there_is_nothing_to_compare_with():
    chart = rate_chart([5, 60], [60, 60])
    assert math.isnan(chart.centre)
    assert np.isnan(chart.low).all()
    assert not (chart.beyond | chart.run).any()
    assert math.isnan(mean_chart([20.0], [10], 8.0).centre)


def test_a_clinic_where_everybody_is_a_case_has_no_alarms():
    chart = rate_chart(np.full(14, 20), np.full(14, 20))
    assert chart.centre == 1
    assert not chart.beyond.any()


def test_means_are_charted_by_their_own_error():
    mean = np.array([20, 21, 20, 19, 20.5, 19.5, 20, 20, 21, 19, 20, 20, 26, np.nan])
    chart = mean_chart(mean, [*([25] * 13), 0], 8.0)
    assert chart.centre == pytest.approx(20)
    assert chart.high[0] == pytest.approx(20 + 3 * 8 / 5)
    assert chart.beyond.tolist() == [False] * 12 + [True, False]
    assert math.isnan(chart.value[13])


def test_cells_too_small_widen_to_twelve_months():
    cases, n = rolling_year(np.arange(1, 15), np.full(14, 3))
    assert np.isnan(cases[:11]).all()
    assert cases[11:].tolist() == [78, 90, 102]
    assert n[11:].tolist() == [36, 36, 36]
    assert np.isnan(rolling_year([1], [2])[0]).all()


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: rate_chart([1, 2], [3]), "shape"),
        (lambda: rate_chart([4], [3]), "cases"),
        (lambda: mean_chart([1, 2], [3], 8), "shape"),
        (lambda: mean_chart([1], [3], 0), "positive"),
    ],
)
def test_charts_of_impossible_numbers_are_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build()


def test_twelve_months_are_a_baseline_and_eleven_are_none():
    assert rate_chart(EVEN, np.full(12, 60)).centre == pytest.approx(0.5)
    assert math.isnan(rate_chart(EVEN[:11], np.full(11, 60)).centre)


def test_a_run_is_of_months_that_are_old_enough():
    cases = [36] * 8 + [20] * 4
    chart = rate_chart(cases, np.full(12, 60), age_days=[90] * 8 + [59, 45, 30, 1])
    assert np.flatnonzero(chart.run).tolist() == [7]


def test_few_expected_exceptions_get_binomial_limits_too():
    cases = np.array([19, 20, 18, 19, 19, 20, 19, 18, 20, 19, 19, 18, 14])
    chart = rate_chart(cases, np.full(13, 20))
    assert chart.low[-1] == binom.ppf(0.0013498980316301, 20, chart.centre) / 20
    assert chart.high[-1] == 1
    assert chart.beyond.tolist() == [False] * 12 + [True]


def test_the_spread_is_laneys_factor_on_months_of_unequal_size():
    cases = np.array([60, 20, 66, 15, 70, 30, 40, 24, 75, 18, 66, 10])
    n = np.array([100, 50, 110, 40, 90, 60, 90, 40, 120, 50, 100, 40])
    chart = rate_chart(cases, n)
    p = cases.sum() / n.sum()
    z = (cases / n - p) / np.sqrt(p * (1 - p) / n)
    assert chart.spread == pytest.approx(np.abs(np.diff(z)).mean() / 1.128, rel=1e-3)
    assert (chart.low.min(), chart.high.max()) == (0, 1)  # a rate has no other ends
