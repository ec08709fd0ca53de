"""A clinic that moves in has its waiting list: referrals from a file, with the care they led to."""

from __future__ import annotations

from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from reports_app.extract import CLINIC
from reports_app.nightly import run_night
from reports_app.periods import Month
from reports_app.waiting import waits
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Client, Episode, Referral, Session
from tests.cast import BY
from tests.imports.conftest import Outcome, Run, counts

HEAD = (
    "client,programme,referred_on,referral_source,first_offer_on,referral_outcome,"
    "referral_outcome_on\n"
)
TODAY = clinic_time.today()


def day(before: int) -> str:
    return (TODAY - timedelta(days=before)).isoformat()


def referral(client: str) -> Referral:
    with acting_as(BY):
        return Referral.objects.select_related("episode", "programme").get(
            client__external_ids__value=client
        )


SCORES = f"""client,programme,session_date,measure,total
2,Talking,{day(30)},phq-9,14
2,Talking,{day(20)},phq-9,12
3,Talking,{day(300)},phq-9,9
"""
REFERRALS = f"""{HEAD}1,Talking,{day(12)},doctor,{day(5)},,
2,Talking,{day(50)},school,{day(40)},,
3,Talking,{day(320)},self,,care begins,
4,Talking,{day(90)},Family doctor,{day(80)},declined,{day(70)}
"""


@pytest.fixture
def moved_in(run: Run) -> Outcome:
    assert run(SCORES).code == 0
    return run(REFERRALS)


def test_who_waits_who_was_seen_and_who_left(moved_in: Outcome) -> None:
    assert (moved_in.code, moved_in.report["referrals"]) == (0, 4)
    assert moved_in.report["created_by_kind"]["referrals"] == 4
    waiting, seen, care, left = (referral(client) for client in "1234")
    assert (waiting.waits, waiting.source, str(waiting.first_offer_on)) == (True, "doctor", day(5))
    assert waiting.programme.name == "Talking"
    assert (seen.outcome, str(seen.outcome_on)) == ("accepted", day(30))
    assert str(seen.episode.opened_on) == day(30)
    assert str(care.episode.opened_on) == day(300)
    assert (left.source, left.outcome, str(left.outcome_on)) == ("doctor", "declined", day(70))
    with acting_as(BY):
        run_night(TODAY)
        found = waits(Month(TODAY.replace(day=1)), CLINIC)
    assert len(found.waiting) == 1
    assert found.waiting.iloc[0] == 12


def test_the_same_file_again_changes_nothing(run: Run, moved_in: Outcome) -> None:
    before = counts()
    again = run(REFERRALS)
    assert (again.code, again.report["referrals"]) == (0, 4)
    assert again.report["created_by_kind"].get("referrals") == 0
    assert again.report["created_by_kind"].get("referrals_changed") == 0
    assert counts() == before
    with acting_as(BY):
        assert Referral.objects.count() == 4


def test_a_later_file_says_what_came_of_those_who_waited(run: Run, moved_in: Outcome) -> None:
    later = run(f"{HEAD}1,Talking,{day(12)},,,withdrawn,{day(1)}\n")
    assert (later.code, later.report["created_by_kind"]["referrals_changed"]) == (0, 1)
    assert referral("1").outcome == "withdrawn"
    # Care that began since: the sessions come, and then the referral again.
    assert run(f"{HEAD}9,Talking,{day(25)},,,,\n").code == 0
    assert (
        run(f"client,programme,session_date,measure,total\n9,Talking,{day(3)},phq-9,8\n").code == 0
    )
    assert referral("9").waits
    assert run(f"{HEAD}9,Talking,{day(25)},,,,\n").code == 0
    assert str(referral("9").episode.opened_on) == day(3)


def test_a_row_may_be_a_session_and_say_its_referral(run: Run) -> None:
    mixed = (
        "client,programme,session_date,measure,total,referred_on,referral_source\n"
        f"7,Talking,{day(10)},phq-9,11,{day(40)},hospital\n"
        f"7,Talking,{day(3)},phq-9,9,{day(40)},\n"
        f"8,Talking,,,,{day(6)},self\n"
    )
    outcome = run(mixed)
    assert (outcome.code, outcome.report["created"], outcome.report["referrals"]) == (0, 2, 2)
    assert outcome.report["clients"] == 2
    assert str(referral("7").episode.opened_on) == day(10)
    assert referral("7").source == "hospital"
    assert referral("8").waits
    with acting_as(BY):
        assert Session.objects.count() == 2


def test_care_that_was_agreed_and_not_begun_is_open_and_still_waited_for(run: Run) -> None:
    row = f"6,Talking,{day(40)},doctor,{day(20)},accepted,{day(20)}\n"
    outcome = run(HEAD + row)
    assert (outcome.code, outcome.report["created_by_kind"]["episodes"]) == (0, 1)
    assert str(referral("6").episode.opened_on) == day(20)
    again = run(HEAD + row)
    assert (again.code, again.report["created_by_kind"]["episodes"]) == (0, 0)
    scores = f"client,programme,session_date,measure,total\n6,Talking,{day(3)},phq-9,8\n"
    assert run(scores).report["created_by_kind"]["episodes"] == 0
    with acting_as(BY):
        assert Session.objects.get().episode == referral("6").episode


