"""What `bench` measures: load, night, import and every page, on a simulated clinic of its own.

Pages are asked of one real gunicorn worker over loopback, round after round, each with one
`/healthz` (the whole middleware and one `SELECT 1`) before it: a page's time is told in
milliseconds and as a ratio to it, so that runs on different machines can be compared.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection

from measures_app.models import Flag
from outcomes_site.benchmark import crowd, nights, papers
from outcomes_site.benchmark.asking import measure, web
from outcomes_site.benchmark.doors import BY, invite, pages
from outcomes_site.benchmark.parts import (
    SEED,
    BenchProblem,
    command,
    core,
    export_scores,
    settle,
    write_import,
)
from sessions_app.context import acting_as
from sessions_app.models import Client

__all__ = ["ROUNDS", "SECONDS", "BenchProblem", "crowd", "nights", "run"]

ROUNDS = 40
SECONDS = 600.0
TARGET_MS = 300.0


def run(
    clients: int, *, folder: Path, rounds: int, seconds: float, say: Callable[[str], object]
) -> dict[str, Any]:
    """Everything, in order; `say` hears what goes on."""
    began = time.perf_counter()
    say(f"Simulating {clients} clients ...")
    load_seconds, loaded = command(
        "simulate_clinic", "--clients", str(clients), "--seed", str(SEED)
    )
    settle()
    say("Running a night ...")
    night_seconds, night = command("run_nightly")
    again_seconds, again = command("run_nightly")
    settle()
    file = folder / "import.csv"
    rows = write_import(file)
    say(f"Importing {rows} rows ...")
    import_seconds, imported = command("import_scores", os.fspath(file))
    settle()
    say("Writing all scores ...")
    exported = export_scores(folder / "scores.csv")
    cast = invite()
    say("Making a conference's cases into one file ...")
    file_of_cases = papers.measure(cast)
    say(f"Asking {len(pages())} pages, {rounds} rounds ...")
    with web(folder / "logs" / "web.log") as browser:
        connection.close()
        health, measured = measure(browser, cast, rounds, seconds)
    with acting_as(BY):
        held = Client.objects.count()
        flags = Flag.objects.live().for_review().count()
    return {
        "clients": held,
        "open_review_flags": flags,
        "processors": os.cpu_count(),
        "python": sys.version.split()[0],
        "load": {**loaded, "seconds": round(load_seconds, 2), "steps": loaded["seconds"]},
        "night": {
            "seconds": round(night_seconds, 2),
            "steps": night["seconds"],
            "trajectories": night["trajectories"],
            "again_seconds": round(again_seconds, 2),
            "again_steps": again["seconds"],
        },
        "import": {
            "seconds": round(import_seconds, 2),
            "rows": imported["rows"],
            "created": imported["created"],
        },
        "export": exported,
        "healthz": health,
        "case_file": file_of_cases,
        "pages": measured,
        "over_target": [row["page"] for row in measured if row["p95_ms"] > TARGET_MS],
        "target_ms": TARGET_MS,
        "core": core(clients),
        "seconds": round(time.perf_counter() - began, 1),
    }
