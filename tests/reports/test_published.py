"""What may leave the clinic, and what its files say of it and of what is blank."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reports_app.extract import CLINIC, Scope
from reports_app.metric import Metric
from reports_app.metrics import monthly_metrics
from reports_app.published import (
    BLANK,
    Publication,
    publication_of,
    published_metrics,
)
from reports_app.small import few_of, sentences
from reports_app.waiting import OF_ALL
from sessions_app.models import Programme
from tests.reports.published_clinic import BASE, FUNDERS, LIMIT, PERIOD, PROGRAMMES, a_clinic

OF_ALL_WHO = {"waiting_all_median_days": ("waits", "waiting"),
              "offer_all_median_days": ("offers", "unoffered"),
              "care_all_median_days": ("days", "still in care")}  # fmt: skip


def _files(made: Publication) -> list[Metric]:
    scopes = [CLINIC, *PROGRAMMES, *FUNDERS]
    return [m for scope in scopes for m in published_metrics(made, PERIOD, scope)]


def test_every_number_of_a_file_is_rounded_and_every_rate_is_of_rounded_counts(db: Any) -> None:
    rows = _files(publication_of(*a_clinic(4)))
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
    made = publication_of(*a_clinic(4, n=400))
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
    clinic, shares = a_clinic(4, n=400)
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
    made = publication_of(*a_clinic(4, n=400))
    key = ("clinic", "", "care_all_median_days")
    less = replace(made, means=made.means | {key: (None, 40.0, None)})
    shown = next(m for m in _files(less) if (m.scope, m.metric) == ("clinic", key[2]))
    assert (shown.value, shown.low, shown.high) == (None, 40.0, None)
    assert shown.denominator
    assert shown.note.endswith("; not half of them so far")


def test_of_a_blank_no_sentence_is_made(db: Any) -> None:
    made = publication_of(*a_clinic(1))
    assert made.counts["Groups", "", "ended"] is None
    rows = published_metrics(made, PERIOD, PROGRAMMES[2])
    assert [m for m in rows if m.metric == "episodes_ended" and m.value is None]
    assert not [words for words in sentences(rows, LIMIT) if words.startswith("0 ")]
    few = few_of(rows, LIMIT)
    assert all(i in few for i, m in enumerate(rows) if m.note == BLANK)
    assert [words for words in sentences(published_metrics(made, PERIOD, CLINIC), LIMIT)
            if words.startswith("140 episodes")]  # fmt: skip


def test_a_mean_stands_where_the_count_it_is_of_does(db: Any) -> None:
    made = publication_of(*a_clinic(5))
    for m in _files(made):
        if m.metric == "mean_first_outcome":
            shown = made.counts[(m.scope, m.measure, "scored")] is not None
            assert (m.value is not None) is shown, m


def test_a_correction_of_a_few_changes_nothing_that_was_published(db: Any) -> None:
    """One client corrected: the edition after is the same, so that the two can't be subtracted."""
    clinic, shares = a_clinic(6)
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
    clinic, shares = a_clinic(6)
    first = publication_of(clinic, shares)
    more = replace(clinic, opened=clinic.opened + 40)
    again = publication_of(more, shares, first)
    assert first.counts[("clinic", "", "opened")] == 145
    assert again.counts[("clinic", "", "opened")] == 185


def test_what_leaves_the_clinic_has_every_metric_of_the_exact_report(db: Any) -> None:
    clinic, shares = a_clinic(4, n=400)
    exact = {(m.measure, m.metric) for m in monthly_metrics(clinic)}
    made = publication_of(clinic, shares)
    assert {(m.measure, m.metric) for m in published_metrics(made, PERIOD, CLINIC)} == exact


def test_stopping_without_improvement_is_of_the_counts_that_are_shown(db: Any) -> None:
    made = publication_of(*a_clinic(4, n=400))
    rows = [m for m in _files(made) if m.metric == "stopped_unimproved" and m.value is not None]
    assert rows
    for m in rows:
        named = ("stopped not better", "fate known", "ended")
        counts = [made.counts[m.scope, m.measure, name] for name in named]
        assert (m.numerator, m.denominator) == (counts[0], counts[1])
        assert m.best == pytest.approx((counts[0] or 0) / (counts[2] or 1))


def test_who_renames_a_programme_forgets_nothing_of_it(db: Any) -> None:
    """Else the next edition would be held against nothing, and the two could be subtracted."""
    programme = Programme.objects.create(name="Adults")
    clinic, shares = a_clinic(6)
    shares[0][0] = replace(shares[0][0], scope=Scope(programme))
    first = publication_of(clinic, shares)
    Programme.objects.filter(pk=programme.pk).update(name="Grown-ups")
    kept = Publication.from_kept(first.kept())
    assert kept is not None
    assert {k[1:]: v for k, v in first.counts.items() if k[0] == "Adults"} == {
        k[1:]: v for k, v in kept.counts.items() if k[0] == "Grown-ups"
    }
    assert not [key for key in (*kept.counts, *kept.means) if key[0] == "Adults"]
    assert kept.counts["clinic", "", "opened"] == first.counts["clinic", "", "opened"]
