"""The disk under database, broker and logs is full for seconds at a time, while people enter."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from outcomes_site.local.postgres import DATABASE, SUPERUSER, connection_url
from tests.faults.load import simulated, under_load
from tests.start.test_up import Up, within_reach

pytestmark = [pytest.mark.faults, pytest.mark.processes, pytest.mark.timeout(900)]

CLINICIANS, ENTRIES = 6, 12
DISK = 640  # MB
FULL_FOR = (2.0, 6.0)  # seconds
FREE_FOR = (3.0, 8.0)
THE_SERVER_GIVES_UP = {2, 4}  # of the times that it is full


@pytest.fixture
def site() -> Iterator[Up]:
    """A site whose folder is a disk of its own: of no more than some hundred megabytes."""
    with within_reach() as folder:
        size = f"size={DISK}m,mode=711"
        try:
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("nobody may mount a small disk here: run this as root of the machine")
        try:
            with simulated(folder) as up:
                yield up
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Not a block is left, and none that is given free meanwhile."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb") as file:
            _fill(file.fileno(), folder)
            yield
    finally:
        ballast.unlink()


def _fill(file: int, folder: Path) -> None:
    while room := os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize:
        with suppress(OSError):  # somebody else was faster
            os.posix_fallocate(file, os.fstat(file).st_size, room)


def use_up_the_log(folder: Path) -> bool:
    """Write until Postgres finds no room for its log, which ends it; whether it did."""
    socket = json.loads((folder / "postgres/state.json").read_text())["socket"]
    with closing(psycopg2.connect(connection_url(socket, SUPERUSER, DATABASE))) as line:
        line.autocommit = True
        with suppress(psycopg2.Error), line.cursor() as cursor:
            for _time in range(DISK // 4):
                cursor.execute("SELECT pg_logical_emit_message(true, 'x', repeat('x', 4000000))")
        return bool(line.closed)


@pytest.mark.parametrize("seed", [1])
def test_a_disk_that_is_full_loses_nothing_doubles_nothing_and_says_so(
    site: Up, seed: int, tmp_path: Path, capsys: Any
) -> None:
    chance = random.Random(seed)
    times = given_up = 0
    with under_load(site, CLINICIANS, ENTRIES, tmp_path) as load:
        for _moment in load.moments(chance, FREE_FOR):
            times += 1
            with full(site.folder):
                if times in THE_SERVER_GIVES_UP:
                    given_up += use_up_the_log(site.folder)
                time.sleep(chance.uniform(*FULL_FOR))
    with capsys.disabled():
        print(f"\nfull {times} times, the server ended {given_up} times; {load}")
    # The page that says: nothing was written, go back.
    assert set(load.crowd.refused) <= {"0", "503"}
    assert times >= 3
    assert given_up
