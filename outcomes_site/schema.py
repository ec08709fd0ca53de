"""Whether a database has this release's tables; those made before the first one are taken over."""

from __future__ import annotations

from importlib import import_module

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

APPS = ("sessions_app", "measures_app", "reports_app")


class HalfMade(RuntimeError):
    """Some of an app's former migrations were applied and not all: nothing leads on from there.

    Says of which app, and what to do.
    """


def waiting(connection: BaseDatabaseWrapper) -> list[tuple[Migration, bool]]:
    """What `migrate` would look at; raises `HalfMade`."""
    _taken_over(connection)
    executor = MigrationExecutor(connection)
    return executor.migration_plan(executor.loader.graph.leaf_nodes())


def take_over(connection: BaseDatabaseWrapper) -> None:
    """Note that a database with all former migrations of an app has what stands instead.

    Not by Django's `replaces`: it notes all that several replace once the first of them is
    applied, so that a first start that was cut off between them would never be finished.

    Raises
    ------
    HalfMade
        Where it has some of them.
    """
    record = MigrationRecorder(connection)
    with transaction.atomic(using=connection.alias):
        for app in _taken_over(connection):
            package = import_module(f"{app}.migrations")
            for name in package.FORMER:
                record.record_unapplied(app, name)
            for name in package.INSTEAD:
                record.record_unapplied(app, name)  # none is noted twice
                record.record_applied(app, name)


def _taken_over(connection: BaseDatabaseWrapper) -> list[str]:
    """Apps of which a database has all former migrations."""
    applied = MigrationRecorder(connection).applied_migrations().keys()
    found = []
    for app in APPS:
        package = import_module(f"{app}.migrations")
        former = {(app, name) for name in package.FORMER}
        has = len(former & applied)
        if 0 < has < len(former):
            raise HalfMade(
                f"This database was made by a version between releases: of the {len(former)} "
                f"former migrations of {app}, {has} are applied. Start it once with the last "
                f"version that has them, then with this one; in a clone that is the commit before "
                f"the one shown by `git log --diff-filter=A -- "
                f"{app}/migrations/{package.INSTEAD[0]}.py`. Nothing was changed."
            )
        if has:
            found.append(app)
    return found


def known() -> set[tuple[str, str]]:
    """Migrations that this release has, and those it can take over."""
    former = {(app, name) for app in APPS for name in import_module(f"{app}.migrations").FORMER}
    return {*MigrationLoader(None).disk_migrations, *former}
