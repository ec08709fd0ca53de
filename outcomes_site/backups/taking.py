"""Take a backup: one moment of the whole database, sealed, while the clinic works."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from outcomes_site.backups import databases, sealed
from outcomes_site.database import OWNER
from sessions_app import clinic_time, sealing

MANIFEST, KEYS, DUMP = b"m", b"k", b"d"

# The keys of clients go under the backup's own key; nobody comes back signed in.
WITHOUT_ROWS = ("sessions_app_clientkey", "django_session")
KEY_PLACE = "backup-key:{}"


class CannotBackUp(RuntimeError):
    """The message says what is missing."""


@dataclass(frozen=True)
class Taken:
    """What a backup holds: rows by table, its size in bytes."""

    rows: int
    tables: int
    clients: int
    size: int


def fingerprint(key: str) -> str:
    """Tells whether two installations hold the same key, and nothing of the key."""
    return hmac.new(base64.b64decode(key), b"fingerprint", hashlib.sha256).hexdigest()[:12]


def _current() -> tuple[str, bytes]:
    for key_id, encoded in settings.BACKUP_KEYS.items():
        return key_id, base64.b64decode(encoded)
    raise CannotBackUp(
        "BACKUP_KEYS is not set: backups are sealed with a key of their own, for example "
        "BACKUP_KEYS=2026-01:$(openssl rand -base64 32)."
    )


def _client_keys(cursor: Any, key: bytes) -> Iterator[bytes]:
    """A line of JSON for each client's key, wrapped by the backup's key instead of the master's."""
    cipher = AESGCM(key)
    cursor.execute(
        "SELECT client_id, wrapped, master_key_id, destroyed_at FROM sessions_app_clientkey "
        "ORDER BY client_id"
    )
    for client, wrapped, master, destroyed_at in cursor.fetchall():
        again = ""
        if destroyed_at is None:
            secret = sealing.unwrap(bytes(wrapped), master, f"client-key:{client}")
            nonce = os.urandom(sealing.NONCE_BYTES)
            place = KEY_PLACE.format(client).encode()
            again = base64.b64encode(nonce + cipher.encrypt(nonce, secret, place)).decode()
        gone = destroyed_at.isoformat() if destroyed_at else None
        yield json.dumps([client, again, gone]).encode() + b"\n"


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    gathered = bytearray()
    for line in lines:
        if len(gathered) + len(line) > sealed.FRAME:
            yield bytes(gathered)
            gathered.clear()
        gathered += line
    yield bytes(gathered)


def take(path: Path) -> Taken:
    """Write a backup to `path`, readable by us alone, whole or not at all.

    Everything in it is of one moment: the counts, the keys and the dump share a snapshot, and
    nobody has to stop working.
    """
    key_id, key = _current()
    made_at = clinic_time.now().isoformat(timespec="seconds")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            taken = _write(sealed.Writer(file, key_id, key, {"made_at": made_at}), key, made_at)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return Taken(**taken, size=size)


def _write(file: sealed.Writer, key: bytes, made_at: str) -> dict[str, int]:
    dsn = databases.dsn_of()
    with databases.connected(dsn) as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        tables = databases.counts_and_checksums(cursor)
        cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
        manifest = {
            "made_at": made_at,
            "migrations": cursor.fetchall(),
            "tables": {name: t for name, t in tables.items() if name not in WITHOUT_ROWS},
            "clients": tables["sessions_app_clientkey"][0],
            "search_key": fingerprint(settings.SEARCH_KEY),
        }
        file.all_of(MANIFEST, json.dumps(manifest).encode())
        for piece in _pieces(_client_keys(cursor, key)):
            file.frame(KEYS, piece)
        _dump(file, dsn, snapshot)
    file.finish()
    return {
        "rows": sum(count for count, _ in manifest["tables"].values()),
        "tables": len(manifest["tables"]),
        "clients": manifest["clients"],
    }


def _dump(file: sealed.Writer, dsn: str, snapshot: str) -> None:
    arguments = ["--format=custom", "--no-owner", f"--role={OWNER}", f"--snapshot={snapshot}"]
    arguments += ["--compress=gzip:4"]
    arguments += [f"--exclude-table-data=public.{name}" for name in WITHOUT_ROWS]
    with tempfile.TemporaryFile() as said:
        dump = databases.start_tool("pg_dump", arguments, dsn, stdout=subprocess.PIPE, stderr=said)
        assert dump.stdout is not None
        try:
            while piece := dump.stdout.read(sealed.FRAME):
                file.frame(DUMP, piece)
            if dump.wait() != 0:
                said.seek(0)
                raise CannotBackUp(f"pg_dump stopped: {said.read().decode(errors='replace')}")
        finally:
            dump.stdout.close()
            if dump.poll() is None:
                dump.kill()
                dump.wait()
