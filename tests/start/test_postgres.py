"""One folder's database: shared, private, stopped by the last who leaves, never by the first."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from outcomes_site import database
from outcomes_site.local import postgres, postgres_server, processes
from outcomes_site.local.checks import ROOT
from outcomes_site.local.postgres import EmbeddedPostgres
from outcomes_site.local.postgres_server import PostgresError

pytestmark = pytest.mark.processes


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="outcomes-test-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def cluster(folder: Path) -> Iterator[EmbeddedPostgres]:
    cluster = EmbeddedPostgres(folder, durable=False)
    yield cluster
    cluster.release()


def answer(url: str, question: str = "SELECT 1"):
    with closing(psycopg2.connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute(question)
        return cursor.fetchone()[0]


def wait_until(true, patience: float = 120):
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def test_the_last_user_stops_it_and_nobody_before(folder, cluster):
    first = cluster.start()
    other = EmbeddedPostgres(folder, durable=False)
    assert other.start() == first
    cluster.release()
    assert answer(first.url) == 1
    other.release()
    assert not processes.is_alive(first.pid)
    assert not processes.is_alive(first.keeper)
    assert not Path(first.socket).exists()


def test_what_was_written_is_there_after_a_stop(folder, cluster):
    with closing(psycopg2.connect(cluster.start().url)) as connection:
        connection.cursor().execute("CREATE TABLE kept AS SELECT 42 AS n")
        connection.commit()
    cluster.release()
    assert answer(cluster.start().url, "SELECT n FROM kept") == 42


def test_a_user_that_is_killed_leaves_nothing_running(folder):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path\n"
            "from outcomes_site.local.postgres import EmbeddedPostgres\n"
            "running = EmbeddedPostgres(Path(sys.argv[1]), durable=False).start()\n"
            "print(running.pid, running.keeper, flush=True); time.sleep(600)",
            os.fspath(folder),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        pids = [int(pid) for pid in holder.stdout.readline().split()]
        assert all(processes.is_alive(pid) for pid in pids)
        holder.kill()
    wait_until(lambda: not any(processes.is_alive(pid) for pid in pids))


def test_a_server_that_is_killed_comes_back_at_the_same_address(cluster):
    running = cluster.start()
    os.kill(running.pid, signal.SIGKILL)

    def is_back() -> bool:
        again = cluster.running()
        return again is not None and again.pid != running.pid

    wait_until(is_back)
    assert answer(running.url) == 1


def test_the_server_ends_with_its_keeper_and_the_next_start_clears_up(cluster):
    running = cluster.start()
    os.kill(running.keeper, signal.SIGKILL)
    wait_until(lambda: not processes.is_alive(running.pid))
    assert answer(cluster.start().url) == 1
    assert not Path(running.socket).exists()


def test_it_is_reached_through_a_private_socket_alone(cluster):
    running = cluster.start()
    assert answer(running.url, "SHOW listen_addresses") == ""
    folder = os.stat(running.socket)
    assert stat.S_IMODE(folder.st_mode) == 0o700
    assert len(os.fspath(Path(running.socket) / ".s.PGSQL.5432")) < 100


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")
def test_started_by_root_it_runs_as_somebody_else(cluster):
    running = cluster.start()
    assert Path(f"/proc/{running.pid}").stat().st_uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")
def test_a_folder_closed_to_the_servers_user_is_left_closed(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    cluster = EmbeddedPostgres(closed, durable=False)
    try:
        assert answer(cluster.start().url) == 1
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert closed not in cluster.data.parents
        kept_at = cluster.data
    finally:
        cluster.release()
    shutil.rmtree(kept_at.parent)


def test_data_of_another_major_is_refused_by_name(folder, cluster):
    cluster.start()
    cluster.release()
    (cluster.data / "PG_VERSION").write_text("13\n")
    with pytest.raises(PostgresError) as refused:
        cluster.start()
    assert "is of Postgres 13" in str(refused.value)
    assert f"is Postgres {postgres_server.find_server().major}" in str(refused.value)


def test_the_login_is_no_superuser_and_preparing_twice_changes_nothing(cluster):
    url = cluster.start().url
    assert answer(url, "SELECT rolsuper FROM pg_roles WHERE rolname = session_user") is False
    database.prepare_database(url)
    database.prepare_database(url)
    owner = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'"
    assert answer(url, owner) == database.OWNER


def test_a_login_without_the_right_is_given_the_lines_for_one_who_has_it(cluster):
    running = cluster.start()
    superuser = postgres.connection_url(running.socket, postgres.SUPERUSER)
    with closing(psycopg2.connect(superuser)) as connection:
        connection.cursor().execute("CREATE ROLE guest LOGIN")
        connection.commit()
    with pytest.raises(database.CannotPrepare) as refused:
        database.prepare_database(postgres.connection_url(running.socket, "guest"))
    assert f"CREATE ROLE {database.OWNER} NOLOGIN;" in str(refused.value)


def test_a_row_that_is_refused_leaves_its_values_out_of_the_log(cluster):
    url = cluster.start().url
    with closing(psycopg2.connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TEMP TABLE person (name text UNIQUE)")
        cursor.execute("INSERT INTO person VALUES ('Ada Moreno')")
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute("INSERT INTO person VALUES ('Ada Moreno')")
    cluster.release()
    log = cluster.log.read_text()
    assert "duplicate key" in log
    assert "Moreno" not in log
    assert stat.S_IMODE(cluster.log.stat().st_mode) == 0o600


def test_a_server_whose_making_was_cut_short_is_made_anew(folder, cluster):
    data = cluster.folder / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")  # and nothing else: initdb was killed
    (cluster.folder / "half-made").touch()
    assert answer(cluster.start().url) == 1
    assert not (cluster.folder / "half-made").exists()


def test_whoever_comes_while_a_killed_server_is_started_again_waits_for_its_keeper(folder, cluster):
    first = cluster.start()
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: not processes.is_alive(first.pid))
    other = EmbeddedPostgres(folder, durable=False)
    again = other.start()
    other.release()
    assert again.keeper == first.keeper
    assert answer(again.url) == 1


def test_a_keepers_number_that_another_process_has_now_keeps_nobody_waiting(cluster):
    cluster.folder.mkdir()
    cluster._state_file.write_text(f'{{"keeper": {os.getpid()}}}')
    assert not cluster.is_kept()
