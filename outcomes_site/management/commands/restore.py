from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from psycopg2 import OperationalError
from psycopg2.extensions import parse_dsn

from outcomes_site.backups import databases, restoring, sealed
from sessions_app import erasure_ledger, seals_outside


class Command(BaseCommand):
    help = (
        "Read a backup into a database of its own, compare every table with what was counted "
        "then, bring it up to this release, and erase again who was erased since. Nothing of "
        "the running clinic is touched, unless --take-its-place is said."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--database", metavar="URL", help="an empty one, made by hand")
        parser.add_argument("--ledger", type=Path, help="erasures kept elsewhere")
        parser.add_argument(
            "--no-ledger",
            action="store_true",
            help="there is none: who was erased after the backup comes back",
        )
        parser.add_argument(
            "--take-its-place",
            action="store_true",
            help="the restored one becomes the clinic's; the old one is kept under another name",
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = self._restore(options)
        except (restoring.CannotRestore, sealed.NotReadable, databases.ToolsMissing) as problem:
            raise CommandError(str(problem)) from None
        except (erasure_ledger.LedgerDamaged, OSError) as problem:
            raise CommandError(str(problem), returncode=2) from None
        except OperationalError as problem:
            raise CommandError(f"The database can't be reached: {problem}") from None
        if options["json"]:
            self.stdout.write(json.dumps(vars(found)))
            return
        self.stdout.write(
            f"The backup of {found.made_at} is in the database {found.database}: {found.rows} "
            f"rows of {found.tables} tables, each the same as then; {found.clients} clients, "
            f"{found.erased_anew} of them erased again."
        )
        for note in found.notes:
            self.stdout.write(note)

    def _restore(self, options: dict[str, Any]) -> restoring.Restored:
        erased = self._erased(options)
        clinic = databases.dsn_of()
        if options["database"]:
            if options["take_its_place"]:
                raise CommandError(
                    "--take-its-place is for a database made here, not for --database.",
                    returncode=2,
                )
            dsn = self._given(options["database"])
            found = restoring.restore(options["file"], dsn)
            restoring.bring_up_to_date(dsn, erased, found)
            return found
        stamp = time.strftime("%Y%m%d_%H%M%S", time.gmtime())
        name = parse_dsn(clinic)["dbname"]
        with restoring.scratch(clinic, f"{name}_restored_{stamp}") as dsn:
            found = restoring.restore(options["file"], dsn)
            restoring.bring_up_to_date(dsn, erased, found)
        if options["take_its_place"]:
            kept_as = f"{name}_until_{stamp}"
            sealed = restoring.last_sealed(databases.named(clinic, found.database))
            restoring.take_the_place(clinic, found.database, kept_as=kept_as)
            seals_outside.begin_anew(sealed)
            found.database = name
            found.notes.append(f"What was there before is kept as {kept_as}.")
        return found

    def _given(self, url: str) -> str:
        dsn = databases.make_dsn(url)
        if not restoring.is_empty(dsn):
            raise CommandError("That database isn't empty, and nothing was written.", returncode=2)
        return dsn

    def _erased(self, options: dict[str, Any]) -> list[dict[str, str]]:
        if options["no_ledger"]:
            return []
        path = options["ledger"] or Path(settings.ERASURE_LEDGER or "no list of erasures")
        if not path.exists():
            raise CommandError(
                "Where is the list of erasures? Give it with --ledger FILE (ERASURE_LEDGER names "
                "the file that the site writes), or say --no-ledger.",
                returncode=2,
            )
        return erasure_ledger.read(path)
