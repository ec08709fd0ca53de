"""A first start and its migrations, killed on their way: the next `up` takes them up."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from outcomes_site.local.checks import ROOT
from outcomes_site.local.postgres import (
    DATABASE,
    SUPERUSER,
    EmbeddedPostgres,
    connection_url,
)
from outcomes_site.local.postgres_server import find_server
from tests.start.test_up import Up, answers, bare, get, manage, within_reach

pytestmark = [pytest.mark.faults, pytest.mark.processes, pytest.mark.timeout(900)]

PATIENCE = 180.0  # seconds until a start is where it is killed
SHORTLY = 0.3  # seconds: two moments of one kind are not the same


def processes_of(folder: Path) -> list[int]:
    """Those that have the folder in their command line: `up`, keeper, server, whoever makes it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if os.fsencode(folder) in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def cut_the_power(folder: Path) -> None:
    """Kill everything of a folder, and whoever had been starting meanwhile."""
    while pids := processes_of(folder):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _rows(folder: Path, question: str) -> list[tuple[Any, ...]]:
    """Asked of the server as it is just now; nothing where it doesn't answer yet."""
    try:
        socket = json.loads((folder / "postgres/state.json").read_text())["socket"]
        url = connection_url(socket, SUPERUSER, DATABASE)
        with closing(psycopg2.connect(url)) as line, line.cursor() as cursor:
            cursor.execute(question)
            return list(cursor.fetchall())
    except (OSError, ValueError, psycopg2.Error):
        return []


def migrations_done(folder: Path) -> int:
    found = _rows(folder, "SELECT count(*) FROM django_migrations")
    return int(found[0][0]) if found else 0


def _are_done(folder: Path, number: int) -> bool:
    return migrations_done(folder) >= number


def as_it_stands(folder: Path) -> tuple[list[str], dict[str, int]]:
    """The schema in words, rights and policies too, and how many rows each table holds."""
    socket = json.loads((folder / "postgres/state.json").read_text())["socket"]
    command = [find_server().binary("pg_dump"), "--schema-only"]
    said = subprocess.run(
        [*command, connection_url(socket, SUPERUSER, DATABASE)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    tables = _rows(folder, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    counts = {name: _rows(folder, f'SELECT count(*) FROM "{name}"')[0][0] for (name,) in tables}
    return [line for line in said.splitlines() if line[:1] != "\\"], counts


@pytest.fixture(scope="module")
def undisturbed() -> Iterator[tuple[list[str], dict[str, int]]]:
    with within_reach() as folder:
        up = Up(folder)
        try:
            yield as_it_stands(folder)
        finally:
            up.end()


def kill_when(folder: Path, is_time: Callable[[], bool], chance: random.Random) -> bool:
    """Start, wait for a moment and cut the power; False where the start was faster."""
    with (folder / "stderr").open("ab") as stderr:
        starting = subprocess.Popen(
            [sys.executable, os.fspath(ROOT / "manage.py"), "up", "--port", "0", "--dir", folder],
            env=bare(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
        )  # fmt: skip
    end = time.monotonic() + PATIENCE
    in_time = True
    while not is_time():
        assert starting.poll() is None, (folder / "stderr").read_text()[-3000:]
        assert time.monotonic() < end, "it never happened"
        if (folder / "state.json").exists():
            in_time = False
            break
        time.sleep(0.005)
    time.sleep(chance.uniform(0, SHORTLY))
    cut_the_power(folder)
    starting.wait()
    return in_time


def _finishes(folder: Path, undisturbed: tuple[list[str], dict[str, int]]) -> None:
    up = Up(folder)
    try:
        assert answers(up.url)
        checked = manage("migrate", "--check", folder=folder)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        schema, counts = as_it_stands(folder)
        assert schema == undisturbed[0]
        assert counts == undisturbed[1]
        assert get(up.state["first_administrator"])[0] == 200
    finally:
        up.end()


def _data(folder: Path) -> Path:
    return EmbeddedPostgres(folder).data


@pytest.mark.parametrize("seed", [1])
def test_a_server_that_was_being_made_is_made_by_the_next_start(
    seed: int, undisturbed: tuple[list[str], dict[str, int]]
) -> None:
    chance = random.Random(seed)
    moments: list[Callable[[Path], bool]] = [
        lambda folder: _data(folder).exists(),
        lambda folder: (_data(folder) / "PG_VERSION").exists(),
        lambda folder: (_data(folder) / "postmaster.pid").exists(),
    ]
    with within_reach() as folder:
        for moment in moments:
            assert kill_when(folder, partial(moment, folder), chance)
        _finishes(folder, undisturbed)


@pytest.mark.parametrize("seed", [1, 2])
def test_migrations_that_were_killed_are_taken_up_and_none_is_half_done(
    seed: int, undisturbed: tuple[list[str], dict[str, int]], capsys: Any
) -> None:
    chance = random.Random(seed)
    whole = undisturbed[1]["django_migrations"]
    with within_reach() as folder:
        done = []
        for after in sorted(chance.sample(range(whole), 4)):
            if kill_when(folder, partial(_are_done, folder, after), chance):
                done.append(after)
        with capsys.disabled():
            print(f"\nkilled after {done} of {whole} migrations")
        assert len(done) >= 2
        _finishes(folder, undisturbed)


def test_a_command_after_a_start_that_was_cut_off_finishes_what_it_needs() -> None:
    """It said that a table was missing, and to a folder's owner that is no answer."""
    with within_reach() as folder:
        assert kill_when(folder, partial(_are_done, folder, 12), random.Random(1))
        for command in (["run_nightly"], ["migrate", "--check"]):
            done = manage(*command, folder=folder)
            assert done.returncode == 0, done.stdout + done.stderr
