from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from measures_app import measures
from measures_app.simulation import generate
from measures_app.simulation.store import BY, RealClients, day_number, store
from sessions_app import clinic_time
from sessions_app.context import acting_as

BAD_INPUT = 2
MOST_CLIENTS = 2_000_000
MOST_MONTHS = 240


class Command(BaseCommand):
    help = "Load a synthetic clinic with known truth; the same seed gives the same clinic."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--clients", type=int, required=True)
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--months", type=int, default=24, help="of history (default 24)")
        parser.add_argument("--until", metavar="DATE", help="last day, YYYY-MM-DD (default today)")
        parser.add_argument("--truth", metavar="FILE", help="write what is true in it as JSON")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.perf_counter()
        for name, most in (("clients", MOST_CLIENTS), ("months", MOST_MONTHS)):
            if not 1 <= options[name] <= most:
                raise CommandError(f"--{name} lies between 1 and {most}.", returncode=BAD_INPUT)
        if options["seed"] < 0:
            raise CommandError("--seed is 0 or more.", returncode=BAD_INPUT)
        until = self._day(options["until"])
        clinic = generate(
            options["clients"], options["seed"], day_number(until), months=options["months"]
        )
        generated = time.perf_counter()
        try:
            with acting_as(BY):
                measures.sync_library()
                counts = store(clinic)
        except RealClients as problem:
            raise CommandError(str(problem), returncode=BAD_INPUT) from None
        if options["truth"]:
            document = json.dumps(clinic.truth_document(), indent=1)
            Path(options["truth"]).write_text(document + "\n", encoding="utf-8")
        seconds = {
            "generate": round(generated - began, 2),
            "load": round(time.perf_counter() - generated, 2),
        }
        if options["json"]:
            line = {"seed": options["seed"], "until": until.isoformat(), **counts}
            self.stdout.write(json.dumps(line | {"seconds": seconds}))
            return
        told = ", ".join(f"{number} {name}" for name, number in counts.items())
        self.stdout.write(f"A clinic up to {until}: {told}.")
        self.stdout.write(f"{seconds['generate']} s to generate, {seconds['load']} s to load.")

    def _day(self, text: str | None) -> date:
        today = clinic_time.today()
        if not text:
            return today
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise CommandError(
                f"“{text}” is no date such as 2026-03-31.", returncode=BAD_INPUT
            ) from None
        if day > today:
            raise CommandError(f"{day} lies in the future.", returncode=BAD_INPUT)
        return day
