"""A migration that makes many tables quickly.

Operation by operation, Django pictures anew all models that hang together, and these all do: of
a hundred tables that was most of the time a first start took. Where tables are made and none is
changed, the picture of them all serves each.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState


class AtOnce(migrations.Migration):
    """For operations of which none changes what another of them made."""

    def apply(
        self,
        project_state: ProjectState,
        schema_editor: BaseDatabaseSchemaEditor,
        collect_sql: bool = False,
    ) -> Any:
        if collect_sql:  # `sqlmigrate` writes them one by one
            return super().apply(project_state, schema_editor, collect_sql)
        project_state.__dict__.pop("apps", None)  # else it is drawn anew for each
        self.mutate_state(project_state, preserve=False)
        for operation in self.operations:
            operation.database_forwards(self.app_label, schema_editor, project_state, project_state)
        # What is put off is done here: Django then notes the migration in this very transaction,
        # and a start that is cut off leaves both or neither.
        for sql in schema_editor.deferred_sql:
            schema_editor.execute(sql, None)
        schema_editor.deferred_sql.clear()
        return project_state
