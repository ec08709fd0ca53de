"""Somebody comes back, or gets another role: what they had before is chosen, never assumed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from sessions_app import actions, rights
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Clinician, RoleGrant, User
from tests.cast import BY, PASSWORD, Clinic

Sign = Callable[[str], Browser]


@pytest.fixture
def closed(clinic: Clinic) -> User:
    with acting_as(BY):
        return actions.close_account(user=clinic.ruth, by=BY)


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_a_closed_account_comes_back_without_its_old_roles_and_password(
    clinic: Clinic, closed: User, browser_of: Sign
) -> None:
    page = browser_of("adam").post(f"/people/{closed.pk}/open/")
    assert "/welcome/" in page.content.decode()
    back = fresh(closed)
    assert back.is_active
    assert not back.check_password(PASSWORD)
    with acting_as(BY):
        # What ended today still counts today; nothing goes on after it.
        assert not back.grants.filter(to_on=None).exists()
        assert Clinician.objects.get(user=back).active_to is not None
        actions_done = AuditEvent.objects.filter(subject=str(closed.public_id))
        assert actions_done.filter(action="account reopened").exists()


def test_the_roles_that_are_chosen_come_back_with_it(
    clinic: Clinic, closed: User, browser_of: Sign
) -> None:
    adam = browser_of("adam")
    with acting_as(BY):
        old, others = closed.grants.get(), clinic.alice.grants.get()
    assert f'name="grant" value="{old.pk}"' in adam.get("/people/").content.decode()
    adam.post(f"/people/{closed.pk}/open/", {"grant": [old.pk, others.pk]})
    with acting_as(BY):
        new = closed.grants.get(to_on=None)
        assert (new.role, new.granted_by) == ("clinician", clinic.adam)
        assert Clinician.objects.get(user=closed).active_to is None  # may get clients again
    adam.post(f"/people/{closed.pk}/open/")  # a second tap changes nothing
    with acting_as(BY):
        assert closed.grants.filter(to_on=None).count() == 1


def test_somebody_who_is_here_gets_another_role(clinic: Clinic, browser_of: Sign) -> None:
    adam = browser_of("adam")
    for _twice in range(2):
        adam.post(f"/people/{clinic.sofia.pk}/roles/", {"role": "clinician", "site": ""})
    adam.post(f"/people/{clinic.sofia.pk}/roles/", {"role": "queen"})
    sofia = fresh(clinic.sofia)
    assert rights.roles(sofia) == {"supervisor", "clinician"}
    with acting_as(BY):
        assert RoleGrant.objects.filter(user=sofia, role="clinician").count() == 1
        assert Clinician.objects.get(user=sofia).name == "Sofia Spruce"


def test_a_closed_account_gets_no_role(clinic: Clinic, closed: User) -> None:
    with acting_as(BY), pytest.raises(ValidationError, match="closed"):
        actions.grant_role(user=closed, role="director", by=BY)


def test_only_an_administrator_opens_accounts(
    clinic: Clinic, closed: User, browser_of: Sign
) -> None:
    for door in (f"/people/{closed.pk}/open/", f"/people/{clinic.bob.pk}/roles/"):
        assert browser_of("sofia").post(door, {"role": "administrator"}).status_code == 404
    assert not fresh(closed).is_active
