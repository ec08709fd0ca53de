from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from outcomes_site.joined import SOURCES, joined, place_of


class Command(BaseCommand):
    help = "Join the style sheets and the scripts of the client's form into one file each."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        for name in SOURCES:
            place_of(name).write_text(joined(name), encoding="utf-8")
            self.stdout.write(f"{name}: {place_of(name).stat().st_size} bytes")
