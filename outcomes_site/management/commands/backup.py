from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from outcomes_site.backups import databases, restoring, sealed, taking
from sessions_app import audit
from sessions_app.context import acting_as, system


class Command(BaseCommand):
    help = (
        "Write the whole database of this moment to one encrypted file, while the clinic works. "
        "--check reads it back into a database of its own and compares every table."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, required=True, metavar="FILE")
        parser.add_argument("--check", action="store_true", help="prove it by reading it back")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["output"]
        if path.exists():
            raise CommandError(f"{path} is there already; a backup replaces no file.", returncode=2)
        if not path.parent.is_dir():
            raise CommandError(f"There is no folder {path.parent}.", returncode=2)
        if settings.ERASURE_LEDGER:
            # From here on its absence means that it was lost, not that nobody was erased.
            Path(settings.ERASURE_LEDGER).touch(mode=0o600)
        try:
            taken = taking.take(path)
            proved = self._check(path) if options["check"] else None
        except (
            taking.CannotBackUp,
            restoring.CannotRestore,
            sealed.NotReadable,
            databases.ToolsMissing,
        ) as problem:
            raise CommandError(str(problem)) from None
        except OSError as problem:
            raise CommandError(f"{path} couldn't be written: {problem.strerror}.") from None
        with acting_as(by := system("backup")):
            audit.record("backup taken", by=by, rows=taken.rows, checked=proved is not None)
        said = f" Read back: {proved.tables} tables are the same." if proved else ""
        self.stdout.write(
            f"{path}: {taken.rows} rows of {taken.tables} tables, the keys of {taken.clients} "
            f"clients, {taken.size / 1e6:.1f} MB.{said}"
        )

    def _check(self, path: Path) -> restoring.Restored:
        dsn = databases.dsn_of()
        name = f"outcomes_check_{int(time.time())}"
        with restoring.scratch(dsn, name) as fresh:
            found = restoring.restore(path, fresh)
        restoring.drop(dsn, name)
        return found
