"""SQL of the clinical scope: whose episodes a person sees, as access.py says it.

Each migration that widened the scope said the function anew with what it added; here it is
written once, so that what they share is the same and what each adds is all there is to read.
"""

from __future__ import annotations

IN_EMERGENCY = """    UNION
    SELECT e.id FROM sessions_app_episode e
    WHERE e.client_id = ANY (ARRAY(SELECT outcomes_emergency_clients()))
"""


def clinical_episodes(*, opens: str = "", whole: str = "") -> str:
    """SQL that makes `outcomes_clinical_episodes`.

    Parameters
    ----------
    opens : str
        A condition on episode ``e`` that opens a restricted programme beside treating there and
        holding a grant for it, beginning with OR.
    whole : str
        Episodes seen whatever their programme, beginning with UNION.
    """
    return f"""
CREATE OR REPLACE FUNCTION outcomes_clinical_episodes() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    WITH direct AS (
        SELECT a.episode_id, e.client_id
        FROM sessions_app_assignment a JOIN sessions_app_episode e ON e.id = a.episode_id
        WHERE a.clinician_id = ANY (ARRAY(SELECT outcomes_my_clinicians()))
          AND COALESCE(a.to_on, 'infinity')
              >= (SELECT outcomes_today()) - (SELECT outcomes_former_days())),
    covered AS (
        SELECT e.client_id
        FROM sessions_app_assignment a JOIN sessions_app_episode e ON e.id = a.episode_id
        JOIN sessions_app_programme p ON p.id = e.programme_id
        WHERE a.clinician_id = ANY (ARRAY(SELECT outcomes_covered_clinicians()))
          AND COALESCE(a.to_on, 'infinity') >= (SELECT outcomes_today())
          AND (NOT p.restricted
               OR e.programme_id IN (SELECT outcomes_granted_programmes(NULL))))
    SELECT e.id FROM sessions_app_episode e
    JOIN sessions_app_programme p ON p.id = e.programme_id
    WHERE e.client_id
            = ANY (ARRAY(SELECT client_id FROM direct UNION SELECT client_id FROM covered))
      AND (NOT p.restricted OR e.id IN (SELECT episode_id FROM direct)
           OR e.programme_id IN (SELECT outcomes_granted_programmes(NULL)){opens})
{whole}$$;
"""
