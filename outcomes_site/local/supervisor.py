"""What `manage.py up` runs: web and worker, started again if they end, stopped in order."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes_site.local import processes
from outcomes_site.local.broker import BrokerError
from outcomes_site.local.folder import Folder, write_private
from outcomes_site.local.postgres_server import PostgresError

START_PATIENCE = 60
RESTARTS_A_MINUTE = 5
LOOK_EVERY = 0.5


class CannotServe(RuntimeError):
    """The site can't be started; the message says why and what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `up`."""
    parser.add_argument("--demo", action="store_true", help="fill an empty database with a clinic")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free one")
    parser.add_argument("--dir", default=None, help="database, logs, keys and state (.run)")
    parser.add_argument("--json", action="store_true", help="one line when ready")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py up", allow_abbrev=False)
    add_arguments(parser)
    return parser.parse_known_args(arguments)[0]


def choose_port(wanted: int) -> int:
    """The wanted port if it is free; any free one for 0."""
    with socket.socket(socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except (OSError, OverflowError) as problem:
            raise CannotServe(
                f"Port {wanted} can't be used ({problem}); choose another, "
                f"for example --port {wanted % 60000 + 1}."
            ) from None
        return int(probe.getsockname()[1])


def addresses(port: int) -> list[str]:
    """Where to listen so that localhost and 127.0.0.1 both answer."""
    found = [f"127.0.0.1:{port}"]
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(("::1", port))
        found.append(f"[::1]:{port}")
    except OSError:
        pass  # a machine without IPv6
    return found


def web_command(port: int) -> list[str]:
    command = [sys.executable, "-m", "gunicorn", "outcomes_site.wsgi"]
    for address in addresses(port):
        command += ["--bind", address]
    return [
        *command,
        "--workers", "2", "--threads", "4", "--timeout", "60", "--graceful-timeout", "10",
        "--no-control-socket", "--log-level", "warning",
        "--config", "python:outcomes_site.serving",
    ]  # fmt: skip


def worker_command(schedule: Path) -> list[str]:
    return [
        sys.executable, "-m", "celery", "-A", "outcomes_site.celery", "worker",
        "--beat", "--schedule", os.fspath(schedule), "--concurrency", "2",
        "--loglevel", "warning", "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip


def answers(port: int) -> bool:
    """Whether the site is well, asked through its own door."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


@dataclass
class Child:
    """One process of the site, and what tells that it is ready."""

    name: str
    command: list[str]
    log: Path
    is_ready: Callable[[], bool]
    before: Callable[[], None] = lambda: None
    process: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)

    def start(self) -> None:
        now = time.monotonic()
        self.starts = [*(t for t in self.starts if now - t < 60), now]
        if len(self.starts) > RESTARTS_A_MINUTE:
            raise CannotServe(f"The {self.name} ends again and again: {self._last_words()}")
        self.before()
        self.process = processes.start(self.command, log=self.log)

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def end_the_rest(self) -> None:
        """A parent that was killed leaves children that would work beside the new ones."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def wait_ready(self) -> None:
        end = time.monotonic() + START_PATIENCE
        while not self.is_ready():
            if self.has_ended() or time.monotonic() > end:
                raise CannotServe(f"The {self.name} didn't start: {self._last_words()}")
            time.sleep(0.05)

    def _last_words(self) -> str:
        said = self.log.read_text(errors="replace")[-2000:].strip() if self.log.exists() else ""
        return f"its log, {self.log}, says:\n{said}"


class Site:
    """Web and worker over the services beneath them."""

    def __init__(self, services: Any, port: int) -> None:
        self.services = services
        self.folder: Folder = services.folder
        self.port = port
        logs = self.folder.logs
        ready = self.folder.path / "worker-is-ready"
        os.environ["WORKER_READY_FILE"] = os.fspath(ready)
        self.web = Child("web server", web_command(port), logs / "web.log", lambda: answers(port))
        self.worker = Child(
            "worker",
            worker_command(self.folder.path / "timetable"),
            logs / "worker.log",
            ready.exists,
            before=lambda: ready.unlink(missing_ok=True),
        )

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        self.web.start()
        self.worker.start()
        self.web.wait_ready()
        self.worker.wait_ready()

    def pids(self) -> dict[str, int]:
        found = {"up": os.getpid()}
        for name, child in (("web", self.web), ("worker", self.worker)):
            if child.process is not None:
                found[name] = child.process.pid
        broker, postgres = self.services.broker, self.services.postgres
        if broker is not None and broker.process is not None:
            found["broker"] = broker.process.pid
        running = postgres.running() if postgres is not None else None
        if running is not None:
            found |= {"postgres": running.pid, "postgres_keeper": running.keeper}
        return found

    def watch(self, changed: Callable[[], None]) -> None:
        """Start again whatever ends, until a signal ends us."""
        disk = processes.Disk(self.folder.path)
        unsaid = False
        while True:
            time.sleep(LOOK_EVERY)
            disk.is_full()
            try:
                unsaid |= self._mend()
                if unsaid:
                    changed()
                    unsaid = False
            except (OSError, BrokerError, CannotServe, PostgresError):
                if not disk.was_full():
                    raise
                # What was started and not said, or not started, is once there is room.
                disk.wait_for_room(threading.Event())
                for child in (self.web, self.worker):
                    child.starts.clear()
                unsaid = True

    def _mend(self) -> bool:
        mended = False
        broker, postgres = self.services.broker, self.services.postgres
        if broker is not None and broker.process is not None and broker.process.poll() is not None:
            broker.start()
            mended = True
        if postgres is not None and not postgres.is_kept():
            os.environ["DATABASE_URL"] = postgres.start().url
            for child in (self.web, self.worker):  # they know the former address
                processes.stop(child.process)
            mended = True
        for child in (self.web, self.worker):
            if child.has_ended():
                child.end_the_rest()
                child.start()
                mended = True
        return mended

    def stop(self) -> None:
        """Nothing new comes in, what is being worked on is finished."""
        processes.stop(self.web.process, patience=15)
        processes.stop(self.worker.process, by=signal.SIGTERM, patience=30)


def serve(services: Any, port: int, first_administrator: str, *, as_json: bool) -> None:
    """Run the site until a signal; `first_administrator` is a path with a one-time token, or ''."""
    site = Site(services, port)
    folder: Folder = services.folder

    def describe() -> dict[str, Any]:
        return {
            "url": site.url,
            "dir": os.fspath(folder.path),
            "pids": site.pids(),
            "first_administrator": f"{site.url}{first_administrator}"
            if first_administrator
            else "",
            "broker": os.environ.get("REDIS_URL", ""),
        }

    def note() -> None:
        write_private(folder.state, json.dumps(describe()) + "\n")

    try:
        site.start()
        note()
        tell(folder, describe(), as_json=as_json)
        site.watch(changed=note)
    finally:
        site.stop()
        folder.state.unlink(missing_ok=True)


def logins(folder: Folder) -> list[dict[str, str]]:
    try:
        found: list[dict[str, str]] = json.loads(folder.logins.read_text())
    except (OSError, ValueError):
        return []
    return found


def tell(folder: Folder, state: Mapping[str, Any], *, as_json: bool, already: bool = False) -> None:
    """Say where the site is and how to get in."""
    known = logins(folder)
    if as_json:
        line = {k: v for k, v in state.items() if k != "broker"} | {"logins": known}
        print(json.dumps(line | ({"already_running": True} if already else {})), flush=True)
        return
    is_running = "is already running" if already else "is running"
    print(f"\nClinic outcomes {is_running} at {state['url']}")
    print(
        f"Database, logs and keys are in {state['dir']}" + ("." if already else "; Ctrl-C stops.")
    )
    if known:
        print(f"\nThe demo's people (passwords are kept in {folder.logins}):")
        wide = max(len(login["email"]) for login in known)
        for login in known:
            print(f"  {login['email']:<{wide}}  {login['password']}  {login['role']}")
    if state.get("first_administrator"):
        print(f"\nMake the first administrator, once: {state['first_administrator']}")
    print(flush=True)
