"""The process between a folder's Postgres and those who use it.

It makes the cluster where there is none, runs the server as its child, starts it again when it
ends, and stops it after the last user has gone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import psycopg2

from outcomes_site.database import prepare_database
from outcomes_site.local import processes
from outcomes_site.local.postgres import (
    DATABASE,
    LOGIN,
    START_PATIENCE,
    SUPERUSER,
    EmbeddedPostgres,
    Running,
    connection_url,
    make_socket_folder,
)
from outcomes_site.local.postgres_server import (
    OPEN_HOME,
    PostgresError,
    find_server,
    key_of,
    server_user,
    within_reach,
    within_reach_of,
)

RESTARTS_A_MINUTE = 5
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "jit": "off",
    "log_timezone": "UTC",
    # Statements and the details of errors hold people's data; logs don't.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
QUICK_AND_FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "1d",
}


class Keeper:
    """The process between the server and those who use it."""

    def __init__(self, cluster: EmbeddedPostgres) -> None:
        self.cluster = cluster
        self.user = server_user()
        self.server = within_reach_of(self.user, find_server())
        self.stopping = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self.socket = ""

    def run(self) -> None:
        """Serve until the last user has gone."""
        signal.signal(signal.SIGTERM, self._asked_to_stop)
        signal.signal(signal.SIGINT, self._asked_to_stop)
        if self._half_made.exists():
            self._end_orphan(self.cluster.data)
            shutil.rmtree(self.cluster.data, ignore_errors=True)
        data = self._data_folder()
        fresh = not (data / "PG_VERSION").exists()
        if fresh:
            self._half_made.touch()
            self._initialise(data)
        self._same_major(data)
        self._end_orphan(data)
        disk = processes.Disk(data)
        self.socket = self._socket_folder()
        try:
            starts: list[float] = []
            watching = False
            while not self.stopping.is_set():
                disk.is_full()
                starts = [t for t in starts if time.monotonic() - t < 60] + [time.monotonic()]
                if len(starts) > RESTARTS_A_MINUTE:
                    if not disk.was_full():
                        raise PostgresError("Postgres ended again and again; see the lines above.")
                    disk.wait_for_room(self.stopping)
                    starts = []
                    continue
                self.process = self._serve(data)
                if not self._accepts_connections():
                    continue
                if fresh:
                    self._create_database()
                    self._say_it_is_made()
                    fresh = False
                self._announce_once_there_is_room(disk)
                if not watching:
                    watching = True
                    threading.Thread(target=self._wait_for_the_last_user, daemon=True).start()
                self.process.wait()
        finally:
            processes.stop(self.process, by=signal.SIGINT)
            self.cluster._state_file.unlink(missing_ok=True)
            shutil.rmtree(self.socket, ignore_errors=True)

    @property
    def _half_made(self) -> Path:
        """There while a server is made that nobody was told of yet: killed, it is made anew."""
        return self.cluster.folder / "half-made"

    def _say_it_is_made(self) -> None:
        """On the disk before anybody writes a row: a mark that came back would cost them all."""
        self._half_made.unlink()
        folder = os.open(self.cluster.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _asked_to_stop(self, *_: object) -> None:
        self.stopping.set()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def _wait_for_the_last_user(self) -> None:
        self.cluster._users.acquire()
        self._asked_to_stop()

    def _announce(self) -> None:
        assert self.process is not None
        state = asdict(
            Running(
                pid=self.process.pid,
                keeper=os.getpid(),
                socket=self.socket,
                url=connection_url(self.socket),
                major=self.server.major,
            )
        )
        draft = self.cluster._state_file.with_suffix(".draft")
        draft.write_text(json.dumps(state))
        draft.replace(self.cluster._state_file)

    def _announce_once_there_is_room(self, disk: processes.Disk) -> None:
        while not self.stopping.is_set():
            try:
                return self._announce()
            except OSError:
                if not disk.was_full():
                    raise
                disk.wait_for_room(self.stopping)
        return None

    def _data_folder(self) -> Path:
        data = self.cluster.data
        if self.user is None:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            return data
        if not data.exists():
            if not within_reach(self.user, self.cluster.folder):
                data = OPEN_HOME / key_of(self.cluster.folder) / "data"
                (self.cluster.folder / "data-is-at").write_text(f"{data}\n")
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chown(data, self.user.pw_uid, self.user.pw_gid)
        return data

    def _socket_folder(self) -> str:
        folder = make_socket_folder()
        if self.user is not None:
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        return os.fspath(folder)

    def _as_user(self) -> dict[str, object]:
        if self.user is None:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def _initialise(self, data: Path) -> None:
        locale = "C.UTF-8" if sys.platform == "linux" else "C"
        command = [
            os.fspath(self.server.binary("initdb")),
            "--pgdata", os.fspath(data),
            "--username", SUPERUSER,
            "--auth", "trust",
            "--encoding", "UTF8",
            "--locale", locale,
        ]  # fmt: skip
        if not self.cluster.durable:
            command.append("--no-sync")
        subprocess.run(  # type: ignore[call-overload]  # the keywords depend on who we are
            command,
            check=True,
            cwd="/",
            preexec_fn=processes.dying_with_us(signal.SIGKILL),
            **self._as_user(),
        )

    def _same_major(self, data: Path) -> None:
        theirs = int((data / "PG_VERSION").read_text().split(".")[0])
        if theirs != self.server.major:
            raise PostgresError(
                f"The data in {data} is of Postgres {theirs} and the server here is Postgres "
                f"{self.server.major}. Set DATABASE_URL to a server of major {theirs}, or restore "
                f"a backup into another folder (--dir)."
            )

    def _end_orphan(self, data: Path) -> None:
        """End a server whose keeper was killed where the kernel doesn't do it for us."""
        try:
            pid = int((data / "postmaster.pid").read_text().split("\n")[0])
        except (OSError, ValueError):
            return
        command = Path(f"/proc/{pid}/cmdline")
        ours = not command.parent.parent.exists() or (
            command.exists() and os.fsencode(data) in command.read_bytes()
        )
        if ours and processes.is_alive(pid):
            os.kill(pid, signal.SIGINT)
            processes.wait_until_gone(pid, START_PATIENCE)

    def _serve(self, data: Path) -> subprocess.Popen[bytes]:
        settings = dict(SETTINGS) | ({} if self.cluster.durable else QUICK_AND_FORGETFUL)
        command = [os.fspath(self.server.binary("postgres")), "-D", os.fspath(data)]
        command += ["-k", self.socket]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return processes.start(
            command,
            log=self.cluster.log,
            dies_with_us=signal.SIGINT,
            user=self.user,
            environment={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
        )

    def _accepts_connections(self) -> bool:
        assert self.process is not None
        end = time.monotonic() + START_PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                psycopg2.connect(connection_url(self.socket, SUPERUSER, "postgres")).close()
            except psycopg2.OperationalError:
                time.sleep(0.02)
            else:
                return True
        if self.process.poll() is None:
            raise PostgresError("Postgres accepts no connections.")
        time.sleep(0.5)  # the memory of one that was killed may linger a moment
        return False

    def _create_database(self) -> None:
        connection = psycopg2.connect(connection_url(self.socket, SUPERUSER, "postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {LOGIN} LOGIN CREATEDB CREATEROLE")
            cursor.execute(f"CREATE DATABASE {DATABASE} OWNER {LOGIN}")
        connection.close()
        prepare_database(connection_url(self.socket))


def main() -> None:
    """Keep the cluster of the folder named on the command line."""
    folder = Path(sys.argv[1])
    cluster = EmbeddedPostgres(folder, durable="--forgetful" not in sys.argv[2:])
    try:
        Keeper(cluster).run()
    except PostgresError as problem:
        raise SystemExit(str(problem)) from None


if __name__ == "__main__":
    main()
