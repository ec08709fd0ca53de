"""The parts of the benchmark that are commands, files and the statistical core."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection

from measures_app.models import Administration
from outcomes_site.database import as_owner
from outcomes_site.local import processes
from sessions_app import clinic_time
from sessions_app.context import acting_as, system

SEED = 8
IMPORTED_CLIENTS, IMPORTED_SESSIONS = 280, 12


class BenchProblem(RuntimeError):
    """A part of the benchmark did not do its work; the message says which."""


def command(*arguments: str) -> tuple[float, dict[str, Any]]:
    """Run a management command as anybody would; its seconds and what it said as JSON."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, os.fspath(processes.CHECKOUT / "manage.py"), *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=processes.CHECKOUT,
        start_new_session=True,  # as cron and a unit start it, not as a part of what measures
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise BenchProblem(f"{arguments[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return seconds, json.loads(done.stdout.strip().splitlines()[-1])


def settle() -> float:
    """What autovacuum does in time: statistics and visibility for the rows just loaded."""
    began = time.perf_counter()
    with as_owner(connection), connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return time.perf_counter() - began


def write_import(path: Path) -> int:
    """A file in the long form, of the size of a published trial; returns its rows."""
    random_numbers = random.Random(SEED)
    first = clinic_time.today() - timedelta(days=400)
    rows = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["client", "session_date", "measure", "total"])
        for client in range(IMPORTED_CLIENTS):
            level = random_numbers.randint(14, 40)
            for session in range(IMPORTED_SESSIONS):
                total = min(63, max(0, level - session + random_numbers.randint(-4, 4)))
                day = first + timedelta(days=7 * session + client % 7)
                writer.writerow([f"bench-{client}", day.isoformat(), "bdi-ii", total])
                rows += 1
    return rows


class _Nowhere:
    def write(self, content: bytes) -> int:
        return len(content)


def export_scores(path: Path) -> dict[str, Any]:
    """All scores as one CSV, beside the database's own COPY of the table they lie in."""
    _seconds, told = command("export_scores", os.fspath(path))
    path.unlink()
    table = Administration._meta.db_table
    with acting_as(system("bench")), connection.cursor() as cursor:
        began = time.perf_counter()
        query = f"COPY (SELECT * FROM {table}) TO STDOUT WITH (FORMAT csv)"
        cursor.cursor.copy_expert(query, _Nowhere())
        seconds = time.perf_counter() - began
        rate = cursor.cursor.rowcount / seconds
    told["rows_a_second"] = round(told["rows"] / told["seconds"])
    return {**told, "of_copys_rate": round(told["rows"] / told["seconds"] / rate, 2)}


def core(clients: int) -> dict[str, Any] | None:
    """The statistical core's own benchmark; None where this version has none."""
    name = "measures_app.psychometrics.bench"
    if importlib.util.find_spec(name) is None:
        return None
    return dict(importlib.import_module(name).run(clients))
