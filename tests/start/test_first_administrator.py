"""The first account of a new clinic: one token, one use."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.http import Http404

from measures_app import measures
from outcomes_site import first_administrator
from sessions_app.context import acting_as, system
from sessions_app.models import AuditEvent, Installation, RoleGrant, User

pytestmark = pytest.mark.django_db

ADA = {
    "clinic_name": "Riverside",
    "name": "Ada Moreno",
    "email": "Ada@Example.org",
    "password": "a heron over slow water",
}


def test_the_token_makes_one_administrator_for_the_whole_clinic():
    user = first_administrator.create(token=first_administrator.issue_token(), **ADA)
    with acting_as(system("test")):
        (grant,) = RoleGrant.objects.filter(user=user)
        assert (grant.role, grant.scope) == ("administrator", "clinic")
        assert Installation.objects.get().clinic_name == "Riverside"
        assert AuditEvent.objects.filter(subject=str(user.public_id)).count() == 2
    assert user.email == "ada@example.org"
    assert user.check_password(ADA["password"])


def test_the_token_is_kept_as_its_hash_alone():
    token = first_administrator.issue_token()
    kept = Installation.objects.get().first_admin_token_hash
    assert kept
    assert token not in kept


def test_a_fresh_token_replaces_the_former():
    former, fresh = first_administrator.issue_token(), first_administrator.issue_token()
    with pytest.raises(Http404):
        first_administrator.create(token=former, **ADA)
    first_administrator.create(token=fresh, **ADA)


def test_a_used_token_opens_nothing():
    token = first_administrator.issue_token()
    first_administrator.create(token=token, **ADA)
    with pytest.raises(Http404):
        first_administrator.create(token=token, **ADA | {"email": "eve@example.org"})
    assert User.objects.count() == 1


def test_a_clinic_with_people_gets_no_token():
    User.objects.create_user(email="ada@example.org", name="Ada")
    assert first_administrator.issue_token() is None


def test_no_token_is_no_key():
    first_administrator.issue_token()
    Installation.objects.update(first_admin_token_hash="")
    with pytest.raises(Http404):
        first_administrator.create(token="", **ADA)


def test_a_command_prints_the_link_until_somebody_can_sign_in(capsys):
    call_command("first_administrator")
    link = capsys.readouterr().out.strip()
    assert link.startswith("http://localhost:8000/first-administrator/")
    token = link.rstrip("/").rpartition("/")[2]
    first_administrator.create(token=token, **ADA)
    with pytest.raises(CommandError, match="invited"):
        call_command("first_administrator")


def test_a_new_clinic_has_the_bundled_measures_before_its_first_night():
    with acting_as(system("test")):
        assert measures.get_measure("outcome-adult").active
        assert measures.get_measure("alliance-adult").active


def test_a_new_clinic_is_shown_its_first_steps_until_they_are_taken(client):
    user = first_administrator.create(token=first_administrator.issue_token(), **ADA)
    client.force_login(user)
    assert "What a new clinic needs" in client.get("/people/").content.decode()
    client.post("/settings/", {"form": "place", "kind": "site", "name": "Main"})
    client.post("/settings/", {"form": "place", "kind": "programme", "name": "Talking"})
    for name, role in (("Cleo", "clinician"), ("Finn", "front_desk")):
        page = client.get("/people/").content.decode()
        assert page.count("badge good") == (2 if name == "Cleo" else 3)
        given = {"name": name, "email": f"{name}@example.org", "role": role}
        assert client.post("/people/", given).status_code == 200
    assert "What a new clinic needs" not in client.get("/people/").content.decode()
