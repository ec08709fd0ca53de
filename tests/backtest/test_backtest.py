"""Looking back on the rules: nothing of the future, nothing kept, nothing said from too little."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import CommandError, call_command
from django.template.loader import render_to_string

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.models import Administration, ExpectedChangeModel, Flag, FlagRuleSet
from measures_app.simulation import generate
from measures_app.simulation.store import day_number, store
from reports_app import actions as report_actions
from reports_app import tasks  # noqa: F401 - registers what the outbox hands over
from reports_app.backtest import NoHistory, read_history, run_backtest
from reports_app.nightly import run_night
from reports_app.replay import Replay, origins_between, replay_flags
from reports_app.rules_text import NAME
from sessions_app import actions, clinic_time, outbox
from sessions_app.context import acting_as
from sessions_app.models import Episode, Job, Outbox, Session
from tests.cast import BY
from tests.night.stories import days, tell

pytestmark = pytest.mark.usefixtures("no_pages_made_ahead")


def test_origins_end_with_the_last_day_and_stand_a_week_apart():
    found = origins_between(date(2026, 1, 1), date(2026, 1, 31))
    assert found[-1] == date(2026, 1, 31)
    assert {(b - a).days for a, b in pairwise(found)} == {7}
    assert found[0] - timedelta(days=7) < date(2026, 1, 1) <= found[0]
    assert origins_between(date(2026, 1, 1), date(2026, 1, 1)) == [date(2026, 1, 1)]


@pytest.fixture
def told(clinic: Any) -> Any:
    """Six courses of eight weekly sessions that end a month ago: half of them fall."""
    with acting_as(BY):
        for number in range(6):
            on = days(8, last=40 + number)
            step = -1.6 if number % 2 else 1.5
            scores = [20 + step * k + (number * 7 % 5) / 3 for k in range(8)]
            story = tell(clinic, [round(score, 1) for score in scores], on=on, opened_on=on[0])
            actions.close_episode(
                episode=story.episode,
                on=on[-1],
                ending="client_stopped" if number % 2 else "agreed",
                by=BY,
            )
    return clinic


@pytest.fixture
def until() -> date:
    return clinic_time.today() - timedelta(days=50)


def _replayed(until: date) -> Replay:
    return replay_flags(clinic_time.today() - timedelta(days=120), until)


def _raised(until: date) -> set[tuple[int, str, str, date, int]]:
    found = _replayed(until)
    return {(r.episode, r.rule, r.series, r.on, r.t) for r in found.raised}


def test_changing_the_future_changes_nothing_in_the_past(told, until):
    before = _replayed(until)
    assert {flag.rule for flag in before.raised} >= {"deteriorated"}
    assert before.bands
    with acting_as(BY):
        outcome = measures.get_measure("outcome-adult")
        scores = Administration.objects.filter(taken_on__gt=until, measure=outcome)
        assert scores.count() > 2
        for score in scores:
            measure_actions.correct_administration(
                administration=score, total=3, reason="another future", by=BY
            )
        # An early score is put right today: on the day of the look that wasn't known.
        early = Administration.objects.current().filter(taken_on__lt=until, measure=outcome)
        measure_actions.correct_administration(
            administration=early.order_by("taken_on")[0], total=39, reason="misread", by=BY
        )
        tell(told, [30, 10, 5], on=days(3, last=2))
    again = _replayed(until)
    for said in ("raised", "bands", "cases", "courses", "forecasts", "entries"):
        assert getattr(again, said) == getattr(before, said), said


def test_looking_back_keeps_nothing(told, until):
    def kept() -> list[int]:
        with acting_as(BY):
            return [m.objects.count() for m in (Flag, FlagRuleSet, ExpectedChangeModel)]

    before = kept()
    _raised(until)
    assert kept() == before


def test_a_client_who_falls_is_raised_once_and_at_the_session_that_shows_it(told):
    """From 20 on by 1.6 a session: reliably lower (6.6) at the sixth."""
    with acting_as(BY):
        falling = Episode.objects.filter(ending="client_stopped").values_list("pk", flat=True)
        lower = [
            row
            for row in _raised(clinic_time.today() - timedelta(days=40))
            if row[1] == "deteriorated"
        ]
        assert {row[0] for row in lower} == set(falling)
        assert len(lower) == len(falling)
        assert {row[4] for row in lower} == {6}


def test_what_little_data_cannot_tell_is_said_and_the_rest_is_plain_json(told):
    with acting_as(BY):
        run_night(clinic_time.today())
    found = run_backtest(clinic_time.today())
    text = json.dumps(found, allow_nan=False)
    assert found["episodes"]["ended"] == 6
    by_rule = {row["rule"]: row for row in found["rules"]}
    assert by_rule["deteriorated"]["raised"] >= 3
    assert all("not known yet" in row["note"] for row in found["rules"])
    assert "NaN" not in text
    assert found["entries_per_supervisor_week"] > 0


def test_a_clinic_without_a_session_has_nothing_to_look_back_on(db):
    with pytest.raises(NoHistory):
        read_history(clinic_time.today())
    with pytest.raises(CommandError, match="no session") as refused:
        call_command("backtest_flags")
    assert refused.value.returncode == 2


@pytest.mark.parametrize("wrong", [["--as-of", "31.10.2026"], ["--every", "0"]])
def test_wrong_words_are_refused(clinic, wrong):
    with pytest.raises(CommandError) as refused:
        call_command("backtest_flags", *wrong)
    assert refused.value.returncode == 2


def test_the_command_says_it_in_words(told):
    out = StringIO()
    call_command("backtest_flags", "--every", "14", stdout=out)
    assert "clients a supervisor and week" in out.getvalue()
    assert "not known yet" in out.getvalue()


def test_a_director_asks_and_everybody_whom_it_concerns_reads(told, browser_of):
    director = browser_of("dora")
    assert director.post("/rules/back-test/")["Location"] == "/rules/"
    assert director.get("/rules/back-test/state/").json()["running"] is True
    assert "being looked at" in director.get("/rules/").content.decode()
    assert report_actions.ask_for_backtest(by=told.dora).pk == Job.objects.get().pk
    assert outbox.deliver(Outbox.objects.get(kind=report_actions.BACKTEST).pk)
    job = Job.objects.get()
    assert (job.state, job.problem) == ("done", "")
    report_actions.carry_out_backtest(job.pk)  # a second delivery finds it done
    page = browser_of("alice").get("/rules/").content.decode()
    assert str(NAME["deteriorated"]) in page
    assert "look back" not in page.lower().split("what would these rules")[1]
    for word in ("deteriorated", "dropout", "failed"):
        assert word not in re.sub("<[^>]*>", "", page)  # what is read, not a choice's code


def test_a_clinician_cannot_start_it(clinic, browser_of):
    assert browser_of("alice").post("/rules/back-test/").status_code == 404
    assert not Job.objects.exists()


def test_a_job_without_history_ends_with_its_reason(db):
    job = Job.objects.create(kind=report_actions.BACKTEST)
    with acting_as(BY):
        assert not Session.objects.exists()
        report_actions.carry_out_backtest(job.pk)
    job.refresh_from_db()
    assert (job.state, job.finished_at is not None) == ("stopped", True)
    assert "no session" in job.problem


def test_thresholds_are_priced_and_chances_held_to_what_came(
    db: Any, monkeypatch: pytest.MonkeyPatch
):
    # Chances are told from a hundred endings on: in a history this short few are told in time.
    monkeypatch.setattr("reports_app.backtest.FEWEST_JUDGED", 5)
    with acting_as(BY):
        store(generate(330, 5, day_number(clinic_time.today()), months=16))
    run_night(clinic_time.today())
    found = run_backtest(clinic_time.today(), every=28)
    room = found["budget"]
    assert room["judged"] >= 30
    priced = room["settings"]
    for low, high in pairwise(priced):  # a higher line costs less and catches less
        assert high["threshold"] > low["threshold"]
        assert high["per_week"] <= low["per_week"]
        assert high["sensitivity"] <= low["sensitivity"]
        assert high["specificity"] >= low["specificity"]
    assert room["room"] == found["budget_per_week"] * found["supervisors"]
    # The line fills the room as far as single flags allow, and never beyond.
    kept = room["at_room"]
    assert 0.9 * room["room"] <= kept["per_week"] <= room["room"] < priced[0]["per_week"]
    assert sum(kept["by_rule"].values()) == pytest.approx(kept["per_week"], abs=0.01)
    assert kept["threshold"] == room["notice_above"] > 0
    assert 0 < kept["again"][0] < kept["per_week"] < kept["again"][1]
    for table in found["calibration"]:
        assert sum(group["n"] for group in table["groups"]) == table["n"]
    known = [row for row in found["forecasts"] if "growth" in row]
    assert {row["session"] for row in found["forecasts"]} <= {3, 6, 8}
    assert known
    for row in known:
        errors = [row[way] for way in ("growth", "challenger", "weighed", "static")]
        assert 1 < min(errors) <= max(errors) < 15  # points of 40
        assert row["weighed"] < max(row["growth"], row["challenger"]) + 0.01
        assert 0.5 < row["at_or_below_upper"] <= 1
    json.dumps(found, allow_nan=False)


@pytest.mark.browser
def test_the_slider_says_what_fits_the_room(browser):
    settings = [
        {"threshold": 0.5, "per_week": 4.2, "sensitivity": 0.8, "specificity": 0.7, "ppv": 0.6},
        {"threshold": 0.7, "per_week": 1.9, "sensitivity": 0.5, "specificity": 0.9, "ppv": 0.8},
    ]
    context = {
        "found": {
            "settings": settings,
            "judged": 90,
            "notice_above": 0.5,
            "room": 6.0,
            "at_room": {"again": [4.1, 7.9]},
        },
        "most": 20,
    }
    page = browser.new_page()
    try:
        page.set_content(render_to_string("reports/_thresholds.html", context))
        page.add_script_tag(path=finders.find("js/thresholds.js"))
        said, slider = page.locator("p[data-said]"), page.locator("input[type=range]")
        assert "80 % of those who ended without" in said.inner_text()
        assert "may bring 4.1 to 7.9 flags a week by chance" in page.inner_text("body")
        slider.focus()
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        assert page.locator("output").inner_text() == "3"
        assert "50 % of those who ended without" in said.inner_text()
        page.keyboard.press("Home")
        assert "No threshold" in said.inner_text()
    finally:
        page.close()
