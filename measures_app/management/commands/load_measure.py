from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from measures_app import fhir, measures
from measures_app.definition_reader import parse_definition
from measures_app.definitions import DefinitionProblem, MeasureDefinition
from measures_app.fhir.documents import MAX_BYTES
from measures_app.models import Measure
from sessions_app.context import acting_as, system

BAD_INPUT = 2
SAID = ("code", "better", "purpose", "rater", "language")


class Command(BaseCommand):
    help = (
        "Load a measure from its definition (TOML) or from a FHIR R4 Questionnaire (JSON); "
        "a known text changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--dry-run", action="store_true", help="read, report and print the definition only"
        )
        group = parser.add_argument_group("for a Questionnaire, which can't say these")
        group.add_argument(
            "--with", dest="side", type=Path, help="norms with sources, alerts, direction (TOML)"
        )
        group.add_argument("--better", choices=("higher", "lower"))
        group.add_argument("--purpose", choices=Measure.Purpose.values)
        group.add_argument("--rater", choices=Measure.Rater.values)
        group.add_argument("--code", help="what the measure is called here, such as phq-9")
        group.add_argument("--language", help="of its texts, where the file doesn't say")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        data = self._bytes(path)
        is_fhir = path.suffix.lower() == ".json" or data[:400].lstrip(b"\xef\xbb\xbf \t\r\n")[
            :1
        ] in (b"{", b"<", b"[")
        try:
            with acting_as(system("library")):
                measures.sync_library()
                if is_fhir:
                    definition, text = self._questionnaire(path, data, options)
                else:
                    self._no_additions(path, options)
                    text = data.decode("utf-8-sig")
                    definition = parse_definition(text)
                if options["dry_run"]:
                    self.stdout.write(text)
                    return
                version = measures.load_definition(
                    definition, source_text=text, by=system("library")
                )
        except UnicodeDecodeError:
            raise CommandError(f"{path}: is not UTF-8 text.", returncode=BAD_INPUT) from None
        except (DefinitionProblem, fhir.FhirProblem) as problem:
            lines = "\n".join(f"{path}: {fault}" for fault in problem.faults)
            raise CommandError(lines, returncode=BAD_INPUT) from None
        except ValidationError as problem:
            raise CommandError(
                f"{path}: {'; '.join(problem.messages)}", returncode=BAD_INPUT
            ) from None
        self.stdout.write(f"{definition.code}: version {version.version}.")

    def _bytes(self, path: Path) -> bytes:
        """The file, and of a huge one only as much as shows that it is."""
        try:
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError as problem:
            raise CommandError(f"{path}: {problem.strerror}.", returncode=BAD_INPUT) from None

    def _questionnaire(
        self, path: Path, data: bytes, options: dict[str, Any]
    ) -> tuple[MeasureDefinition, str]:
        side = self._side(options["side"]) if options["side"] else {}
        side |= {key: options[key] for key in SAID if options[key]}
        loaded = fhir.read_measure(data, side=side, known=measures.current_definitions())
        for note in loaded.notes:
            self.stderr.write(f"{path}: {note}")
        return loaded.definition, loaded.text

    def _side(self, path: Path) -> dict[str, Any]:
        try:
            return fhir.read_side(self._bytes(path).decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise CommandError(f"{path}: is not UTF-8 text.", returncode=BAD_INPUT) from None
        except fhir.FhirProblem as problem:
            lines = "\n".join(f"{path}: {fault}" for fault in problem.faults)
            raise CommandError(lines, returncode=BAD_INPUT) from None

    def _no_additions(self, path: Path, options: dict[str, Any]) -> None:
        given = [key for key in ("side", *SAID) if options[key]]
        if given:
            option = "--with" if given[0] == "side" else f"--{given[0]}"
            raise CommandError(
                f"{path}: {option} is for a Questionnaire; a definition says it itself.",
                returncode=BAD_INPUT,
            )
