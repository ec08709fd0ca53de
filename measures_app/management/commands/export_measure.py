from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from measures_app import measures
from measures_app.models import Measure
from sessions_app.context import acting_as, system

BAD_INPUT = 2


class Command(BaseCommand):
    help = "Write a measure's newest definition as it was loaded."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code")
        parser.add_argument("--format", choices=["toml"], default="toml")

    def handle(self, *args: Any, **options: Any) -> None:
        with acting_as(system("library")):
            measures.sync_library()
            measure = Measure.objects.filter(code=options["code"]).first()
            if measure is None:
                known = ", ".join(Measure.objects.values_list("code", flat=True))
                raise CommandError(
                    f"There is no measure “{options['code']}”; known: {known}.",
                    returncode=BAD_INPUT,
                )
            self.stdout.write(measures.current_version(measure).source_text)
