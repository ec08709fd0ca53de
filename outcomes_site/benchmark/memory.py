"""How much memory a night holds: its own processes and those that serve it in the database.

Each process's proportional share (PSS, proc(5)) is summed over all of them at once, so that what
they share, the database's buffers and the programme itself, counts once. The system's file cache,
which it gives back when asked, isn't counted.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from django.db import connection

EVERY_SECONDS = 0.5
PROC = Path("/proc")


def _parents() -> dict[int, int]:
    """Each process's parent."""
    found = {}
    for place in PROC.iterdir():
        if place.name.isdigit():
            with suppress(OSError):  # gone meanwhile
                found[int(place.name)] = int(
                    (place / "stat").read_text().rpartition(")")[2].split()[1]
                )
    return found


def _family(first: Iterable[int], parents: dict[int, int]) -> set[int]:
    """These processes and all that they started."""
    found, newest = set(first), set(first)
    while newest:
        newest = {pid for pid, parent in parents.items() if parent in newest} - found
        found |= newest
    return found


def _share_kb(pid: int) -> int:
    with suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0  # gone meanwhile


def _server() -> int | None:
    """The database's first process, where it runs here and may be looked into."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = int(cursor.fetchone()[0])
    try:
        name = (PROC / str(backend) / "cmdline").read_bytes()
        return _parents()[backend] if name.startswith(b"postgres") and _share_kb(backend) else None
    except (OSError, KeyError):
        return None


class Memory:
    """The most that was held at once while this context was open, in megabytes; None: unknown.

    `night` and `database` are the parts of that moment.
    """

    def __init__(self) -> None:
        self.night: int | None = None
        self.database: int | None = None
        self.server = _server()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        if self.server is not None:
            self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop.set()
        if self.server is not None:
            self.thread.join()

    @property
    def peak(self) -> int | None:
        return None if self.night is None else self.night + (self.database or 0)

    def as_dict(self) -> dict[str, int | None]:
        return {"peak": self.peak, "night": self.night, "database": self.database}

    def _watch(self) -> None:
        while not self.stop.wait(EVERY_SECONDS):
            parents = _parents()
            ours = _family([os.getpid()], parents) - {os.getpid()}
            theirs = _family([self.server or 0], parents)
            night, database = (
                round(sum(map(_share_kb, pids - other)) / 1024)
                for pids, other in ((ours, theirs), (theirs, set()))
            )
            if night + database > (self.peak or 0):
                self.night, self.database = night, database
