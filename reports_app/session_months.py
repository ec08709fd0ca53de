"""The clinic's sessions by month, programme, site and clinician, counted by the database."""

from __future__ import annotations

from django.db import connection

from reports_app.models import SessionMonth

# A session is its meeting's first clinician's; a meeting's minutes are those of everyone who
# worked in it, once however many clients sat there: workload counts meetings.
MONTHS = """
INSERT INTO reports_app_sessionmonth (month, programme_id, site_id, clinician_id, scheduled,
    attended, no_shows, late_cancels, clinic_cancels, not_seen_by_us, both_measures, minutes)
WITH answered AS (
    SELECT a.session_id,
        bool_or(m.purpose = 'alliance') AND bool_or(m.purpose <> 'alliance') AS complete
    FROM measures_app_administration a JOIN measures_app_measure m ON m.id = a.measure_id
    WHERE a.session_id IS NOT NULL AND a.total IS NOT NULL
      AND a.superseded_at IS NULL AND NOT a.voided
    GROUP BY a.session_id
), firsts AS (
    SELECT meeting_id, min(clinician_id) AS clinician_id
    FROM sessions_app_meetingclinician GROUP BY meeting_id
), parts AS (
    SELECT date_trunc('month', s.held_on)::date AS month, e.programme_id, e.site_id,
        f.clinician_id, s.status, COALESCE(a.complete, false) AS complete, 0 AS minutes
    FROM sessions_app_session s
    JOIN sessions_app_episode e ON e.id = s.episode_id
    LEFT JOIN firsts f ON f.meeting_id = s.meeting_id
    LEFT JOIN answered a ON a.session_id = s.id
    WHERE s.status <> 'booked'
    UNION ALL
    SELECT month, programme_id, site_id, clinician_id, '', false, minutes FROM (
        SELECT DISTINCT t.id, date_trunc('month', s.held_on)::date AS month, e.programme_id,
            t.site_id, w.clinician_id, t.minutes
        FROM sessions_app_session s
        JOIN sessions_app_episode e ON e.id = s.episode_id
        JOIN sessions_app_meeting t ON t.id = s.meeting_id
        LEFT JOIN sessions_app_meetingclinician w ON w.meeting_id = t.id
        WHERE s.status = 'attended') AS worked
)
SELECT month, programme_id, site_id, clinician_id,
    count(*) FILTER (WHERE status <> ''),
    count(*) FILTER (WHERE status = 'attended'),
    count(*) FILTER (WHERE status = 'no_show'),
    count(*) FILTER (WHERE status = 'late_cancel'),
    count(*) FILTER (WHERE status = 'clinic_cancel'),
    count(*) FILTER (WHERE status = 'not_seen_by_us'),
    count(*) FILTER (WHERE status = 'attended' AND complete),
    sum(minutes)
FROM parts GROUP BY month, programme_id, site_id, clinician_id
ORDER BY month, programme_id, site_id, clinician_id
"""


def rebuild() -> int:
    """Replace the months; returns how many rows there are."""
    SessionMonth.objects.all()._raw_delete(SessionMonth.objects.db)
    with connection.cursor() as cursor:
        cursor.execute(MONTHS)
        written: int = cursor.rowcount
    return written
