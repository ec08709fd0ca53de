"""Triggers that say which episodes are to be looked at again: SQL for the migrations.

Each statement that writes what derived rows are made from leaves a note of the episodes it
concerns, in its own transaction and whoever may see what. A note says from which day on anything
may read differently, and until which: what is dated ahead (a session booked, a score known
later) counts from its day, so a night takes what its own day lets be known and leaves the rest.
A note too many costs a look; `fingerprints` decides whether anything did change.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Final

from django.db import connection

ALWAYS: Final = "DATE '0001-01-01'"  # whatever day is looked at


def _known_by(stamp: str) -> str:
    """The day a moment lies in, wherever the clinic is: one of three."""
    day = f"({stamp} AT TIME ZONE 'UTC')::date"
    return f"({day} - 1), ({day}), ({day} + 1)"


# (episode, day) of each table's rows, from `changed`: the rows before and after.
DAYS: Final = {
    "sessions_app_session": "SELECT episode_id, held_on FROM changed",
    "sessions_app_meeting": (
        "SELECT s.episode_id, s.held_on FROM sessions_app_session s "
        "JOIN (SELECT DISTINCT id FROM changed) c ON c.id = s.meeting_id"
    ),
    "sessions_app_assignment": "SELECT episode_id, from_on FROM changed",
    "sessions_app_episode": (
        f"SELECT id, day FROM changed, LATERAL (VALUES ({ALWAYS}), (opened_on), (closed_on), "
        f"{_known_by('closed_recorded_at')}) AS days (day)"
    ),
    "sessions_app_client": (
        f"SELECT e.id, {ALWAYS} FROM sessions_app_episode e "
        "JOIN (SELECT DISTINCT id FROM changed) c ON c.id = e.client_id"
    ),
    "measures_app_administration": (
        "SELECT episode_id, day FROM changed, LATERAL (VALUES (GREATEST(known_on, taken_on)), "
        f"{_known_by('superseded_at')}, {_known_by('voided_at')}) AS days (day)"
    ),
}
# A meeting is made before its sessions and gone after them; a client, an episode likewise.
EVENTS: Final = {
    "sessions_app_meeting": ("UPDATE",),
    "sessions_app_client": ("UPDATE",),
    "sessions_app_episode": ("INSERT", "UPDATE"),
}
ALL: Final = ("INSERT", "UPDATE", "DELETE")
CHANGED: Final = {
    "INSERT": ("NEW TABLE AS new_rows", "SELECT * FROM new_rows"),
    "DELETE": ("OLD TABLE AS old_rows", "SELECT * FROM old_rows"),
    "UPDATE": (
        "OLD TABLE AS old_rows NEW TABLE AS new_rows",
        "SELECT * FROM old_rows UNION ALL SELECT * FROM new_rows",
    ),
}


def _note(table: str, changed: str) -> str:
    """One note an episode of what is past, and one for each day to come.

    The database's own day parts them alone: on a clock that is wrong notes wait longer, or are
    looked at more often.
    """
    return f"""
    INSERT INTO measures_app_touchedepisode (episode_id, from_on, until_on)
    WITH changed AS ({changed}), said (episode_id, day) AS ({DAYS[table]})
    SELECT episode_id, min(day), max(day) FROM said WHERE day <= CURRENT_DATE GROUP BY episode_id
    UNION ALL
    SELECT DISTINCT episode_id, day, day FROM said WHERE day > CURRENT_DATE"""


def _trigger(table: str, event: str) -> str:
    name = f"touched_episodes_{event.lower()}_{table}"
    transition, changed = CHANGED[event]
    return f"""
CREATE FUNCTION {name}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN{_note(table, changed)};
    RETURN NULL;
END $$;
CREATE TRIGGER touched_episodes_{event.lower()} AFTER {event} ON {table}
REFERENCING {transition} FOR EACH STATEMENT EXECUTE FUNCTION {name}();
"""


TRIGGERS: Final = "".join(
    _trigger(table, event) for table in DAYS for event in EVENTS.get(table, ALL)
)

NOTED = """
    FROM measures_app_touchedepisode t
    WHERE t.episode_id >= %(start)s AND t.episode_id < %(stop)s
      AND t.from_on <= %(day)s AND NOT t.episode_id = ANY (%(without)s)
"""
TAKE = f"""
WITH seen AS (SELECT t.id, t.episode_id, t.until_on {NOTED}),
     done AS (DELETE FROM measures_app_touchedepisode
              WHERE id IN (SELECT id FROM seen WHERE until_on <= %(day)s))
SELECT DISTINCT episode_id FROM seen
"""
SEE = f"SELECT DISTINCT t.episode_id {NOTED}"


ALL_WITH = """
INSERT INTO measures_app_touchedepisode (episode_id, from_on, until_on)
SELECT DISTINCT episode_id, %(day)s::date, %(day)s::date FROM measures_app_administration
WHERE measure_id = %(measure)s AND total IS NOT NULL
"""


def note_all_with(measure_id: int, day: date) -> None:
    """Note every episode with a score of a measure: from a day on, another model reads it."""
    with connection.cursor() as cursor:
        cursor.execute(ALL_WITH, {"measure": measure_id, "day": day})


THESE = """
INSERT INTO measures_app_touchedepisode (episode_id, from_on, until_on)
SELECT unnest(%(these)s::bigint[]), %(day)s::date, %(day)s::date
"""


def note(episodes: Collection[int], day: date) -> None:
    """Note some episodes: from a day on they are to be looked at."""
    if episodes:
        with connection.cursor() as cursor:
            cursor.execute(THESE, {"these": list(episodes), "day": day})


def noted(block: range, as_of: date, *, without: Collection[int] = (), take: bool) -> set[int]:
    """Episodes of a block of which a note speaks that a day lets be known.

    With `take` the notes go that no later day can bring back, in the caller's transaction: one
    that is rolled back leaves them. Those of the episodes `without` stay unseen.
    """
    values = {"start": block.start, "stop": block.stop, "day": as_of, "without": list(without)}
    with connection.cursor() as cursor:
        cursor.execute(TAKE if take else SEE, values)
        return {episode for (episode,) in cursor.fetchall()}
