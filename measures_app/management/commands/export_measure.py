from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from measures_app import fhir, measures
from measures_app.models import Measure
from sessions_app.context import acting_as, system

BAD_INPUT = 2


class Command(BaseCommand):
    help = "Write a measure's newest definition: as it was loaded, or as a FHIR R4 Questionnaire."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code")
        parser.add_argument("--format", choices=["toml", "fhir"], default="toml")
        parser.add_argument("--output", type=Path, help="write to this file, not to the screen")

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
            version = measures.current_version(measure)
            text = version.source_text
            if options["format"] == "fhir":
                resource = fhir.to_questionnaire(
                    measures.definition_of(version), version=str(version.version)
                )
                text = json.dumps(resource, ensure_ascii=False, indent=2) + "\n"
        output: Path | None = options["output"]
        if output is None:
            self.stdout.write(text, ending="")
            return
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as problem:
            raise CommandError(f"{output}: {problem.strerror}.", returncode=BAD_INPUT) from None
