"""Grants and what they add up to: rights by role, scope by the place a grant names."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied

from sessions_app import access, actions, clinic_time, rights
from sessions_app.context import acting_as, person, system
from sessions_app.models import Client, Episode, Session
from tests.access.test_scope import names
from tests.cast import BY, Clinic


def test_nobody_holds_no_right() -> None:
    assert rights.grants_of(None) == []
    assert not rights.may(None, "see_rules")


def test_a_right_of_another_role_is_refused_by_its_name(clinic: Clinic) -> None:
    rights.require(clinic.alice, "enter_scores")
    rights.require(person(clinic.alice), "enter_scores")
    with pytest.raises(PermissionDenied, match="right to manage people"):
        rights.require(clinic.alice, "manage_people")
    with pytest.raises(PermissionDenied, match="right to enter scores"):
        rights.require(person(clinic.adam), "enter_scores")


def test_a_part_of_the_system_sees_every_row(clinic: Clinic) -> None:
    night = system("night")
    with acting_as(night):
        everyone = set(clinic.clients)
        assert names(clinic, Client.objects.visible_to(night), "clients") == everyone
        assert names(clinic, Client.objects.registered_to(night), "clients") == everyone
        assert names(clinic, access.clinical_episodes(night), "episodes") == set(clinic.episodes)


def test_a_desk_of_a_team_sees_the_teams_site_and_other_roles_add_nothing_to_it(
    clinic: Clinic,
) -> None:
    """Felix has the southern desk; a northern team's desk opens the north, other grants don't."""
    felix = clinic.felix
    with acting_as(BY):
        actions.grant_role(user=felix, role="director", site=clinic.north, by=BY)
        nowhere = actions.add_team(name="Without a site", by=BY)
        actions.grant_role(user=felix, role="front_desk", team=nowhere, by=BY)
    with acting_as(felix):
        assert names(clinic, Client.objects.registered_to(felix), "clients") == {"clara"}
        assert names(clinic, Client.objects.all(), "clients") == {"clara"}
    with acting_as(BY):
        team = actions.add_team(name="Northern team", site=clinic.north, by=BY)
        actions.grant_role(user=felix, role="front_desk", team=team, by=BY)
    with acting_as(felix):
        everywhere = {"ana", "boris", "clara", "dina"}
        assert names(clinic, Client.objects.registered_to(felix), "clients") == everywhere
        assert names(clinic, Client.objects.all(), "clients") == everywhere


def test_a_desk_of_a_restricted_programme_sees_that_programme(clinic: Clinic) -> None:
    felix = clinic.felix
    with acting_as(BY):
        actions.grant_role(user=felix, role="front_desk", programme=clinic.restricted, by=BY)
    with acting_as(felix):
        seen = {"clara", "dina_restricted", "emil"}
        assert names(clinic, Episode.objects.registered_to(felix), "episodes") == seen
        assert names(clinic, Episode.objects.all(), "episodes") == seen
        assert Session.objects.count() == Session.objects.registered_to(felix).count() == 3


def test_a_grant_counts_from_its_first_day_to_its_last(clinic: Clinic) -> None:
    today = clinic_time.today()
    for from_on, to_on, held in (
        (today, today, True),
        (today + timedelta(days=1), None, False),
        (today - timedelta(days=9), today - timedelta(days=1), False),
    ):
        with acting_as(BY):
            grant = actions.grant_role(
                user=clinic.ruth, role="front_desk", from_on=from_on, to_on=to_on, by=BY
            )
        with acting_as(clinic.ruth):
            assert ("front_desk" in rights.roles(clinic.ruth)) is held
            assert (Client.objects.count() > 0) is held
            assert (Client.objects.registered_to(clinic.ruth).count() > 0) is held
        grant.delete()
        clinic.ruth.__dict__.pop("_grants_in_force")
