"""Against a model that a reporting year keeps, a clinic that gets better can be seen to."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from measures_app import fitting
from measures_app.models import ExpectedChangeModel, Measure, Trajectory
from measures_app.reference_models import References
from reports_app import kept, reference_change
from reports_app.effects import NO_REFERENCE
from reports_app.extract import extract
from reports_app.metrics import monthly_metrics
from reports_app.models import EpisodeSummary
from reports_app.nightly import run_night
from reports_app.periods import Month
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Episode
from tests.cast import BY, Clinic
from tests.night.stories import ordinary

GAIN = 4.0


def _references() -> dict[int, ExpectedChangeModel]:
    return {row.reference_year or 0: row for row in
            ExpectedChangeModel.objects.exclude(reference_year=None)}  # fmt: skip


def _against_the_nightly_model(ids: list[int]) -> np.ndarray:
    """Last score minus the score expected by the newest nightly curve."""
    rows = Trajectory.objects.filter(episode__in=ids)
    return np.array([row.scores[-1] - row.expected_mean[row.t[-1] - 2] for row in rows])


def _frozen(ids: list[int]) -> np.ndarray:
    rows = EpisodeSummary.objects.filter(episode__in=ids)
    return np.array([row.last_score - row.expected_last for row in rows])


@pytest.fixture
def better_now(at_work: Clinic) -> list[int]:
    """60 clients and a night; then 60 who did better by 4 points, and finished. Their episodes."""
    today = clinic_time.today()
    ordinary(60, seed=1)
    run_night(today)
    before = set(Episode.objects.values_list("pk", flat=True))
    ordinary(60, seed=2, gain=GAIN)
    ids = []
    for episode in Episode.objects.exclude(pk__in=before):
        actions.close_episode(episode=episode, on=today, ending="agreed", by=BY)
        ids.append(episode.pk)
    run_night(today)
    return ids


def test_a_uniform_gain_is_seen_against_the_years_reference(better_now: list[int]):
    (row,) = _references().values()
    today = clinic_time.today()
    assert row.reference_year == today.year
    assert row.clients == 60
    nightly = fitting.latest_model(Measure.objects.get(code="outcome-adult"))
    assert nightly is not None
    assert nightly.clients == 120
    held, refitted = _frozen(better_now), _against_the_nightly_model(better_now)
    assert held.mean() == pytest.approx(GAIN, abs=1.2)
    assert refitted.mean() == pytest.approx(GAIN / 2, abs=1.0)
    assert (held >= 0).mean() > (refitted >= 0).mean() + 0.1
    assert set(EpisodeSummary.objects.filter(episode__in=better_now)
               .values_list("reference", flat=True)) == {row.pk}  # fmt: skip

    told = {m.metric: m for m in monthly_metrics(extract(Month(today.replace(day=1))))}
    name = f"the reference of {today.year}: own data (n = 60), up to {today.isoformat()}"
    assert told["reached_expected"].value == pytest.approx((held >= 0).mean())
    assert told["reached_expected"].note == name
    adjusted = told["severity_adjusted_effect_size"]
    assert name in adjusted.note
    first = np.array(EpisodeSummary.objects.filter(episode__in=better_now)
                     .values_list("first_score", flat=True))  # fmt: skip
    assert adjusted.value == pytest.approx(held.mean() / first.std(ddof=1), rel=1e-6)

    # And beside what the reference's own clinical starters had changed, as the night counted them.
    reference = reference_change.read()["outcome-adult", today.year]
    assert reference_change.as_json(reference_change.count()) == kept.counted(reference_change.NAME)
    own = EpisodeSummary.objects.filter(episode__in=better_now, started_clinical=True)
    beyond = np.array([row.last_score - row.expected_last for row in own])
    relative = told["relative_effect_size"]
    assert relative.denominator == len(beyond) >= reference_change.FEWEST
    assert relative.value == pytest.approx((reference.change + beyond.mean()) / reference.sd)


def test_another_year_keeps_its_own_and_leaves_the_last_one_as_it_was(better_now: list[int]):
    this = clinic_time.today().year
    before = _frozen(better_now)
    run_night(date(this + 1, 1, 1))
    frozen = _references()
    assert set(frozen) == {this, this + 1}
    assert frozen[this + 1].clients == 120
    np.testing.assert_array_equal(_frozen(better_now), before)
    still_open = EpisodeSummary.objects.exclude(episode__in=better_now)
    assert set(still_open.values_list("reference", flat=True)) == {frozen[this + 1].pk}
    rows: Any = EpisodeSummary.objects.order_by("episode")
    as_they_are = list(rows.values_list("episode", "expected_last", "reference"))
    run_night(date(this + 1, 1, 2))
    assert set(_references()) == {this, this + 1}
    assert list(rows.values_list("episode", "expected_last", "reference")) == as_they_are


def test_too_little_of_ones_own_keeps_no_reference_and_says_so(at_work: Clinic):
    today = clinic_time.today()
    ordinary(49, seed=1)
    run_night(today)
    assert not _references()
    for episode in Episode.objects.all()[:5]:
        actions.close_episode(episode=episode, on=today, ending="agreed", by=BY)
    run_night(today)
    told = {m.metric: m for m in monthly_metrics(extract(Month(today.replace(day=1))))}
    assert told["reached_expected"].note == NO_REFERENCE


def test_before_the_first_reference_the_oldest_serves(db: Any):
    rows = [ExpectedChangeModel(reference_year=year) for year in (2024, 2026)]
    kept = References({(1, "self", ""): rows})
    with acting_as(BY):
        assert [kept.of((1, "self", ""), year) for year in (2023, 2024, 2025, 2026, 2030)] == [
            rows[0], rows[0], rows[0], rows[1], rows[1],
        ]  # fmt: skip
        assert kept.of((2, "self", ""), 2026) is None
