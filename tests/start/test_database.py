"""The tests' own database keeps its promises."""

from __future__ import annotations

import psycopg2
import pytest
from django.db import connection


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
