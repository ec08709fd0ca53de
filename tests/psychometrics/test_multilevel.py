"""Clinicians: variance components, shrinkage and funnels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from measures_app.psychometrics.multilevel import (
    PRIOR_ICC,
    clinic_icc,
    clinician_effects,
    clinician_rates,
    fit_components,
    funnel_limits,
    icc_of_sums,
    shrinkage_weight,
)

from .oracles import results_of, rows_of


def reframed():
    """First and last PHQ-9 and therapist of each client with both, as in the reference."""
    scores, therapist = {}, {}
    for row in rows_of("data", "reframed_phq9.csv"):
        if row["phq9"] not in ("", "NaN") and row["month"].isdigit():
            scores.setdefault(row["patient"], {})[int(row["month"])] = float(row["phq9"])
            therapist[row["patient"]] = row["therapist"]
    found = [
        (seen[0], seen[max(seen)], therapist[who])
        for who, seen in scores.items()
        if 0 in seen and len(seen) > 1 and therapist[who]
    ]
    first, last, who = zip(*found, strict=True)
    labels, codes = np.unique(who, return_inverse=True)
    return np.array(first), np.array(last), labels, codes


def test_variance_components_and_shrunken_effects_are_lme4s():
    first, last, labels, codes = reframed()
    expected = results_of("oracles", "lme4_metafor.json")["reframed_therapist"]
    design = np.column_stack([np.ones(first.size), first - first.mean()])
    fit = fit_components(last, design, codes)
    between, within = (row["vcov"] for row in expected["varcorr"])
    assert first.size == expected["nobs"]
    assert fit.minus_2_reml == pytest.approx(expected["neg2ll"], abs=1e-6)
    assert fit.beta == pytest.approx(list(expected["fixef"].values()), rel=1e-6)
    assert fit.between == pytest.approx(between, rel=1e-4)
    assert fit.within == pytest.approx(within, rel=1e-5)
    assert fit.icc == pytest.approx(between / (between + within), rel=1e-4)

    residual = last - design @ fit.beta
    found = clinician_effects(residual, codes, labels.size, icc=fit.icc, between=fit.between)
    blups = {row["id"]: row["(Intercept)"] for row in expected["blup_head"]}
    counts = np.bincount(codes)
    raw = np.bincount(codes, weights=residual) / counts
    assert found.weight * raw == pytest.approx([blups[label] for label in labels], rel=1e-3)
    assert np.isnan(found.effect[counts < 15]).all()


def test_no_difference_between_clinicians_is_a_variance_of_zero():
    codes = np.repeat(np.arange(10), 20)
    outcome = np.tile(np.linspace(-1, 1, 20), 10)
    fit = fit_components(outcome, np.ones((200, 1)), codes)
    assert fit.between == 0
    assert fit.icc == 0
    assert fit.within == pytest.approx(outcome.var(ddof=1))


def test_a_difference_that_is_there_is_found():
    rng = np.random.default_rng(5)
    codes = np.repeat(np.arange(300), 30)
    outcome = rng.normal(0, 2, 300)[codes] + rng.normal(0, 8, codes.size)
    fit = fit_components(outcome, np.ones((codes.size, 1)), codes)
    assert fit.between == pytest.approx(4, rel=0.25)
    assert fit.within == pytest.approx(64, rel=0.05)


@pytest.mark.parametrize(("codes", "columns"), [([0, 0, 0], 1), ([0, 1], 2)])
def test_components_need_clinicians_and_episodes(codes, columns):
    with pytest.raises(ValueError, match="two clinicians"):
        fit_components(np.arange(len(codes)), np.ones((len(codes), columns)), codes)


def test_half_is_believed_at_nineteen_clients():
    assert shrinkage_weight(19, 0.05) == pytest.approx(0.5)
    assert shrinkage_weight([0, 10**9], 0.05) == pytest.approx([0, 1])
    with pytest.raises(ValueError, match="above 0"):
        shrinkage_weight(10, 0)


def test_a_clinics_own_share_counts_by_its_clinicians():
    assert clinic_icc(0.15, 20) == pytest.approx(0.10)
    assert clinic_icc(0.0, 20) == pytest.approx(0.025)
    assert clinic_icc(math.nan, 20) == PRIOR_ICC
    assert clinic_icc(0.9, 1) == PRIOR_ICC


def test_effects_are_pulled_to_zero_and_hidden_under_fifteen_episodes():
    residual = np.concatenate([np.full(19, 4.0), np.full(14, 4.0), [np.nan]])
    group = np.concatenate([np.zeros(19, int), np.ones(15, int)])
    found = clinician_effects(residual, group, 3, icc=0.05, between=2.0)
    assert found.n.tolist() == [19, 14, 0]
    assert found.shown.tolist() == [True, False, False]
    assert found.effect[0] == pytest.approx(2.0)
    assert found.high[0] - found.effect[0] == pytest.approx(1.959964 * math.sqrt(2.0 * 0.5))
    assert np.isnan(found.low[1:]).all()


def test_the_interval_covers_the_true_effect():
    rng = np.random.default_rng(6)
    truth = rng.normal(0, math.sqrt(5), 2000)
    group = np.repeat(np.arange(2000), 20)
    residual = truth[group] + rng.normal(0, math.sqrt(95), group.size)
    found = clinician_effects(residual, group, 2000, icc=0.05, between=5.0)
    covered = ((found.low < truth) & (truth < found.high)).mean()
    assert 0.935 < covered < 0.965


def test_rates_are_shrunken_on_the_logit_scale():
    found = clinician_rates([10, 60, 18], [20, 100, 40], [0.5, 0.5, 0.45], icc=0.05)
    assert found.effect[0] == 0
    assert 0 < found.effect[1] < math.log(0.6 / 0.4)
    assert found.low[1] < found.effect[1] < found.high[1]
    assert found.weight[1] > found.weight[0]
    assert np.isnan(clinician_rates([5], [14], [0.5], icc=0.05).effect[0])


def test_a_funnel_allows_for_true_differences():
    limits = funnel_limits([25, 100, 0], within=95.0, between=5.0)
    assert limits[:2] == pytest.approx(1.959964 * np.sqrt([95 / 25 + 5, 95 / 100 + 5]))
    assert math.isinf(limits[2])
    assert funnel_limits(25, within=95, between=5, level=0.998) == pytest.approx(
        3.090232 * math.sqrt(8.8)
    )
    # Ordinary limits would call three in ten clinicians unusual at 50 clients.
    rng = np.random.default_rng(8)
    means = rng.normal(0, math.sqrt(95 / 50 + 5), 20_000)
    assert (np.abs(means) > funnel_limits(50, within=95, between=5)).mean() < 0.06
    assert (np.abs(means) > funnel_limits(50, within=95, between=0)).mean() > 0.25


def test_the_share_between_clinicians_from_sums_is_the_analysis_of_variance():
    """Two clinicians with 1, 3 and 5, 7: mean squares 16 and 2, so (16 - 2) / 2 between them."""
    assert icc_of_sums([2, 2], [4, 12], [10, 74]) == pytest.approx(7 / 9)
    assert icc_of_sums([2, 2, 0], [4, 12, 0], [10, 74, 0]) == pytest.approx(7 / 9)
    assert icc_of_sums([2, 2], [4, 4], [10, 10]) == 0.0  # no difference between them


@pytest.mark.parametrize(
    ("n", "total", "squares"),
    [([5], [1], [1]), ([1, 1], [1, 2], [1, 4]), ([2, 2], [2, 2], [2, 2])],
)
def test_where_nothing_can_be_told_apart_the_share_is_not_a_number(n, total, squares):
    assert math.isnan(icc_of_sums(n, total, squares))
