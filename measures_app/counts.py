"""How many clients and scores there are of each measure, counted by the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.db import connection

from measures_app.kept import kept
from measures_app.models import Measure
from sessions_app import clinic_time

# The scores of a respondent are counted before it is asked who that is: ten rows become one.
COUNTED = """
WITH scored AS (
    SELECT version_id, respondent_id, count(*) AS n FROM measures_app_administration
    WHERE total IS NOT NULL AND known_on <= %(day)s AND taken_on <= %(day)s
      AND (superseded_at IS NULL OR superseded_at >= %(night)s)
      AND (NOT voided OR voided_at >= %(night)s){of}
    GROUP BY version_id, respondent_id
), people AS (
    SELECT v.root, r.relation, r.client_id, sum(s.n) AS n
    FROM scored s JOIN sessions_app_respondent r ON r.id = s.respondent_id
    JOIN unnest(%(versions)s::bigint[], %(roots)s::bigint[]) AS v (id, root) ON v.id = s.version_id
    GROUP BY v.root, r.relation, r.client_id
)
SELECT root, relation, count(*), sum(n)::bigint FROM people GROUP BY root, relation
ORDER BY relation, root
"""
Counts = Sequence[tuple[int, str, int, int]]  # a scoring's first version, relation, clients, scores


def of_scores(as_of: date, measure: Measure | None = None) -> Counts:
    """How many clients and scores there are of each scoring, of all measures in one pass."""
    roots = kept().roots
    of = "" if measure is None else " AND measure_id = %(measure)s"
    values = {
        "day": as_of,
        "night": clinic_time.end_of(as_of),
        "versions": list(roots),
        "roots": list(roots.values()),
        "measure": measure.pk if measure else None,
    }
    with connection.cursor() as cursor:
        # Room for as many groups as there are clients: on disk they took longer than the scores.
        # And who they are of is read once through: what the policies let be seen is guessed far
        # too low, and each was looked up alone.
        cursor.execute("SET LOCAL work_mem = '64MB'; SET LOCAL enable_nestloop = off")
        cursor.execute(COUNTED.format(of=of), values)
        found = list(cursor.fetchall())
        cursor.execute("SET LOCAL work_mem TO DEFAULT; SET LOCAL enable_nestloop TO DEFAULT")
        return found
