"""SQL of what a cover sees: the clients of an absent colleague, while the absence lasts.

`outcomes_clinical_episodes` is said anew here, with the covered clients beside those treated. A
restricted programme isn't opened by covering: whoever covers there holds a grant for it.
"""

from __future__ import annotations

from sessions_app.row_security_clinical import clinical_episodes

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

COVER = _COVERED + clinical_episodes() + _ENDS_SCOPE
