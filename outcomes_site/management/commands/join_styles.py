from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from outcomes_site.styles import JOINED, joined


class Command(BaseCommand):
    help = "Join the style sheets of the client's pages into one file."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        JOINED.write_text(joined(), encoding="utf-8")
        self.stdout.write(f"{JOINED.name}: {JOINED.stat().st_size} bytes")
