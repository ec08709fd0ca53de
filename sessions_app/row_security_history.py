"""SQL that closes the tables of models/history.py: written by triggers alone, read as the row is.

The triggers' functions run as the tables' owner, so that the application needs no right to write
there and has none. pgtrigger lets a session switch its triggers off by a setting; for whoever
may run SQL as the application that would be a way around, so the switch is taken out. A later
migration that makes such a trigger anew has to call `closed()` again; a test sees if it didn't.
"""

from __future__ import annotations

from sessions_app.row_security import SYSTEM, append_only

OPEN = ("user", "rolegrant", "supervision", "absence", "programme", "retentionrule")
SCOPED = ("episode", "assignment", "session", "restriction")

FUNCTIONS = """
DO $$
DECLARE made record;
BEGIN
    FOR made IN SELECT DISTINCT t.tgfoid::regprocedure AS name FROM pg_trigger t
                WHERE t.tgname LIKE 'pgtrigger\\_%' LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = public', made.name);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION _pgtrigger_should_ignore(trigger_name name) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN false; END $$;
"""


def closed() -> str:
    tables = "".join(
        append_only(f"sessions_app_{name}before")
        + f"REVOKE INSERT ON sessions_app_{name}before FROM outcomes_app;\n"
        for name in OPEN + SCOPED
    )
    return FUNCTIONS + tables + "".join(_as_the_row(name) for name in SCOPED)


def _as_the_row(name: str) -> str:
    """Seen by whoever sees the row itself, as the row's own policy says; of a row gone: none."""
    table = f"sessions_app_{name}before"
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;\n"
        f"CREATE POLICY {table}_scope ON {table} USING ({SYSTEM} OR EXISTS "
        f"(SELECT 1 FROM sessions_app_{name} AS now WHERE now.id = {table}.pgh_obj_id));\n"
    )
