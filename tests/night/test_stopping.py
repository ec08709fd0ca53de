"""Who may stop coming: told from the clinic's own stops on, each day anew, a weak signal."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import DatabaseError, transaction

from measures_app import histories, stopping
from measures_app.histories import EpisodeFacts
from measures_app.models import Flag, StoppingModel
from measures_app.psychometrics.landmarks import LandmarkModel
from measures_app.simulation import generate
from measures_app.simulation.store import day_number, store
from reports_app.nightly import run_night
from reports_app.replay import replay_flags
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Episode
from tests.cast import BY, PASSWORD, Clinic
from tests.night.stories import bring, days, flags_of, tell

pytestmark = pytest.mark.usefixtures("no_pages_made_ahead")

RULE = "at_risk_of_stopping"


@pytest.fixture
def a_year(db: Any) -> date:
    """A simulated clinic of a year; its last day."""
    today = clinic_time.today()
    with acting_as(BY):
        store(generate(260, 5, day_number(today), months=14))
    return today


def _chances(day: date) -> dict[int, float]:
    facts = histories.open_episodes(day)
    histories.add_attendance(facts, day)
    stopping.add_chances(facts, stopping.latest(day), day)
    return {pk: one.p_stopping for pk, one in facts.items() if one.p_stopping is not None}


def test_a_night_learns_it_and_each_day_without_a_session_raises_the_chance(
    a_year: date, client: Any
):
    told = run_night(a_year)["stopping"]
    row = StoppingModel.objects.get()
    assert told["refitted"]
    assert told["model"] == row.label == f"own data (n = {row.episodes})"
    assert row.stops >= stopping.FEWEST_STOPS
    # Held to episodes it hadn't seen: they tell more than chance, and come true.
    seen = told["held_out"]
    assert seen["auc"] > 0.6
    assert abs(seen["slope"] - 1) < 3 * seen["slope_se"]
    assert sum(n for n, _said, _came in seen["table"]) == row.rows
    with pytest.raises(DatabaseError), transaction.atomic(), acting_as(BY):
        StoppingModel.objects.update(label="")

    with acting_as(BY):
        chances, limit = _chances(a_year), 0.4
        live = {f.episode_id: f for f in Flag.objects.live().filter(rule=RULE)}
        assert live
        assert {pk for pk, chance in chances.items() if chance > limit} >= set(live)
        for pk, flag in live.items():
            assert flag.evidence == {"p_stopping": chances[pk], "threshold": limit}
            made_from = flag.events.latest("pk").basis
            assert made_from["stopping_model"] == row.pk
            assert made_from["stopping_checksum"] == row.checksum
        later = _chances(a_year + timedelta(days=7))
        assert all(later[pk] > chances[pk] for pk in later)
        iris = actions.add_user(email="i@clinic.example", name="Iris", password=PASSWORD, by=BY)
        actions.grant_role(user=iris, role="supervisor", from_on=a_year, by=BY)
    client.force_login(iris)
    page = client.get("/rules/").content.decode()
    assert f"Learnt from {row.episodes} episodes" in page


def test_a_quiet_episode_is_flagged_when_the_days_alone_make_it_likely(at_work: Clinic):
    today = clinic_time.today()
    # In a rhythm of a week: log(1 + weeks away) - 1 on the scale of log odds.
    learnt = LandmarkModel((0.0,) * 3, (1.0,) * 3, (-1.0, 1.0, 0.0, 0.0), 900, 90).to_dict()
    StoppingModel.objects.create(
        label="own data (n = 90)", cutoff_on=today, episodes=90, rows=900, stops=60,
        parameters={**learnt, "held_out": {}}, code_version=stopping.CODE_VERSION, checksum="c",
    )  # fmt: skip
    story = tell(at_work, [20, 20, 20, 20], days(4, last=3))
    run_night(today)
    assert flags_of(story) == set()
    later = run_night(today + timedelta(days=4))
    assert later["changed"] == 0
    assert flags_of(story) == {RULE}
    flag = Flag.objects.get(rule=RULE)
    assert flag.evidence == {"p_stopping": 0.4239, "threshold": 0.4}
    with acting_as(BY):
        actions.record_session(
            episode=story.episode, held_on=today, starts_at=clinic_time.at(today, 0), by=BY
        )
    run_night(today + timedelta(days=4))
    assert RULE not in flags_of(story)


def test_what_it_learnt_by_a_day_no_later_day_changes(a_year: date):
    past = a_year - timedelta(days=60)
    with acting_as(BY):
        rows, ids = stopping.looks(past)
        for number, episode in enumerate(Episode.objects.open()[:20]):
            at = clinic_time.at(a_year, 0, number)
            actions.record_session(episode=episode, held_on=a_year, starts_at=at, by=BY)
            if number % 2:
                actions.close_episode(episode=episode, on=a_year, ending="agreed", by=BY)
        again, same = stopping.looks(past)
        assert ids == same
        np.testing.assert_array_equal(rows.known, again.known)
        np.testing.assert_array_equal(rows.event, again.event)
        assert rows.day.max() + 28 <= past.toordinal()


def test_a_look_back_uses_what_was_learnt_an_origin_before(
    a_year: date, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("measures_app.fitting.fitted_measures", list)  # scores aren't asked
    learnt_by: list[date] = []
    add = stopping.add_chances

    def watched(facts: Any, row: StoppingModel | None, as_of: date) -> None:
        if row is not None:
            assert row.cutoff_on <= as_of - timedelta(days=14)
            learnt_by.append(row.cutoff_on)
        add(facts, row, as_of)

    monkeypatch.setattr(stopping, "add_chances", watched)
    found = replay_flags(a_year - timedelta(days=120), a_year, every=14)
    assert {flag.rule for flag in found.raised} >= {RULE}
    assert len(set(learnt_by)) > 2
    with acting_as(BY):
        assert not StoppingModel.objects.exists()


def test_too_few_stops_say_so_and_nobody_is_told(at_work: Clinic):
    tell(at_work, [20, 20, 21], days(3, last=20))
    told = run_night(clinic_time.today())["stopping"]
    assert told["model"] is None
    assert told["problem"] == f"not enough data yet: 0 of {stopping.FEWEST_STOPS} stops"
    with acting_as(BY):
        assert not _chances(clinic_time.today())


def test_a_clinic_without_sessions_has_no_looks(at_work: Clinic):
    rows, episodes = stopping.looks(clinic_time.today())
    assert len(rows.event) == 0
    assert episodes == []


def test_a_gap_of_our_making_or_who_came_otherwise_has_no_chance():
    row = StoppingModel(
        parameters=LandmarkModel((0.0,) * 3, (1.0,) * 3, (0.0, 1.0, 0.0, 0.0), 9, 3).to_dict()
    )
    today = date(2026, 6, 30)
    number = today.toordinal()
    came = [number - 21, number - 14, number - 7]

    def chance(**also: Any) -> float | None:
        facts = {1: EpisodeFacts(Episode(), **{"attended": came, **also})}
        stopping.add_chances(facts, row, today)
        return facts[1].p_stopping

    assert chance() == pytest.approx(2 / 3, abs=1e-4)  # a week away in a rhythm of a week
    assert chance(attended=[]) is None
    assert chance(arrived=[number - 2]) is None
    assert chance(arrived=[number - 9]) is not None
    assert chance(pauses=[(number - 3, number + 11)]) is None
    assert chance(pauses=[(number - 30, number - 16)]) is not None
    assert chance(attended=[number - 60, number - 30, number - 2]) is None  # comes once a month
    assert chance(attended=[number - 42, number - 35, number - 28]) is None  # overdue speaks


def test_an_import_that_ends_early_is_no_stop(at_work: Clinic):
    held = days(4, last=70)
    lines = ["client,session_date,measure,total"]
    lines += [f"I1,{day},outcome-adult,20.0" for day in held]
    bring("\n".join(lines))
    own = tell(at_work, [20] * 8, days(8, last=2))
    _rows, episodes = stopping.looks(clinic_time.today())
    imported = set(
        Episode.objects.filter(origin=Episode.Origin.IMPORTED).values_list("pk", flat=True)
    )
    assert imported
    assert episodes == [own.episode.pk]
