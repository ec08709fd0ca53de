"""SQL of what emergency access opens: one client's whole record, for its hours.

`outcomes_clinical_episodes` is said anew here, with those clients beside the treated and covered.
Restricted programmes are opened too: in an emergency that is the reason for it, and everybody who
treats there is told.
"""

from __future__ import annotations

from sessions_app.row_security_clinical import IN_EMERGENCY, clinical_episodes

_CLIENTS = """
CREATE FUNCTION outcomes_emergency_clients() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT a.client_id FROM sessions_app_emergencyaccess a
    WHERE a.user_id = (SELECT outcomes_user())
      AND ((SELECT outcomes_has_role('clinician')) OR (SELECT outcomes_has_role('supervisor')))
      AND a.ended_at IS NULL AND a.until_at > clock_timestamp()
$$;
"""

_ENDS_SCOPE = """
CREATE TRIGGER emergency_ends_scope AFTER INSERT OR UPDATE OR DELETE
ON sessions_app_emergencyaccess
FOR EACH STATEMENT EXECUTE FUNCTION outcomes_forget_scope();
"""

EMERGENCY = _CLIENTS + clinical_episodes(whole=IN_EMERGENCY) + _ENDS_SCOPE
