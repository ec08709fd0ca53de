from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from measures_app import answers_out
from sessions_app import selectors
from sessions_app.context import acting_as, system

BAD_INPUT = 2


class Command(BaseCommand):
    help = "Write a client's answers and scores as FHIR R4: responses, observations, forms."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client", help="the client's code, or source:value")
        parser.add_argument("--format", choices=["fhir"], default="fhir")
        parser.add_argument("--output", type=Path, help="write to this file, not to the screen")

    def handle(self, *args: Any, **options: Any) -> None:
        by = system("answers")
        with acting_as(by):
            client = selectors.find_client(options["client"], by)
            if client is None:
                raise CommandError(
                    f"There is no client “{options['client']}”: give a code, or source:value.",
                    returncode=BAD_INPUT,
                )
            bundle = answers_out.bundle_of(client, by)
        text = json.dumps(bundle, ensure_ascii=False, indent=2) + "\n"
        output: Path | None = options["output"]
        if output is None:
            self.stdout.write(text, ending="")
            return
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as problem:
            raise CommandError(f"{output}: {problem.strerror}.", returncode=BAD_INPUT) from None
