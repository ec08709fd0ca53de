"""SQL of what a cover sees: the clients of an absent colleague, while the absence lasts.

`outcomes_clinical_episodes` is said anew here, with the covered clients beside those treated. A
restricted programme isn't opened by covering: whoever covers there holds a grant for it.
"""

from __future__ import annotations

CLINICAL_EPISODES = """
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
           OR e.programme_id IN (SELECT outcomes_granted_programmes(NULL)))
$$;
"""

_COVERED = """
CREATE FUNCTION outcomes_covered_clinicians() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT a.clinician_id FROM sessions_app_absence a
    JOIN sessions_app_clinician c ON c.id = a.cover_id
    WHERE c.user_id = (SELECT outcomes_user()) AND (SELECT outcomes_has_role('clinician'))
      AND a.withdrawn_at IS NULL
      AND (SELECT outcomes_today()) BETWEEN a.from_on AND COALESCE(a.to_on, 'infinity')
$$;
"""

_ENDS_SCOPE = """
CREATE TRIGGER absence_ends_scope AFTER INSERT OR UPDATE OR DELETE ON sessions_app_absence
FOR EACH STATEMENT EXECUTE FUNCTION outcomes_forget_scope();
"""

COVER = _COVERED + CLINICAL_EPISODES + _ENDS_SCOPE
