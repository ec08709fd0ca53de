"""The demo shows what the product is for, to people who can sign in."""

from __future__ import annotations

import json
import stat
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.test import RequestFactory

from measures_app.models import Administration, Flag
from measures_app.simulation import demo
from measures_app.simulation.store import BY
from measures_app.simulation.stories import STORIES
from reports_app.nightly import run_night
from sessions_app import clinic_time
from sessions_app.context import acting_as, person
from sessions_app.models import (
    CaseReview,
    Client,
    Clinician,
    Installation,
    Programme,
    Respondent,
    Session,
    User,
)


@pytest.fixture
def logins(db, tmp_path):
    file = tmp_path / "logins.json"
    call_command("load_demo", logins=str(file), stdout=StringIO())
    return file


def _episode(key):
    return demo._episode(key)


def test_everybody_named_can_sign_in(logins):
    people = json.loads(logins.read_text())
    assert stat.S_IMODE(logins.stat().st_mode) == 0o600
    assert {row["role"] for row in people} == {
        "clinician", "supervisor", "director", "front desk", "administrator",
    }  # fmt: skip
    assert len({row["password"] for row in people}) == len(people)
    for row in people:
        assert row["email"].endswith("@demo.example")
        assert User.objects.get(email=row["email"]).check_password(row["password"])
    first = people[0]
    with acting_as(BY):
        assert (
            authenticate(
                RequestFactory().post("/sign-in/"),
                username=first["email"],
                password=first["password"],
            )
            is not None
        )


def test_it_is_marked_as_a_demo(logins):
    with acting_as(BY):
        row = Installation.objects.get()
        assert row.demo
        assert row.clinic_name == demo.CLINIC_NAME
        assert Programme.objects.filter(restricted=True).count() == 1


def test_a_second_time_it_says_that_it_is_loaded(logins):
    before = logins.read_text()
    out = StringIO()
    call_command("load_demo", logins=str(logins), stdout=out)
    assert out.getvalue().strip() == "The demo clinic is loaded."
    assert logins.read_text() == before
    with acting_as(BY):
        assert Client.objects.named("Maya Fernandes").count() == 1


def test_a_run_that_ended_before_its_file_is_made_good(logins):
    logins.unlink()
    call_command("load_demo", logins=str(logins), stdout=StringIO())
    row = json.loads(logins.read_text())[0]
    assert User.objects.get(email=row["email"]).check_password(row["password"])


def test_without_a_file_the_logins_are_printed(db):
    out = StringIO()
    call_command("load_demo", stdout=out)
    assert "alice@demo.example" in out.getvalue()


def test_every_story_is_there_score_by_score(logins):
    with acting_as(BY):
        for story in STORIES:
            episode = _episode(story.key)
            own = Administration.objects.filter(
                episode=episode, respondent__relation="self", measure__purpose="outcome"
            ).order_by("taken_at")
            assert [row.total and float(row.total) for row in own] == list(story.outcome), story.key
            assert episode.client.language == story.language
            assert episode.ending == story.ending


def test_the_stories_are_what_they_are_called(logins):
    with acting_as(BY):
        moved = _episode("transferred")
        leads = moved.assignments.order_by("from_on").values_list("clinician__code", flat=True)
        assert list(leads) == ["alice", "carla"]
        assert moved.reviews.get().decision == CaseReview.Decision.TRANSFER
        assert _episode("mid-care").sessions_before == 14
        couple, partner = _episode("couple"), _episode("partner")
        assert set(couple.sessions.values_list("meeting", flat=True)) == set(
            partner.sessions.values_list("meeting", flat=True)
        )
        carers = Respondent.objects.filter(client=_episode("teenager").client, relation="carer")
        assert sorted(carers.values_list("label", flat=True)) == ["father", "mother"]
        today = _episode("first session").sessions.get()
        assert (today.held_on, today.status) == (clinic_time.today(), Session.Status.BOOKED)


def test_the_night_says_about_them_what_they_tell(logins):
    run_night(clinic_time.today())
    with acting_as(BY):

        def rules(key):
            flags = Flag.objects.live().filter(episode=_episode(key))
            return set(flags.values_list("rule", flat=True))

        assert {"deteriorated", "not_on_track"} <= rules("worse")
        assert "overdue" in rules("overdue")
        assert "ready_to_finish" in rules("ready to finish")
        assert not rules("recovering")
        assert not rules("first session")


def test_each_clinician_has_a_day_and_some_have_arrived(logins):
    with acting_as(BY):
        today = Session.objects.filter(held_on=clinic_time.today())
        for clinician in Clinician.objects.all():
            assert today.filter(meeting__clinicians=clinician).count() >= 2, clinician
        assert today.filter(arrived_at__isnull=False).count() >= 2
        assert today.filter(arrived_at=None).count() >= 2
        later = Session.objects.filter(held_on__gt=clinic_time.today(), status="booked")
        assert later.count() >= 5


def test_people_see_what_their_role_sees(logins):
    def seen(email):
        with acting_as(person(User.objects.get(email=email))):
            return Client.objects.count()

    assert 0 < seen("alice@demo.example") < seen("samira@demo.example")
    assert seen("dolores@demo.example") == seen("ada@demo.example") == 0
    assert seen("frank@demo.example") > 60


def test_a_database_in_use_is_left_alone(clinic):
    with pytest.raises(CommandError, match="in use"):
        call_command("load_demo", stdout=StringIO())
    with acting_as(BY):
        assert not Installation.objects.filter(demo=True).exists()
        assert Client.objects.count() == 5


def test_production_has_no_demo(db, settings):
    settings.IS_PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        call_command("load_demo", stdout=StringIO())
