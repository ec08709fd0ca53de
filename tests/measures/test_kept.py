"""Measures stay read until the database says that one changed, by whichever way it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from measures_app import measures
from measures_app.kept import Kept, kept
from measures_app.models import (
    Measure,
    MeasurePlan,
    MeasuresState,
    MeasureVersion,
    NormRow,
)
from sessions_app import clinic_time
from sessions_app.context import acting_as
from tests.cast import BY, Clinic


def _kept() -> Kept:
    """What a request of its own finds."""
    with acting_as(BY):
        return kept()


def _copy(model: Any, **other: Any) -> None:
    """One row more, and no signal of it."""
    row = model.objects.order_by("pk")[0]
    row.pk = None
    for name, value in other.items():
        setattr(row, name, value)
    model.objects.bulk_create([row])


A_LINE = MeasurePlan(key="mood", from_on=clinic_time.today(), purpose="outcome")
CHANGES: dict[str, Callable[[], Any]] = {
    "a measure's title": lambda: Measure.objects.update(title="another"),
    "a version": lambda: _copy(MeasureVersion, version=99, checksum="99"),
    "a norm": lambda: _copy(NormRow, checksum="99", default=False),
    "the plan": lambda: MeasurePlan.objects.bulk_create([A_LINE]),
}


def test_a_request_asks_one_question_while_nothing_changed(clinic: Clinic) -> None:
    first = _kept()
    with acting_as(BY), CaptureQueriesContext(connection) as asked:
        assert kept() is first
        assert kept() is first
    assert len([q for q in asked.captured_queries if q["sql"].startswith("EXECUTE")]) == 1


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_by_any_way_is_seen_by_the_next_request(clinic: Clinic, what: str) -> None:
    first = _kept()
    with acting_as(BY):
        CHANGES[what]()
    assert _kept() is not first


def test_what_was_taken_back_is_never_read_again(clinic: Clinic) -> None:
    first = _kept()
    code = next(iter(first.titles))
    with acting_as(BY):
        with transaction.atomic():
            Measure.objects.filter(code=code).update(title="not this")
            assert measures.titles()[code] == "not this"
            transaction.set_rollback(True)
        assert measures.titles()[code] == first.titles[code]
    assert _kept().titles[code] == first.titles[code]


def test_nobody_but_the_database_marks_a_change(clinic: Clinic) -> None:
    with acting_as(BY), pytest.raises(ProgrammingError, match="permission denied"):
        MeasuresState.objects.update(mark="00000000-0000-0000-0000-000000000000")
