"""Nobody finds a blank count of what left the clinic, whatever is subtracted from what."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.optimize import linprog

from measures_app.psychometrics.suppression import Sum, possible_range
from reports_app.cells import MEASURE_SUMS, PLAIN_SUMS, Cells, Key, fill, hide
from reports_app.extract import CLINIC, Extract
from reports_app.published import (
    Publication,
    publication_of,
)
from reports_app.waiting import Waits, marked
from tests.reports.published_clinic import (
    FUNDERS,
    LIMIT,
    PERIOD,
    PROGRAMMES,
    REFERRED,
    a_clinic,
    endings,
    extract_of,
    unprotected,
)


def _attack(made: Publication, exact: Publication) -> dict[tuple[str, str, str], float]:
    """How far each blank cell can lie from itself, for one who is told more than is published.

    Told: every sum within and between the files, and the exact count in every cell shown.
    """
    keys = list(exact.counts)
    place = {key: i for i, key in enumerate(keys)}
    values = np.array([exact.counts[key] for key in keys])
    blank = np.array([made.counts[key] is None for key in keys])
    lines: list[tuple[Any, list[Any]]] = []
    for scope, measure in {key[:2] for key in keys}:
        known = MEASURE_SUMS if measure else PLAIN_SUMS
        lines += [
            ((scope, measure, total), [(scope, measure, part) for part in parts])
            for total, parts in known
        ]
        if not measure:
            lines.append(((scope, "", "served"), [k for k in keys if k[0] == scope
                                                  and k[2].startswith("age ")]))  # fmt: skip
    for scopes in (PROGRAMMES, FUNDERS):
        lines += [
            (key, [(s.name, *key[1:]) for s in scopes]) for key in keys if key[0] == CLINIC.name
        ]
    # What a scope has no cells for is told too: nobody.
    known = [(t, [p for p in ps if p in place]) for t, ps in lines if t in place]
    sums = [
        Sum(place[t], tuple(place[p] for p in ps),
            values[place[t]] - sum(values[place[p]] for p in ps))
        for t, ps in known if ps
    ]  # fmt: skip
    assert len(sums) > 100
    low, high = possible_range(values, blank, sums)
    return {key: high[i] - low[i] for i, key in enumerate(keys) if blank[i]}


@pytest.mark.parametrize("seed", [1, 3])
def test_no_blank_count_is_found_by_subtraction_over_all_files(db: Any, seed: int) -> None:
    clinic, shares = a_clinic(seed)
    made, exact = publication_of(clinic, shares), unprotected(clinic, shares)
    found = {key: room for key, room in _attack(made, exact).items() if room < 0.5}
    assert found == {}
    small = [key for key, n in exact.counts.items() if n < LIMIT]
    assert len(small) > 20
    assert all(made.counts[key] is None for key in small)
    assert made.counts[("clinic", "", "ended")] == 140  # and it is still a report
    clinics = [value for key, value in made.counts.items() if key[0] == "clinic"]
    assert sum(value is not None for value in clinics) > len(clinics) / 3


def _together(months: list[Extract]) -> Extract:
    """The months as one period; who came in two of them is counted once."""
    first, ended = months[0], pd.concat([m.ended for m in months], ignore_index=True)
    counts = {name: sum(m.attendance[name] for m in months) for name in first.attendance}
    bands = first.served_by_age
    ages = {name: int(sum(m.served_by_age[name] for m in months) * 0.8) for name in bands}
    return replace(
        first, opened=sum(m.opened for m in months), ended=ended,
        starters=ended[["measure__code", "first_score"]], attendance=counts,
        served=sum(ages.values()), served_by_age=ages,
        collateral_raters=sum(m.collateral_raters for m in months),
    )  # fmt: skip


def _quarter() -> tuple[list[Any], Any]:
    """Three months of a clinic and its programmes, and their quarter."""
    months = []
    for seed in (1, 2, 3):
        clinic, shares = a_clinic(seed, n=60)
        months.append((clinic, shares[:1]))
    shared = [_together([shares[0][i] for _clinic, shares in months]) for i in range(3)]
    return months, (_together([clinic for clinic, _shares in months]), [shared])


def _joint(made: list[Publication], exact: list[Publication]) -> Any:
    """All files of the months and, last, of the quarter: keys, counts, blanks, sums."""
    keys = [(i, key) for i, one in enumerate(exact) for key in one.counts]
    place = {key: n for n, key in enumerate(keys)}
    values = np.array([float(exact[i].counts[key] or 0) for i, key in keys])
    blank = np.array([made[i].counts[key] is None for i, key in keys])
    lines: list[tuple[Any, list[Any]]] = []
    for i, one in enumerate(exact):
        for scope, measure in {key[:2] for key in one.counts}:
            for total, names in MEASURE_SUMS if measure else PLAIN_SUMS:
                parts = [(i, (scope, measure, name)) for name in names]
                lines.append(((i, (scope, measure, total)), parts))
        lines += [
            ((i, key), [(i, (s.name, *key[1:])) for s in PROGRAMMES])
            for key in one.counts
            if key[0] == CLINIC.name
        ]
    last = len(exact) - 1
    lines += [((last, key), [(i, key) for i in range(last) if (i, key) in place])
              for key in exact[last].counts]  # fmt: skip
    there = [(t, [p for p in ps if p in place]) for t, ps in lines if t in place]
    sums = [
        Sum(place[t], tuple(place[p] for p in ps),
            values[place[t]] - sum(values[place[p]] for p in ps))
        for t, ps in there if ps
    ]  # fmt: skip
    return keys, values, blank, sums


def _found(made: list[Publication], exact: list[Publication]) -> set[Any]:
    """Small counts that months and quarter together give away, of those likeliest to be."""
    keys, values, blank, sums = _joint(made, exact)
    equations, offsets = np.zeros((len(sums), len(keys))), np.zeros(len(sums))
    for row, line in enumerate(sums):
        equations[row, list(line.parts)] = 1.0
        equations[row, line.total] = -1.0
        offsets[row] = line.offset
    right = -equations[:, ~blank] @ values[~blank] - offsets
    left = sparse.csr_matrix(equations[:, blank])
    last = len(exact) - 1
    # Hidden in one month alone: the quarter less the others.
    alone = Counter(key for n, (i, key) in enumerate(keys) if i < last and blank[n])
    small = [n for n, (i, _key) in enumerate(keys) if i < last and blank[n] and values[n] < LIMIT]
    found = set()
    for n in sorted(small, key=lambda n: alone[keys[n][1]])[:16]:
        goal = np.zeros(int(blank.sum()))
        goal[int(blank[:n].sum())] = 1.0
        ends = []
        for sign in (1.0, -1.0):
            best = linprog(sign * goal, A_eq=left, b_eq=right, bounds=(0, None))
            ends.append(-sign * np.inf if best.x is None else sign * float(best.fun))
        if ends[1] - ends[0] < 0.5:
            found.add(keys[n])
    return found


def test_a_quarter_after_its_months_gives_no_hidden_count_away(db: Any) -> None:
    months, whole = _quarter()
    exact = [unprotected(*each) for each in (*months, whole)]
    made = [publication_of(*month) for month in months]
    held = publication_of(*whole, None, made)
    for month in made:
        blank = [key for key, n in month.counts.items() if n is None and key in held.counts]
        assert all(held.counts[key] is None for key in blank)
    assert sum(n is not None for n in held.counts.values()) > 20
    assert _found([*made, held], exact) == set()
    # With its small counts alone blank it gives hidden ones away: the attack is one.
    assert _found([*made, _naive(exact[-1])], exact) != set()


WAITING = ("waiting", "referred", "waits", "left", "over", "within limit", "unoffered",
           "offered before")  # fmt: skip


def _waits_of_months() -> list[tuple[dict[Key, float | None], dict[Key, int]]]:
    """Three months of one waiting list, whose people wait from one into the next: shown, exact."""
    rng, n = np.random.default_rng(11), 150
    people = endings(rng, n)
    received = pd.Timestamp(PERIOD.start) + pd.to_timedelta(rng.integers(-40, 92, n), "D")
    after = received + pd.to_timedelta(rng.integers(0, 70, n), "D")
    people["received"], people["offered"] = received, pd.Series(after).where(rng.random(n) < 0.7)
    people["seen"] = pd.Series(after).where(people["outcome"] == "accepted")
    people["outcome_on"] = pd.Series(after).where(people["outcome"] != "")
    found = []
    month = PERIOD
    for _ in range(3):
        cells = Cells()
        for scope in (CLINIC, *PROGRAMMES):
            rows = people[people["programme__name"].eq(scope.name) | scope.is_clinic]
            known = rows.loc[rows["received"] <= pd.Timestamp(month.end), REFERRED]
            data = extract_of(scope, people.iloc[:0], rng)
            waits = Waits(marked(known, month.start, month.end), 42)
            fill(cells, replace(data, waits=waits))
        cells.across([scope.name for scope in PROGRAMMES])
        found.append((hide(cells, LIMIT, None), cells.counts))
        month = month.next()
    return found


def _of_stock_and_flow(
    months: list[tuple[dict[Key, float | None], dict[Key, int]]], within: float
) -> tuple[set[Any], int]:
    """Small blanks that what goes on from month to month gives away, and how many were tried.

    Who waits at a month's end waited at the last one's or was referred since, and wasn't seen and
    didn't leave. What is shown is known but for `within`, by which rounding may have moved it.
    """
    scopes = [CLINIC.name, *(s.name for s in PROGRAMMES)]
    keys = [(i, scope, name) for i in range(3) for scope in scopes for name in WAITING]
    place = {key: n for n, key in enumerate(keys)}
    counts = [float(months[i][1][scope, "", name]) for i, scope, name in keys]
    shown = [months[i][0][scope, "", name] is not None for i, scope, name in keys]
    lines: list[dict[Any, float]] = []
    for i in range(3):
        for scope in scopes:
            lines += [
                {(i, scope, total): -1.0} | {(i, scope, part): 1.0 for part in parts}
                for total, parts in PLAIN_SUMS if total == "waiting"
            ]  # fmt: skip
            if i:
                lines.append({(i, scope, "waiting"): -1.0, (i - 1, scope, "waiting"): 1.0,
                              (i, scope, "referred"): 1.0, (i, scope, "waits"): -1.0,
                              (i, scope, "left"): -1.0})  # fmt: skip
        lines += [{(i, CLINIC.name, name): -1.0} | {(i, s.name, name): 1.0 for s in PROGRAMMES}
                  for name in WAITING]  # fmt: skip
    left = np.zeros((len(lines), len(keys)))
    for row, line in enumerate(lines):
        for key, sign in line.items():
            left[row, place[key]] = sign
    right = left @ np.array(counts)  # whatever doesn't add up is granted
    bounds = [(max(0.0, n - within), n + within) if known else (0.0, None)
              for n, known in zip(counts, shown, strict=True)]  # fmt: skip
    small = [n for n, count in enumerate(counts) if not shown[n] and count < LIMIT]
    found = set()
    for n in small:
        goal = np.zeros(len(keys))
        goal[n] = 1.0
        ends = []
        for sign in (1.0, -1.0):
            best = linprog(sign * goal, A_eq=left, b_eq=right, bounds=bounds)
            ends.append(-sign * np.inf if best.x is None else sign * float(best.fun))
        if ends[1] - ends[0] < 0.5:
            found.add(keys[n])
    return found, len(small)


def test_nor_by_what_goes_on_from_one_month_to_the_next(db: Any) -> None:
    """Of waits, which are a stock: the next month's file less this one's says who left."""
    months = _waits_of_months()
    found, tried = _of_stock_and_flow(months, within=2.0)
    assert tried > 20
    assert found == set()
    # To whom exact counts were published it would say so: rounding is what hides it.
    assert _of_stock_and_flow(months, within=0.0)[0] != set()


def _naive(exact: Publication) -> Publication:
    """With the small counts blank and nothing else."""
    counts = {key: None if n < LIMIT else n for key, n in exact.counts.items()}
    return replace(exact, counts=counts)


def test_unprotected_the_attack_finds_them(db: Any) -> None:
    """The attack is one: with the small cells alone blank, it finds some."""
    clinic, shares = a_clinic(1)
    exact = unprotected(clinic, shares)
    assert any(room < 0.5 for room in _attack(_naive(exact), exact).values())
