"""What may leave the clinic: nobody finds a blank count, whatever is subtracted from what."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.optimize import linprog

from measures_app.psychometrics.suppression import Sum, possible_range
from measures_app.strata import AGE_BANDS
from reports_app.cells import MEASURE_SUMS, PLAIN_SUMS, Cells, Key, fill, hide
from reports_app.extract import CLINIC, SUMMARY_COLUMNS, Extract, Scope
from reports_app.in_care import Care
from reports_app.metrics import Metric, monthly_metrics
from reports_app.periods import Month
from reports_app.published import (
    BLANK,
    Publication,
    publication_of,
    published_metrics,
)
from reports_app.small import few_of, sentences
from reports_app.waiting import DAYS, OF_ALL, Waits, marked
from sessions_app.models import Programme

LIMIT, BASE = 8, 5
PERIOD = Month(date(2026, 3, 1))
PROGRAMMES = [Scope(Programme(name=name)) for name in ("Adults", "Young people", "Groups")]
FUNDERS = [Scope(funder=name) for name in ("", "County", "Health fund")]
SHARES = ([0.75, 0.2, 0.05], [0.1, 0.82, 0.08])
REFERRED = ["outcome", *DAYS]
IN_CARE = ["entered", "left", "ended", "goes_on"]
OF_ALL_WHO = {"waiting_all_median_days": ("waits", "waiting"),
              "offer_all_median_days": ("offers", "unoffered"),
              "care_all_median_days": ("days", "still in care")}  # fmt: skip
CLASSES = ["recovered", "improved", "unchanged", "deteriorated", ""]


def _frame(rng: Any, n: int) -> pd.DataFrame:
    """Endings of a month: anything that a clinic may hold, in every scope."""
    rows = pd.DataFrame(index=range(n), columns=SUMMARY_COLUMNS)
    rows["episode_id"] = range(n)
    rows["programme__name"] = rng.choice([s.name for s in PROGRAMMES], n, p=SHARES[0])
    rows["funder"] = rng.choice([s.funder for s in FUNDERS], n, p=SHARES[1])
    rows["ending"] = rng.choice(
        ["agreed", "client_stopped", "clinic_ended", "circumstances", "unknown", "died"],
        n, p=[0.5, 0.3, 0.05, 0.05, 0.07, 0.03],
    )  # fmt: skip
    rows["measure__code"] = rng.choice(["core-10", "phq-9"], n, p=[0.8, 0.2])
    label = rng.choice(CLASSES, n, p=[0.3, 0.2, 0.3, 0.05, 0.15])
    clinical = rng.random(n) < 0.8
    rows["started_clinical"] = clinical | (label == "recovered")
    rows["outcome_class"] = label
    rows["scores"] = np.where((label == "") & (rng.random(n) < 0.4), 0, 5)
    rows["mid_care"] = False
    first = rng.normal(20, 6, n)
    rows["first_score"] = np.where(rows["scores"] > 0, first, np.nan)
    rows["last_score"] = np.where(label != "", first - rng.normal(4, 5, n), np.nan)
    rows["expected_last"] = rows["first_score"] - 4
    rows["reached_expected"] = np.where(label != "", rng.random(n) < 0.5, None)
    rows["first_alliance"] = np.where(rng.random(n) < 0.7, 35.0, np.nan)
    rows["attended"] = 6
    rows["age_at_opening"] = 40
    rows["first_session_on"], rows["last_session_on"] = date(2026, 1, 5), date(2026, 3, 9)
    rows["reference__reference_year"] = None
    # As many referrals, of anybody: some seen in the month, some waiting, some gone unseen.
    received = pd.Timestamp(PERIOD.start) + pd.to_timedelta(rng.integers(-90, 30, n), "D")
    fate = rng.choice(["", "accepted", "withdrawn"], n, p=[0.4, 0.5, 0.1])
    later = received + pd.to_timedelta(rng.integers(0, 60, n), "D")
    rows["outcome"], rows["received"] = fate, received
    rows["offered"] = pd.Series(later).where(rng.random(n) < 0.6)
    rows["outcome_on"] = pd.Series(later).where(fate != "")
    rows["seen"] = pd.Series(later).where(fate == "accepted")
    rows["closed"] = pd.NaT
    # As many who were in care: some end in the month, some died, the others go on.
    rows["entered"] = rng.integers(0, 100, n)
    rows["left"] = rows["entered"] + rng.integers(0, 30, n)
    rows["ended"] = rng.random(n) < 0.4
    rows["goes_on"] = ~rows["ended"] & (rng.random(n) < 0.9)
    return rows


def _extract(scope: Scope, rows: pd.DataFrame, rng: Any) -> Extract:
    ages = {name: int(n) for (name, *_), n in zip(AGE_BANDS, rng.poisson([2, 4, 9, 70, 6]))}  # noqa: B905 - a band each
    sat = int(rng.poisson(4 * len(rows) + 1))
    return Extract(
        PERIOD, scope, len(rows) + 3, rows, rows[["measure__code", "first_score"]],
        {"scheduled": sat + 9, "attended": sat, "no_shows": 5, "late_cancels": 3,
         "clinic_cancels": 1, "not_seen_by_us": 0, "both_measures": sat // 2, "minutes": 0,
         "unentered": 2},
        sum(ages.values()), ages | {"not recorded": 0}, len(rows) // 9,
        Waits(marked(rows[REFERRED], PERIOD.start, PERIOD.end), 42),
        Care(rows[IN_CARE]),
    )  # fmt: skip


def _clinic(seed: int, n: int = 140) -> tuple[Extract, list[list[Extract]]]:
    rng = np.random.default_rng(seed)
    rows = _frame(rng, n)
    shares = [
        [_extract(s, rows[rows[column] == value], rng) for s, value in scopes]
        for column, scopes in (
            ("programme__name", [(s, s.name) for s in PROGRAMMES]),
            ("funder", [(s, s.funder) for s in FUNDERS]),
        )
    ]
    return _extract(CLINIC, rows, rng), shares


def _exact(clinic: Extract, shares: list[list[Extract]]) -> Publication:
    """The same cells without any protection: what the attacker is after."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "reports_app.published.hide",
            lambda cells, *rest: {k: float(v) for k, v in cells.counts.items()},
        )
        return publication_of(clinic, shares)


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
    sums = [
        Sum(place[t], tuple(place[p] for p in ps),
            values[place[t]] - sum(values[place[p]] for p in ps))
        for t, ps in lines if t in place and all(p in place for p in ps)
    ]  # fmt: skip
    assert len(sums) > 100
    low, high = possible_range(values, blank, sums)
    return {key: high[i] - low[i] for i, key in enumerate(keys) if blank[i]}


