from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, connections

from outcomes_site import database, reference, schema


def _dsn(settings_dict: dict[str, Any]) -> str:
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host"}
    parameters = {names[n]: str(settings_dict[n]) for n in names if settings_dict.get(n)}
    if settings_dict.get("PORT"):
        parameters["port"] = str(settings_dict["PORT"])
    options = settings_dict.get("OPTIONS", {})
    parameters |= {k: str(v) for k, v in options.items() if k != "options"}
    return database.make_dsn(**parameters)


@contextmanager
def _owners_login(connection: Any) -> Iterator[None]:
    """Use the owner's own login, where there is one, for the same database."""
    owner = settings.DATABASE_OWNER
    if owner is None:
        yield
        return
    login = ("USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
    before = {name: connection.settings_dict[name] for name in login}
    connection.close()
    connection.settings_dict.update({name: owner[name] for name in login})
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


class Command(migrate.Command):
    help = "Prepare the database's two roles and migrate as the owner of its tables."

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"] or DEFAULT_DB_ALIAS]
        with _owners_login(connection):
            try:
                database.prepare_database(_dsn(connection.settings_dict))
            except database.CannotPrepare as problem:
                raise CommandError(str(problem)) from problem
            with database.as_owner(connection):
                try:
                    schema.take_over(connection)
                except schema.HalfMade as problem:
                    raise CommandError(str(problem)) from None
                super().handle(*args, **options)
        if not (options["app_label"] or options["plan"] or options["check_unapplied"]):
            reference.sync()
