"""A disk that is full under load, and migrations that are killed on their way."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from outcomes_site.benchmark.crowd import Entry
from outcomes_site.local.checks import ROOT
from tests.faults.test_under_load import (
    AFTER,
    PREPARE,
    Crowd,
    Nights,
    asked,
    measures_in,
    site,
)
from tests.start.test_up import Up, answers, bare, manage, wait_until, within_reach

__all__ = ["site"]
pytestmark = [pytest.mark.faults, pytest.mark.processes, pytest.mark.timeout(900)]

CLINICIANS, ENTRIES = 6, 10
FULL = 128 * 1024  # bytes: what a file may not grow beyond while the disk is full
KILLED_AFTER = (0.3, 3.0)  # seconds into a migration


def server_processes(folder: Path) -> list[int]:
    """The database server and its children."""
    try:
        server = int(json.loads((folder / "postgres/state.json").read_text())["pid"])
    except (OSError, ValueError, KeyError):
        return []
    found = [server]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError):
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == server:
                    found.append(int(entry.name))
    return found


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """No file of the database grows any more: tables, indexes and the log of transactions.

    By a limit on its processes, which anybody may set for their own; the server meets it where
    it would meet a full disk, at the write.
    """
    infinite = resource.RLIM_INFINITY
    limited = server_processes(folder)
    for pid in limited:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL, infinite))
    try:
        yield
    finally:
        for pid in {*limited, *server_processes(folder)}:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (infinite, infinite))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_disk_that_was_full_loses_and_doubles_nothing(
    site: Up,
    seed: int,
    tmp_path: Path,
    capsys: Any,
) -> None:
    chance = random.Random(seed)
    told = asked(site.folder, PREPARE.format(clinicians=CLINICIANS, entries=ENTRIES))
    entries = [[Entry(**row) for row in mine] for mine in told["entries"]]
    all_of_them = [entry for mine in entries for entry in mine]
    crowd = Crowd(int(site.url.rpartition(":")[2]), entries)
    nights = Nights(site.folder)
    crowd.start()
    nights.thread.start()
    times = 0
    while crowd.is_busy():
        time.sleep(chance.uniform(4, 8))
        if not answers(site.url):
            continue
        with full_disk(site.folder):
            times += 1
            time.sleep(chance.uniform(1, 4))
    nights.stop.set()
    nights.thread.join(300)
    wait_until(lambda: answers(site.url))
    night = manage("run_nightly", "--json", folder=site.folder)
    assert night.returncode == 0, night.stderr
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps([entry.key for entry in all_of_them]))
    after = asked(site.folder, AFTER.format(keys=os.fspath(keys)))
    with capsys.disabled():
        print(
            f"\nfull {times} times; {len(crowd.kept)} of {len(all_of_them)} entries kept, "
            f"{crowd.again} of them sent more than once ({dict(crowd.refused)}); nights begun "
            f"{nights.began}, ended well {nights.ended_well}"
        )
    assert not crowd.given_up
    assert set(after["sums"]) == {entry.key for entry in all_of_them}
    sent = {entry.key: measures_in(entry) for entry in all_of_them}
    assert {key: len(rows) for key, rows in after["sums"].items()} == sent
    assert after["counts"]["sessions"] - told["before"]["sessions"] == len(all_of_them)
    assert after["doubled"] == {"flags": 0, "trajectories": 0, "summaries": 0}
    assert after["without_summary"] == 0
    trail = manage("verify_audit", folder=site.folder)
    assert trail.returncode == 0, trail.stdout + trail.stderr
    assert times >= 2
    assert crowd.again > 0  # else nothing was shown


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_migrations_that_were_killed_are_taken_up_again(seed: int) -> None:
    """Each migration is one transaction: killed in it, none is half done."""
    chance = random.Random(seed)
    with within_reach() as folder:
        for _time in range(3):
            migrating = subprocess.Popen(
                [sys.executable, os.fspath(ROOT / "manage.py"), "migrate"],
                env=bare() | {"OUTCOMES_DIR": os.fspath(folder)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wait_until(lambda: bool(server_processes(folder)))
            time.sleep(chance.uniform(*KILLED_AFTER))
            strike = [migrating.pid]
            if chance.random() < 0.5:
                strike += server_processes(folder)[:1]
            for pid in strike:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            migrating.wait()
        up = Up(folder)
        try:
            assert answers(up.url)
            checked = manage("migrate", "--check", folder=folder)
            assert checked.returncode == 0, checked.stdout + checked.stderr
            listed = manage("simulate_clinic", "--clients", "50", "--seed", "1", folder=folder)
            assert listed.returncode == 0, listed.stderr
        finally:
            up.end()
