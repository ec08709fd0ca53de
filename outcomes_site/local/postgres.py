"""Postgres for one folder, shared by every process that works there; the last one stops it.

Whoever comes first launches its keeper (postgres_keeper.py), which waits for an exclusive lock on
a file of which each user holds a shared one. The kernel lets those go however a user ends, so the
server stops after the last of them and never before. It listens on a unix socket in a short
private folder and nowhere else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from outcomes_site.local import processes
from outcomes_site.local.postgres_server import (
    PostgresError,
)
from outcomes_site.local.processes import FileLock

SUPERUSER = "outcomes_super"
LOGIN = "outcomes"
DATABASE = "outcomes"
SOCKET_FOLDER = "outcomes-"
START_PATIENCE = 60

# Keepers that we started and that may outlive our use of them.
_keepers: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Running:
    """A server that accepts connections."""

    pid: int
    keeper: int
    socket: str
    url: str
    major: int


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
        command = [sys.executable, "-m", "outcomes_site.local.postgres_keeper", self.folder.parent]
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
