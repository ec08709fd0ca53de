"""How care may end: held to clients the models hadn't seen, told from a hundred endings on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import numpy as np
import pytest
from django.utils.html import strip_tags

from measures_app import expected, fitting, prognosis, series
from measures_app.courses import beside_now, courses_of
from measures_app.models import ExpectedChangeModel, Flag, Measure, Trajectory
from measures_app.psychometrics import bands
from measures_app.simulation import generate
from measures_app.simulation.store import day_number, store
from reports_app.case_review import case_review_html, shown_pictures
from reports_app.nightly import run_night
from reports_app.replay import replay_flags
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Episode
from tests.cast import BY
from tests.night.stories import days, tell
from tests.stage import scene

pytestmark = pytest.mark.usefixtures("no_pages_made_ahead")


def _simulate(clients: int) -> None:
    with acting_as(BY):
        store(generate(clients, 5, day_number(clinic_time.today()), months=14))


@scene
def a_simulated_year() -> None:
    """A simulated clinic with more than a hundred ended adult episodes, and its night."""
    _simulate(260)
    run_night(clinic_time.today())


@pytest.fixture
def a_year(a_simulated_year: None) -> Iterator[None]:
    with acting_as(BY):
        yield


def _adult_model() -> ExpectedChangeModel:
    adult = Measure.objects.get(code="outcome-adult")
    found = fitting.latest_model(adult)
    assert found is not None
    return found


def test_open_clients_are_told_how_care_may_end_and_flagged_by_it(a_year: None):
    model = _adult_model()
    ending = model.parameters["ending"]
    assert ending["ended"] >= 100
    assert prognosis.held_to(model) == ending["ended"]
    assert ending["not_improved"]["slope"] != 1.0
    json.dumps(model.parameters, allow_nan=False)
    open_now = set(Episode.objects.open().values_list("pk", flat=True))
    told = Trajectory.objects.exclude(probabilities={})
    assert told.count() > 15
    for row in told:
        chances = row.probabilities
        assert row.episode_id in open_now
        assert len(row.scores) > 1
        assert not row.mid_care
        assert chances["low80"] <= chances["mean"] <= chances["high80"]
        assert chances["sessions"] >= row.t[-1]
        for name in ("not_improved", "deteriorated", "recovered"):
            assert 0 <= chances.get(name, 0) <= 1
    # A client reliably better already is less likely to end without it than one who is not.
    better = [r.probabilities["not_improved"] for r in told if r.change_class == "improved"
              and "not_improved" in r.probabilities]  # fmt: skip
    others = [r.probabilities["not_improved"] for r in told if r.change_class == "unchanged"
              and "not_improved" in r.probabilities]  # fmt: skip
    assert np.mean(better) < np.mean(others)
    # The rule goes by the posterior where it is told, and says so with its numbers.
    flags = Flag.objects.filter(rule="not_on_track", measure__code="outcome-adult")
    chances = {(r.episode_id, r.respondent_id): r.probabilities for r in told}
    for flag in flags:
        assert flag.evidence["by"] in ("not_improved", "deteriorated", "both")
        said = chances[flag.episode_id, flag.respondent_id]
        assert flag.evidence.get("p_not_improved") == said.get("not_improved")


def test_the_same_night_says_the_same_and_another_day_of_nothing_changes_no_row(a_year: None):
    before = {r.pk: r.probabilities for r in Trajectory.objects.all()}
    tomorrow = run_night(clinic_time.today() + timedelta(days=1))
    assert tomorrow["trajectories_written"] == 0
    assert {r.pk: r.probabilities for r in Trajectory.objects.all()} == before
    Trajectory.objects.all().delete()
    run_night(clinic_time.today() + timedelta(days=1))
    rebuilt = {(r.episode_id, r.measure_id, r.respondent_id): r.probabilities
               for r in Trajectory.objects.all()}  # fmt: skip
    assert sorted(map(str, rebuilt.values())) == sorted(map(str, before.values()))


def test_the_client_page_shows_it_and_says_what_it_was_held_to_and_so_does_paper(a_year: None):
    row = (
        Trajectory.objects.exclude(probabilities={})
        .filter(measure__code="outcome-adult", probabilities__has_key="not_improved")
        .order_by("pk")[0]
    )
    episode = Episode.objects.select_related("client").get(pk=row.episode_id)
    shown = next(s for s in shown_pictures(episode) if s.outlook)
    assert shown.outlook[0][1] == f"{100 * (1 - row.probabilities['not_improved']):.0f} %"
    assert shown.held_to == prognosis.held_to(_adult_model())
    # And on paper, in the same words; the client's own first series is the one that is printed.
    main = shown_pictures(episode)[0]
    assert main.outlook
    paper = " ".join(unescape(strip_tags(case_review_html(episode.client, BY))).split())
    told = ", ".join(f"{name} {value}" for name, value in main.outlook)
    assert f"If care goes on as now: {told}. Held to {main.held_to} ended episodes." in paper


def test_under_a_hundred_endings_nothing_is_told_and_the_band_serves(db: Any):
    _simulate(60)
    run_night(clinic_time.today())
    with acting_as(BY):
        assert not prognosis.is_told(_adult_model())
        assert not Trajectory.objects.exclude(probabilities={}).exists()
        for flag in Flag.objects.filter(rule="not_on_track"):
            assert flag.evidence["by"] == "band"


def test_what_is_told_as_of_a_day_is_made_of_that_day(a_year: None):
    """The same reading as of a past day, whatever was scored since."""
    past = clinic_time.today() - timedelta(days=30)
    ids = list(Episode.objects.filter(series.open_on(past)).values_list("pk", flat=True))
    found = series.as_series(series.scores(as_of=past, episode_ids=ids))
    readings = expected.read_series(found, fitting.all_in_use(), as_of=past)
    known = beside_now(ids, past)
    assert all(max(r.series.dates) <= past for r in readings)
    seen = {r.series.episode_id: r.beside for r in readings if r.probabilities}
    for episode, beside in list(seen.items())[:20]:
        np.testing.assert_array_equal(beside, known.loc[episode].to_numpy(float))


def test_the_band_of_the_end_is_held_to_what_came_where_there_are_clients_enough(
    a_year: None, monkeypatch: pytest.MonkeyPatch
):
    row = _adult_model()
    model, ending = fitting.growth_of(row), row.parameters["ending"]
    assert ending["band"] == {"low": 0.0, "high": 0.0, "clients": 0}
    rows = series.for_modelling(series.scores(measure=row.measure))
    courses = courses_of(rows, clinic_time.today())
    criteria = series.as_series(series.scores(measure=row.measure))[0].criteria
    monkeypatch.setattr(bands, "FEWEST_CLIENTS", 100)
    monkeypatch.setattr(bands, "FEWEST_LOOKS", 50)
    monkeypatch.setattr(prognosis, "FOLDS", 2)
    monkeypatch.setattr(prognosis, "LOOKS", (2, 3))
    learnt = prognosis.learn(courses, model, criteria, ending["step"], None)
    assert learnt["band"]["clients"] == ending["ended"]
    assert learnt["band"]["low"] != 0
    known = [(1, [1, 2, 3], [20.0, 21.0, 22.0])]
    beside = beside_now([], clinic_time.today())
    said = {}
    for name, band in (("drawn", ending["band"]), ("moved", {**learnt["band"], "low": 0.25})):
        row.parameters["ending"] = {**ending, "band": band}
        said[name] = prognosis.outlook(row, model, known, beside, criteria).outlook
    assert said["moved"].low80[0] < said["drawn"].low80[0]
    assert said["moved"].p_not_improved[0] == said["drawn"].p_not_improved[0]


def test_a_look_back_follows_each_course_of_probabilities(a_year: None):
    until = clinic_time.today()
    found = replay_flags(until - timedelta(days=56), until, every=28)
    assert found.courses
    for looked_at, chances in found.courses.values():
        assert len(looked_at) == len(chances)
        assert all(0 < p < 1 for p in chances)
        assert looked_at == sorted(set(looked_at))


def test_an_ending_nobody_knows_is_learnt_as_stopping_and_the_clinics_own_is_not(clinic: Any):
    endings = ("unknown", "client_stopped", "agreed", "clinic_ended")
    with acting_as(BY):
        for number, ending in enumerate(endings):
            on = days(4, last=20 + number)
            story = tell(clinic, [20, 21, 22, 23], on=on, opened_on=on[0])
            actions.close_episode(episode=story.episode, on=on[-1], ending=ending, by=BY)
        courses = courses_of(series.for_modelling(series.scores()), clinic_time.today())
        at_the_end = courses.visits[courses.visits["t"] == 4].set_index("episode_id")["event"]
        found = dict(Episode.objects.exclude(ending="").values_list("ending", "pk"))
        assert {ending: at_the_end[found[ending]] for ending in endings} == {
            "unknown": 1, "client_stopped": 1, "agreed": 2, "clinic_ended": 0,
        }  # fmt: skip
        assert courses.ended.all()
