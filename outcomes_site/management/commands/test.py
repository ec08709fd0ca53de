from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = (
        "Check everything: format, lint, imports, types, migrations, tests. Arguments go to pytest."
    )

    def run_from_argv(self, argv: list[str]) -> None:
        # Not parsed: whatever pytest takes may be given.
        from outcomes_site.local import checks

        if {"--help", "-h"} & set(argv[2:]):
            super().run_from_argv(argv)
            return
        sys.exit(checks.run(argv[2:]))

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(self.help)
