"""A site with a clinic in it, clinicians who enter and nights that run, whatever happens to them.

Entries are written down before the first is sent; whoever sends one sends it again, under its
key, until the site says that it is kept. Afterwards the records must hold each of them once.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from outcomes_site.benchmark.crowd import Entry, Sent, send
from outcomes_site.local.checks import ROOT
from tests.start.test_up import Up, answers, bare, manage, wait_until

CLIENTS = 300
EVERY = 3.0  # seconds between a clinician's entries
PATIENCE = 180.0  # seconds until an entry is kept, whatever was struck

PREPARE = """
import json
from outcomes_site.benchmark import crowd
entries = crowd.prepare({clinicians}, {entries})
print(json.dumps({{"entries": crowd.as_rows(entries), "before": vars(crowd.counts())}}))
"""
AFTER = """
import json
from measures_app.models import Administration, NightlyRun, Flag, Step, Trajectory
from outcomes_site.benchmark import crowd
from reports_app.models import EpisodeSummary
from sessions_app.context import acting_as, system
from sessions_app.models import Episode, Submission
keys = json.load(open({keys!r}))
with acting_as(system("tests")):
    sums = {{}}
    for key, session in Submission.objects.filter(key__in=keys).values_list("key", "result"):
        rows = Administration.objects.filter(session=session, superseded_at=None)
        sums[str(key)] = sorted(str(row) for row in rows.values_list("total", flat=True))
    live = list(Flag.objects.live().values_list("episode", "rule", "series"))
    places = list(Trajectory.objects.values_list("episode", "measure", "respondent"))
    summaries = list(EpisodeSummary.objects.values_list("episode", flat=True))
    print(json.dumps({{
        "sums": sums,
        "counts": vars(crowd.counts()),
        "states": sorted(set(NightlyRun.objects.values_list("state", flat=True))),
        "doubled": {{
            "flags": len(live) - len(set(live)),
            "trajectories": len(places) - len(set(places)),
            "summaries": len(summaries) - len(set(summaries)),
        }},
        "without_summary": Episode.objects.exclude(pk__in=summaries).count(),
    }}))
"""


def asked(folder: Path, code: str) -> dict[str, Any]:
    done = manage("shell", "--no-imports", "-c", code, folder=folder)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@contextmanager
def simulated(folder: Path) -> Iterator[Up]:
    """A site of its own, durable as a clinic's, with a simulated clinic and its first night."""
    for command in (
        ["simulate_clinic", "--clients", str(CLIENTS), "--seed", "5"],
        ["run_nightly"],
    ):
        done = manage(*command, folder=folder)
        assert done.returncode == 0, done.stderr
    up = Up(folder)
    try:
        yield up
    finally:
        up.end()


class Crowd:
    """Clinicians who enter until each entry is kept, and count."""

    def __init__(self, port: int, entries: list[list[Entry]]) -> None:
        self.port = port
        self.kept: list[Sent] = []
        self.again = 0  # sent more than once
        self.refused: Counter[str] = Counter()
        self.given_up: list[Entry] = []
        self.threads = [
            threading.Thread(target=self._enter, args=(mine,), daemon=True) for mine in entries
        ]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def is_busy(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def _enter(self, mine: list[Entry]) -> None:
        for entry in mine:
            end = time.monotonic() + PATIENCE
            tries = 0
            while True:
                said = send(self.port, entry)
                tries += 1
                if said.is_acknowledged:
                    self.kept.append(said)
                    break
                self.refused[f"{said.status} {said.to}".strip()] += 1
                if time.monotonic() > end:
                    self.given_up.append(entry)
                    break
                time.sleep(0.3)
            self.again += tries > 1
            time.sleep(EVERY * random.random() * 2)


class Nights:
    """One night after another, each by the command, whatever happens to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.began = self.ended_well = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        environment = bare() | {"OUTCOMES_DIR": os.fspath(self.folder)}
        while not self.stop.is_set():
            self.began += 1
            done = subprocess.run(
                [sys.executable, os.fspath(ROOT / "manage.py"), "run_nightly", "--json"],
                env=environment,
                capture_output=True,
                check=False,
                timeout=300,
            )
            self.ended_well += done.returncode == 0
            self.stop.wait(1)


def measures_in(entry: Entry) -> int:
    """How many forms an entry fills: the part of a field's name before the question's."""
    return len({name.partition("_")[0] for name in entry.body if name[:1] == "m" and "_" in name})


def assert_kept_once(
    site: Up, crowd: Crowd, all_of_them: list[Entry], before: dict[str, int], tmp_path: Path
) -> None:
    """The records hold each acknowledged entry once, nothing besides, and what follows of them."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps([entry.key for entry in all_of_them]))
    after = asked(site.folder, AFTER.format(keys=os.fspath(keys)))
    assert not crowd.given_up
    assert len(crowd.kept) == len(all_of_them)
    assert set(after["sums"]) == {entry.key for entry in all_of_them}
    sent = {entry.key: measures_in(entry) for entry in all_of_them}
    assert {key: len(rows) for key, rows in after["sums"].items()} == sent
    assert after["counts"]["sessions"] - before["sessions"] == len(all_of_them)
    grown = after["counts"]["administrations"] - before["administrations"]
    assert grown == sum(sent.values())
    assert after["doubled"] == {"flags": 0, "trajectories": 0, "summaries": 0}
    assert after["without_summary"] == 0
    assert "running" not in after["states"]
    trail = manage("verify_audit", folder=site.folder)
    assert trail.returncode == 0, trail.stdout + trail.stderr


class Load:
    """What goes on at a site while it is struck."""

    def __init__(self, site: Up, entries: list[list[Entry]]) -> None:
        self.site = site
        self.entries = [entry for mine in entries for entry in mine]
        self.crowd = Crowd(int(site.url.rpartition(":")[2]), entries)
        self.nights = Nights(site.folder)

    def moments(self, chance: random.Random, apart: tuple[float, float]) -> Iterator[None]:
        """Moments at which the site answers, so many seconds apart, while people enter."""
        while self.crowd.is_busy():
            time.sleep(chance.uniform(*apart))
            errors = self.site.folder / "stderr"
            assert self.site.process.poll() is None, errors.read_text()[-3000:]
            if answers(self.site.url):  # else it is being mended
                yield

    def __str__(self) -> str:
        crowd, nights = self.crowd, self.nights
        return (
            f"{len(crowd.kept)} of {len(self.entries)} entries kept, {crowd.again} of them sent "
            f"more than once ({dict(crowd.refused)}); nights begun {nights.began}, ended well "
            f"{nights.ended_well}"
        )


@contextmanager
def under_load(site: Up, clinicians: int, entries: int, folder: Path) -> Iterator[Load]:
    """Clinicians enter and nights run; at the end a whole night, and each entry is there once."""
    told = asked(site.folder, PREPARE.format(clinicians=clinicians, entries=entries))
    load = Load(site, [[Entry(**row) for row in mine] for mine in told["entries"]])
    load.crowd.start()
    load.nights.thread.start()
    yield load
    load.nights.stop.set()
    load.nights.thread.join(300)
    wait_until(lambda: answers(site.url))
    night = manage("run_nightly", "--json", folder=site.folder)
    assert night.returncode == 0, night.stderr
    assert_kept_once(site, load.crowd, load.entries, told["before"], folder)
    assert load.crowd.again > 0  # else nothing was shown
