"""Scope, twice: what access.py filters and what row-level security shows must be the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction

from sessions_app import access, actions, clinic_time
from sessions_app.context import acting_as, system
from sessions_app.models import (
    Assignment,
    CaseReview,
    Client,
    ClientIdentity,
    ClientKey,
    Episode,
    NameHash,
    Respondent,
    Session,
)
from sessions_app.models.history import Before
from tests.cast import BY, PEOPLE, Clinic

SEES = {  # who -> (episodes in clinical scope, clients in registry scope)
    "alice": ({"ana", "boris"}, {"ana", "boris"}),
    "bob": ({"boris", "clara", "dina"}, {"boris", "clara", "dina"}),
    "carol": ({"dina", "dina_restricted", "emil"}, {"dina", "emil"}),
    "ruth": (set(), set()),
    "sofia": ({"ana", "boris"}, {"ana", "boris"}),
    "dora": (set(), set()),
    "adam": (set(), set()),
    "fred": (set(), {"ana", "boris", "clara", "dina"}),
    "felix": (set(), {"clara"}),
}


def names(clinic: Clinic, rows: Any, of: str) -> set[str]:
    ids = {row.pk for row in rows}
    return {name for name, thing in getattr(clinic, of).items() if thing.pk in ids}


@pytest.mark.parametrize("who", PEOPLE)
def test_the_application_shows_a_person_their_scope(clinic: Clinic, who: str) -> None:
    user = clinic.users[who]
    with acting_as(user):
        episodes = names(clinic, Episode.objects.visible_to(user), "episodes")
        clients = names(clinic, Client.objects.registered_to(user), "clients")
    assert (episodes, clients) == SEES[who]


@pytest.mark.parametrize("who", PEOPLE)
def test_the_database_shows_the_same_without_the_applications_filter(
    clinic: Clinic, who: str
) -> None:
    with acting_as(clinic.users[who]):
        clients = names(clinic, Client.objects.all(), "clients")
        assert clients == SEES[who][1]
        assert set(ClientIdentity.objects.values_list("client_id", flat=True)) == {
            clinic.clients[name].pk for name in clients
        }
        registered = {e.pk for e in Episode.objects.registered_to(clinic.users[who])}
        assert {e.pk for e in Episode.objects.all()} == registered
        for model in (Session, Assignment):
            seen = set(model.objects.values_list("episode_id", flat=True))
            assert seen <= registered
            assert {r.pk for r in model.objects.all()} == {
                r.pk for r in model.objects.registered_to(clinic.users[who])
            }


@pytest.mark.parametrize("who", PEOPLE)
def test_keys_hashes_and_respondents_follow_their_client(clinic: Clinic, who: str) -> None:
    with acting_as(clinic.users[who]):
        known = {clinic.clients[name].pk for name in SEES[who][1]}
        for model in (ClientKey, NameHash, Respondent):
            assert set(model.objects.values_list("client_id", flat=True)) == known


def test_without_anyone_acting_the_database_raises(clinic: Clinic) -> None:
    with (
        pytest.raises(DatabaseError, match="no actor context"),
        transaction.atomic(),
    ):
        Client.objects.count()


def test_a_nested_unit_of_work_hands_the_callers_rights_back(clinic: Clinic) -> None:
    with acting_as(clinic.ruth):
        with acting_as(system("night")):
            assert Client.objects.count() == 5
        assert Client.objects.count() == 0


def test_the_front_desk_sees_no_decision(clinic: Clinic) -> None:
    with acting_as(clinic.alice):
        actions.record_case_review(
            episode=clinic.episodes["ana"], decision="continue", by=clinic.alice
        )
    with acting_as(clinic.fred):
        assert CaseReview.objects.count() == 0
    with acting_as(clinic.sofia):
        assert CaseReview.objects.count() == 1


def test_a_former_clinician_sees_a_client_for_ninety_days(clinic: Clinic) -> None:
    boris = clinic.episodes["boris"]
    with acting_as(BY):
        last = boris.assignments.get(clinician=clinic.clinicians["alice"])
        for days, seen in ((90, True), (91, False)):
            last.to_on = clinic_time.today() - timedelta(days=days)
            last.from_on = last.to_on
            last.save()
            with acting_as(clinic.alice):
                assert Episode.objects.filter(pk=boris.pk).exists() is seen
                assert Episode.objects.visible_to(clinic.alice).filter(pk=boris.pk).exists() is seen


def test_supervision_ends_with_its_last_day(clinic: Clinic) -> None:
    clinic.supervision.to_on = clinic_time.today() - timedelta(days=1)
    clinic.supervision.save()
    with acting_as(clinic.sofia):
        assert Episode.objects.count() == 0
        assert Episode.objects.visible_to(clinic.sofia).count() == 0


def test_an_ended_role_sees_nothing(clinic: Clinic) -> None:
    with acting_as(BY):
        # The action would first want Alice's clients handed over.
        clinic.alice.grants.update(to_on=clinic_time.today() - timedelta(days=1))
    clinic.alice.__dict__.pop("_grants_in_force", None)
    with acting_as(clinic.alice):
        assert Client.objects.count() == 0
        assert Client.objects.visible_to(clinic.alice).count() == 0


def test_a_stranger_cannot_write_into_anothers_episode(clinic: Clinic) -> None:
    with (
        acting_as(clinic.ruth),
        pytest.raises(DatabaseError, match="row-level security"),
        transaction.atomic(),
    ):
        Session.objects.create(
            meeting=clinic.sessions["ana"][0].meeting,
            episode=clinic.episodes["boris"],
            client=clinic.clients["boris"],
            held_on=clinic_time.today(),
        )


def test_every_model_with_a_client_or_episode_is_scoped_in_both_places(db: Any) -> None:
    """A new table can't be forgotten: it needs the scoped manager and a policy."""
    under_policy = _tables_with_policies()
    for model in apps.get_models():
        if model._meta.app_label not in {"sessions_app", "measures_app", "reports_app"}:
            continue
        concerns = {
            f.name
            for f in model._meta.get_fields()
            if isinstance(f, models.ForeignKey) and f.related_model in (Client, Episode)
        }
        if concerns or model in (Client, Episode):
            assert model._meta.db_table in under_policy, model
        if issubclass(model, Before):
            continue  # reached from the row it was: tests/records/test_history.py
        if concerns - {"client"} or model in (Client, Episode):
            assert isinstance(model._default_manager, access.ScopedManager), model


