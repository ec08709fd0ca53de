"""The cast on a live site, with the measures of the library."""

from __future__ import annotations

import pytest

from measures_app import measures
from sessions_app.context import acting_as
from tests.cast import BY, Clinic, build


@pytest.fixture(scope="module")
def site(live_site: str) -> tuple[str, Clinic]:
    with acting_as(BY):
        clinic = build()
        measures.sync_library()
    return live_site, clinic
