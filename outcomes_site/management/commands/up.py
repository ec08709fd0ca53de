from __future__ import annotations

import sys
from typing import Any, ClassVar

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.db.utils import OperationalError

from outcomes_site import first_administrator, reference, schema
from outcomes_site.local import lifecycle, supervisor
from outcomes_site.local.folder import Folder
from sessions_app.context import acting_as, system
from sessions_app.models import Installation


def _is_migrated() -> bool:
    try:
        return not schema.waiting(connections["default"])
    except OperationalError:
        return False  # the roles aren't there yet
    except schema.HalfMade as problem:
        raise CommandError(str(problem)) from None


class Command(BaseCommand):
    help = "Start everything on this machine: database, broker, worker and the site."
    requires_system_checks: ClassVar[list[str]] = []  # `test` runs them; here they cost a start

    def add_arguments(self, parser: CommandParser) -> None:
        supervisor.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            services = lifecycle.current()
        except RuntimeError as problem:
            raise CommandError(str(problem)) from None
        if not _is_migrated():
            self._say("Making the tables ...")
            connections.close_all()
            call_command("migrate", verbosity=0)
        else:
            reference.sync()  # a new version may bring new measures without a migration
        if options["demo"]:
            self._load_demo(services.folder)
        token = first_administrator.issue_token()
        connections.close_all()
        supervisor.serve(
            services,
            services.port,
            first_administrator.path_of(token) if token else "",
            as_json=options["json"],
        )

    def _load_demo(self, folder: Folder) -> None:
        with acting_as(system("start")):
            loaded = Installation.objects.filter(demo=True).exists()
        if not (loaded and folder.logins.exists()):
            self._say("Filling the demo clinic ...")
            call_command("load_demo", logins=str(folder.logins), stdout=sys.stderr)
        if not folder.demo_is_ready.exists():
            self._say("Computing its night ...")
            call_command("run_nightly", stdout=sys.stderr)
            folder.demo_is_ready.touch()

    def _say(self, line: str) -> None:
        self.stderr.write(line)
        self.stderr.flush()
