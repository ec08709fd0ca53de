"""Clinics of chance, read as a publication reads one, and their cells without protection."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from measures_app.strata import AGE_BANDS
from reports_app.extract import CLINIC, SUMMARY_COLUMNS, Extract, Scope
from reports_app.in_care import Care
from reports_app.periods import Month
from reports_app.published import (
    Publication,
    publication_of,
)
from reports_app.waiting import DAYS, Waits, marked
from sessions_app.models import Programme

LIMIT, BASE = 8, 5
PERIOD = Month(date(2026, 3, 1))
PROGRAMMES = [Scope(Programme(name=name)) for name in ("Adults", "Young people", "Groups")]
FUNDERS = [Scope(funder=name) for name in ("", "County", "Health fund")]
SHARES = ([0.75, 0.2, 0.05], [0.1, 0.82, 0.08])
REFERRED = ["outcome", *DAYS]
IN_CARE = ["entered", "left", "ended", "goes_on"]
CLASSES = ["recovered", "improved", "unchanged", "deteriorated", ""]


def endings(rng: Any, n: int) -> pd.DataFrame:
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


def extract_of(scope: Scope, rows: pd.DataFrame, rng: Any) -> Extract:
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


def a_clinic(seed: int, n: int = 140) -> tuple[Extract, list[list[Extract]]]:
    rng = np.random.default_rng(seed)
    rows = endings(rng, n)
    shares = [
        [extract_of(s, rows[rows[column] == value], rng) for s, value in scopes]
        for column, scopes in (
            ("programme__name", [(s, s.name) for s in PROGRAMMES]),
            ("funder", [(s, s.funder) for s in FUNDERS]),
        )
    ]
    return extract_of(CLINIC, rows, rng), shares


def unprotected(clinic: Extract, shares: list[list[Extract]]) -> Publication:
    """The same cells without any protection: what the attacker is after."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "reports_app.published.hide",
            lambda cells, *rest: {k: float(v) for k, v in cells.counts.items()},
        )
        return publication_of(clinic, shares)
