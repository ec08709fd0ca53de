"""The schema."""

# What it was made in at first; a folder that has all of these has what replaces them.
REPLACES = [
    ("measures_app", "0001_initial"),
    ("measures_app", "0002_import_drafts"),
    ("measures_app", "0003_records_hold_together"),
    ("measures_app", "0004_plans_and_own_constants"),
    ("measures_app", "0005_import_reports"),
    ("measures_app", "0006_what_derived_rows_are_made_from"),
    ("measures_app", "0007_put_off_and_follow_ups"),
    ("measures_app", "0008_item_alerts"),
    ("measures_app", "0009_stopping_model"),
    ("measures_app", "0010_voided_by_the_system"),
    ("measures_app", "0011_alert_channels"),
    ("measures_app", "0012_one_weekly_room"),
    ("measures_app", "0013_tell_webhooks"),
    ("measures_app", "0014_measures_state"),
    ("measures_app", "0015_weekly_line"),
    ("measures_app", "0016_touched_episodes"),
]
