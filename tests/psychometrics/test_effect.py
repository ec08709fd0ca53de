"""Effect sizes: metafor's results, published national cells, laws and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from measures_app.psychometrics.effect import (
    effect_against_expected,
    effect_size,
    effect_with_reference_change,
    regression_to_the_mean,
    small_sample_correction,
    standardised_change,
)

from .oracles import results_of, rows_of
from .test_change import pairs_of

CASES = {
    "claus_bdi_1_4": ("cs_claus_2020.csv", "id", "bdi", "1", "4", "lower", 1),
    "claus_hamd_1_4": ("cs_claus_2020.csv", "id", "hamd", "1", "4", "lower", 1),
    # metafor gives first minus last: negative where higher is better.
    "jacobson_das": ("cs_jacobson_1989.csv", "subject", "das", "pre", "post", "higher", -1),
}


def oracle(case, measure="SMCRH"):
    found = results_of("oracles", "lme4_metafor.json")["effect_sizes"]
    return next(row for row in found if (row["case"], row["measure"]) == (case, measure))


@pytest.mark.parametrize("case", CASES)
def test_the_effect_size_is_metafors(case):
    file, client, score, first, last, better, sign = CASES[case]
    start, end = pairs_of(
        rows_of("data", file), client=client, time="time", score=score, first=first, last=last
    )
    found, expected = effect_size(start, end, better), oracle(case)
    assert found.n == found.starters == expected["n"]
    assert found.g == pytest.approx(sign * expected["yi"], rel=1e-9)
    assert found.variance == pytest.approx(expected["vi"], rel=1e-9)
    assert found.mean_first == pytest.approx(expected["m_pre"])
    assert found.high - found.low == pytest.approx(2 * 1.959964 * math.sqrt(expected["vi"]))


@pytest.mark.parametrize("case", ["BtheB_pre_2m", "enrichd_bdi"])
def test_the_effect_size_from_published_moments_is_metafors(case):
    expected = oracle(case)
    rng = np.random.default_rng(1)
    raw = rng.normal(size=(expected["n"], 2))
    raw -= raw.mean(axis=0)
    raw = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T))).T
    r = expected["r"]
    start = expected["m_pre"] + expected["sd_pre"] * raw[:, 0]
    end = expected["m_post"] + expected["sd_post"] * (
        r * raw[:, 0] + math.sqrt(1 - r * r) * raw[:, 1]
    )
    found = effect_size(start, end, "lower")
    assert found.g == pytest.approx(expected["yi"], rel=1e-8)
    assert found.variance == pytest.approx(expected["vi"], rel=1e-8)


def test_plain_d_reproduces_the_published_national_cells_within_their_rounding():
    rows = rows_of("data", "nhstt_proms_england_means_sd_es.csv")
    cells = [row for row in rows if row["effect_size_x"] not in ("", "NA")]
    assert len(cells) == 3066
    published, start, end, sd = (
        np.array([float(row[name]) for row in cells])
        for name in ("effect_size_x", "mean_start", "mean_end", "sd_start")
    )
    # Everything is published to one decimal: means and SD may be off by .05 each way.
    corners = [
        standardised_change(start + a, end + b, sd + c, "lower")
        for a in (-0.05, 0.05)
        for b in (-0.05, 0.05)
        for c in (-0.05, 0.05)
    ]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    agree = (low <= published + 0.05 + 1e-9) & (high >= published - 0.05 - 1e-9)
    assert agree.all()


def test_the_small_sample_correction_is_exact():
    # J of 39 degrees of freedom, from metafor's own g and d.
    assert small_sample_correction(39) == pytest.approx(1.1749014518 / 1.1981158587, rel=1e-9)
    assert small_sample_correction(2) == pytest.approx(1 / math.sqrt(math.pi))
    with pytest.raises(ValueError, match="three clients"):
        small_sample_correction(1)


def test_the_standard_deviation_is_that_of_all_starters():
    first, last = [10.0, 12, 14, 30, 40], [20.0, 22, 24, np.nan, np.nan]
    found = effect_size(first, last, "higher")
    assert (found.n, found.starters) == (3, 5)
    assert found.sd == pytest.approx(np.std(first, ddof=1))
    group = effect_size(first[:3], last[:3], "higher", starters=first)
    assert group.d == found.d
    assert group.d < effect_size(first[:3], last[:3], "higher").d


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ([1.0, 2], [1.0], "shape"),
        ([1.0, 2, 3], [1.0, np.nan, np.nan], "two clients"),
        ([1.0, 2], [2.0, 3], "three clients"),
        ([2.0, 2, 2], [1.0, 2, 3], "equal"),
    ],
)
def test_an_effect_size_that_cannot_be_had_is_refused(first, last, words):
    with pytest.raises(ValueError, match=words):
        effect_size(first, last, "higher")


def test_a_published_cell_without_spread_has_no_effect_size():
    found = standardised_change([10, 10], [5, 5], [0, 5], "lower")
    assert np.isnan(found[0])
    assert found[1] == 1


scores = arrays(np.float64, st.integers(4, 20), elements=st.integers(0, 400).map(lambda v: v / 10))


@given(scores, st.randoms(use_true_random=False))
def test_a_mirrored_scale_gives_the_same_effect(first, random):
    last = np.array(random.sample(list(first), len(first)))
    if np.ptp(first) == 0:
        return
    one, other = effect_size(first, last, "higher"), effect_size(40 - first, 40 - last, "lower")
    assert one.g == pytest.approx(other.g, abs=1e-9)
    assert one.variance == pytest.approx(other.variance)


def test_against_the_expected_score_zero_is_as_the_reference():
    none = effect_against_expected([20.0, 30, np.nan], [20.0, 30, 25], 8.0, "higher")
    assert (none.n, none.value) == (2, 0)
    better = effect_against_expected([24.0, 26, 28], [20.0, 22, 24], 8.0, "higher")
    assert (better.value, better.low, better.high) == (0.5, 0.5, 0.5)
    assert effect_against_expected([6.0], [10.0], 8.0, "lower").value == 0.5
    assert math.isnan(effect_against_expected([6.0], [10.0], 8.0, "lower").low)


def test_the_second_variant_reads_like_a_raw_effect_of_clinical_starters():
    found = effect_with_reference_change(
        [18.0, 20, 30],
        [30.0, 28, 31],
        [26.0, 28, 32],
        reference_change=8.0,
        sd=8.0,
        cutoff=25.0,
        better="higher",
    )
    assert found.n == 2
    assert found.value == pytest.approx((8 + 2) / 8)
    assert found.low < found.value < found.high


@pytest.mark.parametrize(("sd", "expected", "words"), [(0, 20, "positive"), (8, np.nan, "no cli")])
def test_an_adjusted_effect_needs_a_reference(sd, expected, words):
    with pytest.raises(ValueError, match=words):
        effect_against_expected([20.0], [expected], sd, "higher")


@pytest.mark.parametrize(
    ("everyone", "subgroup", "better", "effect"),
    [
        (20, 12, "higher", 0.5),
        (12, 20, "lower", 0.5),
        (20, 24, "higher", -0.25),
        (20, 20, "lower", 0),
    ],
)
def test_a_subgroup_chosen_by_its_scores_drifts_to_the_mean(everyone, subgroup, better, effect):
    assert regression_to_the_mean(everyone, subgroup, 8.0, 0.5, better) == effect


@pytest.mark.parametrize(("sd", "correlation"), [(0, 0.5), (8, 1.5)])
def test_drift_from_impossible_numbers_is_refused(sd, correlation):
    with pytest.raises(ValueError, match=r"must be|lies between"):
        regression_to_the_mean(20, 12, sd, correlation, "higher")
