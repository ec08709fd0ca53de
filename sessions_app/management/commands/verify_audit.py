from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sessions_app import seals

BROKEN = 1


class Command(BaseCommand):
    help = "Recompute the audit trail's hash chain; exit status 1 when a row was changed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        found = seals.verify()
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {
                        "intact": found.intact,
                        "sealed": found.sealed,
                        "unsealed": found.unsealed,
                        "broken_at": found.broken_at,
                    }
                )
            )
        elif found.intact:
            self.stdout.write(
                f"The chain is whole: {found.sealed} rows sealed, {found.unsealed} wait for a seal."
            )
        else:
            self.stderr.write(
                f"The chain is broken: a row up to {found.broken_at} was changed, taken away or "
                f"added after sealing; {found.sealed} rows before that block are as they were."
            )
        if not found.intact:
            raise SystemExit(BROKEN)
