"""Scores from files: read the table, read its rows through a mapping, write all or nothing."""

from measures_app.imports.mapping import Mapping, MappingProblem, as_toml, long_form, parse_mapping
from measures_app.imports.reading import read_rows, set_aside
from measures_app.imports.rows import Problem, Record
from sessions_app.tables import MAX_BYTES, Table, TableProblem, read_table, too_large

__all__ = [
    "MAX_BYTES",
    "Mapping",
    "MappingProblem",
    "Problem",
    "Record",
    "Table",
    "TableProblem",
    "as_toml",
    "long_form",
    "parse_mapping",
    "read_rows",
    "read_table",
    "set_aside",
    "too_large",
]
