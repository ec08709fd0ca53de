"""Small cells: blank, rounded, and not to be found by subtraction."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import null_space

from measures_app.psychometrics.suppression import (
    Sum,
    possible_range,
    publish,
    publish_table,
    published_mean,
    published_rate,
    rounded,
    table_sums,
)

N = math.nan


def same(found, expected):
    return np.array_equal(np.asarray(found), np.asarray(expected, float), equal_nan=True)


def test_counts_are_rounded_to_five():
    assert rounded([8, 12, 13, 17, 18, 22.5]).tolist() == [10, 10, 15, 15, 20, 25]


def test_a_small_cell_takes_a_second_one_with_it():
    line = [Sum(3, (0, 1, 2))]
    assert same(publish([3, 20, 30, 53], line), [N, N, 30, 55])
    assert same(publish([9, 20, 30, 59], line), [10, 20, 30, 60])
    assert same(publish([3, 20], []), [N, 20])


def test_blank_parts_hold_enough_people_together():
    # 3 and 4 alone would say that both are at most 7; a third part hides them.
    assert same(publish([3, 4, 20, 30, 57], [Sum(4, (0, 1, 2, 3))]), [N, N, N, 30, 55])


def test_a_total_that_is_small_is_blank_too():
    assert same(publish([3, 2, 5], [Sum(2, (0, 1))]), [N, N, N])
    # One part is its own total: blanking it alone would hide nothing.
    assert same(publish([9, 0, 9], [Sum(2, (0, 1))]), [N, N, 10])


def test_a_table_and_its_margins_hide_a_small_cell_in_a_square():
    found = publish_table([[3, 20, 30], [12, 40, 22], [9, 9, 50]])
    assert same(found, [[N, N, 30, 55], [10, 40, 20, 75], [N, N, 50, 70], [25, 70, 100, 195]])


def test_two_squares_joined_by_one_cell_give_that_cell_away():
    # Every line has two blanks or more, and yet the joining cell follows from the others.
    blank = np.zeros((5, 5), bool)
    blank[0:2, 0:2] = blank[2:4, 2:4] = True
    blank[0, 2] = True
    counts = np.full((4, 4), 30)
    counts[blank[:4, :4]] = 4
    full = np.zeros((5, 5))
    full[:4, :4] = counts
    full[4] = full.sum(axis=0)
    full[:, 4] = full.sum(axis=1)
    low, high = possible_range(full.ravel(), blank.ravel(), table_sums(4, 4))
    assert np.flatnonzero(high - low < 0.5).tolist() == [2]
    blank = np.isnan(publish_table(counts)).ravel()
    low, high = possible_range(full.ravel(), blank, table_sums(4, 4))
    assert (high - low > 0.5).all()


def test_a_cell_whose_own_sums_are_blank_already_is_hidden_behind_a_farther_one():
    counts, sums = [7, 30, 1, 31, 37, 38], [Sum(3, (2, 1)), Sum(4, (0, 1)), Sum(5, (0, 3))]
    blank = np.isnan(publish(counts, sums))
    low, high = possible_range(counts, blank, sums)
    assert blank[2]
    assert (high - low > 0.5)[blank].all()


def test_where_everything_is_blank_there_is_nothing_left_to_hide_behind():
    # Each total is a part of the other: what they add must be 0, and nobody can be shown for it.
    assert same(publish([0, 3, 3], [Sum(2, (0, 1)), Sum(1, (0, 2))]), [N, N, N])


def test_a_cell_hidden_for_a_reason_of_its_own_takes_a_second_one_with_it():
    found = publish([20, 30, 40, 90], [Sum(3, (0, 1, 2))], hidden=[True, False, False, False])
    assert same(found, [N, N, 40, 90])


def test_one_cell_in_two_tables_is_hidden_in_both():
    # Cells 0-2 add up to 3 in one table and, with 5 and 6, to 7 in another.
    sums = [Sum(3, (0, 1, 2)), Sum(7, (0, 5, 6))]
    cells = np.array([3, 20, 30, 53, 9, 40, 50, 93])
    found = publish(cells, sums)
    assert np.isnan(found[[0, 1, 5]]).all()
    assert same(found[[2, 3, 4, 6, 7]], [30, 55, 10, 50, 95])


@pytest.mark.parametrize(
    "table",
    [
        [[1, 0, 0, 0], [8, 0, 0, 8]],
        [[9, 0, 0, 0], [8, 0, 0, 9], [9, 12, 1, 8]],
        [[0, 9, 12, 0], [0, 9, 8, 8]],
        [[0, 0], [0, 0]],
    ],
)
def test_zeros_are_not_found_because_counts_are_never_negative(table):
    inner = np.array(table, float)
    full = np.block([[inner, inner.sum(1, keepdims=True)], [inner.sum(0), inner.sum()]])
    blank = np.isnan(publish_table(table)).ravel()
    low, high = possible_range(full.ravel(), blank, table_sums(*inner.shape))
    assert (high - low > 0.5).all()


@pytest.mark.parametrize("seed", range(6))
def test_cells_looked_at_together_are_hidden_as_when_looked_at_one_by_one(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.choice([0.4, 6.0, 30.0], (6, 7)))
    found = publish_table(counts)
    monkeypatch.setattr("measures_app.psychometrics.suppression.SEVERAL", 10**6)
    assert same(found, publish_table(counts))
    assert np.isnan(found).sum() > 10


def test_a_new_edition_cannot_be_subtracted_from_the_old_one():
    old = publish([12, 30, 42], [Sum(2, (0, 1))])
    assert same(old, [10, 30, 40])
    assert same(publish([13, 30, 43], [Sum(2, (0, 1))], previous=old), [10, 30, 40])
    assert same(publish([15, 30, 45], [Sum(2, (0, 1))], previous=old), [15, 30, 45])
    just_over = publish([9, 40, 49], [Sum(2, (0, 1))], previous=[N, N, 45])
    assert np.isnan(just_over[0])
    well_over = publish([12, 45, 57], [Sum(2, (0, 1))], previous=[N, N, 45])
    assert same(well_over, [10, 45, 55])


@pytest.mark.parametrize(
    ("counts", "sums", "words"),
    [([-1, 2], [], "negative"), ([3, 4, 8], [Sum(2, (0, 1))], "don't add up")],
)
def test_counts_that_make_no_sense_are_refused(counts, sums, words):
    with pytest.raises(ValueError, match=words):
        publish(counts, sums)


def test_rates_come_from_published_counts_only():
    assert published_rate(10, 40) == 0.25
    assert published_rate(15, 10) == 1
    assert math.isnan(published_rate(N, 40))
    assert math.isnan(published_rate(10, N))
    assert math.isnan(published_rate(0, 0))


def test_a_mean_of_few_is_blank():
    assert published_mean(21.5, 8) == 21.5
    assert math.isnan(published_mean(21.5, 7))


tables = st.integers(2, 4).flatmap(
    lambda columns: st.lists(
        st.lists(st.integers(0, 40), min_size=columns, max_size=columns), min_size=2, max_size=4
    )
)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_an_attack_by_subtraction_finds_no_hidden_count(table):
    inner = np.array(table, float)
    rows, columns = inner.shape
    full = np.zeros((rows + 1, columns + 1))
    full[:rows, :columns] = inner
    full[rows, :columns] = inner.sum(axis=0)
    full[:, columns] = full.sum(axis=1)
    blank = np.isnan(publish_table(table)).ravel()
    assert blank[full.ravel() < 8].all()
    equations = np.zeros((rows + columns + 2, full.size))
    for row, line in enumerate(table_sums(rows, columns)):
        equations[row, list(line.parts)] = 1
        equations[row, line.total] = -1
    # By equations alone: what they leave free must touch every blank cell.
    free = null_space(equations[:, blank]) if blank.any() else np.zeros((0, 0))
    assert (np.abs(free) > 1e-9).any(axis=1).all()
    # And with the knowledge that no count is negative.
    low, high = possible_range(full.ravel(), blank, table_sums(rows, columns))
    assert (high - low > 0.5).all()


def test_where_several_would_do_the_least_dear_is_blanked() -> None:
    line = [Sum(3, (0, 1, 2))]
    assert same(publish([3, 20, 30, 53], line, dear=[0, 2, 1, 3]), [N, 20, N, 55])
    table = publish_table([[3, 20, 30], [12, 40, 22], [9, 9, 50]])
    counts = [3, 20, 30, 53, 12, 40, 22, 74, 9, 9, 50, 68, 24, 69, 102, 195]
    dear = np.zeros(16)
    dear[9] = 1
    assert math.isnan(table[2, 1])
    assert publish(counts, table_sums(3, 3), dear=dear)[9] == 10
