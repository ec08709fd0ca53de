from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from outcomes_site import first_administrator


class Command(BaseCommand):
    help = "Print the link that makes a new clinic's first administrator. The newest one opens."

    def handle(self, *args: Any, **options: Any) -> None:
        token = first_administrator.issue_token()
        if token is None:
            raise CommandError(
                "Somebody can sign in already: people are invited from the page People.",
                returncode=2,
            )
        self.stdout.write(f"{settings.PUBLIC_URL}{first_administrator.path_of(token)}")
