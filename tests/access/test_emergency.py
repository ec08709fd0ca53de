"""Emergency access: one client, some hours, a reason, everybody concerned told; in both layers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction
from django.test import Client as Browser

import sessions_app.tasks  # noqa: F401 - carries out what was promised
from sessions_app import access, actions, clinic_time, outbox, rates
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Client, EmergencyAccess, Episode, User
from tests.cast import BY, Clinic
from tests.people.test_absences import seen

WHY = "She called, and may come to harm tonight."


def _open(clinic: Clinic, who: str, client: str, **more: Any) -> EmergencyAccess:
    user = User.objects.get(pk=clinic.users[who].pk)
    with acting_as(user):
        return actions.open_emergency(client=clinic.clients[client], reason=WHY, by=user, **more)


def test_it_opens_one_clients_whole_record_in_both_layers_until_it_ends(clinic: Clinic) -> None:
    assert seen(clinic, "ruth") == (set(), set())
    row = _open(clinic, "ruth", "dina", hours=2)
    whole = {"dina", "dina_restricted"}
    assert seen(clinic, "ruth") == (whole, whole)
    with acting_as(clinic.ruth):
        assert Client.objects.get().name == "Dina Haddad"
        for name in whole:
            found = access.people_seeing(clinic.episodes[name])
            assert clinic.ruth in found
        actions.end_emergency(emergency=row, by=clinic.ruth)
    assert seen(clinic, "ruth") == (set(), set())


def test_it_ends_by_itself(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database has a clock of its own: opened five hours ago, for four."""
    then = clinic_time.now() - timedelta(hours=5)
    with monkeypatch.context() as patched:
        patched.setattr(clinic_time, "now", lambda: then)
        _open(clinic, "ruth", "dina")
    assert seen(clinic, "ruth") == (set(), set())


def test_whoever_loses_the_role_loses_it_too(clinic: Clinic) -> None:
    _open(clinic, "ruth", "dina")
    with acting_as(BY):
        yesterday = clinic_time.today() - timedelta(days=1)
        clinic.ruth.grants.update(to_on=yesterday)
    assert seen(clinic, "ruth") == (set(), set())


@pytest.mark.parametrize("who", ["dora", "fred", "adam"])
def test_who_treats_nobody_opens_none(who: str, clinic: Clinic) -> None:
    with pytest.raises(PermissionDenied):
        _open(clinic, who, "dina")


def test_it_needs_a_reason_hours_within_the_policy_and_a_client_of_others(clinic: Clinic) -> None:
    with acting_as(clinic.alice):
        for wrong in ({"reason": "because"}, {"reason": WHY, "hours": 5}):
            with pytest.raises(ValidationError):
                actions.open_emergency(client=clinic.dina, by=clinic.alice, **wrong)
        with pytest.raises(ValidationError, match="in your care"):
            actions.open_emergency(client=clinic.ana, reason=WHY, by=clinic.alice)


def test_nobody_gives_it_to_themselves_past_the_action(clinic: Clinic) -> None:
    moment = clinic_time.now()
    with acting_as(clinic.ruth), pytest.raises(DatabaseError), transaction.atomic():
        EmergencyAccess.objects.create(
            user=clinic.ruth, client_id=clinic.dina.pk, reason_sealed=b"",
            from_at=moment, until_at=moment + timedelta(hours=1),
        )  # fmt: skip


def test_everybody_concerned_is_told_by_mail_without_a_name(
    clinic: Clinic, django_capture_on_commit_callbacks: Any
) -> None:
    _open(clinic, "ruth", "boris")  # Bob treats him, Alice did, Sofia supervises her
    outbox.sweep()
    told = {message.to[0].split("@")[0] for message in mail.outbox}
    assert told == {"alice", "bob", "sofia", "adam"}
    for message in mail.outbox:
        assert "Ruth Rowan" in message.body
        assert "Boris" not in message.body
        assert clinic.boris.code not in message.body
    with acting_as(BY):
        row = AuditEvent.objects.get(action="emergency access opened")
        assert (row.subject, row.detail["told"]) == (clinic.boris.code, 4)


def test_who_is_concerned_reads_why_and_others_do_not(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    row = _open(clinic, "ruth", "boris")
    assert WHY in browser_of("bob").get("/emergency/").content.decode()
    assert clinic.boris.code not in browser_of("carol").get("/emergency/").content.decode()
    adam = browser_of("adam")
    page = adam.get("/emergency/").content.decode()
    assert clinic.boris.code in page
    assert WHY not in page, "whoever looks after accounts sees no clinical word"
    assert browser_of("bob").post(f"/emergency/{row.pk}/end/").status_code == 404
    assert adam.post(f"/emergency/{row.pk}/end/").status_code == 302
    assert seen(clinic, "ruth") == (set(), set())


def test_the_page_finds_who_is_known_whole_and_lists_nobody(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    with acting_as(BY):
        born = actions.register_client(
            by=BY, site=clinic.north, name="Gala Prado", birth_date=clinic_time.today()
        )
        actions.open_episode(
            client=born, programme=clinic.restricted, opened_on=clinic_time.today(),
            lead=clinic.clinicians["carol"], by=BY,
        )  # fmt: skip
    ruth, today = browser_of("ruth"), clinic_time.today().isoformat()

    def ask(who: str, birth_date: str = "") -> Any:
        given = {"who": who, "birth_date": birth_date, "reason": WHY, "hours": 1}
        return ruth.post("/emergency/", given)

    for who, day in (("Gala", today), ("Gala Prado", ""), ("Gala Prado", "1990-01-01")):
        answer = ask(who, day)
        assert answer.status_code == 422
        assert WHY in answer.content.decode(), "what was typed stays"
    assert ask("prado GALA", today)["Location"] == f"/clients/{born.code}/"
    assert ruth.get(f"/clients/{born.code}/").status_code == 200
    assert ask(clinic.emil.code)["Location"] == f"/clients/{clinic.emil.code}/"


def test_searching_about_is_counted(
    clinic: Clinic, browser_of: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sessions_app import emergency

    monkeypatch.setattr(emergency, "SEARCHES", rates.Limit("emergency", 2, 3600))
    ruth = browser_of("ruth")
    given = {"who": "0000-000", "reason": WHY, "hours": 1}
    assert [ruth.post("/emergency/", given).status_code for _ in range(3)] == [422, 422, 429]


def test_a_person_sees_the_same_in_both_layers_whatever_is_open(clinic: Clinic) -> None:
    _open(clinic, "alice", "emil")
    _open(clinic, "sofia", "dina")
    for who in ("alice", "sofia"):
        filtered, shown = seen(clinic, who)
        assert filtered == shown
    with acting_as(clinic.alice):
        assert (
            Episode.objects.visible_to(clinic.alice).filter(pk=clinic.episodes["emil"].pk).exists()
        )
