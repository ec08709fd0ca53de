"""The cast on a live site, with the measures of the library."""

from __future__ import annotations

from datetime import timedelta

import pytest

from measures_app import measures
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from tests.cast import BY, Clinic, build


@pytest.fixture(scope="module")
def site(live_site: str) -> tuple[str, Clinic]:
    with acting_as(BY):
        clinic = build()
        measures.sync_library()
    return live_site, clinic


@pytest.fixture
def address(site: tuple[str, Clinic]) -> str:
    """A fresh link of Ana's to a session that is still to come."""
    url, clinic = site
    with acting_as(BY):
        session = actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.now() + timedelta(hours=1),
            by=BY,
        )
        person = clinic.ana.respondents.get(relation="self")
        _link, token = actions.make_link(session=session, respondent=person, by=clinic.alice)
    return f"{url}/m/{token}/"
