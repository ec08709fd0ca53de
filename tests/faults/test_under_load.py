"""The whole site struck at random moments while clinicians enter and nights run."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faults.load import simulated, under_load
from tests.start.test_up import Up, within_reach

pytestmark = [pytest.mark.faults, pytest.mark.processes, pytest.mark.timeout(900)]

CLINICIANS, ENTRIES = 6, 30
STRUCK = ("web", "worker", "broker", "postgres", "postgres_keeper")
CALM = (5.0, 12.0)  # seconds between strikes: who is started five times a minute is given up


@pytest.fixture
def site() -> Iterator[Up]:
    with within_reach() as folder, simulated(folder) as up:
        yield up


def strike(up: Up, name: str) -> bool:
    """Kill a part of the site as a power cut would; False where it isn't there just now."""
    pids = up.pids()
    if name == "postgres":  # its keeper starts it again without a word to the site
        with suppress(OSError, ValueError):
            pids["postgres"] = json.loads((up.folder / "postgres/state.json").read_text())["pid"]
    with suppress(ProcessLookupError, KeyError):
        os.kill(pids[name], signal.SIGKILL)
        return True
    return False


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_acknowledged_is_kept_once_whatever_is_killed(
    site: Up, seed: int, tmp_path: Path, capsys: Any
):
    chance = random.Random(seed)
    struck: Counter[str] = Counter()
    with under_load(site, CLINICIANS, ENTRIES, tmp_path) as load:
        for _moment in load.moments(chance, CALM):
            name = chance.choice(STRUCK)
            struck[name] += strike(site, name)
    with capsys.disabled():
        print(f"\nstruck {dict(struck)}; {load}")
    # Else nothing was shown.
    assert sum(struck.values()) >= 8, struck
    assert len(struck) >= 4, struck
