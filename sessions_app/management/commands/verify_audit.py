from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions_app import seals, seals_outside

BROKEN = 1


class Command(BaseCommand):
    help = (
        "Recompute the audit trail's hash chain and compare it with the seals kept outside the "
        "database; exit status 1 when a row was changed or the chain was rewritten."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = seals.verify()
        except seals_outside.Unreadable as problem:
            raise CommandError(
                f"The seals kept outside the database (AUDIT_SEALS): {problem}", returncode=2
            ) from None
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {
                        "intact": found.intact,
                        "sealed": found.sealed,
                        "unsealed": found.unsealed,
                        "broken_at": found.broken_at,
                        "newest": found.newest,
                        "kept_outside": found.kept_outside,
                        "contradicted_at": found.contradicted_at,
                    }
                )
            )
        elif found.intact:
            self.stdout.write(
                f"The chain is whole: {found.sealed} rows sealed, {found.unsealed} wait for a seal."
            )
            if found.kept_outside is not None:
                self.stdout.write(
                    f"It says what the {found.kept_outside} seals kept outside the database say."
                )
        elif found.broken_at is None:
            self.stderr.write(
                "The chain was written anew: it holds together, and the seals kept outside the "
                f"database say otherwise from row {found.contradicted_at} or before."
            )
        else:
            self.stderr.write(
                f"The chain is broken: a row up to {found.broken_at} was changed, taken away or "
                f"added after sealing; {found.sealed} rows before that block are as they were."
            )
        if not found.intact:
            raise SystemExit(BROKEN)
