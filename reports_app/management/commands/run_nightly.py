from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from argparse import SUPPRESS
from datetime import date
from typing import Any, ClassVar

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from measures_app import measures
from measures_app.models import NightlyRun
from reports_app.nightly import finish_night, run_night
from sessions_app import clinic_time, yielding
from sessions_app.context import acting_as, system

BAD_INPUT = 2
WORTH_A_HELPER = 2  # blocks of episodes: a smaller clinic's night is over before one has started


class Command(BaseCommand):
    help = "Compute the night now: models, trajectories, flags and summaries as of a date."
    requires_system_checks: ClassVar[list[str]] = []  # each helper would run them again

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--as-of", metavar="DATE", help="YYYY-MM-DD; today when not given")
        parser.add_argument(
            "--processes",
            type=int,
            default=os.cpu_count() or 1,
            help="share a large clinic's night between so many (default: one a processor)",
        )
        parser.add_argument("--json", action="store_true")
        # How a helper is started: it takes steps of this run until there are none.
        parser.add_argument("--join", type=int, help=SUPPRESS)

    def run_from_argv(self, argv: list[str]) -> None:
        """By the command line: a process of its own, so its place can be changed."""
        yielding.go_behind()
        gc.freeze()  # what was read in stays: nothing of it need be looked at again for garbage
        super().run_from_argv(argv)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["join"]:
            run = NightlyRun.objects.filter(pk=options["join"]).first()
            if run is not None:
                finish_night(run)
            return
        as_of = self._day(options["as_of"])
        with acting_as(system("library")):
            measures.sync_library()
        helpers: list[subprocess.Popen[bytes]] = []

        def call(run: NightlyRun, due: int) -> None:
            """Helpers stay to the end, so they are called once, when the night begins."""
            blocks = run.steps.filter(name="episodes").count()
            while blocks >= WORTH_A_HELPER and len(helpers) < options["processes"] - 1:
                helpers.append(self._helper(run))

        try:
            result = run_night(as_of, call)
        finally:
            for helper in helpers:
                helper.wait()
        if options["json"]:
            self.stdout.write(json.dumps(result))
            return
        self.stdout.write(
            f"Night of {result['as_of']}" + ("" if result["live"] else ", report only")
        )
        for row in result["measures"]:
            model = row["model"] or f"no model yet: {row['problem']}"
            of = ", ".join(filter(None, (row["relation"], row["stratum"])))
            self.stdout.write(
                f"  {row['measure']} ({of}): {row['clients']} clients, "
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

    def _helper(self, run: NightlyRun) -> subprocess.Popen[bytes]:
        command = [sys.executable, os.fspath(settings.BASE_DIR / "manage.py"), "run_nightly"]
        return subprocess.Popen(
            [*command, "--join", str(run.pk)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

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
