"""Change classes: reference results, thresholds met exactly, and the laws they obey."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measures_app.psychometrics.change import (
    CLASSES,
    ChangeCriteria,
    classify,
    classify_one,
    count_classes,
    cutoff_a,
    cutoff_b,
    cutoff_c,
    direction,
    has_outcome,
    is_stable,
    reliable_change_threshold,
)

from .oracles import rows_of

OUTCOME = ChangeCriteria(
    better="higher",
    reliable_change=6.6,
    cutoff=25.0,
    rc_inclusive=True,
    at_cutoff="functional",
    lowest=0.0,
    highest=40.0,
)
PHQ9 = ChangeCriteria(
    better="lower",
    reliable_change=6,
    cutoff=10,
    rc_inclusive=True,
    at_cutoff="clinical",
    lowest=0,
    highest=27,
)


def pairs_of(rows, *, client, time, score, first, last):
    scores = {(row[client], row[time]): row[score] for row in rows if row[score] not in ("", "NA")}
    both = [
        (float(scores[who, first]), float(scores[who, last]))
        for who, when in scores
        if when == first and (who, last) in scores
    ]
    return np.array(both).T


def four(counts):
    return counts.recovered, counts.improved, counts.unchanged, counts.deteriorated


def test_the_reliable_change_threshold_is_the_published_one():
    assert reliable_change_threshold(7.5, 0.8) == pytest.approx(9.296925, abs=1e-6)


@pytest.mark.parametrize(("sd", "reliability"), [(0, 0.8), (-1, 0.8), (math.nan, 0.8), (7, 1.2)])
def test_a_threshold_from_impossible_norms_is_refused(sd, reliability):
    with pytest.raises(ValueError, match="must"):
        reliable_change_threshold(sd, reliability)


def test_cutoff_c_needs_some_spread():
    with pytest.raises(ValueError, match="positive"):
        cutoff_c(30, 0, 8, 0)


def test_a_direction_is_one_of_two_words():
    with pytest.raises(ValueError, match="higher"):
        direction("up")


def test_claus_2020_gives_the_classes_of_the_reference():
    first, last = pairs_of(
        rows_of("data", "cs_claus_2020.csv"),
        client="id",
        time="time",
        score="bdi",
        first="1",
        last="4",
    )
    sd = first.std(ddof=1)
    cutoff = cutoff_c(first.mean(), sd, 8, 7)
    criteria = ChangeCriteria("lower", reliable_change_threshold(sd, 0.8), cutoff)
    counts = count_classes(classify(first, last, criteria))
    assert cutoff == pytest.approx(20.687481, abs=1e-6)
    assert counts.clients == 40
    assert four(counts) == (10, 8, 22, 0)


@pytest.mark.parametrize(
    ("kind", "expected"), [("a", (10, 9, 10, 1)), ("b", (13, 6, 10, 1)), ("c", (14, 5, 10, 1))]
)
def test_jacobson_1989_gives_the_classes_of_the_reference(kind, expected):
    first, last = pairs_of(
        rows_of("data", "cs_jacobson_1989.csv"),
        client="subject",
        time="time",
        score="das",
        first="pre",
        last="post",
    )
    mean, sd = first.mean(), first.std(ddof=1)
    # The reference measures cutoff b with the clinical SD; see `cutoff_b`.
    cutoff = {
        "a": cutoff_a(mean, sd, "higher"),
        "b": cutoff_b(114.8, sd, "higher"),
        "c": cutoff_c(mean, sd, 114.8, 17.8),
    }[kind]
    criteria = ChangeCriteria("higher", reliable_change_threshold(sd, 0.88), cutoff)
    assert four(count_classes(classify(first, last, criteria))) == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (20.0, 26.6, "recovered"),  # exactly 6.6 on paper, 6.600000000000001 in floats
        (20.0, 26.5, "unchanged"),
        (18.0, 24.6, "improved"),  # reliably better, still on the clinical side
        (18.4, 25.0, "recovered"),  # 25 itself is on the functional side here
        (26.0, 33.0, "improved"),  # started on the functional side: can't recover
        (20.0, 13.4, "deteriorated"),
        (20.0, 13.5, "unchanged"),
        (0.3, 6.9, "improved"),
        (math.nan, 20.0, None),
        (20.0, math.nan, None),
    ],
)
def test_a_change_at_an_inclusive_threshold_counts(first, last, expected):
    assert classify_one(first, last, OUTCOME) == expected
    assert classify([first], [last], OUTCOME).named()[0] == (expected or "")


def test_a_change_at_a_computed_threshold_does_not_count():
    strict = ChangeCriteria("higher", 6.6, 25.0)
    assert classify_one(20.0, 26.6, strict) == "unchanged"
    assert classify_one(20.0, 26.7, strict) == "recovered"


@pytest.mark.parametrize(
    ("at_cutoff", "start", "end"),
    [("clinical", True, False), ("functional", False, True), ("neither", False, False)],
)
def test_a_score_at_the_cutoff_lies_where_the_norm_row_says(at_cutoff, start, end):
    criteria = ChangeCriteria("higher", 5, 25, rc_inclusive=True, at_cutoff=at_cutoff)
    assert (classify_one(25, 30, criteria) == "recovered") is start
    assert (classify_one(20, 25, criteria) == "recovered") is end
    assert classify([25], [30], criteria).started_clinical[0] == start
    assert classify([25], [30], criteria).started_functional[0] == end


def test_a_phq9_of_ten_is_a_case_and_six_points_are_reliable():
    assert classify_one(16, 10, PHQ9) == "improved"
    assert classify_one(16, 9, PHQ9) == "recovered"
    assert classify_one(10, 4, PHQ9) == "recovered"
    assert classify_one(10, 5, PHQ9) == "unchanged"


def test_functional_starters_and_entries_into_the_clinical_range_are_counted_beside():
    counts = count_classes(classify([30, 30, 30, 20, math.nan], [20, 26.0, 12, 10, 12], OUTCOME))
    assert counts.clients == 4
    assert four(counts) == (0, 0, 1, 3)
    assert counts.started_functional == 3
    assert counts.crossed_into_clinical == 2


def test_improvement_is_not_applicable_where_the_scale_has_no_room():
    changes = classify([33.4, 33.5, 20.0], [40.0, 40.0, 40.0], OUTCOME)
    assert changes.can_improve.tolist() == [True, False, True]
    assert count_classes(changes).cannot_improve == 1
    assert [OUTCOME.can_improve(score) for score in (33.4, 33.5, 20.0)] == [True, False, True]
    assert PHQ9.can_improve(6)
    assert not PHQ9.can_improve(5)
    assert classify([5, 6], [0, 0], PHQ9).can_improve.tolist() == [False, True]


def test_without_a_cutoff_nobody_recovers_and_nobody_is_on_a_side():
    criteria = ChangeCriteria("higher", 5)
    changes = classify([10, 20], [20, 10], criteria)
    assert changes.named().tolist() == ["improved", "deteriorated"]
    assert not changes.started_functional.any()
    assert criteria.side(10) == "neither"
    assert criteria.can_improve(10**6)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"reliable_change": 0}, "positive"),
        ({"reliable_change": math.nan}, "positive"),
        ({"cutoff": math.inf}, "cutoff"),
        ({"at_cutoff": "below"}, "at_cutoff"),
        ({"better": "up"}, "better"),
    ],
)
def test_criteria_that_cannot_decide_are_refused(changed, word):
    values = {"better": "higher", "reliable_change": 5.0, "cutoff": 25.0, **changed}
    with pytest.raises(ValueError, match=word):
        ChangeCriteria(**values)


def test_first_and_last_scores_belong_together():
    with pytest.raises(ValueError, match="shape"):
        classify([1, 2], [1], OUTCOME)


def test_an_outcome_lies_within_two_sessions_or_thirty_days_of_the_end():
    found = has_outcome(
        last_t=[8, 7, 7, math.nan, 7],
        last_day=[10, 60, 59, math.nan, 60],
        end_t=[10] * 5,
        end_day=[90, 90, 90, 90, math.nan],
    )
    assert found.tolist() == [True, True, False, False, False]


def test_stable_means_that_the_last_two_scores_give_one_class():
    found = is_stable([10, 10, 10, math.nan], [27, 18, 30, 20], [30, 27, math.nan, 20], OUTCOME)
    assert found.tolist() == [True, False, False, False]


def test_a_million_clients_are_classified_without_a_loop_over_them(monkeypatch):
    calls = []
    monkeypatch.setattr(ChangeCriteria, "exceeds", lambda *args: calls.append(args))
    monkeypatch.setattr(ChangeCriteria, "side", lambda *args: calls.append(args))
    scores = np.random.default_rng(7).integers(0, 401, (2, 1_000_000)) / 10
    counts = count_classes(classify(scores[0], scores[1], OUTCOME))
    assert sum(four(counts)) == counts.clients == 1_000_000
    assert not calls


tenths = st.integers(0, 400).map(lambda value: value / 10)
criteria_of = st.builds(
    ChangeCriteria,
    better=st.sampled_from(["higher", "lower"]),
    reliable_change=st.integers(1, 200).map(lambda value: value / 10),
    cutoff=tenths,
    rc_inclusive=st.booleans(),
    at_cutoff=st.sampled_from(["clinical", "functional", "neither"]),
    lowest=st.just(0.0),
    highest=st.just(40.0),
)


def shifted(criteria, by):
    return ChangeCriteria(
        criteria.better,
        criteria.reliable_change,
        criteria.cutoff + by,
        criteria.rc_inclusive,
        criteria.at_cutoff,
        criteria.lowest + by,
        criteria.highest + by,
    )


@given(tenths, tenths, criteria_of)
def test_one_client_and_many_get_the_same_class(first, last, criteria):
    changes = classify([first], [last], criteria)
    assert changes.named()[0] == classify_one(first, last, criteria)
    side = {(True, False): "clinical", (False, True): "functional", (False, False): "neither"}
    found = (bool(changes.started_clinical[0]), bool(changes.started_functional[0]))
    assert side[found] == criteria.side(first)
    assert changes.can_improve[0] == criteria.can_improve(first)


@given(tenths, tenths, criteria_of)
def test_a_mirrored_scale_gives_the_same_class(first, last, criteria):
    mirrored = ChangeCriteria(
        "lower" if criteria.better == "higher" else "higher",
        criteria.reliable_change,
        40 - criteria.cutoff,
        criteria.rc_inclusive,
        criteria.at_cutoff,
        0.0,
        40.0,
    )
    assert classify_one(40 - first, 40 - last, mirrored) == classify_one(first, last, criteria)


@given(tenths, tenths, criteria_of, st.integers(-1000, 1000).map(lambda value: value / 10))
def test_adding_a_constant_to_the_scale_changes_nothing(first, last, criteria, by):
    moved = classify_one(first + by, last + by, shifted(criteria, by))
    assert moved == classify_one(first, last, criteria)


@given(tenths, tenths, tenths, criteria_of)
def test_a_better_last_score_never_worsens_the_class(first, one, other, criteria):
    worse, better = sorted((one, other), key=lambda score: direction(criteria.better) * score)
    order = {name: position for position, name in enumerate(CLASSES)}
    assert (
        order[classify_one(first, better, criteria)] <= order[classify_one(first, worse, criteria)]
    )


@given(st.lists(st.tuples(tenths, tenths), min_size=1), criteria_of, st.randoms())
def test_the_order_of_clients_changes_no_count(pairs, criteria, random):
    shuffled = random.sample(pairs, len(pairs))
    one, other = np.array(pairs).T, np.array(shuffled).T
    assert count_classes(classify(*one, criteria)) == count_classes(classify(*other, criteria))
