from __future__ import annotations

from collections.abc import Iterator

import pytest

from sessions_app.context import acting_as
from tests.cast import BY, Clinic


@pytest.fixture
def at_work(clinic: Clinic) -> Iterator[Clinic]:
    """The cast, in a unit of work of the tests'."""
    with acting_as(BY):
        yield clinic
