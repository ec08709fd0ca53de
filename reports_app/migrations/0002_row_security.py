from django.db import migrations

from reports_app.touched_months import REFERRALS, TRIGGERS, counting_trigger
from sessions_app import row_security as rs

OWN = "user_id = (SELECT outcomes_user())"
MINE = (
    "clinician_id IN (SELECT outcomes_my_clinicians()) AND clinician_id IN "
    "(SELECT c.id FROM sessions_app_clinician c WHERE c.user_id = (SELECT outcomes_user()))"
)
SHARED = (
    "clinician_id IN (SELECT outcomes_my_clinicians()) AND clinician_id IN "
    "(SELECT s.clinician_id FROM reports_app_practiceshare s "
    "WHERE s.ended_at IS NULL AND s.supervisor_id = (SELECT outcomes_user()))"
)
SCOPE = [
    rs.protect(
        "reports_app_episodesummary",
        rs.CLINICAL_EPISODE.format(column="episode_id"),
        "(SELECT outcomes_has_role('director'))",
    ),
    *(rs.protect(f"reports_app_{name}", OWN) for name in ("casefile", "clientcopy", "caserows")),
    rs.protect("reports_app_caserowspart", "file_id IN (SELECT id FROM reports_app_caserows)"),
    rs.protect("reports_app_practiceshare", MINE, "supervisor_id = (SELECT outcomes_user())"),
    rs.protect("reports_app_practiceentry", MINE, SHARED),
]
HOLDING = [
    rs.append_only("reports_app_reportedition"),
    rs.written_once("reports_app_monthlyentry"),
    rs.written_once("reports_app_contracttarget"),
    rs.kept("reports_app_practiceshare"),
]
TOUCHED = [
    *(sql for sql, _without in TRIGGERS),
    counting_trigger("INSERT"),
    counting_trigger("UPDATE"),
    REFERRALS,
]


class Migration(migrations.Migration):
    """Who sees which figures, and which months are to be counted again."""

    dependencies = [("reports_app", "0001_shown"), ("measures_app", "0002_row_security")]

    operations = [migrations.RunSQL([*SCOPE, *HOLDING, *TOUCHED])]
