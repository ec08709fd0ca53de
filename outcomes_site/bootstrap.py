"""Make this checkout runnable with nothing but Python: standard library only.

`enter` makes `.venv` from the hash-locked requirements if it isn't there, and goes on in it. The
lock's sha256 is noted last, so that a half-made environment is never taken for a whole one.
Where packages come from is pip's own configuration alone.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

RUNTIME = "requirements.lock"
DEVELOPMENT = "requirements-dev.lock"  # all of the runtime's, and what the checks need

# What WeasyPrint draws text with, and what makes its PDFs small and quick.
LIBRARIES = {
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def say(line: str) -> None:
    """Progress goes to stderr: stdout belongs to the command."""
    print(line, file=sys.stderr, flush=True)


class Environment:
    """The virtual environment of one checkout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"

    def lock_hash(self, lock: str) -> str:
        return hashlib.sha256((self.root / lock).read_bytes()).hexdigest()

    def _stamp(self, lock: str) -> Path:
        return self.folder / f"{lock}.sha256"

    def is_ready(self, lock: str) -> bool:
        """Whether everything in `lock`, as it is today, was installed to the end."""
        try:
            return (
                self._stamp(lock).read_text().strip() == self.lock_hash(lock)
                and self.python.exists()
            )
        except OSError:
            return False

    def stamp(self, lock: str) -> None:
        """Note that `lock` is installed; the development lock holds the runtime's."""
        for name in {lock, RUNTIME}:
            self._stamp(name).write_text(self.lock_hash(name) + "\n")

    def is_current(self) -> bool:
        """Whether this very process runs in it."""
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def make(self, lock: str) -> None:
        """Create the environment if need be and install `lock` into it."""
        if not self.python.exists():
            say(f"Preparing {self.folder} (once) ...")
            _need_ensurepip()
            run = subprocess.run(
                [sys.executable, "-m", "venv", "--clear", os.fspath(self.folder)], check=False
            )
            if run.returncode:
                raise SystemExit(f"{self.folder} could not be made; see the lines above.")
        for old in (RUNTIME, DEVELOPMENT):
            self._stamp(old).unlink(missing_ok=True)
        if not list(self.folder.glob("lib/python*/site-packages/pip")):
            subprocess.run([self.python, "-m", "ensurepip"], check=True, stdout=sys.stderr)
        say(f"Installing {lock} ...")
        run = subprocess.run(
            [
                os.fspath(self.python), "-m", "pip", "install",
                "--quiet", "--no-input", "--disable-pip-version-check",
                "--require-hashes", "--no-deps", "--requirement", os.fspath(self.root / lock),
            ],
            stdout=sys.stderr,
            check=False,
        )  # fmt: skip
        if run.returncode:
            raise SystemExit(
                f"The packages of {lock} could not be installed; see the lines above. Where they "
                f"come from is pip's own configuration (PIP_INDEX_URL or pip.conf)."
            )
        self.stamp(lock)

    def go_on(self) -> NoReturn:
        """Replace this process by the environment's Python, with the same arguments."""
        os.environ["OUTCOMES_REEXECUTED"] = str(os.getpid())
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(self.python, [os.fspath(self.python), *sys.orig_argv[1:]])


@contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Hold the checkout's lock; the kernel lets it go if we are killed."""
    folder = root / ".cache"
    folder.mkdir(exist_ok=True)
    with (folder / "bootstrap.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another start is preparing this checkout; waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _may_use_apt() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _apt_line(packages: list[str]) -> str:
    return f"apt-get install --no-install-recommends {' '.join(packages)}"


def apt_install(packages: list[str]) -> bool:
    """Install Debian packages as root; False when that isn't possible here."""
    if not _may_use_apt():
        return False
    say(f"Installing {' '.join(packages)} ...")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (install, ["apt-get", "update", "-qq"], install):
        # The first try serves where the lists are fresh; otherwise they are fetched once.
        done = subprocess.run(
            command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
        if command is install and done.returncode == 0:
            return True
    return False


def _need_ensurepip() -> None:
    if importlib.util.find_spec("ensurepip") is not None:
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if apt_install([package]) or apt_install(["python3-venv"]):
        return
    raise SystemExit(
        f"This Python can't make a virtual environment: ensurepip is missing. As root:\n"
        f"  {_apt_line([package])}\nand start again."
    )


def missing_libraries() -> list[str]:
    """Debian packages of the shared libraries that can't be loaded."""
    missing = []
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    return missing


def has_browser() -> bool:
    return any(shutil.which(name) for name in BROWSERS)


def system_packages(*, browser: bool) -> None:
    """Install what PDF and browser tests need, or say how; neither stops the start."""
    if sys.platform != "linux":
        return
    wanted = missing_libraries()
    if wanted and not apt_install(wanted):
        say(f"PDFs need system libraries. As root:\n  {_apt_line(wanted)}")
    if browser and not has_browser() and not apt_install(["chromium"]):
        say(f"Browser tests need Chromium. As root:\n  {_apt_line(['chromium'])}")


def enter(root: Path, *, development: bool) -> None:
    """Return in `.venv` with everything installed; may replace this process on the way."""
    if os.environ.get("OUTCOMES_BOOTSTRAP") == "off":  # a container image has its own packages
        return
    environment = Environment(root)
    lock = DEVELOPMENT if development else RUNTIME
    if not environment.is_ready(lock):
        with one_at_a_time(root):
            if not environment.is_ready(lock):
                environment.make(lock)
                system_packages(browser=development)
    if environment.is_current():
        return
    if os.environ.get("OUTCOMES_REEXECUTED") == str(os.getpid()):
        raise SystemExit(
            f"{environment.python} runs outside {environment.folder}: delete that folder and "
            f"start again."
        )
    environment.go_on()
