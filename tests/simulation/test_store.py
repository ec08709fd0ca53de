"""A simulated clinic in the database is like any other, and never beside real people."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from io import StringIO

import pandas as pd
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from measures_app import measures
from measures_app.courses import beside_now
from measures_app.models import Administration, Measure
from measures_app.series import as_series, scores
from measures_app.simulation import generate
from measures_app.simulation.store import BY, day_number, store
from measures_app.single import course_of, series_of_episode
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as, person
from sessions_app.models import (
    Client,
    Clinician,
    Episode,
    Meeting,
    NameHash,
    Respondent,
    Session,
    User,
)


def _simulate(*more: str) -> dict:
    out = StringIO()
    call_command("simulate_clinic", "--clients=150", "--seed=8", "--json", *more, stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def loaded(db):
    return _simulate()


def test_what_was_generated_is_there(loaded):
    with acting_as(BY):
        assert Client.objects.count() == loaded["clients"] == 150
        assert Episode.objects.count() == loaded["episodes"]
        assert Session.objects.count() == loaded["sessions"]
        assert Administration.objects.count() == loaded["administrations"]
        assert Clinician.objects.count() == loaded["clinicians"]
        assert not Episode.objects.exclude(origin=Episode.Origin.SIMULATED).exists()


def test_every_score_is_what_its_answers_come_to(loaded):
    with acting_as(BY):
        rows = list(Administration.objects.filter(answers__isnull=False).select_related("version"))
        assert len(rows) > 500
        for row in rows:
            assert measures.definition_of(row.version).score(row.answers).total == row.total
        assert any(row.total is None for row in rows)
        untaken = Administration.objects.filter(answers=None)
        assert not untaken.filter(not_taken="").exists()
        assert not untaken.filter(total__isnull=False).exists()


def test_people_are_sealed_and_found_by_name(loaded):
    with acting_as(BY):
        client = Client.objects.order_by("pk").first()
        name = client.name
        assert len(name.split()) == 2
        assert client.identity.birth_date.year == client.birth_year
        assert client in Client.objects.named(name)
        assert client in Client.objects.named(name.split()[1][:3])
        assert NameHash.objects.filter(client=client).count() >= 2
        assert name.encode() not in bytes(client.identity.sealed)
        carers = Respondent.objects.filter(relation="carer")
        assert carers.exists()


def test_series_read_a_simulated_course_as_it_was_drawn(loaded):
    with acting_as(BY):
        frame = scores()
        assert frame["t"].min() == 1
        assert frame["mid_care"].any()
        episode = Episode.objects.get(pk=int(frame["episode_id"].mode()[0]))
        longest = series_of_episode(episode)[0]
        assert list(longest.t) == sorted(longest.t)
        assert longest.criteria is not None


def test_one_episode_is_read_alike_alone_and_among_all(loaded):
    """Alone without frames, for who waits for a page; among all with them, for the night."""
    purposes = Measure.Purpose.values
    with acting_as(BY):
        for as_of in (None, clinic_time.today() - timedelta(days=120)):
            among = as_series(scores(purposes, as_of))
            for episode in Episode.objects.all():
                alone = course_of(episode, as_of).of(purposes)
                assert alone == [s for s in among if s.episode_id == episode.pk]
        assert any(s.before for s in as_series(scores(purposes)))
        assert any(s.mid_care for s in among)


def test_what_stands_beside_the_scores_is_alike_alone_and_among_all(loaded):
    with acting_as(BY):
        ids = list(Episode.objects.values_list("pk", flat=True))
        for as_of in (clinic_time.today(), clinic_time.today() - timedelta(days=120)):
            among = beside_now(ids, as_of).reindex(ids)
            each = [
                course_of(one, as_of).beside(as_of) for one in Episode.objects.in_bulk(ids).values()
            ]
            pd.testing.assert_frame_equal(
                pd.concat(each).reindex(ids), among, check_names=False, check_dtype=False
            )
            assert (among["no_shows"] > 0).any()
            assert (among["alliance_change"] < 0).any()


def test_a_stranger_sees_none_of_it(loaded):
    with acting_as(BY):
        stranger = actions.add_user(email="stranger@mail.example", name="Ruth Rowan", by=BY)
        actions.grant_role(user=stranger, role="clinician", by=BY)
        actions.add_clinician(name="Ruth Rowan", code="ruth", user=stranger, by=BY)
    with acting_as(person(stranger)):
        for model in (Client, Episode, Session, Administration, Respondent, NameHash):
            assert not model.objects.exists(), model


def test_a_clinician_with_a_login_sees_their_own(loaded):
    with acting_as(BY):
        user = actions.add_user(email="lead@mail.example", name="A Lead", by=BY)
        actions.grant_role(user=user, role="clinician", by=BY)
        clinician = Clinician.objects.filter(assignments__to_on=None).first()
        clinician.user = user
        clinician.save()
        mine = set(
            Client.objects.filter(
                episodes__assignments__clinician=clinician, episodes__assignments__to_on=None
            ).values_list("pk", flat=True)
        )
    with acting_as(person(user)):
        seen = set(Client.objects.values_list("pk", flat=True))
    assert mine
    assert mine <= seen
    assert len(seen) < 150


def test_couples_and_groups_share_their_meetings(loaded):
    with acting_as(BY):
        places = Counter(Session.objects.values_list("meeting", flat=True))
        shared = [pk for pk, number in places.items() if number > 1]
        formats = set(Meeting.objects.filter(pk__in=shared).values_list("format", flat=True))
        assert formats <= {"couple", "group"}
        assert shared


def test_a_second_clinic_may_stand_beside_the_first(loaded):
    again = _simulate("--months=6")
    with acting_as(BY):
        assert Client.objects.count() == 150 + again["clients"]
        codes = list(Client.objects.values_list("code", flat=True))
        assert len(set(codes)) == 300


def test_real_people_are_never_joined_by_made_up_ones(clinic):
    with pytest.raises(CommandError, match="5 clients who were not simulated"):
        _simulate()
    with acting_as(BY):
        assert Client.objects.count() == 5


def test_until_is_the_last_day(db):
    out = _simulate("--until=2025-06-30", "--months=6")
    assert out["until"] == "2025-06-30"
    with acting_as(BY):
        held = Session.objects.exclude(status="booked")
        assert held.order_by("-held_on").first().held_on < date(2025, 6, 30)
        assert not Episode.objects.filter(closed_on__gt=date(2025, 6, 30)).exists()


def test_the_truth_stands_beside_and_not_in_the_records(db, tmp_path):
    file = tmp_path / "truth.json"
    loaded = _simulate(f"--truth={file}")
    truth = json.loads(file.read_text())
    assert truth["parameters"]["phi"] == 0.7
    assert truth["counts"]["clients"] == loaded["clients"]
    with acting_as(BY):
        codes = set(Clinician.objects.values_list("code", flat=True))
        assert codes == set(truth["clinicians"])
        slope = str(next(iter(truth["clinicians"].values()))["slope"])
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM sessions_app_auditevent WHERE detail::text ~ %s", [slope]
            )
            assert cursor.fetchone() == (0,)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--clients=0", "--seed=1"], "--clients lies between"),
        (["--clients=5", "--seed=-1"], "--seed is 0 or more"),
        (["--clients=5", "--seed=1", "--months=0"], "--months lies between"),
        (["--clients=5", "--seed=1", "--until=yesterday"], "is no date"),
        (["--clients=5", "--seed=1", "--until=2999-01-01"], "in the future"),
    ],
)
def test_senseless_wishes_are_refused(db, more, said):
    with pytest.raises(CommandError, match=said) as refused:
        call_command("simulate_clinic", *more)
    assert refused.value.returncode == 2
    assert not User.objects.exists()


@pytest.mark.scale
def test_twenty_thousand_clients_load(db):
    made = generate(20_000, 1, day_number(clinic_time.today()))
    with acting_as(BY):
        measures.sync_library()
        counts = store(made)
        assert counts["clients"] == Client.objects.count() == 20_000
        assert counts["episodes"] == Episode.objects.count() > 20_000
        assert counts["sessions"] == Session.objects.count() > 150_000
        assert counts["administrations"] == Administration.objects.count() > 250_000
        kinds = set(
            Administration.objects.scored().values_list("measure__purpose", flat=True).distinct()
        )
        assert kinds == {"outcome", "alliance"}
