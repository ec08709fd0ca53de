"""A migrated database for the tests, cloned from a template, worked on as the application's role.

Nothing is ever flushed: the database refuses truncate. Tests roll back (`db`), or own a clone
of their module (`committed_database`).
"""

from __future__ import annotations

import fcntl
import gc
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import django
import psycopg2
import pytest

pytest_plugins = ["tests.cast", "tests.stage", "tests.browsers", "tests.order"]

ROOT = Path(__file__).resolve().parent.parent
APPS = ("sessions_app", "measures_app", "reports_app")
A_DAY = 24 * 3600


def pytest_collection_finish() -> None:
    """What was imported stays: the collector of garbage needn't look through it each time."""
    gc.freeze()


@contextmanager
def _administering() -> Iterator[Any]:
    """A connection of the plain login, which may create databases."""
    with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


def _url_of(name: str) -> str:
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def _schema_hash() -> str:
    """Changes whenever what `migrate` makes may have: schema, SQL it imports, bundled rows."""
    from django.conf import settings

    known = hashlib.sha256(django.__version__.encode())
    known.update(" ".join(settings.INSTALLED_APPS).encode())  # others bring tables of their own
    known.update((ROOT / "requirements.lock").read_bytes())
    files = [
        Path(__file__),
        ROOT / "outcomes_site" / "database.py",
        ROOT / "outcomes_site" / "reference.py",
    ]
    files += [ROOT / "outcomes_site" / "management" / "commands" / "migrate.py"]
    files += [*(ROOT / "measures_app" / "library").glob("*.toml")]
    files += [ROOT / "measures_app" / "measures.py", ROOT / "measures_app" / "definitions.py"]
    for app in APPS:
        files += [*(ROOT / app / "migrations").glob("*.py"), *(ROOT / app).glob("*security*.py")]
        files += [*(ROOT / app).glob("touched*.py")]
    for file in sorted(files):
        known.update(os.fspath(file.relative_to(ROOT)).encode())
        known.update(file.read_bytes())
    return known.hexdigest()[:16]


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    path = Path(tempfile.gettempdir()) / f"outcomes-test-template-{os.getuid()}.lock"
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def point_at(name: str) -> None:
    """Turn Django's connection to another database."""
    from django.conf import settings
    from django.db import connection

    if connection.settings_dict["NAME"] == name:
        return
    connection.close()
    settings.DATABASES["default"]["NAME"] = name
    connection.settings_dict["NAME"] = name


def _build_template(cursor: Any, name: str) -> None:
    from django.core.management import call_command
    from django.db import connection

    building = f"test_building_{os.getpid()}"
    before = connection.settings_dict["NAME"]
    cursor.execute(f"DROP DATABASE IF EXISTS {building} WITH (FORCE)")
    cursor.execute(f"CREATE DATABASE {building} TEMPLATE template0")
    point_at(building)
    try:
        call_command("migrate", verbosity=0)
    finally:
        point_at(before)
    _empty_the_audit_trail(building)
    cursor.execute(f"ALTER DATABASE {building} RENAME TO {name}")
    cursor.execute(f"COMMENT ON DATABASE {name} IS '{time.time():.0f}'")


def _empty_the_audit_trail(name: str) -> None:
    """A test counts what it wrote, not what loading the bundled measures wrote before it."""
    with closing(psycopg2.connect(_url_of(name))) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE sessions_app_auditevent DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM sessions_app_auditevent")
        cursor.execute("ALTER TABLE sessions_app_auditevent ENABLE TRIGGER USER")
        connection.commit()


def _drop_old_templates(cursor: Any) -> None:
    cursor.execute(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database "
        "WHERE datname LIKE 'test\\_template\\_%'"
    )
    for name, made_at in cursor.fetchall():
        if made_at and time.time() - float(made_at) > A_DAY:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")


def _template() -> str:
    name = f"test_template_{_schema_hash()}"
    with _one_at_a_time(), _administering() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if cursor.fetchone() is None:
            _drop_old_templates(cursor)
            _build_template(cursor, name)
    return name


@contextmanager
def clone(template: str, name: str) -> Iterator[None]:
    """A database like the template; gone at the end, whoever is still connected."""
    # Two can't copy one template at once.
    with _one_at_a_time(), _administering() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER outcomes_owner")
    try:
        yield
    finally:
        with _administering() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_template(django_db_blocker: Any) -> str:
    """The name of a migrated database to clone; nobody connects to it."""
    with django_db_blocker.unblock():
        return _template()


