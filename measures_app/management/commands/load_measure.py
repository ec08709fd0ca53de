from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from measures_app import measures
from measures_app.definition_reader import parse_definition
from measures_app.definitions import DefinitionProblem
from sessions_app.context import acting_as, system

BAD_INPUT = 2


class Command(BaseCommand):
    help = "Load a measure from its definition (TOML); a known text changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            text = path.read_text(encoding="utf-8-sig")
            definition = parse_definition(text)
            with acting_as(system("library")):
                version = measures.load_definition(
                    definition, source_text=text, by=system("library")
                )
        except OSError as problem:
            raise CommandError(f"{path}: {problem.strerror}.", returncode=BAD_INPUT) from None
        except UnicodeDecodeError:
            raise CommandError(f"{path}: is not UTF-8 text.", returncode=BAD_INPUT) from None
        except DefinitionProblem as problem:
            lines = "\n".join(f"{path}: {fault}" for fault in problem.faults)
            raise CommandError(lines, returncode=BAD_INPUT) from None
        except ValidationError as problem:
            raise CommandError(
                f"{path}: {'; '.join(problem.messages)}", returncode=BAD_INPUT
            ) from None
        self.stdout.write(f"{definition.code}: version {version.version}.")
