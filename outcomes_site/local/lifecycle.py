"""What manage.py does around a command: give it the running database, or one for its duration."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from outcomes_site.local import processes
from outcomes_site.local.broker import BrokerError, EmbeddedBroker
from outcomes_site.local.folder import DEFAULT, Folder
from outcomes_site.local.postgres import (
    EmbeddedPostgres,
    make_socket_folder,
    remove_socket_folder,
)
from outcomes_site.local.postgres_server import PostgresError

ROOT = processes.CHECKOUT
STARTING_PATIENCE = 90

# These neither read nor write rows.
WITHOUT_DATABASE = {
    "check",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "compile_words",
    "join_files",
    "make_secrets",
    "makemigrations",
    "test",
    "version",
}
# These look after the schema themselves, or are about a database as it is.
WITHOUT_MIGRATING = {"dbshell", "migrate", "restore", "showmigrations", "sqlmigrate", "up"}


class Stopped(SystemExit):
    """SIGTERM or Ctrl-C: the way out, through every `finally`."""


def stop_on_signals() -> None:
    """Turn the first SIGTERM or SIGINT into an exception and ignore the impatient ones after."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise Stopped(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def folder_of(arguments: Sequence[str]) -> Folder:
    """The folder a command works on: --dir, else OUTCOMES_DIR, else .run in the checkout."""
    chosen = os.environ.get("OUTCOMES_DIR") or os.fspath(ROOT / DEFAULT)
    for place, argument in enumerate(arguments):
        if argument == "--dir" and place + 1 < len(arguments):
            chosen = arguments[place + 1]
        elif argument.startswith("--dir="):
            chosen = argument.removeprefix("--dir=")
    return Folder(Path(chosen).expanduser().absolute())


def is_given(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


@dataclass
class Services:
    """What `up` and the tests have running beneath them."""

    folder: Folder
    broker: EmbeddedBroker | None = None
    postgres: EmbeddedPostgres | None = None
    postgres_pid: int | None = None
    socket_folder: Path | None = None
    port: int = 8000


_current: Services | None = None


def current() -> Services:
    """The services of this process; an error outside `python3 manage.py up`."""
    if _current is None:
        raise RuntimeError("Start this as `python3 manage.py up`.")
    return _current


def _give_local_settings(folder: Folder) -> None:
    folder.make()
    folder.make_keys()
    os.environ.setdefault("ENVIRONMENT", "local")
    os.environ.setdefault("ERASURE_LEDGER", os.fspath(folder.erasures))
    os.environ.setdefault("AUDIT_SEALS", os.fspath(folder.audit_seals))
    for name, file in folder.key_files().items():
        if not is_given(name.removesuffix("_FILE")):
            os.environ[name] = file


@contextmanager
def database(folder: Folder) -> Iterator[EmbeddedPostgres | None]:
    """Set DATABASE_URL to the folder's own server for a while, unless one is given."""
    if is_given("DATABASE_URL"):
        yield None
        return
    cluster = EmbeddedPostgres(folder.path)
    os.environ["DATABASE_URL"] = cluster.start().url
    try:
        yield cluster
    finally:
        os.environ.pop("DATABASE_URL", None)
        cluster.release()


@contextmanager
def services(folder: Folder, *, durable: bool = True) -> Iterator[Services]:
    """Database and broker for as long as the block lasts; the broker stops first."""
    global _current
    found = Services(folder)
    try:
        found.socket_folder = make_socket_folder()
        if not is_given("REDIS_URL"):
            found.broker = EmbeddedBroker(folder.path, found.socket_folder)
            os.environ["REDIS_URL"] = found.broker.start()
        if not is_given("DATABASE_URL"):
            found.postgres = EmbeddedPostgres(folder.path, durable=durable)
            running = found.postgres.start()
            found.postgres_pid = running.pid
            os.environ["DATABASE_URL"] = running.url
        _current = found
        yield found
    finally:
        _current = None
        if found.broker is not None:
            found.broker.stop()
            os.environ.pop("REDIS_URL", None)
        if found.postgres is not None:
            found.postgres.release()
            os.environ.pop("DATABASE_URL", None)
        if found.socket_folder is not None:
            remove_socket_folder(found.socket_folder)


def _has_rows(cursor: Any, table: str) -> bool:
    cursor.execute("SELECT to_regclass(%s)", [f"public.sessions_app_{table}"])
    if cursor.fetchone() == (None,):
        return False
    cursor.execute(f"SELECT EXISTS (SELECT 1 FROM sessions_app_{table})")
    return bool(cursor.fetchone()[0])


def migrate_if_empty() -> None:
    """Make the schema of a database in which nobody is yet, or finish it where that was cut off."""
    import psycopg2

    from outcomes_site import environment

    url = environment.value("DATABASE_URL") or ""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            empty = not any(_has_rows(cursor, table) for table in ("user", "client"))
    finally:
        connection.close()
    if empty:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)


