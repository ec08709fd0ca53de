"""SQL of what a client's recorded consent opens: a restricted programme's care, to their others.

`outcomes_clinical_episodes` is said anew here: whoever has the client in scope for other care sees
the programme's episodes of that client too, while the consent holds. The consent itself tells
that there is such care, so it is seen, and written, by those alone who see an episode of it.
"""

from __future__ import annotations

from sessions_app.row_security import SYSTEM, written_once

_SEEN = f"""{SYSTEM} OR EXISTS (
        SELECT 1 FROM sessions_app_episode AS e WHERE e.client_id = sessions_app_release.client_id
        AND e.programme_id = sessions_app_release.programme_id)"""

RELEASE = (
    f"""
ALTER TABLE sessions_app_release ENABLE ROW LEVEL SECURITY;
CREATE POLICY sessions_app_release_scope ON sessions_app_release
    USING ({_SEEN}) WITH CHECK ({_SEEN});

CREATE TRIGGER release_ends_scope AFTER INSERT OR UPDATE OR DELETE ON sessions_app_release
FOR EACH STATEMENT EXECUTE FUNCTION outcomes_forget_scope();
"""
    + written_once("sessions_app_release", "withdrawn_at")
    + """
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
           OR e.programme_id IN (SELECT outcomes_granted_programmes(NULL))
           OR EXISTS (SELECT 1 FROM sessions_app_release r
                      WHERE r.client_id = e.client_id AND r.programme_id = e.programme_id
                        AND r.withdrawn_at IS NULL
                        AND (SELECT outcomes_today()) BETWEEN r.from_on AND r.until_on))
    UNION
    SELECT e.id FROM sessions_app_episode e
    WHERE e.client_id = ANY (ARRAY(SELECT outcomes_emergency_clients()))
$$;
"""
)