@pytest.mark.parametrize("seed", [1, 3])
def test_no_blank_count_is_found_by_subtraction_over_all_files(db: Any, seed: int) -> None:
    clinic, shares = _clinic(seed)
    made, exact = publication_of(clinic, shares), _exact(clinic, shares)
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
        clinic, shares = _clinic(seed, n=60)
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
    sums = [
        Sum(place[t], tuple(place[p] for p in ps),
            values[place[t]] - sum(values[place[p]] for p in ps))
        for t, ps in lines if t in place and ps and all(p in place for p in ps)
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
    exact = [_exact(*each) for each in (*months, whole)]
    made = [publication_of(*month) for month in months]
    held = publication_of(*whole, None, made)
    for month in made:
        blank = [key for key, n in month.counts.items() if n is None and key in held.counts]
        assert all(held.counts[key] is None for key in blank)
    assert sum(n is not None for n in held.counts.values()) > 20
    assert _found([*made, held], exact) == set()
    # Not held against its months, it gives hidden counts away: the attack is one.
    assert _found([*made, publication_of(*whole)], exact) != set()


WAITING = ("waiting", "referred", "waits", "left", "over", "within limit", "unoffered",
           "offered before")  # fmt: skip


def _waits_of_months() -> list[tuple[dict[Key, float | None], dict[Key, int]]]:
    """Three months of one waiting list, whose people wait from one into the next: shown, exact."""
    rng, n = np.random.default_rng(11), 150
    people = _frame(rng, n)
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
            data = _extract(scope, people.iloc[:0], rng)
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


def test_unprotected_the_attack_finds_them(db: Any) -> None:
    """The attack is one: with the small cells alone blank, it finds some."""
    clinic, shares = _clinic(1)
    exact = _exact(clinic, shares)
    naive = replace(exact, counts={k: None if n < LIMIT else n for k, n in exact.counts.items()})
    assert any(room < 0.5 for room in _attack(naive, exact).values())


def _files(made: Publication) -> list[Metric]:
    scopes = [CLINIC, *PROGRAMMES, *FUNDERS]
    return [m for scope in scopes for m in published_metrics(made, PERIOD, scope)]


def test_every_number_of_a_file_is_rounded_and_every_rate_is_of_rounded_counts(db: Any) -> None:
    rows = _files(publication_of(*_clinic(4)))
    counts = [n for m in rows for n in (m.numerator, m.denominator) if n is not None]
    assert len(counts) > 50
    assert all(n % BASE == 0 for n in counts)
    rates = [m for m in rows if m.numerator is not None and m.value is not None]
    for m in rates:
        assert m.denominator
        assert m.value == pytest.approx((m.numerator or 0) / m.denominator), m
        assert m.denominator >= LIMIT
    assert not [m for m in rows if "not known:" in m.note or "cancelled by the clinic" in m.note]


def test_a_wait_says_how_many_still_wait(db: Any) -> None:
    made = publication_of(*_clinic(4, n=400))
    waits, waiting = (made.counts[("clinic", "", name)] for name in ("waits", "waiting"))
    assert waits
    assert waiting
    for name in ("waiting_median_days", "waiting_p90_days"):
        found = next(m for m in _files(made) if (m.scope, m.metric) == ("clinic", name))
        assert found.coverage == waits / (waits + waiting), "of the rounded counts"
        assert found.best is not None
        assert found.value is not None
        assert found.best >= 0
    # Where it may not be said how many wait, nothing is said that is made of them.
    key = ("clinic", "", "waiting")
    less = replace(made, counts=made.counts | {key: None})
    found = next(m for m in _files(less) if (m.scope, m.metric) == ("clinic", name))
    assert (found.value is not None, found.coverage, found.worst, found.best) == (
        True, None, None, None,
    )  # fmt: skip


@pytest.mark.parametrize("name", OF_ALL_WHO)
def test_when_half_were_seen_or_ended_stands_where_both_its_counts_do(db: Any, name: str) -> None:
    clinic, shares = _clinic(4, n=400)
    made = publication_of(clinic, shares)
    over, still = OF_ALL_WHO[name]
    for m in _files(made):
        if m.metric == name:
            counts = [made.counts[(m.scope, "", each)] for each in (over, still)]
            if None in counts:
                assert (m.value, m.low, m.high, m.denominator, m.note) == (
                    None, None, None, None, BLANK,
                )  # fmt: skip
            else:
                assert (m.denominator, m.coverage) == (sum(counts), counts[0] / sum(counts))
                assert m.value is None or m.note == OF_ALL[name]
    exact = next(m for m in monthly_metrics(clinic) if m.metric == name)
    shown = next(m for m in _files(made) if (m.scope, m.metric) == ("clinic", name))
    assert shown.value == pytest.approx(exact.value, rel=0.005)
    # Where it may not be said how many go on, nothing is said that is made of them.
    less = replace(made, counts=made.counts | {("clinic", "", still): None})
    shown = next(m for m in _files(less) if (m.scope, m.metric) == ("clinic", name))
    assert (shown.value, shown.note) == (None, BLANK)


def test_that_not_half_are_seen_so_far_is_no_blank(db: Any) -> None:
    made = publication_of(*_clinic(4, n=400))
    key = ("clinic", "", "care_all_median_days")
    less = replace(made, means=made.means | {key: (None, 40.0, None)})
    shown = next(m for m in _files(less) if (m.scope, m.metric) == ("clinic", key[2]))
    assert (shown.value, shown.low, shown.high) == (None, 40.0, None)
    assert shown.denominator
    assert shown.note.endswith("; not half of them so far")


def test_of_a_blank_no_sentence_is_made(db: Any) -> None:
    made = publication_of(*_clinic(1))
    assert made.counts["Groups", "", "ended"] is None
    rows = published_metrics(made, PERIOD, PROGRAMMES[2])
    assert [m for m in rows if m.metric == "episodes_ended" and m.value is None]
    assert not [words for words in sentences(rows, LIMIT) if words.startswith("0 ")]
    few = few_of(rows, LIMIT)
    assert all(i in few for i, m in enumerate(rows) if m.note == BLANK)
    assert [words for words in sentences(published_metrics(made, PERIOD, CLINIC), LIMIT)
            if words.startswith("140 episodes")]  # fmt: skip


def test_a_mean_stands_where_the_count_it_is_of_does(db: Any) -> None:
    made = publication_of(*_clinic(5))
    for m in _files(made):
        if m.metric == "mean_first_outcome":
            shown = made.counts[(m.scope, m.measure, "scored")] is not None
            assert (m.value is not None) is shown, m


def test_a_correction_of_a_few_changes_nothing_that_was_published(db: Any) -> None:
    """One client corrected: the edition after is the same, so that the two can't be subtracted."""
    clinic, shares = _clinic(6)
    first = publication_of(clinic, shares)
    kept = Publication.from_kept(first.kept())
    assert kept == first
    column = clinic.ended.columns.get_loc("outcome_class")
    place = int(np.flatnonzero(clinic.ended["outcome_class"] == "improved")[0])
    episode = clinic.ended["episode_id"].iloc[place]
    for data in (clinic, *(d for scopes in shares for d in scopes)):
        for i in np.flatnonzero(data.ended["episode_id"] == episode):
            data.ended.iloc[int(i), column] = "deteriorated"
    again = publication_of(clinic, shares, kept)
    visible = {k: v for k, v in again.counts.items() if v is not None}
    assert {k: first.counts[k] for k in visible} == visible
    assert again.means == {k: first.means[k] if v[0] is not None else v
                           for k, v in again.means.items()}  # fmt: skip


def test_a_correction_of_many_is_published(db: Any) -> None:
    clinic, shares = _clinic(6)
    first = publication_of(clinic, shares)
    more = replace(clinic, opened=clinic.opened + 40)
    again = publication_of(more, shares, first)
    assert first.counts[("clinic", "", "opened")] == 145
    assert again.counts[("clinic", "", "opened")] == 185
