"""Parts of the clinic with a model of their own: where decided, and from enough clients on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from measures_app import expected, fitting, series, strata
from measures_app.models import ExpectedChangeModel, Measure
from measures_app.psychometrics import growth
from measures_app.psychometrics.growth import NotConverged
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Client, Episode, Programme
from tests.cast import BY, Clinic
from tests.night.stories import OUTCOME, bring, days

pytestmark = pytest.mark.usefixtures("no_pages_made_ahead")

GAIN = {"Walk-in": 4.0, "Groups": 0.0}  # points more at each session after the first
FEW = "Family"


@pytest.fixture
def three_programmes(clinic: Clinic) -> Iterator[Clinic]:
    """Two programmes with sixty clients each, whose courses differ; eight in a third."""
    random = np.random.default_rng(3)
    lines = ["client,session_date,measure,total,programme,clinician"]
    for programme, count in (("Walk-in", 60), ("Groups", 60), (FEW, 8)):
        for n in range(count):
            course = random.normal(18, 4) + 2 * np.log(np.arange(1, 5))
            course[1:] += GAIN.get(programme, 0.0)
            scores = np.clip(np.round(course + random.normal(0, 2, 4), 1), 0, 40)
            lines += [
                f"{programme}-{n},{day},{OUTCOME},{score:.1f},{programme},alice"
                for day, score in zip(days(4), scores, strict=True)
            ]
    bring("\n".join(lines))
    with acting_as(BY):
        yield clinic


def _decide(**kinds: bool) -> None:
    for kind, value in kinds.items():
        actions.set_policy(key=f"strata_by_{kind}", value=value, by=BY)


def _told(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["stratum"]: row for row in found["measures"] if row["measure"] == OUTCOME}


def _reading(programme: str) -> expected.Reading:
    episode = Episode.objects.filter(programme__name=programme).order_by("pk")[0]
    return next(r for r in expected.read_episode(episode) if r.series.measure.code == OUTCOME)


def test_without_a_decision_there_is_one_model_and_no_question_more(
    three_programmes: Clinic, django_assert_num_queries: Any
):
    found = run_night(clinic_time.today())
    assert list(_told(found)) == [""]
    assert not ExpectedChangeModel.objects.filter(stratum__contains="/").exists()
    (row,) = fitting.all_in_use().values()
    assert "strata" not in row.parameters
    everybody = series.as_series(series.scores())
    models = fitting.all_in_use()
    with django_assert_num_queries(0):
        assert strata.Places(models, (s.episode_id for s in everybody)).by_kinds == {}


def test_each_programme_with_enough_clients_is_read_with_its_own_and_pages_say_so(
    three_programmes: Clinic, browser_of: Any
):
    _decide(programme=True)
    told = _told(run_night(clinic_time.today()))
    key = {name: f"programme {Programme.objects.get(name=name).pk}" for name in (*GAIN, FEW)}
    assert set(told) == {"", *key.values()}
    assert told[key["Walk-in"]]["model"] == "own data (n = 60)"
    assert "8 clients with a second score, 50 are needed" in told[key[FEW]]["problem"]
    walk_in, groups, few = (_reading(name) for name in (*GAIN, FEW))
    assert walk_in.model
    assert groups.model
    assert few.model
    assert walk_in.model.stratum == "/" + key["Walk-in"]
    assert walk_in.model.parameters["prior_weight"] == 100
    assert few.model.stratum == ""
    # What each stratum's clients have more is drawn in, and not the whole of it: a hundred
    # clients' worth of the clinic's own model stands beside the sixty.
    apart = np.array(walk_in.model.parameters["beta"])[0] - groups.model.parameters["beta"][0]
    assert 0.5 < apart < 3.5
    centre = few.model.parameters["beta"][0]
    assert groups.model.parameters["beta"][0] < centre < walk_in.model.parameters["beta"][0]
    # Whose data it is stands under the picture, and on the rules page.
    alice = browser_of("alice")

    def page(programme: str) -> str:
        client = Client.objects.filter(episodes__programme__name=programme).order_by("pk")[0]
        found: str = alice.get(client.get_absolute_url()).content.decode()
        return found

    assert "Walk-in: own data (n = 60), weighed with the whole clinic" in page("Walk-in")
    assert f"the whole clinic: own data (n = 128); too few yet in {FEW} alone" in page(FEW)
    rules = alice.get("/rules/").content.decode()
    assert "Walk-in: own data (n = 60), up to" in rules
    assert f"{FEW}: 8 clients with a second score, 50 are needed" in rules


def test_they_stay_while_nothing_changes_and_stand_aside_from_the_night_after_a_withdrawal(
    three_programmes: Clinic,
):
    today = clinic_time.today()
    _decide(programme=True)
    run_night(today)
    before = ExpectedChangeModel.objects.count()
    run_night(today)
    assert ExpectedChangeModel.objects.count() == before
    frozen = ExpectedChangeModel.objects.exclude(reference_year=None)
    assert [row.stratum for row in frozen] == [""]  # reports compare parts on one model
    _decide(programme=False)
    assert strata.parts_of(_reading("Walk-in").model.stratum)[1]  # type: ignore[union-attr]
    run_night(today + timedelta(days=1))
    kept = ExpectedChangeModel.objects.filter(stratum__contains="/").count()
    assert kept == 2  # what trajectories and flags named stays
    assert _reading("Walk-in").model.stratum == ""  # type: ignore[union-attr]
    assert set(fitting.all_in_use()) == {(Measure.objects.get(code=OUTCOME).pk, "self", "")}


def test_a_stratum_that_finds_no_optimum_leaves_the_clinics_to_serve(
    three_programmes: Clinic, monkeypatch: pytest.MonkeyPatch
):
    fit = growth.fit

    def stubborn(*args: Any, **kwargs: Any) -> Any:
        if kwargs["prior"] is not None and kwargs["prior"].weight == 100:
            raise NotConverged("the optimiser found no optimum")
        return fit(*args, **kwargs)

    monkeypatch.setattr(growth, "fit", stubborn)
    _decide(programme=True)
    told = _told(run_night(clinic_time.today()))
    assert [row["problem"] for name, row in told.items() if name and row["clients"] == 60] == [
        "the optimiser found no optimum"
    ] * 2
    assert told[""]["problem"] == ""
    assert _reading("Walk-in").model.stratum == ""  # type: ignore[union-attr]


def test_a_stratum_of_unknown_age_is_the_whole_clinic(three_programmes: Clinic):
    _decide(programme=True, age=True)
    told = _told(run_night(clinic_time.today()))
    assert list(told) == [""]  # imported without a year of birth
    assert strata.in_words("programme 7, age 18-25", {7: "Walk-in"}) == "Walk-in, age 18–25"
    episode = Episode.objects.filter(programme__name="Walk-in").first()
    assert episode is not None
    Client.objects.filter(pk=episode.client_id).update(birth_year=episode.opened_on.year - 30)
    found = strata.of_episodes([episode.pk], ("programme", "age"))
    assert found == {episode.pk: f"programme {episode.programme_id}, age 26-64"}