def test_what_is_written_out_is_read_back(run: Run, moved_in: Outcome, tmp_path: Any) -> None:
    for name, option in (("scores.csv", []), ("referrals.csv", ["--referrals"])):
        call_command("export_scores", str(tmp_path / name), *option, stdout=StringIO())
    written = (tmp_path / "referrals.csv").read_text(encoding="utf-8")
    assert written.count("\n") == 5
    elsewhere = '[columns]\n{}\n[constants]\nsource = "another copy"\n'

    def columns(text: str) -> str:
        return "\n".join(f'{name} = "{name}"' for name in text.splitlines()[0].split(","))

    for name in ("scores.csv", "referrals.csv"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        outcome = run(text, mapping=elsewhere.format(columns(text)), name=f"again-{name}")
        assert outcome.code == 0, outcome.errors
    assert outcome.report["created_by_kind"]["referrals"] == 4

    def said(source: str) -> list[Any]:
        rows = Referral.objects.filter(client__external_ids__source=source).order_by("received_on")
        return list(rows.values_list("received_on", "source", "first_offer_on", "outcome",
                                     "outcome_on", "programme__name",
                                     "episode__opened_on"))  # fmt: skip

    with acting_as(BY):
        assert said("another copy") == said("import") != []


def test_each_referral_has_the_care_that_began_before_the_next(run: Run) -> None:
    came_back = (
        "client,programme,episode,session_date,measure,total\n"
        f"5,Talking,a,{day(400)},phq-9,11\n5,Talking,b,{day(100)},phq-9,9\n"
    )
    assert run(came_back).code == 0
    assert run(f"{HEAD}5,Talking,{day(110)},,,,\n5,Talking,{day(420)},,,,\n").code == 0
    with acting_as(BY):
        found = Referral.objects.order_by("received_on").values_list(
            "episode__reference", flat=True
        )
        assert list(found) == ["a", "b"]


ONE = f"1,Talking,{day(12)}"
BAD = [
    (f"1,Talking,{day(-3)},,,,", "referred_on", "future"),
    ("1,Talking,,doctor,,,", "referred_on", "no date"),
    (f"{ONE},neighbour,,,", "referral_source", "must be one of"),
    (f"{ONE},,{day(20)},,", "first_offer_on", "before the referral"),
    (f"{ONE},,,withdrawn,", "referral_outcome_on", "when was it"),
    (f"{ONE},,,,{day(2)}", "referral_outcome", "what came of it"),
    (f"{ONE},,,declined,{day(2)}", "referral_outcome", "nothing was offered"),
    (f"{ONE},,,accepted,", "referral_outcome", "bring its sessions"),
    (f"{ONE},,,,\n1,Talking,{day(9)},,,,", "referred_on", "waits for this programme already"),
    (f"{ONE},self,,,\n{ONE},doctor,,,", "referral_source", "row 2 says “self”"),
    (f",Talking,{day(9)},,,,", "client", "names no client"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "column", "why"), BAD, ids=[why for *_, why in BAD])
def test_a_bad_row_is_named_and_nothing_is_written(
    run: Run, rows: str, column: str, why: str
) -> None:
    before = counts()
    outcome = run(f"{HEAD}{rows}\n")
    assert outcome.code == 2
    assert [error["column"] for error in outcome.errors] == [column]
    assert why in outcome.error()["why"]
    assert counts() == before
    with acting_as(BY):
        assert not Referral.objects.exists()


def test_what_is_stored_is_not_overwritten(run: Run, moved_in: Outcome) -> None:
    rows = (
        f"1,Talking,{day(12)},school,,,\n"
        f"4,Talking,{day(90)},,,withdrawn,{day(70)}\n"
        f"2,Talking,{day(50)},,{day(39)},,\n"
    )
    outcome = run(HEAD + rows)
    assert outcome.code == 2
    assert [(e["row"], e["column"]) for e in outcome.errors] == [
        (2, "referral_source"), (3, "referral_outcome"), (4, "first_offer_on"),
    ]  # fmt: skip
    assert referral("1").source == "doctor"


def test_who_has_died_waits_for_nothing(run: Run, moved_in: Outcome) -> None:
    with acting_as(BY):
        episode = Episode.objects.get(client__external_ids__value="3")
        actions.close_episode(episode=episode, on=TODAY - timedelta(days=200), ending="died", by=BY)
    outcome = run(f"{HEAD}3,Talking,{day(12)},,,,\n")
    assert (outcome.code, outcome.error()["column"]) == (2, "client")


def test_bad_rows_are_set_aside_and_the_others_go_in(run: Run, tmp_path: Any) -> None:
    hold = tmp_path / "hold.csv"
    outcome = run(f"{HEAD}{ONE},,,,\n2,Talking,{day(9)},nobody,,,\n", "--hold", str(hold))
    assert (outcome.code, outcome.report["held"]) == (0, 1)
    assert referral("1").waits
    assert "referral_source" in hold.read_text(encoding="utf-8")
    with acting_as(BY):
        assert Client.objects.count() == 1


def test_a_mapping_names_a_clinics_own_columns_and_words(run: Run) -> None:
    mapping = (
        '[columns]\nclient = "Nr"\nreferred_on = "Eingang"\nreferral_source = "Wer"\n'
        '[values.referral_source]\n"Hausarzt" = "doctor"\n'
        '[constants]\nprogramme = "Talking"\ndate_format = "%d.%m.%Y"\n'
    )
    eingang = date.fromisoformat(day(30)).strftime("%d.%m.%Y")
    outcome = run(f"Nr;Eingang;Wer\n17;{eingang};Hausarzt\n", mapping=mapping)
    assert outcome.code == 0, outcome.said
    assert (referral("17").source, str(referral("17").received_on)) == ("doctor", day(30))
