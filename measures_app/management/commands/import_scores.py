from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from measures_app import imports, measures
from measures_app.actions.imports import (
    ImportRefused,
    ImportResult,
    import_records,
    known_versions,
)
from sessions_app.context import acting_as, system

BAD_INPUT = 2
SHOWN = 50


class Command(BaseCommand):
    help = "Import scores from a CSV or XLSX file: all rows or none; each bad row is listed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--mapping", type=Path, help="what the columns mean (TOML)")
        parser.add_argument("--dry-run", action="store_true", help="read and count, write nothing")
        parser.add_argument(
            "--hold", type=Path, help="set bad rows aside in this file and import the others"
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            table = imports.read_table(self._bytes(options["file"]))
            mapping = (
                imports.parse_mapping(self._bytes(options["mapping"]).decode("utf-8-sig"))
                if options["mapping"]
                else imports.long_form(table.columns)
            )
            with acting_as(system("import")):
                measures.sync_library()
                records, problems = imports.read_rows(table, mapping, known_versions())
                if problems and not options["hold"]:
                    result = ImportResult()
                else:
                    with transaction.atomic():
                        result = import_records(
                            records=records, mapping=mapping, by=system("import")
                        )
                        if options["dry_run"]:
                            transaction.set_rollback(True)
        except (imports.TableProblem, imports.MappingProblem, UnicodeDecodeError) as problem:
            raise CommandError(f"{options['file']}: {problem}", returncode=BAD_INPUT) from None
        except ImportRefused as refused:
            result, problems = ImportResult(), refused.problems
            options["hold"] = None
        if problems and options["hold"]:
            self._hold(options["hold"], table, problems)
        self._report(table, result, problems, options)
        if problems and not options["hold"]:
            sys.exit(BAD_INPUT)

    def _bytes(self, path: Path) -> bytes:
        try:
            if path.stat().st_size > imports.MAX_BYTES:
                with path.open("rb") as file:
                    return file.read(imports.MAX_BYTES + 1)
            return path.read_bytes()
        except OSError as problem:
            raise CommandError(f"{path}: {problem.strerror}.", returncode=BAD_INPUT) from None

    def _hold(self, path: Path, table: imports.Table, problems: list[imports.Problem]) -> None:
        """The bad rows as they stand in the file, each with its row number and the reasons."""
        whys: dict[int, list[str]] = {}
        for problem in problems:
            whys.setdefault(problem.row, []).append(f"{problem.column}: {problem.why}")
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([*table.columns, "row", "why"])
            for number, cells in table.rows:
                if number in whys:
                    writer.writerow([*cells, number, "; ".join(whys[number])])

    def _report(
        self,
        table: imports.Table,
        result: ImportResult,
        problems: list[imports.Problem],
        options: dict[str, Any],
    ) -> None:
        if options["json"]:
            held = len({p.row for p in problems}) if options["hold"] else 0
            report = {
                "rows": len(table.rows),
                "clients": result.clients,
                "episodes": result.episodes,
                "sessions": result.sessions,
                "scores": result.scores,
                "created": result.created,
                "unchanged": result.unchanged,
                "errors": [problem.as_dict() for problem in problems],
                "held": held,
                "dry_run": options["dry_run"],
                "created_by_kind": result.created_by_kind,
            }
            self.stdout.write(json.dumps(report))
            return
        for problem in problems[:SHOWN]:
            self.stderr.write(f"{options['file']}: {problem}")
        if len(problems) > SHOWN:
            self.stderr.write(
                f"... and {len(problems) - SHOWN} more (all with --json, or --hold FILE)."
            )
        bad = len({problem.row for problem in problems})
        if problems and not options["hold"]:
            self.stderr.write(
                f"{bad} of {len(table.rows)} rows can't be read; nothing was written."
            )
            return
        would = "would be " if options["dry_run"] else ""
        self.stdout.write(
            f"{len(table.rows)} rows: {result.clients} clients, {result.episodes} episodes, "
            f"{result.sessions} sessions, {result.scores} scores; {result.created} {would}new, "
            f"{result.unchanged} there already"
            + (f"; {bad} set aside in {options['hold']}" if problems else "")
            + "."
        )
