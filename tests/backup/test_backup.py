"""A backup is one moment of everything, readable with its key alone; a restore is proved."""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from outcomes_site import schema
from outcomes_site.backups import databases, restoring, sealed
from outcomes_site.database import prepare_database
from sessions_app import actions, clinic_time, erasure_ledger, outbox
from sessions_app.context import acting_as, system
from sessions_app.models import AuditEvent, Client, ClientIdentity, Outbox
from tests.cast import BY, build

KEY = base64.b64encode(b"of backups alone, of nothing els").decode()


def run(*arguments: Any, **options: Any) -> str:
    said = io.StringIO()
    call_command(*arguments, stdout=said, **options)
    return said.getvalue()


@dataclass
class Drill:
    """A clinic that lives on after its backup: one client is erased, one is new."""

    file: Path
    ledger: Path
    erased: str
    newcomer: str
    names: dict[str, str]


def _names() -> dict[str, str]:
    with acting_as(BY):
        return {
            i.client.code: i.opened()["name"]
            for i in ClientIdentity.objects.select_related("client", "client__key")
        }


@pytest.fixture(scope="module")
def drill(committed_database: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    folder = tmp_path_factory.mktemp("backups")
    before = settings.BACKUP_KEYS, settings.ERASURE_LEDGER
    settings.BACKUP_KEYS = {"2026-01": KEY}
    settings.ERASURE_LEDGER = os.fspath(folder / "erasures.jsonl")
    with acting_as(BY):
        clinic = build()
    file = folder / "clinic.backup"
    names = _names()
    run("backup", output=file)
    by = system("erasure")
    with acting_as(by):
        gone = Client.objects.get(code=sorted(names)[0])
        actions.erase_identity(client=gone, reason="request", by=by)
    outbox.sweep()
    with acting_as(BY):
        newcomer = actions.register_client(by=BY, site=clinic.north, name="Nele Neu")
    yield Drill(file, folder / "erasures.jsonl", gone.code, newcomer.code, names)
    settings.BACKUP_KEYS, settings.ERASURE_LEDGER = before


@pytest.fixture
def asking() -> Iterator[Any]:
    """Ask a restored database as its owner, and drop it at the end."""
    made: list[str] = []

    def ask(name: str, query: str) -> list[Any]:
        if name not in made:
            made.append(name)
        with databases.connected(databases.named(databases.dsn_of(), name)) as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    yield ask
    for name in made:
        restoring.drop(databases.dsn_of(), name)


def test_a_restored_clinic_is_the_clinic_of_then_without_those_erased_since(
    drill: Drill, asking: Any
) -> None:
    said = json.loads(run("restore", drill.file, json=True))

    codes = {c for (c,) in asking(said["database"], "SELECT code FROM sessions_app_client")}
    assert codes == set(drill.names)  # the newcomer came after
    assert said["clients"] == len(drill.names)
    assert said["erased_anew"] == 1
    keyless = asking(
        said["database"],
        "SELECT c.code, k.wrapped FROM sessions_app_clientkey k JOIN sessions_app_client c "
        "ON c.id = k.client_id WHERE k.destroyed_at IS NOT NULL",
    )
    assert [(code, bytes(wrapped)) for code, wrapped in keyless] == [(drill.erased, b"")]
    assert not asking(
        said["database"],
        "SELECT 1 FROM sessions_app_clientidentity i JOIN sessions_app_client c "
        f"ON c.id = i.client_id WHERE c.code = '{drill.erased}'",
    )


def test_names_open_again_under_a_new_master_key(
    drill: Drill, asking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old machine is gone, and its master key with it: the backup's own key is enough."""
    fresh = base64.b64encode(secrets.token_bytes(32)).decode()
    monkeypatch.setattr(settings, "MASTER_KEYS", {"new": fresh})
    monkeypatch.setattr(settings, "MASTER_KEY_ID", "new")
    monkeypatch.setenv("MASTER_KEYS", f"new:{fresh}")
    said = json.loads(run("restore", drill.file, json=True))
    asking(said["database"], "SELECT 1")

    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = said["database"]
    try:
        found = _names()
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
    assert found == {code: n for code, n in drill.names.items() if code != drill.erased}


def test_nothing_of_a_backup_is_readable_without_its_key(drill: Drill) -> None:
    content = drill.file.read_bytes()
    assert drill.file.stat().st_mode & 0o777 == 0o600
    for text in ("sessions_app", *drill.names, *drill.names.values()):
        assert text.encode() not in content
    with pytest.raises(sealed.NotReadable, match="is not the one it was made with"):
        list(sealed.frames(io.BytesIO(content), {"2026-01": bytes(32)}))
    with pytest.raises(sealed.NotReadable, match="BACKUP_KEYS has none"):
        list(sealed.frames(io.BytesIO(content), {}))


def _changed(content: bytes, how: str) -> bytes:
    middle = len(content) // 2
    match how:
        case "one bit":
            return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        case "cut short":
            return content[:middle]
        case "its last part taken away":
            return content[: -(4 + 1 + 16)]
        case "something added":
            return content + b"more"
        case "another date":
            return content.replace(b'"made_at": "2', b'"made_at": "3', 1)
        case _:
            return b"PK" + content


@pytest.mark.parametrize(
    "how",
    ["one bit", "cut short", "its last part taken away", "something added", "another date", "zip"],
)
def test_a_damaged_backup_is_refused_and_leaves_no_database_behind(
    drill: Drill, tmp_path: Path, how: str
) -> None:
    damaged = tmp_path / "damaged.backup"
    damaged.write_bytes(_changed(drill.file.read_bytes(), how))
    before = _all_databases()
    with pytest.raises(CommandError):
        run("restore", damaged)
    assert _all_databases() == before


def _all_databases() -> set[str]:
    with databases.connected(databases.dsn_of(), as_owner=False) as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE '%%restored%%'")
        return {name for (name,) in cursor.fetchall()}


def test_a_row_that_was_changed_on_the_way_is_noticed(
    drill: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seal guards the file; the counts and checksums guard what Postgres made of it."""
    really = restoring._compare

    def with_a_row_changed(dsn: str, *rest: Any) -> None:
        with databases.connected(dsn) as cursor:
            cursor.execute("UPDATE sessions_app_site SET name = name || '.' WHERE id IN "
                           "(SELECT min(id) FROM sessions_app_site)")  # fmt: skip
        really(dsn, *rest)

    monkeypatch.setattr(restoring, "_compare", with_a_row_changed)
    with pytest.raises(CommandError, match="sessions_app_site"):
        run("restore", drill.file)


def test_a_check_reads_the_backup_back_and_leaves_nothing(drill: Drill, tmp_path: Path) -> None:
    with databases.connected(databases.dsn_of(), as_owner=False) as cursor:
        said = run("backup", output=tmp_path / "checked.backup", check=True)
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'outcomes_check_%%'")
        assert cursor.fetchone() == (0,)
    assert "tables are the same" in said


def test_a_backup_replaces_no_file_and_asks_for_its_key(
    drill: Drill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CommandError, match="is there already"):
        run("backup", output=drill.file)
    with pytest.raises(CommandError, match="no folder"):
        run("backup", output=tmp_path / "nowhere" / "a.backup")
    monkeypatch.setattr(settings, "BACKUP_KEYS", {})
    with pytest.raises(CommandError, match="BACKUP_KEYS is not set"):
        run("backup", output=tmp_path / "a.backup")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_half_of_a_backup(
    drill: Drill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sealed.Writer, "frame", full)
    with pytest.raises(CommandError, match="No space left"):
        run("backup", output=tmp_path / "a.backup")
    assert not list(tmp_path.iterdir())


def test_a_restore_without_the_list_of_erasures_has_to_be_said(
    drill: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "ERASURE_LEDGER", "/nowhere/erasures.jsonl")
    with pytest.raises(CommandError, match="list of erasures"):
        run("restore", drill.file)


def test_a_backup_of_a_newer_release_is_refused(
    drill: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = schema.known()
    assert ("sessions_app", "0023_releases") in there  # one of former migrations is known too
    monkeypatch.setattr(schema, "known", lambda: {("sessions_app", "0001_user")})
    with pytest.raises(CommandError, match="another release"):
        run("restore", drill.file)


def test_a_restored_database_takes_the_clinics_place_and_the_old_one_is_kept(
    drill: Drill, asking: Any
) -> None:
    dsn = databases.dsn_of()
    made, again = f"place_{os.getpid()}", f"place_{os.getpid()}_restored"
    with restoring.scratch(dsn, made) as fresh:
        prepare_database(fresh)
    asking(made, "SELECT 1")
    with restoring.scratch(dsn, again) as fresh:
        restoring.restore(drill.file, fresh)
    asking(again, "SELECT 1")
    restoring.take_the_place(databases.named(dsn, made), again, kept_as=f"{made}_until")
    asking(f"{made}_until", "SELECT 1")
    assert asking(made, "SELECT count(*) FROM sessions_app_client") == [(len(drill.names),)]

    with (
        databases.connected(databases.named(dsn, made)),
        pytest.raises(restoring.CannotRestore, match="Somebody works"),
    ):
        restoring.take_the_place(databases.named(dsn, made), f"{made}_until", kept_as="never")


def test_a_database_with_anything_in_it_is_not_restored_into(drill: Drill) -> None:
    with pytest.raises(CommandError, match="isn't empty"):
        run("restore", drill.file, database=databases.url_of(databases.dsn_of()))


def test_a_backup_leaves_an_audit_row(drill: Drill) -> None:
    with acting_as(BY):
        assert AuditEvent.objects.filter(action="backup taken").exists()


def test_an_erasure_is_written_beside_the_database_once(drill: Drill) -> None:
    rows = erasure_ledger.read(drill.ledger)
    assert [row["client"] for row in rows] == [drill.erased]
    with acting_as(system("outbox")):
        promised = Outbox.objects.get(kind=erasure_ledger.KIND)
    erasure_ledger.write(promised.payload, "again")
    assert erasure_ledger.read(drill.ledger) == rows


def test_a_line_that_a_full_disk_cut_short_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "erasures.jsonl"
    path.write_text('{"client": "AAAA", "at": "2026-01-01", "reason": "request"}\n{"client": "B')
    monkeypatch.setattr(settings, "ERASURE_LEDGER", os.fspath(path))
    erasure_ledger.write({"client": "BBBB", "at": "2026-01-02", "reason": "request"}, "1")
    assert [row["client"] for row in erasure_ledger.read(path)] == ["AAAA", "BBBB"]


@pytest.mark.parametrize(
    "dsn",
    [
        "host=/tmp/a-socket dbname=outcomes user=outcomes",
        "host=db.example port=5433 dbname=clinic user=me password='p@ss/w:rd' sslmode=require",
    ],
)
def test_an_address_made_of_a_connection_string_says_the_same(dsn: str) -> None:
    parse = psycopg2.extensions.parse_dsn
    assert parse(databases.url_of(dsn)) == parse(dsn)


def test_a_backup_is_of_one_moment(drill: Drill, tmp_path: Path, monkeypatch: Any) -> None:
    """What is written while a backup is taken is wholly in it or not at all."""
    from outcomes_site.backups import taking

    really = taking._dump

    def while_people_work(*arguments: Any) -> None:
        with acting_as(BY):
            site = Client.objects.select_related("site").first().site
            actions.register_client(by=BY, site=site, name=f"Late {clinic_time.now()}")
        really(*arguments)

    monkeypatch.setattr(taking, "_dump", while_people_work)
    run("backup", output=tmp_path / "moment.backup", check=True)
