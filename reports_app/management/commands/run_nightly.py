from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from measures_app import measures
from reports_app.nightly import run_night
from sessions_app import clinic_time
from sessions_app.context import acting_as, system

BAD_INPUT = 2


class Command(BaseCommand):
    help = "Compute the night now: models, trajectories, flags and summaries as of a date."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--as-of", metavar="DATE", help="YYYY-MM-DD; today when not given")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        as_of = self._day(options["as_of"])
        with acting_as(system("library")):
            measures.sync_library()
        result = run_night(as_of)
        if options["json"]:
            self.stdout.write(json.dumps(result))
            return
        self.stdout.write(
            f"Night of {result['as_of']}" + ("" if result["live"] else ", report only")
        )
        for row in result["measures"]:
            model = row["model"] or f"no model yet: {row['problem']}"
            self.stdout.write(
                f"  {row['measure']} ({row['relation']}): {row['clients']} clients, "
                f"{row['scores']} scores; {model}"
            )
        self.stdout.write(f"  {result['trajectories']} trajectories")
        for state, by_rule in result["flags"].items():
            counts = ", ".join(f"{rule} {n}" for rule, n in by_rule.items()) or "none"
            self.stdout.write(f"  flags {state}: {counts}")
        if result["close_these"]:
            self.stdout.write(
                "  imported and not seen for long; close these? " + " ".join(result["close_these"])
            )
        timing = ", ".join(f"{name} {value:.1f} s" for name, value in result["seconds"].items())
        self.stdout.write(f"  {timing}")

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
