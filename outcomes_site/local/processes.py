"""Child processes that never outlive us, and file locks the kernel lets go when we die."""

from __future__ import annotations

import ctypes
import fcntl
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

PR_SET_PDEATHSIG = 1
ROOM = 32 * 1024 * 1024  # bytes: two files of Postgres's log, without which it gives up
A_WHILE = 90.0  # seconds: as long as a start may take
CHECKOUT = Path(__file__).resolve().parents[2]  # where modules are found, wherever we are called


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def open_log(path: Path) -> BinaryIO:
    """A log to append to, readable by us alone."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


class Disk:
    """The disk of a folder. A full one ends nothing: somebody makes room, and it goes on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._full_at = -A_WHILE

    def is_full(self) -> bool:
        """Whether there is too little room for a database to start."""
        disk = os.statvfs(self.folder)
        full = disk.f_bavail * disk.f_frsize < ROOM
        if full:
            self._full_at = time.monotonic()
        return full

    def was_full(self) -> bool:
        """Now or a while ago, as far as it was looked at: that may be why something ended."""
        return self.is_full() or time.monotonic() - self._full_at < A_WHILE

    def wait_for_room(self, stopping: threading.Event) -> None:
        if self.is_full():
            with suppress(OSError):
                print(f"The disk of {self.folder} is full: waiting.", file=sys.stderr, flush=True)
        while self.is_full() and not stopping.wait(0.5):
            pass


def dying_with_us(by: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the child gets a signal when this process ends."""
    libc = _libc()
    parent = os.getpid()

    def last_words_of_the_fork() -> None:
        # After the change of user, which would clear it.
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, int(by))
            if os.getppid() != parent:
                os._exit(1)

    return last_words_of_the_fork


def start(
    command: Sequence[str | Path],
    *,
    log: Path,
    dies_with_us: signal.Signals = signal.SIGTERM,
    user: pwd.struct_passwd | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child that gets `dies_with_us` when this process ends, however it ends.

    The child has a session of its own, so that Ctrl-C in a terminal reaches us alone and we stop
    the children in order.
    """
    as_user: dict[str, Any] = {}
    if user is not None:
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with open_log(log) as output:
        return subprocess.Popen(
            [os.fspath(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=CHECKOUT,
            start_new_session=True,
            preexec_fn=dying_with_us(dies_with_us),
            **as_user,
        )


def stop(
    process: subprocess.Popen[bytes] | None,
    *,
    by: signal.Signals = signal.SIGTERM,
    patience: float = 20,
) -> None:
    """Ask a child to end and wait; after `patience` seconds end it."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(by)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_alive(pid: int) -> bool:
    """Whether a process with this id runs (a zombie doesn't)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state != "Z"


def wait_until_gone(pid: int, patience: float) -> bool:
    """Wait for a process that isn't our child; False when it is still there."""
    end = time.monotonic() + patience
    while is_alive(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class FileLock:
    """An advisory lock on a file, shared or exclusive, gone with the process that held it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self, *, shared: bool = False, wait: bool = True) -> bool:
        """Take the lock; False when `wait` is off and somebody else has it."""
        file = self._file or self.path.open("a")
        how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        try:
            fcntl.flock(file, how)
        except BlockingIOError:
            if self._file is None:
                file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @contextmanager
    def held(self, *, shared: bool = False) -> Iterator[None]:
        self.acquire(shared=shared)
        try:
            yield
        finally:
            self.release()
