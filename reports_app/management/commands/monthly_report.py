from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reports_app import actions
from reports_app.editions import FORMATS, Report, make_empty, make_report, to_format
from reports_app.extract import Scope
from reports_app.paper import PaperUnavailable
from reports_app.periods import EXAMPLES, Period, PeriodProblem, parse_period
from sessions_app import audit
from sessions_app.context import acting_as, system
from sessions_app.models import Programme

BAD_INPUT = 2
HAPPENED = ("episodes_opened", "episodes_ended", "people_served")


class Command(BaseCommand):
    help = "Write a period's outcome report as tidy CSV, XLSX or PDF."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("month", metavar="PERIOD", help=EXAMPLES)
        parser.add_argument("--format", choices=FORMATS, required=True)
        parser.add_argument("--output", type=Path, required=True)
        parser.add_argument("--programme", help="only this programme, by name")
        parser.add_argument("--funder", help="only what this funder pays for")
        parser.add_argument(
            "--publish",
            action="store_true",
            help="for a file that leaves the clinic: rounded counts, small ones blank; kept",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            period = parse_period(options["month"])
            with acting_as(system("report")):
                scope = Scope(self._programme(options["programme"]), options["funder"])
                content, report = self._made(period, scope, options)
        except (PeriodProblem, PaperUnavailable, actions.NotPublishable) as problem:
            raise CommandError(str(problem), returncode=BAD_INPUT) from None
        try:
            options["output"].write_bytes(content)
        except OSError as problem:
            raise CommandError(
                f"{options['output']}: {problem.strerror}.", returncode=BAD_INPUT
            ) from None
        if not options["publish"] and not any(
            m.value for m in report.metrics if m.metric in HAPPENED
        ):
            self.stderr.write(f"Nothing was opened, ended or held in {period}: the rows are empty.")
        if report.as_of is None:
            self.stderr.write("No night has run yet: outcomes are empty until run_nightly.")
        if report.provisional:
            self.stderr.write(f"Provisional: {period} closes on {period.closes_on}.")
        rows = f", {len(report.metrics)} rows" if report.metrics else ""
        self.stdout.write(f"{options['output']}: {report.scope}{rows}.")

    def _made(self, period: Period, scope: Scope, options: Any) -> tuple[bytes, Report]:
        format = options["format"]
        if options["publish"]:
            edition, _name = actions.keep_edition(
                period=period, scope=scope, format=format, by=system("report"), published=True
            )
            return bytes(edition.content), make_empty(period, scope)
        report = make_report(period, scope)
        content = to_format(report, format)
        audit.record("exported", subject_kind="report", subject=str(period), format=format)
        return content, report

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
