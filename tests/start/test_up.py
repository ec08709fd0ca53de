"""`manage.py up`: everything comes up, says where it is, heals, and goes away in order."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from outcomes_site.local import processes
from outcomes_site.local.checks import ROOT

pytestmark = pytest.mark.processes

# A clinic's machine has none of what the tests are given.
GIVEN_TO_TESTS = {
    "DATABASE_URL",
    "DATABASE_URL_FILE",
    "REDIS_URL",
    "ENVIRONMENT",
    "BROKER_PREFIX",
    "OUTCOMES_DIR",
    "WITHOUT_DATABASE",
}


def bare() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name not in GIVEN_TO_TESTS}


def manage(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = bare() | ({"OUTCOMES_DIR": os.fspath(folder)} if folder else {})
    return subprocess.run(
        [sys.executable, os.fspath(ROOT / "manage.py"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


class Up:
    """One `up`, as somebody in a terminal would have it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, os.fspath(ROOT / "manage.py"), "up", "--json", "--port", "0"]
        with (folder / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                [*command, "--dir", os.fspath(folder)],
                env=bare(),
                cwd=folder,  # it is started from anywhere
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (folder / "stderr").read_text()
        self.state: dict[str, Any] = json.loads(line)
        self.url: str = self.state["url"]

    def pids(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.folder / "state.json").read_text())["pids"]
        return found

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(by)
        status = self.process.wait(120)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@contextmanager
def within_reach() -> Iterator[Path]:
    """A folder that the database server's own user may enter."""
    path = Path(tempfile.mkdtemp(prefix="outcomes-test-", dir="/tmp"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass
class ByCommands:
    """A folder that was empty until commands were run on it, and what they said."""

    folder: Path
    listed_first: subprocess.CompletedProcess[str]
    state_remained: bool
    asked: subprocess.CompletedProcess[str]
    listed_then: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def by_commands() -> Iterator[ByCommands]:
    with within_reach() as path:
        listed = manage("showmigrations", "--plan", "--skip-checks", folder=path)
        remained = (path / "postgres/state.json").exists()
        asked = manage("shell", "-c", "from sessions_app.models import User", folder=path)
        then = manage("showmigrations", "--plan", "--skip-checks", folder=path)
        yield ByCommands(path, listed, remained, asked, then)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with within_reach() as path:
        yield path


@pytest.fixture(scope="module")
def up(folder: Path) -> Iterator[Up]:
    site = Up(folder)
    yield site
    site.end()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def wait_until(true, patience: float = 120):
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return get(f"{url}/healthz")[0] == 200
    except OSError:
        return False


def test_it_answers_on_localhost_and_on_127_0_0_1(up):
    port = up.url.rpartition(":")[2]
    assert up.url == f"http://localhost:{port}"
    assert get(f"{up.url}/healthz") == (200, '{"status": "ok"}')
    assert get(f"http://127.0.0.1:{port}/healthz")[0] == 200


def test_the_line_names_every_process_and_each_is_alive(up):
    assert {"up", "web", "worker", "broker", "postgres"} <= set(up.state["pids"])
    assert all(processes.is_alive(pid) for pid in up.state["pids"].values())


def test_everything_the_site_needs_is_ready(up):
    status, said = get(f"{up.url}/readyz")
    assert status == 200, said


def test_keys_and_state_are_readable_by_us_alone(up):
    private = [up.folder / "state.json", *(up.folder / "keys").iterdir()]
    assert len(private) == 5
    for path in private:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_second_start_says_where_the_first_one_is(up):
    again = manage("up", "--dir", os.fspath(up.folder), "--json")
    said = json.loads(again.stdout)
    assert again.returncode == 0
    assert said["already_running"] is True
    assert (said["url"], said["pids"]) == (up.url, up.state["pids"])
    plain = manage("up", "--dir", os.fspath(up.folder))
    assert f"is already running at {up.url}" in plain.stdout


def test_another_command_works_on_the_running_database(up):
    listed = manage("showmigrations", "--plan", "--skip-checks", folder=up.folder)
    assert listed.returncode == 0, listed.stderr
    assert "[X]  sessions_app.0001_user" in listed.stdout
    assert "[ ]" not in listed.stdout
    assert processes.is_alive(up.state["pids"]["postgres"])


def test_a_port_in_use_is_named_with_another_to_try(up, tmp_path):
    port = up.url.rpartition(":")[2]
    refused = manage("up", "--port", port, "--dir", os.fspath(tmp_path))
    assert refused.returncode == 1
    assert f"Port {port} can't be used" in refused.stderr
    assert "--port" in refused.stderr


def test_the_first_administrator_page_opens_once_and_with_its_token_alone(up):
    url = up.state["first_administrator"]
    assert url.startswith(f"{up.url}/first-administrator/")
    assert get(f"{up.url}/first-administrator/guess/")[0] == 404

    visitor = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with visitor.open(url) as page:
        form = page.read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert token is not None
    answer = {
        "csrfmiddlewaretoken": token[1],
        "clinic_name": "Riverside",
        "name": "Ada Moreno",
        "email": "ada@example.org",
    }

    def post(password: str) -> tuple[str, str]:
        body = urlencode(answer | {"password": password}).encode()
        with visitor.open(urllib.request.Request(url, data=body)) as page:
            return page.url, page.read().decode()

    where, said = post("password1234")
    assert where == url, "a common password is refused"
    assert "ada@example.org" in said, "what was typed is kept"
    where, said = post("a heron over slow water")
    assert where != url
    assert get(url)[0] == 404


@pytest.mark.parametrize("name", ["web", "worker", "broker", "postgres", "postgres_keeper"])
def test_whatever_is_killed_comes_back(up, name):
    before = up.pids()
    os.kill(before[name], signal.SIGKILL)

    def is_back() -> bool:
        # A killed server comes back under its keeper without a word from us.
        if name == "postgres":
            noted = json.loads((up.folder / "postgres/state.json").read_text())["pid"]
        else:
            noted = up.pids()[name]
        return noted != before[name] and processes.is_alive(noted) and answers(up.url)

    wait_until(is_back)
    assert get(f"{up.url}/readyz")[0] == 200


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_it_started(by, folder_of_its_own):
    up = Up(folder_of_its_own)
    pids = up.pids()
    assert up.end(by) == 0
    assert [name for name, pid in pids.items() if processes.is_alive(pid)] == []
    assert not (up.folder / "state.json").exists()
    assert get_refused(up.url)


def test_a_start_that_is_killed_leaves_nothing_running(folder_of_its_own):
    up = Up(folder_of_its_own)
    pids = up.pids()
    up.end(signal.SIGKILL)
    wait_until(lambda: not any(processes.is_alive(pid) for pid in pids.values()))


def get_refused(url: str) -> bool:
    try:
        get(f"{url}/healthz")
    except urllib.error.URLError:
        return True
    return False


@pytest.fixture
def folder_of_its_own(by_commands: ByCommands) -> Iterator[Path]:
    """One with its tables made: what is tried with it isn't how they are made."""
    with within_reach() as path:
        subprocess.run(["cp", "-a", f"{by_commands.folder}/.", os.fspath(path)], check=True)
        yield path


def test_a_command_starts_the_database_for_its_own_duration(by_commands: ByCommands):
    assert by_commands.listed_first.returncode == 0, by_commands.listed_first.stderr
    assert "[ ]  sessions_app.0001_user" in by_commands.listed_first.stdout
    assert not by_commands.state_remained
    # A command that works on rows finds its tables made.
    assert by_commands.asked.returncode == 0, by_commands.asked.stderr
    assert "[ ]" not in by_commands.listed_then.stdout
