"""Rows that the product brings along: loaded after migrations and at each start, idempotently."""

from __future__ import annotations

from measures_app import measures
from sessions_app.context import acting_as, system


def sync() -> None:
    """Load what is new of the bundled measures; what is known changes nothing."""
    with acting_as(system("start")):
        measures.sync_library()
