"""The schema."""

# What it was made in before the first release, and what stands instead (outcomes_site/schema.py).
FORMER = (
    "0001_initial",
    "0002_import_drafts",
    "0003_records_hold_together",
    "0004_plans_and_own_constants",
    "0005_import_reports",
    "0006_what_derived_rows_are_made_from",
    "0007_put_off_and_follow_ups",
    "0008_item_alerts",
    "0009_stopping_model",
    "0010_voided_by_the_system",
    "0011_alert_channels",
    "0012_one_weekly_room",
    "0013_tell_webhooks",
    "0014_measures_state",
    "0015_weekly_line",
    "0016_touched_episodes",
)
INSTEAD = ("0001_asked_and_answered", "0002_row_security")
