"""All of an action is kept, or nothing of it: alone, and as a part of another."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from sessions_app import outbox
from sessions_app.atomic import action
from sessions_app.context import acting_as
from sessions_app.models import Outbox
from tests.cast import BY


@action
def part(name: str, *, refused: bool = False) -> None:
    outbox.promise("test", {"of": name})
    if refused:
        raise ValidationError("not so")


@action
def whole(*, refused: bool) -> None:
    outbox.promise("test", {"of": "whole"})
    part("part", refused=refused)


@action
def whole_with_a_way_out() -> None:
    try:
        with transaction.atomic():
            part("part", refused=True)
    except ValidationError:
        part("instead")


def _kept() -> list[Any]:
    return [row.payload["of"] for row in Outbox.objects.order_by("pk")]


def test_what_a_part_refuses_takes_the_whole_back_and_the_caller_goes_on(db: Any) -> None:
    with acting_as(BY):
        with pytest.raises(ValidationError):
            whole(refused=True)
        assert _kept() == []
        part("alone")
        with pytest.raises(ValidationError):
            part("alone, refused", refused=True)
        assert _kept() == ["alone"]


def test_an_action_may_go_on_after_a_part_within_a_savepoint_of_its_own(db: Any) -> None:
    with acting_as(BY):
        whole_with_a_way_out()
        assert _kept() == ["instead"]


def test_an_action_within_another_sets_no_savepoint(db: Any) -> None:
    with acting_as(BY), CaptureQueriesContext(connection) as asked:
        whole(refused=False)
    assert [query["sql"].startswith("SAVEPOINT") for query in asked.captured_queries].count(
        True
    ) == 1
    assert _kept() == ["whole", "part"]
