from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from outcomes_site.catalogues import ROOT, compile_words


class Command(BaseCommand):
    help = "Compile locale/*/LC_MESSAGES/django.po, with no system tool."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        for source in sorted(ROOT.glob("*/LC_MESSAGES/django.po")):
            content = compile_words(source.read_text(encoding="utf-8"))
            source.with_suffix(".mo").write_bytes(content)
            self.stdout.write(f"{source.parent.parent.name}: {len(content)} bytes")
