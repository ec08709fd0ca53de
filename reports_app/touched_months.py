"""Triggers that say which months of sessions are to be counted again: SQL for the migration.

They run once a statement on the rows it changed, as the tables' owner, so that a change is
noted whoever may see what.
"""

from __future__ import annotations

from typing import Final

# What of a table's changed rows leads to sessions: `changed` holds those before and after.
SESSIONS_OF: Final = {
    "sessions_app_session": "changed",
    "sessions_app_meeting": "sessions_app_session s JOIN changed c ON s.meeting_id = c.id",
    "sessions_app_meetingclinician": (
        "sessions_app_session s JOIN changed c ON s.meeting_id = c.meeting_id"
    ),
    "sessions_app_episode": "sessions_app_session s JOIN changed c ON s.episode_id = c.id",
    "measures_app_administration": ("sessions_app_session s JOIN changed c ON s.id = c.session_id"),
}
# A meeting or an episode is made before its sessions, and gone after them.
EVENTS: Final = {
    "sessions_app_meeting": ("UPDATE",),
    "sessions_app_episode": ("UPDATE",),
}
ALL: Final = ("INSERT", "UPDATE", "DELETE")
# Of an episode only the place counts: the night itself doesn't write there, but endings do.
UPDATED: Final = {
    "sessions_app_episode": (
        "SELECT n.* FROM new_rows n JOIN old_rows o ON o.id = n.id "
        "WHERE (o.programme_id, o.site_id) IS DISTINCT FROM (n.programme_id, n.site_id)"
    ),
}
BOTH: Final = "SELECT * FROM old_rows UNION ALL SELECT * FROM new_rows"
ROWS: Final = {"INSERT": "SELECT * FROM new_rows", "DELETE": "SELECT * FROM old_rows"}
REFERENCING: Final = {
    "INSERT": "NEW TABLE AS new_rows",
    "DELETE": "OLD TABLE AS old_rows",
    "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
}


def _trigger(table: str, event: str) -> str:
    name = f"touched_months_{event.lower()}_{table}"
    rows = ROWS.get(event) or UPDATED.get(table, BOTH)
    return f"""
CREATE FUNCTION {name}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO reports_app_touchedmonth (month)
    WITH changed AS ({rows})
    SELECT DISTINCT date_trunc('month', held_on)::date FROM {SESSIONS_OF[table]};
    RETURN NULL;
END $$;
CREATE TRIGGER touched_months_{event.lower()} AFTER {event} ON {table}
REFERENCING {REFERENCING[event]} FOR EACH STATEMENT EXECUTE FUNCTION {name}();
"""


def _without(table: str, event: str) -> str:
    return (
        f"DROP TRIGGER touched_months_{event.lower()} ON {table};"
        f"DROP FUNCTION touched_months_{event.lower()}_{table}();"
    )


TRIGGERS: Final = [
    (_trigger(table, event), _without(table, event))
    for table in SESSIONS_OF
    for event in EVENTS.get(table, ALL)
]
