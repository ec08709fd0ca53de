"""Two roles in one database: the owner migrates, the application works under row-level security."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import make_dsn

__all__ = ["APP", "OWNER", "CannotPrepare", "as_owner", "make_dsn", "prepare_database"]

OWNER = "outcomes_owner"
APP = "outcomes_app"

GRANTS = f"""
GRANT USAGE ON SCHEMA public TO {APP};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO {APP};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public
    GRANT EXECUTE ON FUNCTIONS TO {APP};
"""

# For a database administrator, where our login may not do it itself.
BY_HAND = f"""
CREATE ROLE {OWNER} NOLOGIN;
CREATE ROLE {APP} NOLOGIN NOSUPERUSER NOBYPASSRLS;
GRANT {OWNER}, {APP} TO the_login;
ALTER DATABASE the_database OWNER TO {OWNER};
ALTER SCHEMA public OWNER TO {OWNER};
"""


class CannotPrepare(RuntimeError):
    """The login may not create the roles; the message holds the SQL for one who may."""


def prepare_database(dsn: str) -> None:
    """Create the two roles and hand the database to the owner. Safe to run again.

    `dsn` is a libpq connection string without a role; its login needs CREATEROLE the first time
    in a cluster, and membership in both roles afterwards.
    """
    connection = psycopg2.connect(dsn)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            _prepare(cursor)
    except errors.InsufficientPrivilege as problem:
        raise CannotPrepare(
            f"The database login may not set up the roles ({str(problem).strip()}). "
            f"Ask the database's administrator to run:\n{BY_HAND}"
        ) from problem
    finally:
        connection.close()


def _prepare(cursor: Any) -> None:
    # Since release 16 membership alone doesn't say that one may SET ROLE.
    may_become = "SET" if cursor.connection.server_version >= 160000 else "MEMBER"
    for role in (OWNER, APP):
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is None:
            # Somebody else may be preparing another database of this cluster.
            with suppress(errors.DuplicateObject, errors.UniqueViolation):
                cursor.execute(f"CREATE ROLE {role} NOLOGIN")
        cursor.execute("SELECT pg_has_role(session_user, %s, %s)", [role, may_become])
        if not cursor.fetchone()[0]:
            cursor.execute(f"GRANT {role} TO SESSION_USER")
    cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s", [APP])
    if cursor.fetchone()[0]:
        raise CannotPrepare(f"The role {APP} passes row-level security: make it an ordinary role.")
    cursor.execute(
        "SELECT current_database(), pg_get_userbyid(datdba) FROM pg_database "
        "WHERE datname = current_database()"
    )
    name, owner = cursor.fetchone()
    if owner != OWNER:
        cursor.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                sql.Identifier(name), sql.Identifier(OWNER)
            )
        )
    cursor.execute("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public'")
    if cursor.fetchone()[0] != OWNER:
        # Since release 15 the schema belongs to whoever owns the database.
        cursor.execute(f"SET ROLE {OWNER}")
        try:
            cursor.execute(f"ALTER SCHEMA public OWNER TO {OWNER}")
        except errors.InsufficientPrivilege:
            cursor.execute("RESET ROLE")
            cursor.execute(f"ALTER SCHEMA public OWNER TO {OWNER}")
    cursor.execute(f"SET ROLE {OWNER}")
    cursor.execute(GRANTS)
    cursor.execute("RESET ROLE")


@contextmanager
def as_owner(connection: Any) -> Iterator[None]:
    """Work as the owner on a Django connection: migrations and backups, nothing else."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {OWNER}")
    try:
        yield
    finally:
        if not connection.in_atomic_block or not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("RESET ROLE")
