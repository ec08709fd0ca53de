from __future__ import annotations

import base64
import secrets
import time
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser

WEB, MIGRATOR = "outcomes_web", "outcomes_migrator"


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _url(login: str) -> str:
    return f"postgresql://{login}:{secrets.token_urlsafe(32)}@postgres:5432/outcomes"


class Command(BaseCommand):
    help = "Generate the secrets that docker-compose.yml reads. Keep a copy of the keys elsewhere."
    requires_system_checks: ClassVar[list[str]] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, default=Path("secrets"))

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        try:
            folder.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            raise CommandError(
                f"{folder} is there already and nothing in it was touched: new keys would make "
                f"every name in the database unreadable."
            ) from None
        texts = {
            "postgres_password": secrets.token_urlsafe(32),
            "database_url": _url(WEB),
            "database_owner_url": _url(MIGRATOR),
            "secret_key": secrets.token_urlsafe(64),
            "master_keys": f"{time.strftime('%Y-%m')}:{_key()}",
            "search_key": _key(),
            "backup_keys": f"{time.strftime('%Y-%m')}:{_key()}",
            "email_password": "",
            "sso_client_secret": "",
        }
        for name, text in texts.items():
            file = folder / name
            file.write_text(f"{text}\n" if text else "")
            # The folder is closed; within a container another user has to read the file.
            file.chmod(0o444)
        self.stdout.write(
            f"Secrets are in {folder}. Keep a copy of master_keys, search_key and backup_keys in a "
            f"safe place away from the backups: without them no name and no backup can be read. "
            f"The mail server's password, if it has one, goes into email_password, "
            f"that of the clinic's own sign-in service into sso_client_secret."
        )
