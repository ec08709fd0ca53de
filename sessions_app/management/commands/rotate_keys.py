from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from sessions_app import actions, sealing
from sessions_app.context import acting_as, system
from sessions_app.models import ClientKey


class Command(BaseCommand):
    help = (
        "Wrap every client's key under the current master key (the first of MASTER_KEYS). "
        "May be stopped and run again; afterwards the older master keys can be taken away."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        by, done = system("key rotation"), 0
        try:
            while True:
                with acting_as(by):
                    count = actions.rewrap_keys(by=by)
                if not count:
                    break
                done += count
            with acting_as(by):
                factors = actions.reseal_second_factors(by=by)
                hooks = actions.reseal_webhooks(by=by)
        except sealing.CannotOpen as problem:
            raise CommandError(f"{done} keys were rewrapped, then: {problem}") from None
        with acting_as(by):
            left = ClientKey.objects.filter(destroyed_at=None).exclude(
                master_key_id=settings.MASTER_KEY_ID
            )
            waiting = left.count()
        self.stdout.write(
            f"{done} keys are wrapped under master key {settings.MASTER_KEY_ID!r} now; "
            f"{waiting} wait for another one. {factors} second factors and {hooks} "
            "webhook secrets were sealed anew."
        )