def _tables_with_policies() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relrowsecurity AND EXISTS "
            "(SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid)"
        )
        return {name for (name,) in cursor.fetchall()}


def test_the_system_itself_sees_every_conference_and_every_practice(clinic: Clinic) -> None:
    assert access.conferences_of(BY) == access.practice_of(BY) == models.Q()
    assert access.referrals_of(BY) == models.Q()
    assert access.conferences_of(clinic.ruth) != models.Q() != access.practice_of(clinic.ruth)


def test_a_scope_written_down_shows_the_same_when_room_was_made_for_others(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_WRITTEN", {})
    monkeypatch.setattr(access, "MOST_WRITTEN", 1)
    for name in (*PEOPLE, *PEOPLE):
        user = clinic.users[name]
        with acting_as(user):
            seen = Episode.objects.visible_to(user)
            assert names(clinic, seen, "episodes") == SEES[name][0]
        assert len(access._WRITTEN) <= 1


def test_of_one_client_the_scope_planned_once_says_what_the_whole_scope_says(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "MOST_WRITTEN", 1)  # room is made for others meanwhile
    shown = set()
    with acting_as(BY):  # beneath it everything: the application's scope alone
        for name in (*PEOPLE, *PEOPLE):
            user = clinic.users[name]
            for client in clinic.clients.values():
                whole = Episode.objects.visible_to(user).filter(client=client)
                seen = access.episodes_seen(user, client.pk)
                assert set(seen) == set(whole.values_list("pk", flat=True)), (name, client)
                shown.update((name, pk) for pk in seen)
        everything = access.episodes_seen(BY, clinic.dina.pk)
        assert set(everything) == {e.pk for k, e in clinic.episodes.items() if "dina" in k}
    assert {name for name, _pk in shown} == {"alice", "bob", "carol", "sofia"}


def test_who_sees_an_episode_is_said_alike_by_the_plan_made_once(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "MOST_WRITTEN", 1)
    with acting_as(BY):
        for _again in range(2):
            for key, episode in clinic.episodes.items():
                people = access.people_seeing(episode).order_by("name", "pk")
                named = [(user.pk, user.name) for user in people]
                assert access.names_seeing(episode) == named, key
                assert named, key


def test_the_tests_run_as_the_applications_role(db: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("outcomes_app",)
