"""One number an episode that changes with anything its derived rows are made from.

The database hashes what an episode has (scores that count, sessions, assignments, its own row)
and combines the hashes without regard to order. Of the episodes that `touched_episodes` notes, a
night so sees which changed, without reading them. What is added here needs its note there.
"""

from __future__ import annotations

from datetime import date

from django.db import connection

from sessions_app import clinic_time

# Corrections and voids made after the day weren't known on it: as series.known says in Django.
# Each part is hashed as a record: written out as text first it took twice the time.
FINGERPRINTS = """
SELECT id, bit_xor(made_of), COALESCE(bit_or(measure), 0) FROM (
    SELECT a.episode_id AS id, hash_record_extended(ROW(1, a.id, a.total, a.session_id,
        a.respondent_id, a.version_id, a.norm_id, a.taken_on, a.taken_at), 0) AS made_of,
        1::bigint << (a.measure_id %% {bits})::int AS measure
    FROM measures_app_administration a
    WHERE {of_administration} AND a.total IS NOT NULL
      AND a.known_on <= %(day)s AND a.taken_on <= %(day)s
      AND (a.superseded_at IS NULL OR a.superseded_at >= %(night)s)
      AND (NOT a.voided OR a.voided_at >= %(night)s)
    UNION ALL
    SELECT s.episode_id, hash_record_extended(ROW(2, s.id, s.status, s.held_on, m.kind,
        m.starts_at), 0), NULL
    FROM sessions_app_session s JOIN sessions_app_meeting m ON m.id = s.meeting_id
    WHERE {of_session} AND s.held_on <= %(day)s
    UNION ALL
    SELECT l.episode_id, hash_record_extended(ROW(3, l.id, l.clinician_id, l.part,
        l.from_on), 0), NULL
    FROM sessions_app_assignment l WHERE {of_assignment} AND l.from_on <= %(day)s
    UNION ALL
    SELECT e.id, hash_record_extended(ROW(4, e.programme_id, e.site_id, e.purpose, e.problem,
        e.funder, e.opened_on, e.opened_on <= %(day)s, e.care_began_on, e.sessions_before, e.origin,
        e.ending, e.closed_on, e.closed_on <= %(day)s, e.closed_recorded_at < %(night)s,
        c.gender, c.birth_year), 0), NULL
    FROM sessions_app_episode e JOIN sessions_app_client c ON c.id = e.client_id
    WHERE {of_episode}
) AS parts (id, made_of, measure) GROUP BY id
"""
COLUMNS = {
    "of_administration": "a.episode_id",
    "of_session": "s.episode_id",
    "of_assignment": "l.episode_id",
    "of_episode": "e.id",
}


BITS = 62  # measures told apart; of more, some share a bit


def bit_of(measure_id: int) -> int:
    return 1 << measure_id % BITS


def fingerprints(as_of: date, episode_ids: range | list[int]) -> dict[int, tuple[int, int]]:
    """Of each episode, as known on a day; and the bits of the measures it has scores of."""
    which: dict[str, object]
    if isinstance(episode_ids, range):
        condition = "{} >= %(start)s AND {} < %(stop)s"
        which = {"start": episode_ids.start, "stop": episode_ids.stop}
    else:
        condition, which = "{} = ANY(%(ids)s)", {"ids": episode_ids}
    sql = FINGERPRINTS.format(
        bits=BITS, **{name: condition.replace("{}", column) for name, column in COLUMNS.items()}
    )
    values = {"day": as_of, "night": clinic_time.end_of(as_of), **which}
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return {episode: (number, bits) for episode, number, bits in cursor.fetchall()}
