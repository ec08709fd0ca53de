"""Files against what is stored: clients who are here, episodes, sessions in the diary."""

from __future__ import annotations

from datetime import timedelta

import pytest

from measures_app.models import Administration
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Client, Episode, Meeting, Respondent, Session
from tests.cast import BY, Clinic
from tests.imports.conftest import Run, counts

HEAD = "client,session_date,measure,total,programme,opened_on,ended_on,attendance\n"


def line(client: str, day: object, total: object = 8, **more: str) -> str:
    said = {"programme": "", "opened_on": "", "ended_on": "", "attendance": ""} | more
    return ",".join([client, str(day), "phq-9" if total else "", str(total or ""), *said.values()])


@pytest.fixture
def ana(clinic: Clinic) -> str:
    return clinic.ana.code


def test_an_entered_episodes_opening_stands(run: Run, clinic: Clinic, ana: str) -> None:
    opened = clinic.episodes["ana"].opened_on
    before = counts()
    early = opened - timedelta(days=7)
    outcome = run(HEAD + line(ana, early, programme="Talking therapy"))
    error = outcome.error()
    assert error["why"] == "lies before the opening of the episode stored here"
    other = run(HEAD + line(ana, opened, programme="Talking therapy", opened_on=str(early))).errors[
        0
    ]
    assert (other["column"], other["stored"]) == ("opened_on", str(opened))
    assert counts() == before


def test_silence_doesnt_end_an_episode_that_was_entered_here(
    run: Run, clinic: Clinic, ana: str
) -> None:
    day = clinic.sessions["ana"][0].held_on
    mapping = (
        'measure = "phq-9"\n[columns]\nclient = "c"\nsession_date = "d"\ntotal = "t"\n'
        '[constants]\nprogramme = "Talking therapy"\nended_after_days = 5\n'
    )
    assert run(f"c,d,t\n{ana},{day},8\n", mapping=mapping).code == 0
    with acting_as(BY):
        assert Episode.objects.get(pk=clinic.episodes["ana"].pk).is_open


def test_a_stated_end_before_the_last_session_here_is_refused(
    run: Run, clinic: Clinic, ana: str
) -> None:
    first, last = clinic.sessions["ana"][0].held_on, clinic.sessions["ana"][-1].held_on
    error = run(HEAD + line(ana, first, programme="Talking therapy", ended_on=str(first))).error()
    assert (error["column"], error["stored"]) == ("ended_on", str(last))


def test_two_different_ends_of_an_episode_are_reported(run: Run) -> None:
    run(HEAD + line("A", "2024-01-08", ended_on="2024-02-01"))
    error = run(HEAD + line("A", "2024-01-08", ended_on="2024-03-01")).error()
    assert error["why"] == "the episode stored here ended on another day"


def test_a_stated_end_closes_an_open_imported_episode(run: Run) -> None:
    run(HEAD + line("A", "2024-01-08"))
    run(HEAD + line("A", "2024-01-15", ended_on="2024-02-01"))
    with acting_as(BY):
        episode = Episode.objects.get()
        assert (str(episode.closed_on), episode.ending) == ("2024-02-01", "unknown")


def test_a_booked_session_becomes_what_the_file_says(run: Run, clinic: Clinic, ana: str) -> None:
    today = clinic_time.today()
    with acting_as(BY):
        booked = actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.at(today, 9),
            clinicians=[clinic.clinicians["alice"]],
            by=BY,
        )
    run(HEAD + line(ana, today, programme="Talking therapy"))
    with acting_as(BY):
        booked.refresh_from_db()
        assert booked.status == "attended"
        assert Administration.objects.get(measure__code="phq-9").session == booked


def test_which_of_several_stored_sessions_must_be_said(run: Run) -> None:
    head = "client,session_date,measure,total,session\n"
    run(head + "A,2024-01-08,phq-9,8,a\nA,2024-01-08,phq-9,9,b\n")
    error = run(head + "A,2024-01-08,gad-7,9,\n").error()
    assert "say which in a column session" in error["why"]
    assert run(head + "A,2024-01-08,gad-7,9,b\n").code == 0
    with acting_as(BY):
        assert Meeting.objects.count() == 2
        together = Session.objects.get(reference="b")
        assert together.administrations.count() == 2


def test_respondents_answer_from_their_first_day(run: Run) -> None:
    run(HEAD + line("A", "2024-02-08"))
    run(HEAD + line("A", "2024-01-08"))
    with acting_as(BY):
        assert str(Respondent.objects.get().from_on) == "2024-01-08"


def test_the_clinics_own_numbers_are_understood(run: Run, clinic: Clinic) -> None:
    with acting_as(BY):
        client = actions.register_client(by=BY, site=clinic.north, external=("clinic", "4711"))
    run(HEAD + line("4711", "2024-02-08"))
    with acting_as(BY):
        assert Episode.objects.get(client=client).origin == "imported"


def test_another_systems_numbers_are_other_people(run: Run) -> None:
    mapping = (
        'measure = "phq-9"\n[columns]\nclient = "c"\nsession_date = "d"\ntotal = "t"\n'
        '[constants]\nsource = "{}"\n'
    )
    for source in ("old", "older", "old"):
        assert run("c,d,t\n1,2024-01-08,8\n", mapping=mapping.format(source)).code == 0
    with acting_as(BY):
        assert Client.objects.count() == 2


def test_a_clinician_is_found_by_name(run: Run, clinic: Clinic) -> None:
    run("client,session_date,measure,total,clinician\nA,2024-01-08,phq-9,8,Alice Alder\n")
    with acting_as(BY):
        lead = Episode.objects.get(client__external_ids__value="A").assignments.get()
        assert lead.clinician == clinic.clinicians["alice"]
