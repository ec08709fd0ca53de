from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions_app import actions, erasure_ledger
from sessions_app.context import acting_as, system
from sessions_app.models import Client

BAD_INPUT = 2


class Command(BaseCommand):
    help = "Erase again who a list of erasures names; part of every restore. Safe to run twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ledger", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            rows = erasure_ledger.read(options["ledger"])
        except (OSError, erasure_ledger.LedgerDamaged) as problem:
            raise CommandError(str(problem), returncode=BAD_INPUT) from None
        by, done = system("erasure"), 0
        with acting_as(by):
            for row in rows:
                # Who came to the clinic after the backup isn't in it.
                client = Client.objects.filter(
                    code=row["client"], key__destroyed_at=None, key__isnull=False
                ).first()
                if client is not None:
                    actions.erase_identity(client=client, reason=row["reason"], by=by)
                    done += 1
        self.stdout.write(f"{done} of {len(rows)} erasures were carried out again.")
