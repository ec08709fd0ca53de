"""Scores from answers: exact tenths, missing answers, refusals that name the item."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measures_app.psychometrics.scoring import (
    AnswerProblem,
    Instrument,
    Item,
    Scale,
    score_one,
    score_table,
    to_tenths,
)

ITEMS = tuple(Item(code, 0, 10) for code in ("own", "close", "social", "overall"))
CODES = tuple(item.code for item in ITEMS)
LINES = Instrument(ITEMS, (Scale("total", CODES), Scale("mean", CODES, "mean", max_missing=2)))
CHOICES = Instrument(
    (
        Item("q1", 0, 3, step=1),
        Item("q2", 0, 3, step=1, reverse=True),
        Item("q3", 0, 3, step=1),
        Item("q4", 0, 4, step=1, choices=(0, 2, 4)),
    ),
    (
        Scale("total", ("q1", "q2", "q3"), max_missing=1),
        Scale("scaled", ("q1", "q3"), multiplier=4),
        Scale("drinks", ("q4",)),
    ),
)


def test_three_tenths_are_three_tenths():
    scores = score_one(LINES, {"own": 0.1, "close": 0.2, "social": 0, "overall": 0.0})
    assert scores["total"].value == 0.3
    assert scores["total"].decimal == Decimal("0.3")


def test_untouched_is_missing_and_zero_is_an_answer():
    assert score_one(LINES, dict.fromkeys(CODES, 0))["total"].value == 0
    untouched = score_one(LINES, {**dict.fromkeys(CODES, 0), "own": None})["total"]
    assert untouched.tenths is None
    assert untouched.value is None
    assert untouched.decimal is None
    assert (untouched.answered, untouched.missing, untouched.prorated) == (3, 1, False)


def test_a_form_with_no_answer_has_no_score():
    assert score_one(LINES, {})["mean"].tenths is None
    empty = score_table(LINES, np.full((1, 4), np.nan))
    assert math.isnan(empty["mean"].values[0])
    assert not empty["mean"].prorated[0]


def test_a_mean_is_rounded_to_a_tenth_with_halves_away_from_zero():
    mean = score_one(LINES, {"own": 1, "close": 1, "social": 1.2, "overall": 1})["mean"]
    assert mean.value == 1.1  # 1.05
    below = Instrument((Item("a", -5, 5), Item("b", -5, 5)), (Scale("m", ("a", "b"), "mean"),))
    assert score_one(below, {"a": -1, "b": -1.1})["m"].value == -1.1  # -1.05


def test_pro_rating_stays_within_its_limit_and_says_so():
    one = score_one(CHOICES, {"q1": 2, "q2": 0, "q3": None})["total"]
    assert (one.value, one.prorated, one.missing) == (7.5, True, 1)
    assert score_one(CHOICES, {"q1": 2})["total"].value is None
    full = score_one(CHOICES, {"q1": 2, "q2": 0, "q3": 1})["total"]
    assert (full.value, full.prorated) == (6, False)


def test_a_reversed_item_counts_from_the_other_end():
    assert score_one(CHOICES, {"q1": 0, "q2": 3, "q3": 0})["total"].value == 0
    assert score_one(CHOICES, {"q1": 0, "q2": 0, "q3": 0})["total"].value == 3


def test_a_multiplier_stretches_the_total():
    assert score_one(CHOICES, {"q1": 3, "q3": 2})["scaled"].value == 20
    assert CHOICES.range_of("scaled") == (0, 24)


def test_the_range_of_a_scale_follows_from_its_items():
    assert LINES.range_of("total") == (0, 40)
    assert LINES.range_of("mean") == (0, 10)
    with pytest.raises(KeyError):
        LINES.range_of("other")


@pytest.mark.parametrize(
    ("answers", "item", "words"),
    [
        ({"own": 10.1}, "own", "outside 0 to 10"),
        ({"close": -0.1}, "close", "outside 0 to 10"),
        ({"own": 5.55}, "own", "finer than a tenth"),
        ({"own": Decimal("5.55")}, "own", "finer than a tenth"),
        ({"own": math.nan}, "own", "not a number"),
        ({"own": math.inf}, "own", "not a number"),
        ({"own": True}, "own", "not a number"),
        ({"own": "5"}, "own", "not a number"),
        ({"weather": 5}, "weather", "not an item"),
    ],
)
def test_an_answer_that_cannot_be_scored_is_refused_by_name(answers, item, words):
    with pytest.raises(AnswerProblem, match=f"item {item}: .*{words}") as caught:
        score_one(LINES, answers)
    assert caught.value.item == item
    assert words in caught.value.reason


def test_an_answer_between_two_choices_is_refused():
    with pytest.raises(AnswerProblem, match=r"item q1: .*between two steps"):
        score_one(CHOICES, {"q1": 1.5})
    with pytest.raises(AnswerProblem, match=r"item q4: .*choices"):
        score_one(CHOICES, {"q4": 3})
    assert score_one(CHOICES, {"q4": 2})["drinks"].value == 2


@pytest.mark.parametrize(
    ("row", "item"),
    [
        ([4, 0, 0, 0], "q1"),
        ([1.5, 0, 0, 0], "q1"),
        ([0, 1.25, 0, 0], "q2"),
        ([0, 0, math.inf, 0], "q3"),
        ([0, 0, 0, 3], "q4"),
    ],
)
def test_a_table_with_an_impossible_answer_is_refused_by_item(row, item):
    with pytest.raises(AnswerProblem, match=f"item {item}: "):
        score_table(CHOICES, [[0, 0, 0, 0], row])


def test_a_table_refuses_what_is_finer_than_a_tenth():
    with pytest.raises(AnswerProblem, match=r"item social: .*finer than a tenth"):
        score_table(LINES, [[5, 5, 5.55, 5]])


def test_a_table_reverses_and_stretches_as_one_form_does():
    rows = [[2, 1, 3, 4], [3, 0, 0, 2], [1, math.nan, 2, 0]]
    together = score_table(CHOICES, rows)
    for row, answers in enumerate(rows):
        form = {
            item.code: None if math.isnan(answer) else answer
            for item, answer in zip(CHOICES.items, answers, strict=True)
        }
        for code, score in score_one(CHOICES, form).items():
            assert together[code].values[row] == score.value


def test_steps_are_counted_from_the_lowest_answer():
    half = Instrument((Item("a", 0.5, 4.5, step=2),), (Scale("total", ("a",)),))
    assert score_one(half, {"a": 2.5})["total"].value == 2.5
    assert score_table(half, [[2.5]])["total"].values.tolist() == [2.5]
    for refused in (1.5, 2.0):
        with pytest.raises(AnswerProblem, match="between two steps"):
            score_table(half, [[refused]])


def test_a_table_has_one_column_an_item():
    with pytest.raises(ValueError, match="4 columns"):
        score_table(CHOICES, [[1, 2, 3]])
    with pytest.raises(ValueError, match="4 columns"):
        score_table(CHOICES, [1, 2, 3, 0])


def test_a_table_takes_an_untouched_item_whose_lowest_end_is_no_choice():
    odd = Instrument((Item("a", 0, 4, step=1, choices=(2, 4)),), (Scale("total", ("a",)),))
    assert math.isnan(score_table(odd, [[math.nan]])["total"].values[0])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Item("a", 5, 5), "not below"),
        (lambda: Item("a", 0, 5, step=0), "step"),
        (lambda: Item("a", 0, 5, choices=(6,)), "choice 6"),
        (lambda: Instrument((Item("a", 0, 1), Item("a", 0, 1)), ()), "item a is defined twice"),
        (
            lambda: Instrument((Item("a", 0, 1),), (Scale("s", ("a",)), Scale("s", ("a",)))),
            "scale s is defined twice",
        ),
        (lambda: Instrument((Item("a", 0, 1),), (Scale("s", ()),)), "no items"),
        (lambda: Instrument((Item("a", 0, 1),), (Scale("s", ("a", "a")),)), "twice"),
        (lambda: Instrument((Item("a", 0, 1),), (Scale("s", ("b",)),)), "not defined"),
        (lambda: Instrument((Item("a", 0, 1),), (Scale("s", ("a",), multiplier=0),)), "multiplier"),
        (lambda: Instrument((Item("a", 0, 1),), (Scale("s", ("a",), max_missing=1),)), "at least"),
        (
            lambda: Instrument(
                (Item("a", 0, 1), Item("b", 0, 2)), (Scale("s", ("a", "b"), max_missing=1),)
            ),
            "differ in range",
        ),
    ],
)
def test_a_definition_that_would_score_wrongly_is_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build()


@pytest.mark.parametrize("value", [7, 7.0, Decimal(7), Decimal("7.0")])
def test_a_number_is_the_same_number_in_every_type(value):
    assert to_tenths(value) == 70


marks = st.integers(0, 100).map(lambda value: value / 10)
maybe = st.one_of(st.none(), marks)
forms = st.fixed_dictionaries(dict.fromkeys(CODES, maybe))


@given(st.lists(forms, min_size=1, max_size=20))
def test_one_form_and_a_table_of_forms_get_the_same_scores(answered):
    table = [
        [math.nan if form[code] is None else form[code] for code in CODES] for form in answered
    ]
    together = score_table(LINES, table)
    for row, form in enumerate(answered):
        for code, score in score_one(LINES, form).items():
            value = together[code].values[row]
            assert score.value == (None if math.isnan(value) else value)
            assert together[code].prorated[row] == score.prorated
            assert together[code].missing[row] == score.missing


@given(st.fixed_dictionaries(dict.fromkeys(CODES, st.integers(0, 100))))
def test_a_total_is_the_sum_on_paper(tenths):
    scores = score_one(LINES, {code: value / 10 for code, value in tenths.items()})
    assert scores["total"].tenths == sum(tenths.values())


@given(forms)
def test_a_missing_answer_never_lowers_a_total(form):
    prorated = Instrument(ITEMS, (Scale("total", CODES, max_missing=3),))
    given_answers = [to_tenths(value) for value in form.values() if value is not None]
    score = score_one(prorated, form)["total"]
    assert score.tenths is None if not given_answers else score.tenths >= sum(given_answers)


@given(st.fixed_dictionaries(dict.fromkeys(CODES, marks)))
def test_reversing_every_item_mirrors_the_total(form):
    mirrored = Instrument(
        tuple(Item(code, 0, 10, reverse=True) for code in CODES), (Scale("total", CODES),)
    )
    assert score_one(mirrored, form)["total"].tenths == (
        400 - score_one(LINES, form)["total"].tenths
    )
