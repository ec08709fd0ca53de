"""Read a backup into a fresh database, prove it whole, and forget again who was erased since."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from psycopg2 import sql
from psycopg2.extras import execute_values

from outcomes_site import schema
from outcomes_site.backups import databases, sealed
from outcomes_site.backups.taking import DUMP, KEY_PLACE, KEYS, MANIFEST, fingerprint
from outcomes_site.database import OWNER, CannotPrepare, prepare_database
from outcomes_site.local.processes import CHECKOUT
from sessions_app import sealing


class CannotRestore(RuntimeError):
    """The message says why; a database that was begun is gone again."""


@dataclass
class Restored:
    """What came of it: rows and tables as counted there, clients erased anew, what to know."""

    database: str
    made_at: str
    tables: int = 0
    rows: int = 0
    clients: int = 0
    erased_anew: int = 0
    notes: list[str] = field(default_factory=list)


@contextmanager
def scratch(dsn: str, name: str) -> Iterator[str]:
    """A new, empty database; it stays when the block ends well and is gone otherwise."""
    quoted = sql.Identifier(name)
    with databases.connected(dsn, as_owner=False) as cursor:
        try:
            cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(quoted))
        except psycopg2.errors.InsufficientPrivilege:
            raise CannotRestore(
                "This login may not create a database. Create an empty one, and name it with "
                "--database URL."
            ) from None
        except psycopg2.errors.DuplicateDatabase:
            raise CannotRestore(f"There is a database {name} already.") from None
    try:
        yield databases.named(dsn, name)
    except BaseException:
        drop(dsn, name)
        raise


def drop(dsn: str, name: str) -> None:
    with databases.connected(dsn, as_owner=False) as cursor:
        cursor.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def is_empty(dsn: str) -> bool:
    with databases.connected(dsn, as_owner=False) as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') "
            "AND relnamespace = 'public'::regnamespace"
        )
        return bool(cursor.fetchone() == (0,))


def restore(path: Path, dsn: str) -> Restored:
    """Fill the empty database at `dsn`, and compare each table with what was counted then.

    Raises CannotRestore, also when a single row or checksum differs, and sealed.NotReadable.
    """
    try:
        prepare_database(dsn)
    except CannotPrepare as problem:
        raise CannotRestore(str(problem)) from None
    keys = {key_id: base64.b64decode(key) for key_id, key in settings.BACKUP_KEYS.items()}
    with path.open("rb") as file, tempfile.TemporaryFile() as client_keys:
        header, _ = sealed.header_of(file)
        file.seek(0)
        manifest = _read_into(dsn, sealed.frames(file, keys), client_keys)
        found = Restored(psycopg2.extensions.parse_dsn(dsn)["dbname"], manifest["made_at"])
        _compare(dsn, manifest, found)
        client_keys.seek(0)
        _give_keys(dsn, client_keys, keys[header["key"]], found)
    if manifest["search_key"] != fingerprint(settings.SEARCH_KEY):
        found.notes.append(
            "SEARCH_KEY is another one than then: nobody is found by name until it is put back."
        )
    if found.clients != manifest["clients"]:
        raise CannotRestore(
            f"{manifest['clients']} clients' keys were backed up and {found.clients} came back."
        )
    return found


def _read_into(dsn: str, frames: Iterator[tuple[bytes, bytes]], client_keys: Any) -> dict[str, Any]:
    """Pass the dump on to pg_restore as it is opened; returns the manifest."""
    arguments = ["--no-owner", f"--role={OWNER}", "--exit-on-error", "--single-transaction"]
    raw, manifest = b"", None
    with tempfile.TemporaryFile() as said:
        loading = databases.start_tool(
            "pg_restore",
            [*arguments, f"--dbname={psycopg2.extensions.parse_dsn(dsn)['dbname']}"],
            dsn,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        assert loading.stdin is not None
        try:
            try:
                for kind, content in frames:
                    if kind == MANIFEST:
                        raw += content
                        continue
                    if manifest is None:
                        manifest = json.loads(raw)
                        _known_here(manifest)
                    if kind == KEYS:
                        client_keys.write(content)
                    elif kind == DUMP:
                        loading.stdin.write(content)
                loading.stdin.close()
            except BrokenPipeError:
                pass  # what pg_restore had against it is read below
            wrong = loading.wait() != 0
        except BaseException:
            # A single transaction: what was loaded until then is gone with the process.
            loading.kill()
            loading.wait()
            raise
        finally:
            with suppress(BrokenPipeError):
                loading.stdin.close()
        said.seek(0)
        if wrong:
            raise CannotRestore(f"pg_restore stopped: {said.read().decode(errors='replace')}")
    if manifest is None:
        raise sealed.NotReadable("There is nothing in the backup.")
    return dict(manifest)


def _known_here(manifest: dict[str, Any]) -> None:
    """A backup of a newer release than this one can't be understood here."""
    known = schema.known()
    newer = [f"{app}.{name}" for app, name in manifest["migrations"] if (app, name) not in known]
    if newer:
        raise CannotRestore(
            f"The backup was made by another release: this one doesn't know {', '.join(newer)}."
        )


