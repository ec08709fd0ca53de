from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions_app import actions, selectors
from sessions_app.actions.clients import ERASURE_REASONS
from sessions_app.context import acting_as, system

BAD_INPUT = 2


class Command(BaseCommand):
    help = "Destroy a client's key and identity for good; scores stay without a person."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client", help="the code, or source:value")
        parser.add_argument("--reason", choices=ERASURE_REASONS, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        by = system("erasure")
        with acting_as(by):
            client = selectors.find_client(options["client"], by)
            if client is None:
                raise CommandError(f"There is no client {options['client']}.", returncode=BAD_INPUT)
            try:
                actions.erase_identity(client=client, reason=options["reason"], by=by)
            except ValidationError as problem:
                raise CommandError(" ".join(problem.messages), returncode=BAD_INPUT) from None
        self.stdout.write(
            f"The identity of {client.code} is erased; notes under its key can't be read any more."
        )
