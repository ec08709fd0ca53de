"""The chain's hashes kept outside the database, where its owner can't rewrite them.

Whoever owns the tables could switch the triggers off, change a row and build the whole chain
anew. So each seal's hash is also added to a file beside the database (AUDIT_SEALS) and to the
log, and `verify_audit` holds the chain to the file. Lines of JSON: up to which row, how many,
the hash; nothing of anyone.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from pathlib import Path
from typing import Any

from django.conf import settings

from sessions_app.context import acting_as, system
from sessions_app.models import AuditSeal

logger = logging.getLogger(__name__)


class Unreadable(ValueError):
    """The file isn't there or a line of it isn't one of ours; the message says which."""


def kept() -> dict[int, str] | None:
    """Hash by last row as the file has it; None where no file is asked for.

    Raises `Unreadable`. A last line that a full disk cut short is not counted.
    """
    if not settings.AUDIT_SEALS:
        return None
    path = Path(settings.AUDIT_SEALS)
    try:
        return _read(path.read_bytes(), path)
    except OSError as problem:
        raise Unreadable(f"{path} can't be read: {problem.strerror}.") from None


def _read(text: bytes, path: Path) -> dict[int, str]:
    found: dict[int, str] = {}
    for number, line in enumerate(text[: text.rfind(b"\n") + 1].splitlines(), start=1):
        try:
            row = json.loads(line)
            if "restored" in row:  # a backup took the place: what came after it is gone
                found = {last: known for last, known in found.items() if last <= row["restored"]}
            else:
                found[int(row["last_id"])] = str(row["hash"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise Unreadable(f"{path}, line {number}: not a seal.") from None
    return found


def write() -> int:
    """Add the seals that the file doesn't have yet; how many. Run again it adds nothing.

    What stands in the file is never changed, so a chain that was rewritten contradicts it.
    """
    if not settings.AUDIT_SEALS:
        return 0
    path = Path(settings.AUDIT_SEALS)
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        known = _read(text, path)
        with acting_as(system("sealer")):
            newer = list(AuditSeal.objects.filter(last_id__gt=max(known, default=0)))
        rows = [_row(seal) for seal in newer]
        _add(file, text, rows)
    for row in rows:
        logger.info("audit sealed", extra={"facts": row})
    return len(rows)


def begin_anew(last_id: int) -> None:
    """Note that a backup took the database's place, whose chain ends with this row."""
    if not settings.AUDIT_SEALS:
        return
    with open(os.open(settings.AUDIT_SEALS, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _add(file, file.read(), [{"restored": last_id}])


def _row(seal: AuditSeal) -> dict[str, Any]:
    return {
        "last_id": seal.last_id,
        "rows": seal.rows,
        "hash": seal.hash,
        "at": seal.sealed_at.isoformat(timespec="seconds"),
    }


def _add(file: Any, text: bytes, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    whole = text.rfind(b"\n") + 1  # what a full disk cut short is written anew
    file.seek(whole)
    file.truncate()
    file.write("".join(json.dumps(row) + "\n" for row in rows).encode())
    file.flush()
    os.fsync(file.fileno())
