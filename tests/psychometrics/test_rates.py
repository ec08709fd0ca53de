"""Rates: Wilson's interval, coverage and the bounds of what wasn't measured."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from measures_app.psychometrics.rates import (
    coverage,
    deterioration_rate,
    improvement_rate,
    recovery_rate,
    wilson,
)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(counts):
    count, n = counts
    expected = binomtest(count, n).proportion_ci(method="wilson")
    found = wilson(count, n)
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)
    assert 0 <= found.low <= count / n <= found.high <= 1


def test_nothing_counted_has_no_interval():
    assert math.isnan(wilson(0, 0).low)
    assert math.isnan(coverage(0, 0).share)
    empty = improvement_rate(0, 0, 0)
    assert math.isnan(empty.rate)
    assert math.isnan(empty.worst)


def test_coverage_is_measured_of_ended():
    assert coverage(30, 40).share == 0.75


def test_improvement_is_bounded_by_what_the_missing_might_be():
    rate = improvement_rate(improved=30, measured=60, ended=100)
    assert (rate.rate, rate.coverage) == (0.5, 0.6)
    assert (rate.worst, rate.best) == (0.3, 0.7)
    assert rate.low == wilson(30, 100).low
    assert rate.high == wilson(70, 100).high


def test_the_worst_that_deterioration_may_be_is_the_larger_number():
    rate = deterioration_rate(deteriorated=6, measured=60, ended=100)
    assert (rate.rate, rate.worst, rate.best) == (0.1, 0.46, 0.06)
    assert rate.low == wilson(6, 100).low
    assert rate.high == wilson(46, 100).high


def test_recovery_counts_those_whose_start_is_unknown():
    rate = recovery_rate(
        recovered=20, clinical_starters=70, clinical_without_outcome=20, without_score=10
    )
    assert (rate.count, rate.measured, rate.denominator) == (20, 50, 80)
    assert rate.rate == 0.4
    assert rate.worst == 20 / 80
    assert rate.best == (20 + 20 + 10) / 80
    complete = recovery_rate(20, 70, 0, 0)
    assert complete.worst == complete.rate == complete.best == 20 / 70


@pytest.mark.parametrize(
    "build",
    [
        lambda: wilson(5, 4),
        lambda: wilson(-1, 4),
        lambda: coverage(5, 4),
        lambda: improvement_rate(5, 4, 10),
        lambda: improvement_rate(1, 11, 10),
        lambda: deterioration_rate(1, 11, 10),
        lambda: recovery_rate(1, 2, -1, 0),
        lambda: recovery_rate(3, 4, 2, 0),
    ],
)
def test_impossible_counts_are_refused(build):
    with pytest.raises(ValueError, match=r"is no share|there can't be"):
        build()


numbers = st.integers(0, 60)


@given(numbers, numbers, numbers)
def test_bounds_enclose_the_rate_and_close_without_missing(cases, others, missing):
    measured = cases + others
    rate = improvement_rate(cases, measured, measured + missing)
    if not measured:
        return
    assert rate.low <= rate.worst <= rate.rate + 1e-12
    assert rate.rate <= rate.best + 1e-12 <= rate.high + 2e-12
    if not missing:
        assert rate.worst == rate.rate == rate.best
