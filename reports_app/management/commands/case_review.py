from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import Http404

from reports_app.case_review import case_review_pdf
from reports_app.paper import PaperUnavailable
from sessions_app import audit, selectors
from sessions_app.context import acting_as, system

BAD_INPUT = 2


class Command(BaseCommand):
    help = "Write a client's case review as a PDF of two pages."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client", help="the client's code, or source:value")
        parser.add_argument("--output", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        by = system("case review")
        with acting_as(by):
            client = selectors.find_client(options["client"], by)
            if client is None:
                raise CommandError(
                    f"There is no client “{options['client']}”: give a code, or source:value.",
                    returncode=BAD_INPUT,
                )
            try:
                content = case_review_pdf(client, by)
            except Http404:
                raise CommandError(
                    f"{client.code} has no episode yet.", returncode=BAD_INPUT
                ) from None
            except PaperUnavailable as problem:
                raise CommandError(str(problem), returncode=BAD_INPUT) from None
            audit.record("exported", subject_kind="client", subject=client.code, what="case review")
        try:
            options["output"].write_bytes(content)
        except OSError as problem:
            raise CommandError(
                f"{options['output']}: {problem.strerror}.", returncode=BAD_INPUT
            ) from None
        self.stdout.write(f"{options['output']}: {client.code}, {len(content) // 1024} kB.")
