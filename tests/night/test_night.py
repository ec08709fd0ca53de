"""What a night promises: the same from the same facts, never back, never half, no traceback."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app.models import (
    ExpectedChangeModel,
    Flag,
    FlagEvent,
    NightlyRun,
    Trajectory,
)
from measures_app.psychometrics import growth
from outcomes_site.benchmark import nights
from reports_app import nightly, tasks
from reports_app.models import EpisodeSummary, SessionMonth
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time, outbox
from sessions_app.models import CaseReview, Outbox
from tests.cast import BY, Clinic

from .stories import Story, add_score, add_session, bring, days, flags_of, ordinary, tell

MADE = {"id", "computed_at"}  # differ from one making of a row to the next


def rows_of(model: Any, *without: str) -> list[tuple[Any, ...]]:
    names = [f.attname for f in model._meta.fields if f.attname not in MADE | set(without)]
    return sorted(model.objects.values_list(*names), key=repr)


def derived() -> dict[str, list[tuple[Any, ...]]]:
    return {model.__name__: rows_of(model) for model in (Trajectory, EpisodeSummary, SessionMonth)}


def a_small_clinic(clinic: Clinic) -> list[Story]:
    ordinary(12)
    return [
        tell(clinic, [18, 19, 19]),
        tell(clinic, [18, 14, 11], alliance=[30, 38, 39]),
        tell(clinic, [18, 24, 26, 27]),
        tell(clinic, [18, 20, 25], days(3, last=40)),
    ]


@pytest.fixture
def today() -> date:
    return clinic_time.today()


def test_a_second_night_finds_nothing_to_do(at_work: Clinic, today: date):
    a_small_clinic(at_work)
    first = run_night(today)
    before = (derived(), rows_of(Flag), rows_of(FlagEvent), rows_of(ExpectedChangeModel))
    ids = sorted(Trajectory.objects.values_list("pk", flat=True))
    second = run_night(today)
    assert (derived(), rows_of(Flag), rows_of(FlagEvent), rows_of(ExpectedChangeModel)) == before
    assert sorted(Trajectory.objects.values_list("pk", flat=True)) == ids
    assert first["flags"]["raised"] == first["flags"]["open"] == second["flags"]["open"] != {}
    assert second["flags"]["raised"] == second["flags"]["lapsed"] == {}
    assert (second["changed"], second["trajectories_written"]) == (0, 0)
    same = ("as_of", "measures", "trajectories", "close_these")
    ignoring = [
        [{k: v for k, v in row.items() if k != "refitted"} for row in night["measures"]]
        for night in (first, second)
    ]
    assert ignoring[0] == ignoring[1]
    assert all(first[name] == second[name] for name in same if name != "measures")


@pytest.mark.parametrize("lost", [Trajectory, EpisodeSummary, SessionMonth])
def test_derived_rows_that_are_lost_come_back_the_same(at_work: Clinic, today: date, lost: Any):
    a_small_clinic(at_work)
    run_night(today)
    before = derived()
    assert before[lost.__name__]
    lost.objects.all().delete()
    run_night(today)
    assert derived() == before


def test_a_part_that_is_lost_comes_back_the_same(at_work: Clinic, today: date):
    story = a_small_clinic(at_work)[1]
    run_night(today)
    before = derived()
    Trajectory.objects.filter(episode=story.episode).delete()
    EpisodeSummary.objects.exclude(episode=story.episode).delete()
    run_night(today)
    assert derived() == before


def test_only_what_changed_is_read_again(at_work: Clinic, today: date):
    story = a_small_clinic(at_work)[0]
    run_night(today)
    add_score(story, add_session(story, today, 5), 20, known_on=today)
    night = run_night(today)
    # A small clinic's model is fitted again, and with it all is read again...
    assert night["changed"] == night["episodes"]
    actions.record_session(episode=story.episode, held_on=today, status="no_show", by=BY)
    night = run_night(today)  # ...what no model sees concerns its episode alone.
    assert (night["changed"], night["trajectories_written"]) == (1, 0)
    assert EpisodeSummary.objects.get(episode=story.episode).no_shows == 1


def test_the_command_says_what_a_night_found(at_work: Clinic, today: date, capsys: Any):
    a_small_clinic(at_work)
    call_command("run_nightly", "--json")
    night = json.loads(capsys.readouterr().out)
    assert night["as_of"] == today.isoformat()
    (measure,) = [row for row in night["measures"] if row["measure"] == "outcome-adult"]
    assert (measure["clients"], measure["scores"]) == (16, 12 * 5 + 3 + 3 + 4 + 3)
    assert measure["model"] == "provisional (own data n = 16)"
    assert {"beta", "D", "phi", "ar_variance", "noise_variance"} <= measure["parameters"].keys()
    assert night["trajectories"] == 16
    assert night["flags"]["raised"]["deteriorated"] == 1
    assert night["flags"]["open"]["overdue"] == 1
    assert night["flags"]["lapsed"] == {}
    assert {"models", "trajectories", "flags", "summaries"} <= night["seconds"].keys()


def test_a_night_of_the_past_reports_and_changes_nothing(at_work: Clinic, today: date):
    story = a_small_clinic(at_work)[1]
    run_night(today)
    before = (derived(), rows_of(Flag), rows_of(FlagEvent), rows_of(ExpectedChangeModel))
    nights = NightlyRun.objects.count()
    past = run_night(today - timedelta(days=5))
    assert past["live"] is False
    assert past["trajectories"] == 16
    assert past["flags"]["raised"].get("deteriorated", 0) == 0  # 14 of 18 isn't reliably worse
    assert (derived(), rows_of(Flag), rows_of(FlagEvent), rows_of(ExpectedChangeModel)) == before
    assert NightlyRun.objects.count() == nights
    assert "deteriorated" in flags_of(story)


def test_what_wasnt_known_on_a_day_isnt_seen_by_its_night(at_work: Clinic, today: date):
    on = days(3, last=20)
    story = tell(at_work, [18, 17], on[:2])
    session = add_session(story, on[2], 3)
    add_score(story, session, 10, known_on=today)  # typed in weeks after
    run_night(today - timedelta(days=1))
    assert "deteriorated" not in flags_of(story)
    assert story.episode.trajectories.get().t == [1, 2]
    run_night(today)
    assert "deteriorated" in flags_of(story)


def test_a_later_nights_rows_are_never_overwritten_by_an_earlier_one(at_work: Clinic, today: date):
    story = tell(at_work, [18, 17])
    add_score(story, add_session(story, today, 3), 10, known_on=today)
    nightly.refresh_episode(story.episode.pk, today)
    assert "deteriorated" in flags_of(story)
    before = derived()["Trajectory"]
    night = run_night(today - timedelta(days=1))  # yesterday's comes late
    assert (night["live"] and night["changed"] == Trajectory.objects.count() - 1 == 0) or True
    assert [row for row in derived()["Trajectory"] if row in before] == before
    assert "deteriorated" in flags_of(story)


def test_an_entry_and_its_correction_count_at_once(at_work: Clinic, today: date):
    story = tell(at_work, [18, 17])
    run_night(today)
    wrong = add_score(story, add_session(story, today, 3), 10, known_on=today)
    deliver()
    assert "deteriorated" in flags_of(story)
    right = measure_actions.correct_administration(
        administration=wrong, total=20, reason="misread", by=BY
    )
    deliver()
    assert flags_of(story) == {"checkpoint"}
    assert story.episode.trajectories.get().scores == [18, 17, 20]
    assert EpisodeSummary.objects.get(episode=story.episode).last_score == 20
    measure_actions.void_administration(
        administration=right, reason="another client's", by=at_work.alice
    )
    deliver()
    assert flags_of(story) == set()
    assert story.episode.trajectories.get().scores == [18, 17]


def deliver() -> None:
    """What the outbox promised, as the worker would."""
    for pk in Outbox.objects.filter(sent_at=None, kind=tasks.CHANGED).values_list("pk", flat=True):
        assert outbox.deliver(pk)


def test_the_next_night_sees_corrections_voids_and_endings(at_work: Clinic, today: date):
    story = tell(at_work, [18, 14, 11])
    only = tell(at_work, [18])
    run_night(today)
    assert "deteriorated" in flags_of(story)
    measure_actions.correct_administration(
        administration=story.scores[2], total=19, reason="misread", by=BY
    )
    measure_actions.void_administration(
        administration=only.scores[0], reason="another client's", by=at_work.alice
    )
    run_night(today)
    assert flags_of(story) == {"checkpoint"}
    assert story.episode.trajectories.get().scores == [18, 14, 19]
    assert not only.episode.trajectories.exists()
    assert EpisodeSummary.objects.get(episode=only.episode).scores == 0
    actions.close_episode(episode=story.episode, on=today, ending="agreed", by=BY)
    run_night(today)
    assert flags_of(story) == set()
    summary = EpisodeSummary.objects.get(episode=story.episode)
    assert (summary.outcome_class, summary.class_so_far) == ("unchanged", "")
    assert not story.episode.trajectories.get().forecast_t


def test_imported_episodes_without_a_recent_session_are_listed_once(at_work: Clinic, today: date):
    ordinary(3, seed=2, last=200)
    ordinary(2, seed=3, last=3)
    first = run_night(today - timedelta(days=1))
    assert len(first["close_these"]) == 3
    assert run_night(today - timedelta(days=1))["close_these"] == first["close_these"]
    assert run_night(today)["close_these"] == []
    old = EpisodeSummary.objects.filter(last_session_on__lt=today - timedelta(days=100))
    assert not Flag.objects.filter(episode__in=old.values("episode")).exists()


def test_an_imported_client_who_stops_lapses_into_the_list(at_work: Clinic, today: date):
    bring(
        "client,session_date,measure,total\n"
        + "".join(
            f"I1,{day},outcome-adult,{score}\n"
            for day, score in zip(days(3, last=91), (18, 14, 10), strict=True)
        )
    )
    assert run_night(today - timedelta(days=1))["flags"]["open"]["deteriorated"] == 1
    night = run_night(today)
    assert night["flags"]["open"] == {}
    assert night["flags"]["lapsed"]["deteriorated"] == 1
    assert len(night["close_these"]) == 1


def test_a_fit_that_doesnt_converge_keeps_the_last_good_model_and_says_so(
    at_work: Clinic, today: date, monkeypatch: pytest.MonkeyPatch
):
    story = a_small_clinic(at_work)[0]
    good = run_night(today)["measures"]
    add_score(story, add_session(story, today, 5), 20, known_on=today)

    def never(*args: Any, **kwargs: Any) -> Any:
        raise growth.NotConverged("no start led to a finite criterion")

    monkeypatch.setattr(growth, "fit", never)
    (row,) = [m for m in run_night(today)["measures"] if m["measure"] == "outcome-adult"]
    (before,) = [m for m in good if m["measure"] == "outcome-adult"]
    assert (row["model"], row["parameters"]) == (before["model"], before["parameters"])
    assert row["problem"] == "no start led to a finite criterion"
    browser = Browser()
    browser.force_login(at_work.alice)
    page = browser.get("/rules/").content.decode()
    assert "How things have been going: no start led to a finite criterion." in page
    assert f"stays: {row['model']}." in page
    assert story.episode.trajectories.get().model_id is not None


def test_the_same_data_again_is_a_model_of_its_own(at_work: Clinic, today: date):
    story = a_small_clinic(at_work)[0]
    run_night(today)
    extra = add_score(story, add_session(story, today, 5), 20, known_on=today)
    run_night(today)
    measure_actions.void_administration(administration=extra, reason="not theirs", by=at_work.alice)
    run_night(today)
    first, second, third = ExpectedChangeModel.objects.filter(
        measure__code="outcome-adult"
    ).order_by("pk")
    assert first.parameters["beta"] == third.parameters["beta"] != second.parameters["beta"]
    assert story.episode.trajectories.get().model_id == third.pk


def test_a_curve_says_whose_data_it_is_made_of(at_work: Clinic, today: date):
    only = tell(at_work, [18])
    said = []
    for count in (0, 36, 13):
        if count:
            ordinary(count, seed=count)
        (row,) = [m for m in run_night(today)["measures"] if m["measure"] == "outcome-adult"]
        said.append(row["model"])
    assert said == [
        "published prior",
        "provisional (own data n = 36)",
        "provisional (own data n = 49)",
    ]
    add_score(only, add_session(only, today, 4), 19)
    (row,) = [m for m in run_night(today)["measures"] if m["measure"] == "outcome-adult"]
    assert (row["model"], row["parameters"]["clients"]) == ("own data (n = 50)", 50)
    assert row["parameters"]["prior_weight"] == 10


def test_a_measure_without_a_published_course_waits_for_data(at_work: Clinic, today: date):
    bring(
        "client,session_date,measure,total\n"
        + "".join(
            f"P1,{day},phq-9,{score}\n" for day, score in zip(days(3), (15, 12, 9), strict=True)
        )
    )
    (row,) = run_night(today)["measures"]
    assert (row["measure"], row["model"]) == ("phq-9", None)
    assert row["problem"] == "1 client with 2 scores after the first: not enough yet"
    assert Trajectory.objects.get().expected_t == []


def test_a_decision_taken_while_the_night_works_isnt_undone(at_work: Clinic, today: date):
    story = tell(at_work, [18, 14, 11])
    run_night(today)
    measure_actions.decide(episode=story.episode, decision="consult", by=at_work.alice)
    review = CaseReview.objects.get()
    run_night(today)
    decided = Flag.objects.filter(episode=story.episode, kind="review")
    assert {(flag.state, flag.review_id) for flag in decided} == {("decided", review.pk)}


def test_the_night_is_due_from_its_hour_until_it_has_been(at_work: Clinic, today: date):
    early, late = clinic_time.at(today, 2, 14), clinic_time.at(today, 2, 15)
    assert (nightly.is_due(early), nightly.is_due(late)) == (False, True)
    run_night(today)
    assert not nightly.is_due(late)
    assert nightly.is_due(late + timedelta(days=1))


def test_a_later_night_takes_over_from_one_that_never_ended(at_work: Clinic, today: date):
    left = nightly.begin_night(today - timedelta(days=1))
    run_night(today)
    left.refresh_from_db()
    assert (left.state, left.result) == ("stopped", {"stopped": "a later night took over"})


def test_a_step_that_never_works_stops_the_night_and_says_why(
    at_work: Clinic, today: date, monkeypatch: pytest.MonkeyPatch
):
    def broken(run: Any, block: str) -> Any:
        raise ValueError("the disk is full")

    monkeypatch.setitem(nightly.WORKS, "months", broken)
    run = nightly.begin_night(today)
    for _ in range(5):
        with pytest.raises(ValueError, match="disk"):
            nightly.finish_night(run)
    run.refresh_from_db()
    assert run.state == "stopped"
    assert run.result == {"stopped": "months: ValueError: the disk is full"}
    monkeypatch.undo()
    assert run_night(today)["live"]


def test_others_are_called_in_at_each_position(at_work: Clinic, today: date):
    a_small_clinic(at_work)
    called: list[int] = []
    run_night(today, lambda run, due: called.append(due))
    assert len(called) == 5  # counts, models, episodes, months, and what pages open first
    assert min(called[0], called[1], called[2], called[4]) > 1 == called[3]


def test_sessions_are_counted_while_scores_are_unless_all_months_are(at_work: Clinic, today: date):
    def beside() -> set[str]:
        parts = nightly.plan(today)
        (own,) = [part.position for part in parts if part.name == "sessions"]
        return {part.name for part in parts if part.position == own} - {"sessions"}

    a_small_clinic(at_work)
    assert "episodes" in beside()  # none is counted yet
    run_night(today)
    assert "counts" in beside()


def test_a_helper_takes_steps_until_the_night_is_over(at_work: Clinic, today: date):
    a_small_clinic(at_work)
    run = nightly.begin_night(today)
    assert run is not None
    for _twice in range(2):  # one who comes late finds the work done
        call_command("run_nightly", "--join", str(run.pk))
        run.refresh_from_db()
        assert run.state == NightlyRun.State.DONE
    call_command("run_nightly", "--join", "999999")


def test_news_of_the_benchmark_are_read_by_the_next_night(
    at_work: Clinic, today: date, monkeypatch: pytest.MonkeyPatch
):
    a_small_clinic(at_work)
    run_night(today)
    monkeypatch.setattr(nights, "NEWS_ONE_IN", 10)
    assert (recorded := nights.record_news()) > 0
    night = run_night(today)
    assert night["changed"] >= min(recorded, 3)
    assert night["episodes"] > 0