@pytest.fixture(scope="session")
def django_db_setup(migrated_template: str, django_db_blocker: Any) -> Iterator[None]:
    """This run's own database, in which each test rolls back."""
    name = f"test_{os.getpid()}"
    with clone(migrated_template, name), django_db_blocker.unblock():
        point_at(name)
        try:
            yield
        finally:
            _close()


def _close() -> None:
    from django.db import connections

    connections.close_all()


@dataclass(frozen=True)
class CommittedDatabase:
    """A module's own database, where what is written stays for other processes to see."""

    name: str
    url: str


@pytest.fixture(scope="module")
def committed_database(
    request: pytest.FixtureRequest,
    django_db_setup: None,
    migrated_template: str,
    django_db_blocker: Any,
) -> Iterator[CommittedDatabase]:
    """A clone for this module; Django's connections use it and commit. Never flushed."""
    from django.db import connection

    module = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:8]
    name = f"test_{os.getpid()}_{module}"
    before = connection.settings_dict["NAME"]
    with clone(migrated_template, name), django_db_blocker.unblock():
        point_at(name)
        try:
            yield CommittedDatabase(name, _url_of(name))
        finally:
            _close()
            point_at(before)


@pytest.fixture(scope="module")
def live_site(committed_database: CommittedDatabase) -> Iterator[str]:
    """The site's address, served by threads of this process over the module's own database."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet, ipv6=False)
    server.set_app(WSGIHandler())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def _in_english() -> None:
    """A page opened by an earlier test left the language of whoever it was for."""
    from django.conf import settings
    from django.utils import translation

    translation.activate(settings.LANGUAGE_CODE)


@pytest.fixture(autouse=True)
def _nothing_counted_yet() -> None:
    """How often a door was tried is no test's concern but its own."""
    from django.core.cache import cache

    cache.clear()


@dataclass
class Worker:
    """A real Celery worker, and its log for when a test is puzzled."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """What a power cut does: no last words, and none of its children's."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def start_worker(
    committed_database: CommittedDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Worker]]:
    """Start a worker on the module's database and this run's queue; all end with the module."""
    from django.conf import settings

    from outcomes_site.celery import app
    from outcomes_site.local import processes

    if not settings.REDIS_URL:
        pytest.fail("REDIS_URL is not set: `python3 manage.py test` starts a broker by itself.")
    app.control.purge()
    started: list[Worker] = []

    def start() -> Worker:
        folder = tmp_path_factory.mktemp("worker")
        ready, log = folder / "ready", folder / "worker.log"
        environment = os.environ | {
            "DATABASE_URL": committed_database.url,
            "BROKER_PREFIX": settings.BROKER_PREFIX,
            "WORKER_READY_FILE": os.fspath(ready),
        }
        command = [sys.executable, "-m", "celery", "-A", "outcomes_site.celery", "worker"]
        command += ["--concurrency", "1", "--loglevel", "warning"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        process = processes.start(command, log=log, environment=environment)
        worker = Worker(process, log)
        started.append(worker)
        end = time.monotonic() + 120
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"The worker didn't start:\n{log.read_text()}")
            time.sleep(0.05)
        return worker

    yield start
    for worker in started:
        processes.stop(worker.process)


@pytest.fixture(scope="module")
def worker(start_worker: Callable[[], Worker]) -> Worker:
    """A real Celery worker for the module."""
    return start_worker()


@pytest.fixture
def no_pages_made_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nights leave out the figures that pages would make when opened: half a small night's time.

    For tests of what a night finds out that open none of those pages.
    """
    from reports_app import nightly

    whole = nightly.plan
    monkeypatch.setattr(
        nightly, "plan", lambda as_of: [part for part in whole(as_of) if part.name != "figures"]
    )


CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIETLY = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium, driven by Playwright; each test opens contexts of its own.

    On a laptop without Chromium the test is skipped, on the checks' machine it doesn't hold.
    """
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        why = "Chromium is missing: apt-get install --no-install-recommends chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    from playwright.sync_api import sync_playwright

    # Playwright's loop runs in this thread, and Django would take its queries for async ones.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=QUIETLY)
        try:
            yield running
        finally:
            running.close()
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
