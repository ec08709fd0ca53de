from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reports_app.editions import FORMATS, make_report, to_format
from reports_app.paper import PaperUnavailable
from reports_app.periods import PeriodProblem, parse_month
from sessions_app import audit
from sessions_app.context import acting_as, system
from sessions_app.models import Programme

BAD_INPUT = 2
HAPPENED = ("episodes_opened", "episodes_ended", "people_served")


class Command(BaseCommand):
    help = "Write a month's outcome report as tidy CSV, XLSX or PDF."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("month", help="YYYY-MM")
        parser.add_argument("--format", choices=FORMATS, required=True)
        parser.add_argument("--output", type=Path, required=True)
        parser.add_argument("--programme", help="only this programme, by name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            month = parse_month(options["month"])
            with acting_as(system("report")):
                programme = self._programme(options["programme"])
                report = make_report(month, programme)
                content = to_format(report, options["format"])
                audit.record(
                    "exported", subject_kind="report", subject=str(month), format=options["format"]
                )
        except (PeriodProblem, PaperUnavailable) as problem:
            raise CommandError(str(problem), returncode=BAD_INPUT) from None
        try:
            options["output"].write_bytes(content)
        except OSError as problem:
            raise CommandError(
                f"{options['output']}: {problem.strerror}.", returncode=BAD_INPUT
            ) from None
        if not any(m.value for m in report.metrics if m.metric in HAPPENED):
            self.stderr.write(f"Nothing was opened, ended or held in {month}: the rows are empty.")
        if report.as_of is None:
            self.stderr.write("No night has run yet: outcomes are empty until run_nightly.")
        if report.provisional:
            self.stderr.write(f"Provisional: {month} closes on {month.closes_on}.")
        self.stdout.write(f"{options['output']}: {len(report.metrics)} rows, {report.scope}.")

    def _programme(self, name: str | None) -> Programme | None:
        if not name:
            return None
        programme = Programme.objects.filter(name=name).first()
        if programme is None:
            known = ", ".join(Programme.objects.values_list("name", flat=True))
            raise CommandError(
                f"There is no programme “{name}”; known: {known or 'none'}.", returncode=BAD_INPUT
            )
        return programme
