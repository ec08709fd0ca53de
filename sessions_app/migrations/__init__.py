"""The schema."""

# What it was made in at first; a folder that has all of these has what replaces them.
REPLACES = [
    ("sessions_app", "0001_initial"),
    ("sessions_app", "0002_records_hold_together"),
    ("sessions_app", "0003_session_reference"),
    ("sessions_app", "0004_remember_scope"),
    ("sessions_app", "0005_weekly_digest"),
    ("sessions_app", "0006_safety"),
    ("sessions_app", "0007_statistics"),
    ("sessions_app", "0008_ways_in"),
    ("sessions_app", "0009_api_keys"),
    ("sessions_app", "0010_conferences"),
    ("sessions_app", "0011_hand_over_summary"),
    ("sessions_app", "0012_absence"),
    ("sessions_app", "0013_alert_phone"),
    ("sessions_app", "0014_unlock_pin"),
    ("sessions_app", "0015_scope_by_index"),
    ("sessions_app", "0016_sees_expected"),
    ("sessions_app", "0017_referral"),
    ("sessions_app", "0018_rights"),
    ("sessions_app", "0019_what_rows_said_before"),
    ("sessions_app", "0020_webhooks"),
    ("sessions_app", "0021_scope_found_at_once"),
    ("sessions_app", "0022_nobody_has_no_scope"),
    ("sessions_app", "0023_releases"),
]
