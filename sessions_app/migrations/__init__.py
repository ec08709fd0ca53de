"""The schema."""

# What it was made in before the first release, and what stands instead (outcomes_site/schema.py).
FORMER = (
    "0001_initial",
    "0002_records_hold_together",
    "0003_session_reference",
    "0004_remember_scope",
    "0005_weekly_digest",
    "0006_safety",
    "0007_statistics",
    "0008_ways_in",
    "0009_api_keys",
    "0010_conferences",
    "0011_hand_over_summary",
    "0012_absence",
    "0013_alert_phone",
    "0014_unlock_pin",
    "0015_scope_by_index",
    "0016_sees_expected",
    "0017_referral",
    "0018_rights",
    "0019_what_rows_said_before",
    "0020_webhooks",
    "0021_scope_found_at_once",
    "0022_nobody_has_no_scope",
    "0023_releases",
)
INSTEAD = ("0001_user", "0002_people_and_care", "0003_row_security")
