"""The plan says what is asked of whom and how often; a birthday and a restart keep series apart."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction

from measures_app import actions, due, measures, plans, single
from measures_app.definition_reader import parse_definition
from measures_app.models import MeasurePlan
from measures_app.picture import pictures_of
from measures_app.plans import Line, Past, Taken, is_due
from sessions_app import actions as care
from sessions_app import clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Respondent, Session
from tests.cast import BY, Clinic

from .documents import changed

DAY = date(2026, 3, 2)


@pytest.fixture
def at_work(clinic: Clinic) -> Any:
    with acting_as(BY):
        measures.sync_library()
        yield clinic


# Rhythms, by themselves -------------------------------------------------------------------


def weeks(n: int) -> date:
    return DAY + timedelta(weeks=n)


def past_with(*taken_at: int, sessions: int, episode: int = 1, respondent: int = 7) -> Past:
    """A course of weekly sessions 0.. in episode 1, and a measure taken at some of them."""
    visits = tuple((100 + n, weeks(n)) for n in range(sessions))
    taken = tuple(
        Taken(5, "outcome", respondent, episode, 100 + n if episode == 1 else 900 + n, weeks(n))
        for n in taken_at
    )
    return Past(1, visits, taken)


def asked(rhythm: str, past: Past, on: date, every: int | None = None, last: bool = False) -> bool:
    line = Line("x", "self", purpose="outcome", rhythm=rhythm, every=every)
    return is_due(line, past, list(past.taken), on, last_session=last)


@pytest.mark.parametrize(
    ("taken", "sessions", "expected"),
    [((), 0, True), ((0,), 1, False), ((0,), 2, False), ((0,), 3, True), ((0, 3), 5, False),
     ((0,), 7, True)],
)  # fmt: skip
def test_every_third_session_counts_from_the_last_time_it_was_taken(taken, sessions, expected):
    past = past_with(*taken, sessions=sessions)
    assert asked("nth", past, weeks(sessions), every=3) is expected


def test_every_third_session_counts_scores_that_stand_at_no_session():
    loose = Past(
        1, ((100, weeks(0)), (101, weeks(2))), (Taken(5, "outcome", 7, 1, None, weeks(1)),)
    )
    assert not asked("nth", loose, weeks(2), every=3)
    assert asked("nth", loose, weeks(2), every=2)


def test_first_and_last_are_the_first_that_is_taken_and_the_one_said_to_be_last():
    assert asked("ends", past_with(sessions=2), weeks(2))
    assert not asked("ends", past_with(0, sessions=2), weeks(2))
    assert asked("ends", past_with(0, sessions=2), weeks(2), last=True)


def test_once_a_month_is_once_in_a_month_of_the_calendar():
    past = past_with(4, sessions=5)  # 30 March
    assert not asked("monthly", past, date(2026, 3, 31))
    assert asked("monthly", past, date(2026, 4, 1))


def test_at_most_once_in_n_days_looks_at_every_programme():
    elsewhere = past_with(3, sessions=4, episode=2)
    assert not asked("days", elsewhere, weeks(3) + timedelta(days=13), every=14)
    assert asked("days", elsewhere, weeks(3) + timedelta(days=14), every=14)
    assert asked("monthly", elsewhere, weeks(3))  # a month's count is the episode's own


def test_what_is_not_asked_is_never_due():
    assert not asked("never", past_with(sessions=0), DAY, last=True)


def test_the_past_of_a_session_ends_before_it():
    past = past_with(0, 2, 3, sessions=4)
    before = past.before(weeks(2), 102)
    assert before.visits == past.visits[:2]
    assert [taken.day for taken in before.taken] == [weeks(0)]


# Which line decides -----------------------------------------------------------------------


def plan_of(*lines: dict[str, Any]) -> plans.Plan:
    rows = [MeasurePlan(**{"from_on": DAY, "relation": "self", **line}) for line in lines]
    return plans.Plan(rows)


def rhythms(plan: plans.Plan, on: date = DAY, age: int = 30, programme: int = 1) -> dict[str, str]:
    return {
        f"{line.purpose}-{line.relation}": line.rhythm for line in plan.deciding(on, age, programme)
    }


def test_without_a_word_from_the_clinic_both_are_asked_each_session():
    assert rhythms(plan_of()) == {
        "outcome-self": "each",
        "outcome-carer": "each",
        "alliance-self": "each",
    }


def test_the_most_particular_line_decides():
    plan = plan_of(
        {"key": "alliance-self", "purpose": "alliance", "rhythm": "nth", "every": 2},
        {"key": "a", "purpose": "alliance", "rhythm": "monthly", "age_to": 17},
        {"key": "b", "purpose": "alliance", "rhythm": "never", "programme_id": 9},
    )
    assert rhythms(plan)["alliance-self"] == "nth"
    assert rhythms(plan, age=12)["alliance-self"] == "monthly"
    assert rhythms(plan, age=12, programme=9)["alliance-self"] == "never"


def test_a_later_line_holds_from_its_day_and_the_earlier_one_before():
    later = {"key": "alliance-self", "purpose": "alliance", "rhythm": "never"}
    plan = plan_of(later | {"from_on": weeks(1)}, later | {"from_on": weeks(2), "withdrawn": True})
    assert rhythms(plan)["alliance-self"] == "each"
    assert rhythms(plan, weeks(1))["alliance-self"] == "never"
    assert "alliance-self" not in rhythms(plan, weeks(2))


# Setting it -------------------------------------------------------------------------------


def line(clinic: Clinic, **given: Any) -> MeasurePlan:
    return actions.set_plan_line(
        **{"rhythm": "each", "from_on": clinic_time.today(), "by": BY, **given}
    )


UNCLEAR = [
    ({"purpose": ""}, "measure"),
    ({"purpose": "symptom", "rhythm": "nth"}, "every"),
    ({"purpose": "symptom", "rhythm": "monthly", "every": 3}, "every"),
    ({"purpose": "symptom", "rhythm": "weekly"}, "rhythm"),
    ({"purpose": "symptom", "relation": "partner"}, "relation"),
    ({"purpose": "symptom", "age_from": 18, "age_to": 17}, "age_to"),
    ({"purpose": "symptom", "from_on": date(2026, 1, 1)}, "from_on"),
    ({"purpose": "alliance"}, "measure"),  # the default line says that already
    ({"key": "gone"}, "rhythm"),
]


def test_a_line_that_says_nothing_clear_is_refused(at_work: Clinic):
    for given, field in UNCLEAR:
        with pytest.raises(ValidationError) as refused:
            line(at_work, **given)
        assert list(refused.value.error_dict) == [field]
    assert not MeasurePlan.objects.exists()


def test_a_measure_is_planned_for_those_who_answer_it(at_work: Clinic):
    with pytest.raises(ValidationError, match="answered by: carer"):
        line(at_work, measure=measures.get_measure("outcome-carer"))


def test_only_administrators_set_the_plan(clinic: Clinic):
    for name in ("alice", "sofia", "dora", "fred"):
        user = clinic.users[name]
        with acting_as(user), pytest.raises(PermissionDenied):
            line(clinic, purpose="symptom", by=user)


def test_the_database_refuses_to_edit_or_take_away_what_was_planned(at_work: Clinic):
    row = line(at_work, key="alliance-self", rhythm="monthly")
    with pytest.raises(DatabaseError), transaction.atomic():
        MeasurePlan.objects.filter(pk=row.pk).update(rhythm="each")
    with pytest.raises(DatabaseError), transaction.atomic():
        row.delete()


# What is due ------------------------------------------------------------------------------


def codes(found: list[due.Due]) -> list[str]:
    return [one.measure.code for one in found]


def take(clinic: Clinic, code: str, session: Session, total: float = 20, **given: Any) -> None:
    actions.record_administration(
        episode=session.episode,
        session=session,
        measure=measures.get_measure(code),
        total=total,
        provenance="paper",
        by=BY,
        **given,
    )


def due_now(clinic: Clinic, name: str = "ana", **given: Any) -> list[str]:
    return codes(due.due_at(clinic.episodes[name], clinic_time.today(), **given))


def test_the_default_asks_outcome_first_and_alliance_last(at_work: Clinic):
    assert due_now(at_work) == ["outcome-adult", "alliance-adult"]


def test_a_symptom_measure_is_asked_beside_the_outcome_and_takes_no_place_of_its(at_work: Clinic):
    phq = measures.get_measure("phq-9")
    line(at_work, measure=phq, rhythm="nth", every=3)
    assert due_now(at_work) == ["outcome-adult", "phq-9", "alliance-adult"]
    take(at_work, "phq-9", at_work.sessions["ana"][-1], 12)
    assert due_now(at_work) == ["outcome-adult", "alliance-adult"]


def test_an_episode_that_began_on_another_kind_of_measure_stays_on_it(at_work: Clinic):
    take(at_work, "phq-9", at_work.sessions["ana"][0], 12)
    assert due_now(at_work) == ["phq-9", "alliance-adult"]


def test_a_loaded_measure_is_asked_when_the_plan_says_so_and_not_before(at_work: Clinic):
    text = changed(
        ('"steps"', '"a-scale"'), ('"symptom"', '"outcome"'), ("high", "age_from = 18\nhigh")
    )
    own = measures.load_definition(parse_definition(text), source_text=text, by=BY).measure
    assert due_now(at_work) == ["outcome-adult", "alliance-adult"]
    line(at_work, measure=own)
    line(at_work, key="outcome-self", rhythm="never")
    assert due_now(at_work) == ["a-scale", "alliance-adult"]


def test_one_programmes_line_holds_there_alone(at_work: Clinic):
    line(at_work, purpose="alliance", rhythm="never", programme=at_work.restricted)
    assert due_now(at_work, "dina") == ["outcome-adult", "alliance-adult"]
    assert due_now(at_work, "dina_restricted") == ["outcome-adult"]


def test_what_another_programme_took_is_not_asked_again_so_soon(at_work: Clinic):
    line(at_work, key="outcome-self", rhythm="days", every=60)
    take(at_work, "outcome-adult", at_work.sessions["dina_restricted"][-1])
    assert due_now(at_work, "dina_restricted") == ["alliance-adult"]
    assert due_now(at_work, "dina") == ["alliance-adult"]
    # Outside the restricted programme nobody learns of it: there the form is due.
    with acting_as(at_work.bob):
        assert due_now(at_work, "dina") == ["outcome-adult", "alliance-adult"]


def test_the_last_session_asks_what_is_asked_at_the_ends(at_work: Clinic):
    line(at_work, key="outcome-self", rhythm="ends")
    take(at_work, "outcome-adult", at_work.sessions["ana"][0])
    assert due_now(at_work) == ["alliance-adult"]
    assert due_now(at_work, last=True) == ["outcome-adult", "alliance-adult"]


def test_whoever_enters_a_session_can_say_that_it_is_the_last(clinic: Clinic, browser_of: Any):
    with acting_as(BY):
        measures.sync_library()
        line(clinic, key="outcome-self", rhythm="ends")
        take(clinic, "outcome-adult", clinic.sessions["ana"][0])
    path, alice = f"/clients/{clinic.ana.code}/sessions/new/", browser_of("alice")
    page = alice.get(path).content.decode()
    assert 'href="?last=1"' in page
    assert "How things have been going" not in page
    page = alice.get(f"{path}?last=1").content.decode()
    assert "How things have been going" in page
    assert 'href="?last=1"' not in page


@pytest.fixture
def child(at_work: Clinic) -> tuple[Any, list[Session]]:
    """Twelve until a birthday half-way through care; a carer answers too."""
    today = clinic_time.today()
    born = today - timedelta(days=20)
    client = care.register_client(
        by=BY, site=at_work.north, name="Kim Lee", birth_date=born.replace(year=born.year - 13)
    )
    Respondent.objects.create(
        client=client, relation="carer", label="mother", from_on=today - timedelta(days=60)
    )
    episode = care.open_episode(
        client=client, programme=at_work.therapy, opened_on=today - timedelta(days=40),
        lead=at_work.clinicians["alice"], by=BY,
    )  # fmt: skip
    at_work.episodes["kim"] = episode
    sessions = [
        care.record_session(episode=episode, held_on=today - timedelta(days=days), by=BY)
        for days in (35, 28, 14, 7)
    ]
    return episode, sessions


def test_age_decides_the_variant_and_carers_answer_in_their_own_series(child: Any):
    episode, sessions = child
    asked_at = [codes(due.due_at(episode, s.held_on, s)) for s in sessions]
    twelve = ["outcome-child", "outcome-carer", "alliance-child"]
    thirteen = ["outcome-adolescent", "outcome-carer", "alliance-adolescent"]
    assert asked_at == [twelve, twelve, thirteen, thirteen]


def test_a_birthday_in_care_never_joins_two_variants(at_work: Clinic, child: Any):
    episode, sessions = child
    for session, total in zip(sessions, (20, 22, 30, 31), strict=True):
        code = due.due_at(episode, session.held_on, session)[0].measure.code
        take(at_work, code, session, total)
    found = {s.measure.code: (s.t, s.scores) for s in single.series_of_episode(episode)}
    assert found == {
        "outcome-child": ((1, 2), (20, 22)),
        "outcome-adolescent": ((1, 2), (30, 31)),  # with another form a new t begins
    }


def test_the_picture_says_where_one_form_took_over_from_the_other(at_work: Clinic, child: Any):
    episode, sessions = child
    for session, totals in zip(sessions, ((20, 30), (22, 31), (30, 38), (31, 39)), strict=True):
        for form, total in zip(("outcome", "alliance"), totals, strict=True):
            young = session.held_on < sessions[2].held_on
            take(at_work, f"{form}-{'child' if young else 'adolescent'}", session, total)
    care.record_session(
        episode=episode, held_on=sessions[3].held_on - timedelta(days=3), status="no_show", by=BY
    )
    early, late = pictures_of(episode)
    if early.series.dates > late.series.dates:
        early, late = late, early
    assert "then another form" in early.figure.note
    assert "a series of its own" in late.figure.note
    assert [value for _t, value in early.figure.alliance] == [30, 31]
    assert [value for _t, value in late.figure.alliance] == [38, 39]
    # Stayed away between the second form's first session and its second.
    assert [(event.at, event.label) for event in late.figure.events] == [(1.5, "did not come")]
    assert [event.at for event in early.figure.events] == [3.5]


def test_a_rhythm_goes_on_across_the_birthday(at_work: Clinic, child: Any):
    episode, sessions = child
    line(at_work, key="outcome-self", rhythm="days", every=30)
    take(at_work, "outcome-child", sessions[1], 22)
    assert "outcome-adolescent" not in codes(due.due_at(episode, clinic_time.today()))


def test_what_was_due_and_not_taken_is_listed_with_its_reason(at_work: Clinic):
    one, two = at_work.sessions["ana"][:2]
    take(at_work, "outcome-adult", one)
    actions.record_administration(
        episode=one.episode, session=one, measure=measures.get_measure("alliance-adult"),
        not_taken="no_time", provenance="paper", by=BY,
    )  # fmt: skip
    found = due.untaken_in(at_work.episodes["ana"])
    assert [(u.due.measure.code, u.reason) for u in found[one.pk]] == [
        ("alliance-adult", "no_time")
    ]
    assert [(u.due.measure.code, u.reason) for u in found[two.pk]] == [
        ("outcome-adult", ""),
        ("alliance-adult", ""),
    ]


def test_an_imported_session_is_not_judged_by_the_plan(at_work: Clinic):
    session = at_work.sessions["ana"][0]
    actions.record_administration(
        episode=session.episode, session=session, measure=measures.get_measure("phq-9"),
        total=9, provenance="import", by=BY,
    )  # fmt: skip
    assert session.pk not in due.untaken_in(at_work.episodes["ana"])


def test_a_days_forms_take_the_same_few_queries_for_one_session_and_for_many(
    at_work: Clinic, django_assert_max_num_queries: Any
):
    related = ("episode", "client__identity", "client__key", "meeting")
    rows = list(Session.objects.select_related(*related))
    for session in rows:
        session.episode.client = session.client
    with django_assert_max_num_queries(5):
        found = due.due_today(rows)
    assert all(codes(forms) == ["outcome-adult", "alliance-adult"] for forms in found.values())
    assert len(found) == 12


def test_today_says_what_is_due_and_no_longer_what_is_in(clinic: Clinic, browser_of: Any):
    today = clinic_time.today()
    with acting_as(BY):
        measures.sync_library()
        line(clinic, key="alliance-self", rhythm="nth", every=2)
        session = care.record_session(episode=clinic.episodes["ana"], held_on=today, by=BY)
    alice = browser_of("alice")

    def said() -> str:
        text = alice.get("/today/").content.decode()
        return text.split("due:")[1].split("</span>")[0].strip() if "due:" in text else ""

    assert said() == "outcome, alliance"
    with acting_as(BY):
        take(clinic, "outcome-adult", session)
        take(clinic, "alliance-adult", clinic.sessions["ana"][-1], 38)
    assert said() == ""
