"""The list of erased clients that is kept beside the database, for backups made before.

A backup still holds the keys of those who were erased after it was made. A restore replays this
list before anybody can sign in. Lines of JSON: a client's random code, when, and the reason's
code; nothing of the person.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings

KIND = "erasure ledger"


class LedgerDamaged(ValueError):
    """A line that isn't one of ours; the message says which."""


def write(payload: dict[str, Any], message_id: str) -> None:
    """Add one erasure to the file; twice is the same as once."""
    if not settings.ERASURE_LEDGER:
        return
    path = Path(settings.ERASURE_LEDGER)
    line = json.dumps({name: payload[name] for name in ("client", "at", "reason")}) + "\n"
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        known = file.read()
        whole = known[: known.rfind(b"\n") + 1]
        if line.encode() in whole.splitlines(keepends=True):
            return
        # What a full disk cut short is written anew: its erasure is still promised.
        file.seek(len(whole))
        file.truncate()
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> list[dict[str, str]]:
    """Its erasures in order; a line cut short is refused, naming it."""
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found.append({name: str(row[name]) for name in ("client", "at", "reason")})
        except (ValueError, KeyError, TypeError, RecursionError):
            raise LedgerDamaged(f"{path}, line {number}: not an erasure.") from None
    return found
