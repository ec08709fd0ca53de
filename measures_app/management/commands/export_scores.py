from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from measures_app import scores_out
from sessions_app.context import acting_as, system

BAD_INPUT = 2


class Command(BaseCommand):
    help = "Write all scores (or referrals) of the clinic as a CSV that import_scores reads."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("output", type=Path, help="the CSV to write")
        parser.add_argument(
            "--referrals", action="store_true", help="the referrals instead of the scores"
        )
        parser.add_argument("--json", action="store_true", help="say what was written as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        output, referrals = options["output"], options["referrals"]
        by = system("scores")
        began = time.perf_counter()
        try:
            with output.open("wb") as out, acting_as(by):
                write = scores_out.write_referrals if referrals else scores_out.write_scores
                rows = write(out, by=by)
        except OSError as problem:
            raise CommandError(f"{output}: {problem.strerror}.", returncode=BAD_INPUT) from None
        what = "referrals" if referrals else "scores"
        told = {
            "rows": rows,
            "seconds": round(time.perf_counter() - began, 3),
            "bytes": output.stat().st_size,
            "largest_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }
        line = json.dumps(told) if options["json"] else f"{output}: {rows} {what}."
        self.stdout.write(line)
