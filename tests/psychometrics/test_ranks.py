"""Ranks and quantiles of a count say what SciPy's own say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from measures_app.psychometrics.ranks import average_ranks, binomial_quantile


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_equals_share_the_mean_of_their_ranks(values: list[int]) -> None:
    assert average_ranks(values) == pytest.approx(stats.rankdata(values))


@given(
    st.sampled_from([0.00135, 0.025, 0.5, 0.975, 0.99865]),
    st.integers(0, 3000),
    st.floats(0.001, 0.999),
)
def test_a_quantile_is_the_smallest_count_that_reaches_it(q: float, n: int, p: float) -> None:
    found, theirs = float(binomial_quantile(q, n, p)), float(stats.binom.ppf(q, n, p))
    if found != theirs:  # one count more or less only where it reaches q to the last digits
        assert abs(found - theirs) == 1
        assert stats.binom.cdf(min(found, theirs), n, p) == pytest.approx(q, rel=1e-9)


def test_quantiles_are_found_side_by_side_and_unknown_stays_unknown() -> None:
    n, p = np.array([10.0, 20.0, 5.0]), np.array([0.5, 0.0, np.nan])
    found = binomial_quantile(0.975, n, p)
    assert found[:2].tolist() == [8, 0]
    assert np.isnan(found[2])
    assert binomial_quantile(0.5, 12, 1.0) == 12
