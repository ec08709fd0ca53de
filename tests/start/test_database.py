"""The tests' own database keeps its promises."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from outcomes_site import schema
from outcomes_site.database import as_owner

Key = tuple[str, str]


@pytest.mark.django_db
def test_tests_work_as_the_application_and_never_as_owner_or_superuser():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper OR rolbypassrls FROM pg_roles "
            "WHERE rolname = current_user"
        )
        assert cursor.fetchone() == ("outcomes_app", False)


@pytest.mark.django_db
def test_every_table_belongs_to_the_owner():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename, tableowner FROM pg_tables "
            "WHERE schemaname = 'public' AND tableowner <> 'outcomes_owner'"
        )
        assert cursor.fetchall() == []


def test_a_modules_own_database_is_seen_by_other_connections(committed_database):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchone() == (committed_database.name,)
    other = psycopg2.connect(committed_database.url)
    with other.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_migrations")
        assert cursor.fetchone()[0] > 0
    other.close()


def _record(*, without: Collection[Key], and_with: Collection[Key] = ()) -> None:
    """What the database's own record of migrations says, changed."""
    with as_owner(connection), connection.cursor() as cursor:
        for app, name in without:
            cursor.execute(
                "DELETE FROM django_migrations WHERE app = %s AND name = %s", [app, name]
            )
        for app, name in and_with:
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())",
                [app, name],
            )


@pytest.fixture
def former(db: None) -> dict[str, list[Key]]:
    """Former migrations by app, on record in place of what stands instead of them."""
    of, instead = {}, []
    for app in schema.APPS:
        package = import_module(f"{app}.migrations")
        of[app] = [(app, name) for name in package.FORMER]
        instead += [(app, name) for name in package.INSTEAD]
    _record(without=instead, and_with=[key for keys in of.values() for key in keys])
    return of


def test_a_database_that_has_all_former_migrations_has_what_stands_instead(former):
    assert schema.waiting(connection)
    call_command("migrate", verbosity=0)
    assert schema.waiting(connection) == []
    applied = MigrationRecorder(connection).applied_migrations().keys()
    assert {key for keys in former.values() for key in keys} & applied == set()
    ours = {key for key in MigrationLoader(None).disk_migrations if key[0] in schema.APPS}
    assert ours <= applied


@pytest.mark.parametrize("app", ["sessions_app", "measures_app", "reports_app"])
def test_a_database_that_has_some_of_them_is_told_what_to_do(former, app, client):
    _record(without=former[app][-1:])
    with pytest.raises(CommandError, match=f"of the {len(former[app])} former migrations of {app}"):
        call_command("migrate", verbosity=0)
    assert client.get("/readyz").json()["migrations"] == "half made"
