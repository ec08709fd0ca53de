"""Triggers that say which months are to be counted again: SQL for the migrations.

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
    # Those who answer for a client are counted on the day they did, with a session or without.
    "measures_app_administration": (
        "(SELECT s.held_on FROM sessions_app_session s JOIN changed c ON s.id = c.session_id "
        "UNION SELECT taken_on FROM changed WHERE session_id IS NULL) AS days"
    ),
    "sessions_app_client": "sessions_app_session s JOIN changed c ON s.client_id = c.id",
}
# A meeting or an episode is made before its sessions, and gone after them.
EVENTS: Final = {
    "sessions_app_meeting": ("UPDATE",),
    "sessions_app_episode": ("UPDATE",),
    "sessions_app_client": ("UPDATE",),
}
ALL: Final = ("INSERT", "UPDATE", "DELETE")
# Of an episode only where it is and who pays count, of a client the age: endings write there too.
UPDATED: Final = {
    "sessions_app_episode": (
        "SELECT n.* FROM new_rows n JOIN old_rows o ON o.id = n.id "
        "WHERE (o.programme_id, o.site_id, o.funder) "
        "IS DISTINCT FROM (n.programme_id, n.site_id, n.funder)"
    ),
    "sessions_app_client": (
        "SELECT n.* FROM new_rows n JOIN old_rows o ON o.id = n.id "
        "WHERE o.birth_year IS DISTINCT FROM n.birth_year"
    ),
}
BOTH: Final = "SELECT * FROM old_rows UNION ALL SELECT * FROM new_rows"
ROWS: Final = {"INSERT": "SELECT * FROM new_rows", "DELETE": "SELECT * FROM old_rows"}
REFERENCING: Final = {
    "INSERT": "NEW TABLE AS new_rows",
    "DELETE": "OLD TABLE AS old_rows",
    "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
}
# Sessions said to have taken place, or not to, of which nobody had said so: "12 entered since".
ENTERED: Final = {
    "INSERT": "SELECT held_on, (status <> 'booked')::int AS entered FROM new_rows",
    "UPDATE": (
        "SELECT held_on, 0 AS entered FROM old_rows UNION ALL "
        "SELECT n.held_on, (o.status = 'booked' AND n.status <> 'booked')::int "
        "FROM new_rows n JOIN old_rows o ON o.id = n.id"
    ),
}


def counting_trigger(event: str) -> str:
    """The sessions' own, saying too how many were entered; in place of the one without."""
    table = "sessions_app_session"
    return f"""
CREATE OR REPLACE FUNCTION touched_months_{event.lower()}_{table}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO reports_app_touchedmonth (month, entered)
    SELECT date_trunc('month', held_on)::date, sum(entered)
    FROM ({ENTERED[event]}) AS changed GROUP BY 1;
    RETURN NULL;
END $$;
"""


def _trigger(table: str, event: str) -> str:
    name = f"touched_months_{event.lower()}_{table}"
    rows = ROWS.get(event) or UPDATED.get(table, BOTH)
    return f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO reports_app_touchedmonth (month)
    WITH changed AS ({rows})
    SELECT DISTINCT date_trunc('month', held_on)::date FROM {SESSIONS_OF[table]};
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER touched_months_{event.lower()} AFTER {event} ON {table}
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

# A wait is in the figures of each month from the referral on: nothing of it ends before today.
REFERRALS: Final = "".join(
    f"""
CREATE FUNCTION touched_months_{event.lower()}_referral() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO reports_app_touchedmonth (month, sessions)
    WITH changed AS ({ROWS.get(event, BOTH)})
    SELECT generate_series(
        date_trunc('month', min(received_on)), CURRENT_DATE + 1, '1 month')::date, false
    FROM changed;
    RETURN NULL;
END $$;
CREATE TRIGGER touched_months_{event.lower()} AFTER {event} ON sessions_app_referral
REFERENCING {REFERENCING[event]} FOR EACH STATEMENT
EXECUTE FUNCTION touched_months_{event.lower()}_referral();
"""
    for event in ALL
)
