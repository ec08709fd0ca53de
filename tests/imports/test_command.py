"""What `import_scores` promises of good files."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from measures_app.models import Administration
from sessions_app import clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Assignment, AuditEvent, Client, Episode, Meeting, Session
from tests.cast import BY
from tests.imports.conftest import Run, counts, scores_of

LONG = """\
client,session_date,measure,total,clinician,programme,birth_year,gender
A1,2024-01-08,phq-9,18,Mia,Talking,1980,woman
A1,2024-01-08,gad-7,12,Mia,Talking,1980,woman
A1,2024-01-15,phq-9,15,Mia,Talking,1980,woman
A1,2024-01-22,phq-9,11,Jon,Talking,1980,woman
B2,2024-02-01,phq-9,9,Jon,Talking,,
"""


def test_the_long_form_needs_no_mapping(run: Run) -> None:
    outcome = run(LONG)
    assert outcome.code == 0
    report = outcome.report
    assert {name: report[name] for name in ("rows", "clients", "episodes", "sessions")} == {
        "rows": 5, "clients": 2, "episodes": 2, "sessions": 4,
    }  # fmt: skip
    assert (report["scores"], report["created"], report["unchanged"], report["errors"]) == (
        5, 5, 0, [],
    )  # fmt: skip
    assert scores_of("A1") == [
        ("2024-01-08", "phq-9", Decimal(18)),
        ("2024-01-08", "gad-7", Decimal(12)),
        ("2024-01-15", "phq-9", Decimal(15)),
        ("2024-01-22", "phq-9", Decimal(11)),
    ]


def test_what_the_rows_say_of_people_is_kept(run: Run) -> None:
    run(LONG)
    with acting_as(BY):
        client = Client.objects.get(external_ids__value="A1")
        assert (client.birth_year, client.gender, client.name) == (1980, "woman", "")
        leads = [
            (a.clinician.code, str(a.from_on), a.to_on and str(a.to_on))
            for a in Assignment.objects.filter(episode__client=client)
        ]
        assert leads == [("Mia", "2024-01-08", "2024-01-22"), ("Jon", "2024-01-22", None)]
        episode = Episode.objects.get(client=client)
        assert (episode.origin, str(episode.opened_on), episode.is_open) == (
            "imported", "2024-01-08", True,
        )  # fmt: skip
        score = Administration.objects.filter(client=client).first()
        assert (score.known_on, score.age_years) == (score.taken_on, 44)
        assert score.provenance == "import"
        event = AuditEvent.objects.get(action="scores imported")
        assert (event.actor, event.detail["scores"]) == ("system:import", 5)


def test_run_twice_it_changes_nothing_the_second_time(run: Run) -> None:
    run(LONG)
    before = counts()
    again = run(LONG)
    assert (again.code, again.report["created"], again.report["unchanged"]) == (0, 0, 5)
    assert counts() == before


def test_a_dry_run_counts_and_writes_nothing(run: Run) -> None:
    before = counts()
    outcome = run(LONG, "--dry-run")
    assert (outcome.code, outcome.report["created"], outcome.report["dry_run"]) == (0, 5, True)
    assert counts() == before


def test_one_bad_row_keeps_all_others_out(run: Run) -> None:
    before = counts()
    outcome = run(LONG + "C3,2024-02-01,phq-9,28,Jon,Talking,,\n")
    assert (outcome.code, outcome.report["created"]) == (2, 0)
    assert outcome.error() == {
        "row": 7, "column": "total", "value": "28", "why": "is outside 0 to 27",
    }  # fmt: skip
    assert counts() == before


def test_every_bad_cell_of_a_row_is_listed_at_once(run: Run) -> None:
    outcome = run("client,session_date,measure,total,gender\nA,31/12/2023,phq-99,x,dog\n")
    assert [(e["column"], e["value"]) for e in outcome.errors] == [
        ("gender", "dog"), ("session_date", "31/12/2023"), ("total", "x"),
    ]  # fmt: skip


# --- hold --------------------------------------------------------------------------------------


def test_held_rows_go_in_when_they_are_put_right(run: Run, tmp_path: Path) -> None:
    """The first session is the bad one: put right, it opens the episode that is here already."""
    held = tmp_path / "held.csv"
    bad = LONG.replace("A1,2024-01-08,phq-9,18", "A1,2024-01-08,phq-9,81").replace(
        "A1,2024-01-08,gad-7,12", "A1,2024-01-08,gad-7,lots"
    )
    outcome = run(bad, "--hold", str(held))
    assert (outcome.code, outcome.report["held"], outcome.report["created"]) == (0, 2, 3)
    rows = list(csv.DictReader(held.read_text().splitlines()))
    assert [(r["held_row"], r["client"], r["total"]) for r in rows] == [
        ("2", "A1", "81"), ("3", "A1", "lots"),
    ]  # fmt: skip
    assert rows[0]["held_why"] == "total: is outside 0 to 27"
    assert held.stat().st_mode & 0o077 == 0
    put_right = held.read_text().replace(",81,", ",18,").replace(",lots,", ",12,")
    second = run(put_right)
    assert (second.code, second.report["created"]) == (0, 2)
    with acting_as(BY):
        episode = Episode.objects.get(client__external_ids__value="A1")
        assert str(episode.opened_on) == "2024-01-08"
        assert str(episode.assignments.first().from_on) == "2024-01-08"
    # The whole file, put right, brings nothing that isn't here.
    whole = run(LONG)
    assert (whole.code, whole.report["created"], whole.report["unchanged"]) == (0, 0, 5)


def test_held_rows_that_are_still_bad_can_be_held_again(run: Run, tmp_path: Path) -> None:
    held, again = tmp_path / "held.csv", tmp_path / "again.csv"
    run(LONG.replace("phq-9,15", "phq-9,51"), "--hold", str(held))
    outcome = run(held, "--hold", str(again))
    assert (outcome.code, outcome.report["held"]) == (0, 1)
    header = again.read_text().splitlines()[0]
    assert header == "held_row,held_why," + LONG.splitlines()[0]


def test_a_held_decimal_comma_stays_one(run: Run, tmp_path: Path) -> None:
    held = tmp_path / "held.csv"
    run(
        "client;session_date;measure;total\nA;2024-01-08;outcome-adult;12,5\n"
        "B;soon;outcome-adult;20,1\n",
        "--hold",
        str(held),
    )
    second = run(held.read_text().replace("soon", "2024-01-09"))
    assert (second.code, scores_of("B")) == (0, [("2024-01-09", "outcome-adult", Decimal("20.1"))])


def test_rows_against_what_is_stored_are_held_too(run: Run, tmp_path: Path) -> None:
    run(LONG)
    held = tmp_path / "held.csv"
    outcome = run(
        LONG.replace("phq-9,15", "phq-9,14") + "C3,2024-02-01,phq-9,8,Jon,Talking,,\n",
        "--hold",
        str(held),
    )
    assert (outcome.code, outcome.report["held"], outcome.report["created"]) == (0, 1, 1)
    assert "another score is stored" in held.read_text()


def test_rows_are_never_held_in_the_file_they_come_from(run: Run, tmp_path: Path) -> None:
    outcome = run(LONG + "C3,soon,phq-9,8,,,,\n", "--hold", str(tmp_path / "scores.csv"))
    assert outcome.code == 2
    assert (tmp_path / "scores.csv").read_text().startswith("client,session_date")


def test_nothing_is_imported_when_the_bad_rows_cant_be_set_aside(run: Run, tmp_path: Path) -> None:
    before = counts()
    outcome = run(LONG + "C3,soon,phq-9,8,,,,\n", "--hold", str(tmp_path / "no" / "held.csv"))
    assert (outcome.code, counts()) == (2, before)


# --- items -------------------------------------------------------------------------------------

ITEMS = "client,session_date,measure,total,item_1,item_2,item_3,item_4,item_5\n"


def test_items_are_scored_and_a_total_is_not_needed(run: Run) -> None:
    """A file of several measures has as many item columns as the longest of them."""
    outcome = run(
        ITEMS + "A,2024-01-08,outcome-adult,,2.5,3.1,0,4,\n" + "A,2024-01-08,gad-7,12,,,,,\n"
    )
    assert outcome.code == 0, outcome.errors
    assert scores_of("A")[0] == ("2024-01-08", "outcome-adult", Decimal("9.6"))
    with acting_as(BY):
        score = Administration.objects.get(measure__code="outcome-adult")
        assert score.answers == {
            "individual": "2.5", "close": "3.1", "social": "0", "overall": "4",
        }  # fmt: skip


def test_a_total_that_the_items_dont_come_to_is_refused_naming_both(run: Run) -> None:
    outcome = run(ITEMS + "A,2024-01-08,outcome-adult,9.7,2.5,3.1,0,4,\n")
    error = outcome.error()
    assert (error["column"], error["value"]) == ("total", "9.7")
    assert "9.7" in error["why"]
    assert "9.6" in error["why"]


def test_a_bad_item_is_named_as_the_file_names_it(run: Run) -> None:
    error = run(ITEMS + "A,2024-01-08,outcome-adult,,2.5,13,0,4,\n").error()
    assert (error["column"], error["value"]) == ("item_2", "13")
    assert "0 to 10" in error["why"]


def test_answers_without_a_total_are_kept_and_a_stated_one_is_refused(run: Run) -> None:
    row = "A,2024-01-08,outcome-adult,{},2.5,,0,4,\n"
    refused = run(ITEMS + row.format("9.7"))
    assert "item 2 is blank" in refused.error()["why"]
    assert run(ITEMS + row.format("")).code == 0
    assert scores_of("A") == [("2024-01-08", "outcome-adult", None)]


def test_answers_written_otherwise_are_the_same_answers(run: Run) -> None:
    row = "A,2024-01-08,outcome-adult,,{},3.1,0,4,\n"
    run(ITEMS + row.format("1.0"))
    assert run(ITEMS + row.format("1")).report["unchanged"] == 1
    error = run(ITEMS + "A,2024-01-08,outcome-adult,,1.1,3,0,4,\n").error()
    assert error["why"].startswith("other answers are stored for this session")


def test_items_of_a_measure_with_totals_alone_are_refused(run: Run) -> None:
    error = run(ITEMS + "A,2024-01-08,bdi-ii,,1,2,,,\n").errors[0]
    assert "totals alone" in error["why"]
    error = run(ITEMS + "A,2024-01-08,outcome-adult,,1,2,3,4,5\n").error()
    assert (error["column"], error["why"]) == ("item_5", "outcome-adult has 4 items")


# --- episodes and sessions ---------------------------------------------------------------------


def test_a_client_in_two_programmes_has_two_episodes(run: Run) -> None:
    outcome = run(
        "client,session_date,measure,total,programme\n"
        "A,2024-01-08,phq-9,18,Talking\nA,2024-01-09,phq-9,17,Group\nA,2024-01-15,phq-9,16,Talking\n"
    )
    assert (outcome.report["clients"], outcome.report["episodes"]) == (1, 2)


def test_one_episode_in_two_programmes_is_reported(run: Run) -> None:
    error = run(
        "client,session_date,measure,total,programme,episode\n"
        "A,2024-01-08,phq-9,18,Talking,e1\nA,2024-01-15,phq-9,17,Group,e1\n"
    ).error()
    assert (error["row"], error["column"], error["value"]) == (3, "programme", "Group")


def test_two_sessions_a_day_keep_the_files_names_for_them(run: Run, tmp_path: Path) -> None:
    head = "client,session_date,session,measure,total\n"
    one, two = "A,2024-01-08,morning,phq-9,18\n", "A,2024-01-08,evening,phq-9,14\n"
    held = tmp_path / "held.csv"
    run(head + one.replace("18", "99") + two, "--hold", str(held))
    put_right = run(held.read_text().replace("99", "18"))
    assert (put_right.code, put_right.report["created"]) == (0, 1)
    assert run(head + one + two).report["unchanged"] == 2
    with acting_as(BY):
        assert sorted(Session.objects.values_list("reference", flat=True)) == ["evening", "morning"]
        assert Meeting.objects.count() == 2


def test_attendance_without_a_score_is_a_session(run: Run) -> None:
    outcome = run(
        "client,session_date,measure,total,attendance\n"
        "A,2024-01-08,phq-9,18,attended\nA,2024-01-15,phq-9,,no-show\n"
        "A,2024-01-22,,,attended\nA,2024-01-29,,,cancelled by clinic\n"
    )
    assert (outcome.code, outcome.report["sessions"], outcome.report["scores"]) == (0, 4, 1)
    with acting_as(BY):
        assert list(Session.objects.values_list("status", flat=True)) == [
            "attended", "no_show", "attended", "clinic_cancel",
        ]  # fmt: skip
    assert (
        run("client,session_date,measure,total,attendance\nA,2024-01-15,,,attended\n").error()[
            "why"
        ]
        == "says otherwise than the session stored here"
    )


def test_respondents_have_series_of_their_own(run: Run) -> None:
    outcome = run(
        "client,session_date,measure,total,respondent\n"
        "A,2024-01-08,outcome-child,18,client\nA,2024-01-08,outcome-child,22,carer\n"
    )
    assert (outcome.code, outcome.report["sessions"], outcome.report["created"]) == (0, 1, 2)


def test_endings_are_kept_as_stated(run: Run) -> None:
    run(
        "client,session_date,measure,total,ended_on,ending,opened_on,care_began_on\n"
        "A,2024-01-08,phq-9,18,,,2024-01-02,2023-10-01\n"
        "A,2024-01-15,phq-9,9,2024-02-01,agreed,,\n"
    )
    with acting_as(BY):
        episode = Episode.objects.get()
        assert (str(episode.opened_on), str(episode.care_began_on)) == ("2024-01-02", "2023-10-01")
        assert (str(episode.closed_on), episode.ending) == ("2024-02-01", "agreed")
        assert clinic_time.local_date(episode.closed_recorded_at) == episode.closed_on


INFERRED = """
[columns]
client = "c"
session_date = "d"
total = "t"
[constants]
measure = "phq-9"
ended_after_days = 90
"""


def test_an_episode_ended_at_its_last_session_when_none_came_for_long(run: Run) -> None:
    today = clinic_time.today()
    run(f"c,d,t\nA,2024-01-08,18\nA,2024-02-08,15\nB,{today},12\n", mapping=INFERRED)
    with acting_as(BY):
        ended = Episode.objects.get(client__external_ids__value="A")
        assert (str(ended.closed_on), ended.ending) == ("2024-02-08", "unknown")
        known_on = clinic_time.local_date(ended.closed_recorded_at)
        assert known_on == date(2024, 2, 8) + timedelta(days=90)
        assert Episode.objects.get(client__external_ids__value="B").is_open


def test_a_constant_fills_empty_cells(run: Run) -> None:
    mapping = INFERRED.replace("[constants]", 'clinician = "w"\n[constants]\nclinician = "Nobody"')
    run("c,d,t,w\nA,2024-01-08,18,Mia\nB,2024-01-08,18,\n", mapping=mapping)
    with acting_as(BY):
        leads = Assignment.objects.values_list("clinician__code", flat=True)
        assert sorted(leads) == ["Mia", "Nobody"]


def test_a_session_is_with_whoever_any_of_its_rows_names(run: Run) -> None:
    run(
        "client,session_date,measure,total,clinician\n"
        "A,2024-01-08,phq-9,18,\nA,2024-01-08,gad-7,12,Mia\n"
    )
    with acting_as(BY):
        assert Meeting.objects.get().clinicians.get().code == "Mia"


def test_such_an_ending_gives_way_to_later_sessions(run: Run) -> None:
    today = clinic_time.today()
    run("c,d,t\nA,2024-01-08,18\n", mapping=INFERRED)
    later = run(f"c,d,t\nA,2024-01-08,18\nA,{today},9\n", mapping=INFERRED)
    assert (later.code, later.report["created"]) == (0, 1)
    with acting_as(BY):
        assert Episode.objects.get().is_open
    # And older rows don't end an episode whose later sessions are here.
    older = run("c,d,t\nA,2023-12-08,20\n", mapping=INFERRED)
    assert (older.code, older.report["created"]) == (0, 1)
    with acting_as(BY):
        assert Episode.objects.get().is_open
        assert str(Episode.objects.get().opened_on) == "2023-12-08"


def test_a_stated_ending_stands(run: Run) -> None:
    head = "client,session_date,measure,total,ended_on\n"
    run(head + "A,2024-01-08,phq-9,18,2024-01-20\n")
    error = run(head + "A,2024-02-08,phq-9,12,\n").error()
    assert error["why"] == "lies after the end of the episode stored here"
    assert error["stored"] == "2024-01-20"


# --- people who are here already ---------------------------------------------------------------


def test_a_file_finds_clients_by_our_code_and_joins_their_episode(run: Run, clinic: Any) -> None:
    day = clinic.sessions["ana"][0].held_on
    outcome = run(
        "client,session_date,measure,total,programme\n"
        f"{clinic.ana.code},{day},phq-9,18,Talking therapy\n"
    )
    assert (outcome.code, outcome.report["created"]) == (0, 1)
    with acting_as(BY):
        score = Administration.objects.get(measure__code="phq-9")
        assert (score.client, score.episode) == (clinic.ana, clinic.episodes["ana"])
        assert score.session == clinic.sessions["ana"][0]


def test_another_birth_year_under_a_known_number_is_reported(run: Run) -> None:
    run(LONG)
    error = run(
        "client,session_date,measure,total,birth_year\nA1,2024-03-01,phq-9,5,1990\n"
    ).error()
    assert (error["column"], error["value"], error["stored"]) == ("birth_year", "1990", "1980")
