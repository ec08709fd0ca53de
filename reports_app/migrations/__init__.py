"""The schema."""

# What it was made in at first; a folder that has all of these has what replaces them.
REPLACES = [
    ("reports_app", "0001_initial"),
    ("reports_app", "0002_what_derived_rows_are_made_from"),
    ("reports_app", "0003_reference_of_a_summary"),
    ("reports_app", "0004_touched_months"),
    ("reports_app", "0005_case_files"),
    ("reports_app", "0006_editions"),
    ("reports_app", "0007_clinic_entries"),
    ("reports_app", "0008_practice"),
    ("reports_app", "0009_kept_figures"),
    ("reports_app", "0010_client_copies"),
    ("reports_app", "0011_waits"),
    ("reports_app", "0012_case_rows"),
    ("reports_app", "0013_since_when"),
]
