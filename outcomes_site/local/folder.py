"""The folder of one installation on this machine: database, logs, keys, state."""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outcomes_site.local.processes import FileLock

DEFAULT = ".run"


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


@dataclass(frozen=True)
class Folder:
    """Paths, keys and the state that a running `up` leaves for other commands."""

    path: Path

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def logins(self) -> Path:
        """The demo's logins, written last when a demo was loaded."""
        return self.path / "logins.json"

    @property
    def demo_is_ready(self) -> Path:
        """There once the demo's first night was computed to the end."""
        return self.path / "demo-is-ready"

    @property
    def state(self) -> Path:
        return self.path / "state.json"

    @property
    def erasures(self) -> Path:
        """Who was erased, for backups made before."""
        return self.path / "erasures.jsonl"

    @property
    def audit_seals(self) -> Path:
        """The audit chain's hashes, which the database's owner can't reach."""
        return self.path / "audit-seals.jsonl"

    @property
    def up_lock(self) -> FileLock:
        """Held by a running `up` as long as it lives."""
        return FileLock(self.path / "up.lock")

    def make(self) -> None:
        """Create the folder; as root others may pass through it, as the server's user must."""
        if not self.path.exists():
            self.path.mkdir(parents=True)
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for private in (self.keys, self.logs):
            if not private.exists():
                private.mkdir(mode=0o700)

    def make_keys(self) -> None:
        """Generate what isn't there yet. Without these files no name can be read again."""
        random_key = base64.b64encode(secrets.token_bytes(32)).decode()
        another = base64.b64encode(secrets.token_bytes(32)).decode()
        fresh = {
            "SECRET_KEY": secrets.token_urlsafe(64),
            "MASTER_KEYS": f"{time.strftime('%Y-%m')}:{random_key}",
            "BACKUP_KEYS": f"{time.strftime('%Y-%m')}:{another}",
            "SEARCH_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        }
        for name, text in fresh.items():
            file = self.keys / name.lower()
            if not file.exists():
                write_private(file, text + "\n")

    def key_files(self) -> dict[str, str]:
        """NAME_FILE variables of the folder's keys."""
        return {
            f"{file.name.upper()}_FILE": os.fspath(file.resolve())
            for file in sorted(self.keys.glob("[a-z]*"))
        }

    def read_state(self) -> dict[str, Any] | None:
        """What the running `up` said of itself; None when none runs here."""
        if not self.path.exists():
            return None
        lock = self.up_lock
        if lock.acquire(shared=True, wait=False):
            lock.release()
            return None
        try:
            state: dict[str, Any] = json.loads(self.state.read_text())
        except (OSError, ValueError):
            return {}
        return state
