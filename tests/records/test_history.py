"""What a row said before is kept by the database, whoever changed it and however."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from outcomes_site.database import as_owner
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import (
    Assignment,
    AssignmentBefore,
    Episode,
    EpisodeBefore,
    Programme,
    ProgrammeBefore,
    RestrictionBefore,
    RoleGrant,
    RoleGrantBefore,
    SessionBefore,
    User,
    UserBefore,
)
from sessions_app.models.history import Before
from sessions_app.row_security_history import OPEN, SCOPED
from tests.cast import BY, Clinic

TABLES = [m for m in apps.get_models() if issubclass(m, Before)]


def refused(statement: str) -> str:
    with pytest.raises(DatabaseError) as problem, transaction.atomic(), connection.cursor() as c:
        c.execute(statement)
    return str(problem.value)


def test_an_actions_change_leaves_what_the_row_said_and_who_changed_it(clinic: Clinic) -> None:
    grant = RoleGrant.objects.get(user=clinic.ruth)
    with acting_as(clinic.adam):
        actions.end_role(grant=grant, on=clinic_time.today(), by=clinic.adam)
    was = RoleGrantBefore.objects.get()
    assert (was.pgh_obj_id, was.role, was.to_on) == (grant.pk, "clinician", None)
    assert was.pgh_label == "changed"
    assert was.pgh_actor == f"user:{clinic.adam.public_id}"
    assert list(grant.before.all()) == [was]


def test_a_transfer_and_an_ending_that_was_corrected_are_kept(clinic: Clinic) -> None:
    episode = clinic.episodes["ana"]
    with acting_as(BY):
        actions.close_episode(
            episode=episode, ending="agreed", on=clinic_time.today() - timedelta(days=1), by=BY
        )
        Episode.objects.filter(pk=episode.pk).update(ending="client_stopped")
        first, second = EpisodeBefore.objects.filter(pgh_obj=episode)
        assert (first.closed_on, first.ending) == (None, "")
        assert (second.ending, second.pgh_actor) == ("agreed", "system:tests")
        lead = AssignmentBefore.objects.filter(pgh_obj__episode=episode)
        assert [(row.part, row.to_on) for row in lead] == [("lead", None)]


def test_plain_sql_and_the_tables_owner_leave_it_too(clinic: Clinic) -> None:
    with acting_as(BY), connection.cursor() as cursor:
        cursor.execute("UPDATE sessions_app_programme SET restricted = false WHERE restricted")
    assert ProgrammeBefore.objects.get().restricted is True
    with as_owner(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE sessions_app_user SET is_active = false WHERE name = 'Ruth Rowan'")
    assert UserBefore.objects.get().is_active is True


def test_what_says_the_same_leaves_nothing_and_a_booked_session_that_was_held_is_no_change(
    clinic: Clinic,
) -> None:
    with acting_as(BY):
        clinic.ruth.set_password("another long enough phrase")
        clinic.ruth.save()
        booked = actions.book_session(
            episode=clinic.episodes["ana"], starts_at=clinic_time.at(clinic_time.today()), by=BY
        )
        actions.set_attendance(session=booked, status="attended", by=BY)
        assert not UserBefore.objects.exists()
        assert not SessionBefore.objects.exists()
        actions.set_attendance(session=booked, status="no_show", by=BY)
        assert SessionBefore.objects.get().status == "attended"


def test_a_row_that_is_taken_away_leaves_what_it_said(clinic: Clinic) -> None:
    with acting_as(BY):
        RoleGrant.objects.filter(user=clinic.ruth).delete()
    assert RoleGrantBefore.objects.get().pgh_label == "taken away"


@pytest.mark.parametrize("model", TABLES)
def test_nobody_writes_it_by_hand_or_changes_it(model: Any, clinic: Clinic) -> None:
    table = model._meta.db_table
    with acting_as(BY):
        for what in (
            f"INSERT INTO {table} (pgh_created_at, pgh_label, pgh_obj_id) VALUES (now(), '', 1)",
            f"UPDATE {table} SET pgh_label = ''",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
        ):
            assert "permission denied" in refused(what), what
        with as_owner(connection):
            assert "append-only" in refused(f"TRUNCATE {table}")


def test_the_tables_owner_may_not_change_it_either(clinic: Clinic) -> None:
    with acting_as(BY):
        Programme.objects.filter(restricted=True).update(active=False)
        with as_owner(connection):
            assert "append-only" in refused("UPDATE sessions_app_programmebefore SET name = 'x'")
            assert "append-only" in refused("DELETE FROM sessions_app_programmebefore")


def test_no_setting_of_a_session_switches_it_off(clinic: Clinic) -> None:
    """pgtrigger has one, which anybody who runs SQL could set."""
    with acting_as(BY), connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgtrigger%%'")
        for name in (*(n for (n,) in cursor.fetchall()), "{sessions_app_programme:changed}"):
            cursor.execute("SELECT set_config('pgtrigger.ignore', %s, true)", [f"{{{name}}}"])
            Programme.objects.filter(restricted=True).update(name=f"called {name}"[:100])
        assert ProgrammeBefore.objects.count() == 2 * len(TABLES) + 1


def test_every_trigger_runs_as_the_tables_owner(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.proname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
            "WHERE t.tgname LIKE 'pgtrigger%' AND (NOT p.prosecdef OR p.proconfig IS NULL)"
        )
        assert cursor.fetchall() == []


def test_it_is_seen_by_whoever_sees_the_row_and_nobody_else(clinic: Clinic) -> None:
    with acting_as(BY):
        for key in ("ana", "boris", "dina", "dina_restricted"):
            episode = clinic.episodes[key]
            Episode.objects.filter(pk=episode.pk).update(funder="County")
            Assignment.objects.filter(episode=episode, to_on=None).update(part="trainee")
            session = actions.record_session(episode=episode, held_on=clinic_time.today(), by=BY)
            actions.set_attendance(session=session, status="no_show", by=BY)
        held = actions.restrict_client(client=clinic.boris, reason="claims", by=BY)
        actions.lift_restriction(restriction=held, by=BY)
    seen = {
        "alice": {"ana", "boris"}, "bob": {"boris", "dina"}, "carol": {"dina", "dina_restricted"},
        "fred": {"ana", "boris", "dina"}, "sofia": {"ana", "boris"},
        "ruth": set(), "dora": set(), "adam": set(), "felix": set(),
    }  # fmt: skip
    keys = {clinic.episodes[key].pk: key for key in clinic.episodes}
    for who, expected in seen.items():
        with acting_as(clinic.users[who]):
            assert {keys[row.pgh_obj_id] for row in EpisodeBefore.objects.all()} == expected, who
            for model in (AssignmentBefore, SessionBefore):
                found = model.objects.values_list("pgh_obj__episode_id", flat=True)
                seen_of = {keys[pk] for pk in found} - {"clara"}  # her transfer is history already
                assert seen_of == expected, (who, model)
            assert RestrictionBefore.objects.exists() is ("boris" in expected), who


def test_every_history_table_is_closed_and_holds_no_words_about_a_client(clinic: Clinic) -> None:
    """Of clients codes, numbers and dates alone: an erasure has nothing to do here."""
    assert {m._meta.db_table for m in TABLES} == {
        f"sessions_app_{name}before" for name in (*OPEN, *SCOPED)
    }
    for model in TABLES:
        if model._meta.db_table.removeprefix("sessions_app_").removesuffix("before") in SCOPED:
            texts = {f.name for f in model._meta.fields if f.get_internal_type() in
                     ("TextField", "BinaryField", "JSONField", "EmailField")}  # fmt: skip
            assert texts == {"pgh_label", "pgh_actor"}
            assert "reference" not in {f.name for f in model._meta.fields}


def test_a_password_is_not_kept(clinic: Clinic) -> None:
    assert {f.name for f in UserBefore._meta.fields} & {"password", "unlock_pin"} == set()
    with acting_as(BY):
        User.objects.filter(pk=clinic.ruth.pk).update(email="ruth.new@clinic.example")
    assert UserBefore.objects.get().email == "ruth@clinic.example"
