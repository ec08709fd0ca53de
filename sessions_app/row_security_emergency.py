"""SQL of what emergency access opens: one client's whole record, for its hours.

`outcomes_clinical_episodes` is said anew here, with those clients beside the treated and covered.
Restricted programmes are opened too: in an emergency that is the reason for it, and everybody who
treats there is told.
"""

from __future__ import annotations

EMERGENCY = """
CREATE FUNCTION outcomes_emergency_clients() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT a.client_id FROM sessions_app_emergencyaccess a
    WHERE a.user_id = (SELECT outcomes_user())
      AND ((SELECT outcomes_has_role('clinician')) OR (SELECT outcomes_has_role('supervisor')))
      AND a.ended_at IS NULL AND a.until_at > clock_timestamp()
$$;

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
    UNION
    SELECT e.id FROM sessions_app_episode e
    WHERE e.client_id = ANY (ARRAY(SELECT outcomes_emergency_clients()))
$$;

CREATE TRIGGER emergency_ends_scope AFTER INSERT OR UPDATE OR DELETE
ON sessions_app_emergencyaccess
FOR EACH STATEMENT EXECUTE FUNCTION outcomes_forget_scope();
"""
