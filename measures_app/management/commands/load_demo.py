from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from measures_app.simulation import demo
from measures_app.simulation.store import BY
from sessions_app.context import acting_as

BAD_INPUT = 2


def _write_privately(path: Path, text: str) -> None:
    """A file that only its owner can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


class Command(BaseCommand):
    help = "Fill an empty database with a demo clinic and people who can sign in to it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--logins", metavar="FILE", help="write the logins there (0600), not to the screen"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_PRODUCTION:
            raise CommandError("A demo has no place in production.", returncode=BAD_INPUT)
        file = Path(options["logins"]) if options["logins"] else None
        try:
            with acting_as(BY):
                if demo.is_loaded():
                    self.stdout.write("The demo clinic is loaded.")
                    # A run that was ended between the load and this file left nobody a password.
                    if file is None or file.exists():
                        return
                else:
                    told = ", ".join(f"{number} {name}" for name, number in demo.load().items())
                    self.stdout.write(f"{demo.CLINIC_NAME}: {told}.")
                logins = demo.new_logins()
        except demo.NotEmpty as problem:
            raise CommandError(str(problem), returncode=BAD_INPUT) from None
        if file is not None:
            _write_privately(file, json.dumps(logins, indent=1) + "\n")
            self.stdout.write(f"The logins are in {file}.")
            return
        for login in logins:
            self.stdout.write("  {email:<24} {password}  {role}".format(**login))
