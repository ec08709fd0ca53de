from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from tests.cast import BY, PASSWORD, Clinic


@pytest.fixture
def at_work(db: Any) -> Iterator[Clinic]:
    """Three of the cast and no clients, in a unit of work: the stories bring their own."""
    with acting_as(BY):
        north = actions.add_site(name="North", by=BY)
        therapy = actions.add_programme(name="Talking therapy", by=BY)
        clinic = Clinic(north, north, therapy, therapy)
        clinic.users["alice"] = alice = actions.add_user(
            email="alice@clinic.example", name="Alice Alder", password=PASSWORD, by=BY
        )
        for name in ("alice", "bob", "ruth"):
            clinic.clinicians[name] = actions.add_clinician(
                name=name.title(), code=name, site=north, user=clinic.users.get(name), by=BY
            )
        since = clinic_time.today() - timedelta(days=400)
        actions.grant_role(user=alice, role="clinician", from_on=since, by=BY)
        yield clinic