def _compare(dsn: str, manifest: dict[str, Any], found: Restored) -> None:
    with databases.connected(dsn) as cursor:
        there = databases.counts_and_checksums(cursor)
    differing = []
    for name, (count, checksum) in manifest["tables"].items():
        here = there.get(name)
        if here != [count, checksum]:
            seen = "absent" if here is None else f"{here[0]} rows, checksum {here[1]}"
            differing.append(f"{name}: {count} rows, checksum {checksum} then; {seen} here")
    if differing:
        raise CannotRestore("It isn't what was backed up:\n" + "\n".join(differing))
    found.tables = len(manifest["tables"])
    found.rows = sum(count for count, _ in manifest["tables"].values())


def _give_keys(dsn: str, lines: Any, key: bytes, found: Restored) -> None:
    """Wrap the clients' keys under this installation's master key, which may be a new one."""
    cipher, rows = AESGCM(key), []
    for line in lines:
        client, again, gone = json.loads(line)
        wrapped, master = b"", settings.MASTER_KEY_ID
        if gone is None:
            both = base64.b64decode(again)
            nonce, text = both[: sealing.NONCE_BYTES], both[sealing.NONCE_BYTES :]
            secret = cipher.decrypt(nonce, text, KEY_PLACE.format(client).encode())
            wrapped, master = sealing.wrap(secret, f"client-key:{client}")
        rows.append((client, wrapped, master, gone))
    with databases.connected(dsn) as cursor:
        cursor.execute("BEGIN")
        execute_values(
            cursor,
            "INSERT INTO sessions_app_clientkey (client_id, wrapped, master_key_id, destroyed_at) "
            "VALUES %s",
            rows,
            page_size=5000,
        )
        cursor.execute("COMMIT")
    found.clients = len(rows)


def bring_up_to_date(dsn: str, erased: list[dict[str, str]], found: Restored) -> None:
    """Migrate to this release, and erase anew who was erased after the backup was made."""
    # A process of its own: this one's connections and settings are the running clinic's.
    environment = os.environ | {"DATABASE_URL": databases.url_of(dsn), "ERASURE_LEDGER": ""}
    for name in ("DATABASE_URL_FILE", "DATABASE_OWNER_URL", "DATABASE_OWNER_URL_FILE"):
        environment.pop(name, None)
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as ledger:
        ledger.writelines(json.dumps(row) + "\n" for row in erased)
        ledger.flush()
        for command in (["migrate", "--no-input"], ["replay_erasures", ledger.name]):
            ran = subprocess.run(
                # The checks are about the code, which is the one that runs here.
                [
                    sys.executable,
                    CHECKOUT / "manage.py",
                    *command,
                    "--verbosity=0",
                    "--skip-checks",
                ],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if ran.returncode:
                raise CannotRestore(f"{command[0]}: {ran.stderr.strip() or ran.stdout.strip()}")
            if command[0] == "replay_erasures":
                found.erased_anew = int(ran.stdout.split()[0])


def last_sealed(dsn: str) -> int:
    """The last audit row that the restored database's own chain covers; 0 for none."""
    with databases.connected(dsn) as cursor:
        cursor.execute("SELECT COALESCE(max(last_id), 0) FROM sessions_app_auditseal")
        return int(cursor.fetchone()[0])


def take_the_place(dsn: str, restored: str, *, kept_as: str) -> None:
    """Give the restored database the name of the clinic's; the old one is kept as `kept_as`.

    Raises CannotRestore while anybody is connected: stop the site first.
    """
    name = psycopg2.extensions.parse_dsn(dsn)["dbname"]
    with closing(psycopg2.connect(databases.named(dsn, "postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            try:
                cursor.execute(rename.format(sql.Identifier(name), sql.Identifier(kept_as)))
            except psycopg2.errors.ObjectInUse:
                raise CannotRestore(
                    f"Somebody works on {name} still. Stop the site; the restored database waits "
                    f"as {restored}."
                ) from None
            cursor.execute(rename.format(sql.Identifier(restored), sql.Identifier(name)))
