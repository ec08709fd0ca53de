"""SQL of what a client's recorded consent opens: a restricted programme's care, to their others.

`outcomes_clinical_episodes` is said anew here: whoever has the client in scope for other care sees
the programme's episodes of that client too, while the consent holds. The consent itself tells
that there is such care, so it is seen, and written, by those alone who see an episode of it.
"""

from __future__ import annotations

from sessions_app.row_security import SYSTEM, written_once
from sessions_app.row_security_clinical import IN_EMERGENCY, clinical_episodes

_SEEN = f"""{SYSTEM} OR EXISTS (
        SELECT 1 FROM sessions_app_episode AS e WHERE e.client_id = sessions_app_release.client_id
        AND e.programme_id = sessions_app_release.programme_id)"""

_AGREED = """
           OR EXISTS (SELECT 1 FROM sessions_app_release r
                      WHERE r.client_id = e.client_id AND r.programme_id = e.programme_id
                        AND r.withdrawn_at IS NULL
                        AND (SELECT outcomes_today()) BETWEEN r.from_on AND r.until_on)"""

_THE_ROWS = f"""
ALTER TABLE sessions_app_release ENABLE ROW LEVEL SECURITY;
CREATE POLICY sessions_app_release_scope ON sessions_app_release
    USING ({_SEEN}) WITH CHECK ({_SEEN});

CREATE TRIGGER release_ends_scope AFTER INSERT OR UPDATE OR DELETE ON sessions_app_release
FOR EACH STATEMENT EXECUTE FUNCTION outcomes_forget_scope();
"""

RELEASE = (
    _THE_ROWS
    + written_once("sessions_app_release", "withdrawn_at")
    + clinical_episodes(opens=_AGREED, whole=IN_EMERGENCY)
)
