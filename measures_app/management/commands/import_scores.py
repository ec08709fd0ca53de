from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError, transaction

from measures_app import imports
from measures_app.actions.imports import (
    ImportRefused,
    ImportResult,
    import_records,
    import_what_can_be,
    known_versions,
)
from sessions_app.context import acting_as, system

BAD_INPUT = 2
SHOWN = 50
MAPPING_BYTES = 1024 * 1024
BY = system("import")


class Command(BaseCommand):
    help = (
        "Import scores and referrals from a CSV or XLSX file: all rows or none; each bad row is "
        "listed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--mapping", type=Path, help="what the columns mean (TOML)")
        parser.add_argument("--dry-run", action="store_true", help="read and count, write nothing")
        parser.add_argument(
            "--hold", type=Path, help="set bad rows aside in this file and import the others"
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        file, hold = options["file"], options["hold"]
        try:
            if hold and hold.resolve() in {file.resolve(), (options["mapping"] or file).resolve()}:
                raise imports.TableProblem("the rows set aside need a file of their own (--hold)")
            mapping = self._mapping(options["mapping"])
            encoding = mapping.encoding if mapping else ""
            table = imports.read_table(_bytes(file, imports.MAX_BYTES), encoding=encoding)
            mapping = mapping or imports.long_form(table.columns)
            result, problems = self._import(table, mapping, hold, options["dry_run"])
        except (imports.TableProblem, imports.MappingProblem) as problem:
            if options["json"]:
                whole = {"row": 0, "column": "", "value": "", "why": str(problem)}
                self._write_json(0, ImportResult(), [whole], options, held=0)
            raise CommandError(f"{file}: {problem}", returncode=BAD_INPUT) from None
        except IntegrityError:
            raise CommandError(
                f"{file}: somebody wrote the same just now; nothing was imported. Run it again."
            ) from None
        self._report(table, result, problems, options)
        if problems and not hold:
            sys.exit(BAD_INPUT)

    def _mapping(self, path: Path | None) -> imports.Mapping | None:
        if path is None:
            return None
        try:
            return imports.parse_mapping(_bytes(path, MAPPING_BYTES).decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise imports.MappingProblem(f"{path} is no UTF-8 text.") from None

    def _import(
        self, table: imports.Table, mapping: imports.Mapping, hold: Path | None, dry_run: bool
    ) -> tuple[ImportResult, list[imports.Problem]]:
        with acting_as(BY):
            records, problems = imports.read_rows(table, mapping, known_versions())
            if problems and hold is None:
                return ImportResult(), problems
            with transaction.atomic():
                if hold is None:
                    try:
                        result = import_records(records=records, mapping=mapping, by=BY)
                    except ImportRefused as refused:
                        return ImportResult(), refused.problems
                else:
                    result, more = import_what_can_be(records=records, mapping=mapping, by=BY)
                    problems += more
                    # Before anything is committed: what can't be set aside isn't passed over.
                    _set_aside(hold, table, problems)
                if dry_run:
                    transaction.set_rollback(True)
        return result, problems

    def _write_json(
        self, rows: int, result: ImportResult, errors: list[Any], options: Any, held: int
    ) -> None:
        report = {
            "rows": rows,
            "clients": result.clients,
            "episodes": result.episodes,
            "sessions": result.sessions,
            "scores": result.scores,
            "referrals": result.referrals,
            "created": result.created,
            "unchanged": result.unchanged,
            "errors": errors,
            "held": held,
            "dry_run": options["dry_run"],
            "created_by_kind": result.created_by_kind,
        }
        self.stdout.write(json.dumps(report))

    def _report(
        self,
        table: imports.Table,
        result: ImportResult,
        problems: list[imports.Problem],
        options: dict[str, Any],
    ) -> None:
        bad = len({problem.row for problem in problems})
        if options["json"]:
            errors = [problem.as_dict() | _stored(problem) for problem in problems]
            held = bad if options["hold"] else 0
            self._write_json(len(table), result, errors, options, held)
            return
        for problem in problems[:SHOWN]:
            stored = f" (stored: {problem.stored})" if problem.stored else ""
            self.stderr.write(f"{options['file']}: {problem}{stored}")
        if len(problems) > SHOWN:
            columns = Counter(problem.column for problem in problems).most_common()
            self.stderr.write(
                f"... and {len(problems) - SHOWN:,} more (all with --json, or --hold FILE). By "
                "column: " + ", ".join(f"{column} {n:,}" for column, n in columns) + "."
            )
        if problems and not options["hold"]:
            self.stderr.write(f"{bad:,} of {len(table):,} rows can't be read; nothing was written.")
            return
        if table.encoding == "cp1252":
            self.stderr.write(
                f"{options['file']}: not UTF-8; read as Windows-1252 (Western European)."
            )
        would = "would be " if options["dry_run"] else ""
        self.stdout.write(
            f"{len(table):,} rows: {result.clients:,} clients, {result.episodes:,} episodes, "
            f"{result.sessions:,} sessions, {result.scores:,} scores; {result.created:,} "
            f"{would}new, {result.unchanged:,} there already"
            + _referrals(result, would)
            + (f"; {bad:,} set aside in {options['hold']}" if problems else "")
            + "."
        )


def _referrals(result: ImportResult, would: str) -> str:
    if not result.referrals:
        return ""
    new = result.created_by_kind.get("referrals", 0)
    return f"; {result.referrals:,} referrals, {new:,} {would}new"


def _stored(problem: imports.Problem) -> dict[str, str]:
    return {"stored": problem.stored} if problem.stored else {}


def _bytes(path: Path, limit: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > limit:
            raise imports.too_large(size, limit)
        with path.open("rb") as file:
            return file.read(limit + 1)  # a pipe says nothing of its size
    except OSError as problem:
        raise CommandError(f"{path}: {problem.strerror}.", returncode=BAD_INPUT) from None


def _set_aside(path: Path, table: imports.Table, problems: list[imports.Problem]) -> None:
    """Rows of clients: for whoever runs the command alone."""
    if not problems:
        return
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(number, "w", newline="", encoding="utf-8") as file:
            imports.set_aside(table, problems, file)
    except OSError as problem:
        raise CommandError(f"{path}: {problem.strerror}.", returncode=BAD_INPUT) from None