def _needs_database(arguments: Sequence[str]) -> bool:
    if len(arguments) < 2 or arguments[1].startswith("-"):
        return False
    return arguments[1] not in WITHOUT_DATABASE and not {"--help", "-h"} & set(arguments[2:])


def run(arguments: Sequence[str]) -> None:
    """Run a management command with the database it needs."""
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "outcomes_site.settings")
    command = arguments[1] if len(arguments) > 1 else "help"
    if not _needs_database(arguments):
        os.environ.setdefault("ENVIRONMENT", "test" if command == "test" else "local")
        os.environ["WITHOUT_DATABASE"] = "yes"
        # The tests' settings have their own defaults, and hand their environment on to an `up`;
        # `check --deploy` is about the real ones.
        if command != "test" and (command != "check" or os.environ["ENVIRONMENT"] == "local"):
            _stand_in_settings()
        execute_from_command_line(list(arguments))
        return
    if command == "bench":
        _bench(list(arguments))
        return

    folder = folder_of(arguments[2:] if command == "up" else ())
    if not is_given("DATABASE_URL") or folder.keys.exists() or command == "up":
        _give_local_settings(folder)
    try:
        if command == "up":
            _up(folder, list(arguments))
            return
        state = folder.read_state()
        if state and state.get("broker") and not is_given("REDIS_URL"):
            os.environ["REDIS_URL"] = state["broker"]
        with database(folder):
            if command not in WITHOUT_MIGRATING:
                migrate_if_empty()
            execute_from_command_line(list(arguments))
    except (PostgresError, BrokerError) as problem:
        sys.exit(str(problem))


def _up(folder: Folder, arguments: list[str]) -> None:
    from django.core.management import execute_from_command_line

    from outcomes_site.local import supervisor

    options = supervisor.parse(arguments[2:])
    lock = folder.up_lock
    if not lock.acquire(wait=False):
        _tell_running(folder, as_json=options.json)
        return
    try:
        _clear_up_after_a_killed_one(folder)
        port = supervisor.choose_port(options.port)
        os.environ["PUBLIC_URL"] = f"http://localhost:{port}"
        stop_on_signals()
        with services(folder) as running:
            running.port = port
            execute_from_command_line(arguments)
    except supervisor.CannotServe as problem:
        sys.exit(str(problem))
    finally:
        lock.release()


# What a benchmark must not take from the environment: it could be a clinic's.
A_CLINICS_OWN = (
    "DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "SECRET_KEY", "MASTER_KEYS", "SEARCH_KEY",
    "BACKUP_KEYS", "ERASURE_LEDGER", "AUDIT_SEALS",
    "PUBLIC_URL", "ALLOWED_HOSTS", "EMAIL_HOST", "WITHOUT_DATABASE",
)  # fmt: skip


def _bench(arguments: list[str]) -> None:
    """Fill and measure a database of its own, in a folder that is gone afterwards."""
    from django.core.management import execute_from_command_line

    for name in A_CLINICS_OWN:
        for known in (name, f"{name}_FILE"):
            os.environ.pop(known, None)
    os.environ["ENVIRONMENT"] = "local"
    stop_on_signals()
    path = Path(tempfile.mkdtemp(prefix="outcomes-bench-"))
    if os.geteuid() == 0:
        path.chmod(0o711)  # the server has a user of its own
    folder = Folder(path)
    try:
        _give_local_settings(folder)
        with services(folder):
            migrate_if_empty()
            execute_from_command_line(arguments)
    except (PostgresError, BrokerError) as problem:
        sys.exit(str(problem))
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _clear_up_after_a_killed_one(folder: Folder) -> None:
    try:
        left = json.loads(folder.state.read_text())["broker"]
    except (OSError, ValueError, KeyError):
        return
    remove_socket_folder(Path(urlsplit(left).path).parent)
    folder.state.unlink()


def _tell_running(folder: Folder, *, as_json: bool) -> None:
    """Say where the other one is; it may be starting still."""
    from outcomes_site.local import supervisor

    end = time.monotonic() + STARTING_PATIENCE
    while time.monotonic() < end:
        state = folder.read_state()
        if state:
            supervisor.tell(folder, state, as_json=as_json, already=True)
            return
        if state is None:
            break
        time.sleep(0.1)
    sys.exit(f"Another start on {folder.path} has not come up; try again in a moment.")


def _stand_in_settings() -> None:
    """Commands that touch no row need no real keys and addresses."""
    stand_in = base64.b64encode(bytes(32)).decode()
    for name, text in {
        "SECRET_KEY": stand_in * 2,
        "MASTER_KEYS": f"none:{stand_in}",
        "SEARCH_KEY": stand_in,
        "PUBLIC_URL": "https://localhost",
        "ALLOWED_HOSTS": "localhost",
    }.items():
        if not is_given(name):
            os.environ[name] = text
