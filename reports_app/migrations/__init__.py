"""The schema."""

# What it was made in before the first release, and what stands instead (outcomes_site/schema.py).
FORMER = (
    "0001_initial",
    "0002_what_derived_rows_are_made_from",
    "0003_reference_of_a_summary",
    "0004_touched_months",
    "0005_case_files",
    "0006_editions",
    "0007_clinic_entries",
    "0008_practice",
    "0009_kept_figures",
    "0010_client_copies",
    "0011_waits",
    "0012_case_rows",
    "0013_since_when",
)
INSTEAD = ("0001_shown", "0002_row_security")
