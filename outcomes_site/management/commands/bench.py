from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outcomes_site import benchmark
from outcomes_site.local import lifecycle

BAD_INPUT = 2
MOST_CLIENTS = 200_000


class Command(BaseCommand):
    help = (
        "Measure this version on this machine: a simulated clinic in a database of its own (never "
        "the clinic's), a night, an import, and every page from one real web worker."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--clients", type=int, default=20_000, help="default 20000")
        parser.add_argument(
            "--rounds", type=int, default=benchmark.ROUNDS, help="requests a page (default 40)"
        )
        parser.add_argument(
            "--seconds",
            type=float,
            default=benchmark.SECONDS,
            help="no further round of pages after this (default 600)",
        )
        parser.add_argument(
            "--night",
            action="store_true",
            help="nights alone: of a tenth of the clients, of all, and after 1 %% new sessions",
        )
        parser.add_argument(
            "--crowd",
            action="store_true",
            help="200 clinicians entering at once for a minute, and again while a night runs",
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        for name, low, high in (
            ("clients", 50, MOST_CLIENTS),
            ("rounds", 1, 1000),
            ("seconds", 1, 24 * 3600),
        ):
            if not low <= options[name] <= high:
                raise CommandError(f"--{name} lies between {low} and {high}.", returncode=BAD_INPUT)
        try:
            services = lifecycle.current()
        except RuntimeError:
            raise CommandError("Start this as `python3 manage.py bench`.") from None
        try:
            found = self._measured(options, services.folder.path)
        except benchmark.BenchProblem as problem:
            raise CommandError(str(problem)) from None
        if options["json"]:
            self.stdout.write(json.dumps(found))
        elif options["night"]:
            self.stdout.write("\n".join(benchmark.nights.lines(found)))
        elif options["crowd"]:
            self.stdout.write("\n".join(benchmark.crowd.lines(found)))
        else:
            self._print(found)

    def _measured(self, options: dict[str, Any], folder: Path) -> dict[str, Any]:
        clients = options["clients"]
        if options["night"]:
            return benchmark.nights.run(clients, self._say)
        if options["crowd"]:
            return benchmark.crowd.run(clients, folder=folder, say=self._say)
        return benchmark.run(
            clients,
            folder=folder,
            rounds=options["rounds"],
            seconds=options["seconds"],
            say=self._say,
        )

    def _say(self, line: str) -> None:
        self.stderr.write(line)
        self.stderr.flush()

    def _print(self, found: dict[str, Any]) -> None:
        load, night, imported = found["load"], found["night"], found["import"]
        exported = found["export"]
        steps = ", ".join(f"{name} {value:.1f} s" for name, value in night["steps"].items())
        self.stdout.write(
            f"{found['clients']} clients and {found['open_review_flags']} open flags on "
            f"{found['processors']} processors\n"
            f"  load    {load['seconds']:8.1f} s\n"
            f"  night   {night['seconds']:8.1f} s ({steps}); again {night['again_seconds']:.1f} s\n"
            f"  import  {imported['seconds']:8.1f} s for {imported['rows']} rows\n"
            f"  export  {exported['seconds']:8.1f} s for {exported['rows']} scores "
            f"({exported['of_copys_rate']:.2f} of COPY's rate, {exported['largest_mb']:.0f} MB)\n"
            f"  /healthz {found['healthz']['p50_ms']:.2f} ms (p50), "
            f"{found['healthz']['p95_ms']:.2f} ms (p95), {found['healthz']['requests']} requests\n"
        )
        file = found["case_file"]
        if file is not None:
            self.stdout.write(
                f"  {file['cases']} cases as one file {file['seconds']:.1f} s "
                f"({file['processor_seconds']:.1f} s of the processor), "
                f"{file['bytes'] / 1000:.0f} kB; the largest case alone "
                f"{file['largest_case_bytes'] / 1000:.0f} kB"
            )
        self.stdout.write(
            f"  {'page':26}{'role':16}{'p50 ms':>8}{'p95 ms':>8}{'p50 x':>8}{'p95 x':>8}{'kB':>8}"
        )
        for row in found["pages"]:
            over = "  over" if row["page"] in found["over_target"] else ""
            self.stdout.write(
                f"  {row['page']:26}{row['role']:16}{row['p50_ms']:8.1f}{row['p95_ms']:8.1f}"
                f"{row['p50_ratio']:8.1f}{row['p95_ratio']:8.1f}{row['bytes'] / 1024:8.0f}{over}"
            )
        if found["core"] is not None:
            self.stdout.write(f"  core {json.dumps(found['core'])}")
        self.stdout.write(f"{found['seconds']:.0f} s in all.")
