"""Whether a database has this release's tables."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader


class HalfMade(RuntimeError):
    """Some of what a migration replaces was applied and not all of it: nothing leads on from there.

    Says of which app, and what to do.
    """


def waiting(connection: BaseDatabaseWrapper) -> list[tuple[Migration, bool]]:
    """What `migrate` would apply; raises `HalfMade`."""
    executor = MigrationExecutor(connection)
    _refuse_half(executor.loader)
    return executor.migration_plan(executor.loader.graph.leaf_nodes())


def refuse_half_made(connection: BaseDatabaseWrapper) -> None:
    """Raise `HalfMade` where that is so."""
    _refuse_half(MigrationLoader(connection))


def _refuse_half(loader: MigrationLoader) -> None:
    # Django leaves such a migration out of its plan and says nothing: its tables would be missing.
    for key, migration in sorted(loader.replacements.items()):
        if key not in loader.graph.nodes:
            app, name = key
            former = set(migration.replaces)
            applied = len(former & loader.applied_migrations.keys())
            raise HalfMade(
                f"This database was made by a version between releases: of the {len(former)} "
                f"former migrations of {app}, {applied} are applied. Start it once with the last "
                f"version that has them, then with this one; in a clone that is the commit before "
                f"the one that `git log --diff-filter=A -- {app}/migrations/{name}.py` shows. "
                f"Nothing was changed."
            )


def known() -> set[tuple[str, str]]:
    """Migrations that this release has, or replaces."""
    found = MigrationLoader(None).disk_migrations
    return {*found, *(old for migration in found.values() for old in migration.replaces)}
