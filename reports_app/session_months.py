"""The clinic's sessions by month, programme, site and clinician, counted by the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import date

from django.db import connection

from reports_app.models import SessionMonth, TouchedMonth
from sessions_app import bulk

FEW = 3  # months

# A session is its meeting's first clinician's; a meeting's minutes are those of everyone who
# worked in it, once however many clients sat there: workload counts meetings.
MONTHS = """
INSERT INTO reports_app_sessionmonth (month, programme_id, site_id, clinician_id, scheduled,
    attended, no_shows, late_cancels, clinic_cancels, not_seen_by_us, both_measures, minutes)
WITH held AS MATERIALIZED (
    SELECT s.id, s.meeting_id, s.status, date_trunc('month', s.held_on)::date AS month,
        e.programme_id, e.site_id
    FROM {chosen}sessions_app_session s{in_chosen}
    JOIN sessions_app_episode e ON e.id = s.episode_id
    WHERE s.status <> 'booked'
), answered AS (
    SELECT a.session_id,
        bool_or(m.purpose = 'alliance') AND bool_or(m.purpose <> 'alliance') AS complete
    FROM measures_app_administration a JOIN measures_app_measure m ON m.id = a.measure_id
    WHERE a.session_id {of_held} AND a.total IS NOT NULL
      AND a.superseded_at IS NULL AND NOT a.voided
    GROUP BY a.session_id
), firsts AS (
    SELECT meeting_id, min(clinician_id) AS clinician_id
    FROM sessions_app_meetingclinician WHERE meeting_id {of_meeting} GROUP BY meeting_id
), parts AS (
    SELECT h.month, h.programme_id, h.site_id, f.clinician_id, h.status,
        COALESCE(a.complete, false) AS complete, 0 AS minutes
    FROM held h
    LEFT JOIN firsts f ON f.meeting_id = h.meeting_id
    LEFT JOIN answered a ON a.session_id = h.id
    UNION ALL
    SELECT month, programme_id, site_id, clinician_id, '', false, minutes FROM (
        SELECT DISTINCT t.id, h.month, h.programme_id, t.site_id, w.clinician_id, t.minutes
        FROM held h
        JOIN sessions_app_meeting t ON t.id = h.meeting_id
        LEFT JOIN sessions_app_meetingclinician w ON w.meeting_id = t.id
        WHERE h.status = 'attended') AS worked
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
ALL = MONTHS.format(chosen="", in_chosen="", of_held="IS NOT NULL", of_meeting="IS NOT NULL")
SOME = MONTHS.format(
    chosen="unnest(%(months)s::date[]) AS wanted (month) JOIN ",
    in_chosen="""
        ON s.held_on >= wanted.month AND s.held_on < wanted.month + interval '1 month'""",
    of_held="IN (SELECT id FROM held)",
    of_meeting="IN (SELECT meeting_id FROM held)",
)


def has_few() -> bool:
    """Whether few months' sessions are to be counted again."""
    noted = TouchedMonth.objects.filter(sessions=True).values("month").distinct()
    return SessionMonth.objects.exists() and noted.count() <= FEW


def rebuild() -> None:
    """Replace all months."""
    SessionMonth.objects.all()._raw_delete(SessionMonth.objects.db)
    with connection.cursor() as cursor:
        cursor.execute(ALL)


def count() -> int:
    """Count again the months whose sessions changed; all, where none is counted yet. How many.

    They stay noted, as months whose figures are to be made again: `counted` takes those notes.
    What is noted from here on is for whoever counts next.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM reports_app_touchedmonth WHERE sessions RETURNING month, entered"
        )
        noted: Counter[date] = Counter()
        for month, entered in cursor.fetchall():
            noted[month] += entered
    if SessionMonth.objects.exists():
        _count_again(noted)
    else:
        rebuild()
        noted.update(dict.fromkeys(SessionMonth.objects.values_list("month", flat=True), 0))
    TouchedMonth.objects.bulk_create(
        TouchedMonth(month=month, sessions=False, entered=n) for month, n in noted.items()
    )
    return len(noted)


def counted() -> set[date]:
    """Take the notes of months whose sessions are counted, or whose episodes read differently."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM reports_app_touchedmonth WHERE NOT sessions RETURNING month")
        return {month for (month,) in cursor.fetchall()}


def _count_again(months: Collection[date]) -> None:
    if not months:
        return
    old = SessionMonth.objects.filter(month__in=list(months))
    old._raw_delete(old.db)
    with connection.cursor() as cursor:
        if len(months) <= FEW:
            # A month's sessions are looked up, not sought among all there ever were, and have
            # room: on disk they were put down five times over. All would take a gigabyte.
            bulk.prefer_indexes()
            cursor.execute("SET LOCAL work_mem = '64MB'")
        cursor.execute(SOME, {"months": list(months)})
