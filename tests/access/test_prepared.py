"""Queries written and planned once answer as they would anew, within the scope of who asks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from measures_app.models import Trajectory
from sessions_app import clinic_time
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Client, Episode, Session
from sessions_app.prepared import FEW, Prepared, PreparedInsert
from tests.cast import BY, Clinic


def _sessions(episodes: Any) -> Any:
    rows = Session.objects.filter(
        episode__in=episodes, status=Session.Status.ATTENDED, meeting__telehealth=False
    )
    return rows.order_by("held_on", "pk").values_list("pk", "held_on")


SESSIONS = Prepared(_sessions)
EPISODES = Prepared(
    lambda pks: (
        Episode.objects.filter(pk__in=pks)
        .select_related("client__identity", "client__key")
        .order_by("pk")
    )
)
CLIENTS = Prepared(lambda pks: Client.objects.filter(pk__in=pks).order_by("pk"))


@pytest.fixture(params=["planned", "behind a pooler"], autouse=True)
def way(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pooled = request.param == "behind a pooler"
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", pooled)


def test_a_prepared_query_answers_as_it_would_anew(clinic: Clinic) -> None:
    with acting_as(BY):
        episodes = list(Episode.objects.order_by("pk").values_list("pk", flat=True))
        for some in ([], episodes[:1], episodes[1:2], episodes[:3], episodes[: FEW + 1]):
            assert SESSIONS.rows(some) == list(_sessions(some))
        assert any(SESSIONS.rows([pk]) for pk in episodes)
        found = EPISODES.objects(episodes[:2])
        assert [one.pk for one in found] == episodes[:2]
        joined = [one.client._state.fields_cache.keys() for one in found]
        assert all({"identity", "key"} <= set(names) for names in joined)
        assert [one.client.code for one in found] == [
            one.client.code for one in Episode.objects.filter(pk__in=episodes[:2]).order_by("pk")
        ]


def test_codes_lists_days_and_measured_values_are_given_as_numbers_are(clinic: Clinic) -> None:
    by_code = Prepared(lambda codes: Client.objects.filter(code__in=codes).order_by("pk"))
    held = Prepared(
        lambda given: (
            Session.objects.filter(episode__pk__any_of=given[0], held_on__gte=given[1])
            .order_by("pk")
            .values_list("pk")
        )
    )
    kept = Prepared(lambda given: Trajectory.objects.filter(scores__0__gt=given[0]).values("pk"))
    everything = Prepared(lambda _none: Episode.objects.order_by("pk").values_list("pk"))
    with acting_as(BY):
        assert [one.pk for one in by_code.objects([clinic.ana.code])] == [clinic.ana.pk]
        assert by_code.objects(["ZZZZ-999"]) == []
        ids = [clinic.episodes["ana"].pk, clinic.episodes["boris"].pk]
        for some in (ids, ids[:1], []):
            for days in (0, 30, 60, 400):
                day = clinic_time.today() - timedelta(days=days)
                rows = Session.objects.filter(episode__in=some, held_on__gte=day).order_by("pk")
                assert held.rows([some, day]) == list(rows.values_list("pk")), (some, day)
        assert kept.rows([12.5]) == []
        assert everything.always() == list(Episode.objects.order_by("pk").values_list("pk"))


def test_a_prepared_query_keeps_to_the_scope_of_whoever_asks(clinic: Clinic) -> None:
    with acting_as(BY):
        everyone = list(Client.objects.order_by("pk").values_list("pk", flat=True)[:FEW])
    for _time in range(7):  # after five askings Postgres may keep one plan for all
        with acting_as(BY):
            assert [one.pk for one in CLIENTS.objects(everyone)] == everyone
        with acting_as(clinic.alice):
            mine = set(Client.objects.values_list("pk", flat=True)) & set(everyone)
            assert {one.pk for one in CLIENTS.objects(everyone)} == mine
        with acting_as(clinic.dora):
            assert CLIENTS.objects(everyone) == []
    assert 0 < len(mine) < len(everyone)
    with pytest.raises(DatabaseError, match="no actor context"), transaction.atomic():
        CLIENTS.objects(everyone)


def test_what_was_planned_stands_after_a_transaction_taken_back(clinic: Clinic) -> None:
    fresh = Prepared(lambda pks: Client.objects.filter(pk__in=pks))

    @transaction.atomic
    def taken_back() -> None:
        fresh.objects([clinic.ana.pk])
        raise ValueError("taken back")

    with acting_as(BY):
        with pytest.raises(ValueError, match="taken back"):
            taken_back()
        assert [one.pk for one in fresh.objects([clinic.ana.pk])] == [clinic.ana.pk]


def test_a_row_put_in_by_a_planned_statement_is_the_row_that_create_makes(clinic: Clinic) -> None:
    given = {
        "actor": "system:test",
        "action": 'it\'s "quoted" % and ñ',
        "subject": "ABCD-123",
        "detail": {"count": 1, "of": [None, "x"]},
    }
    planned = PreparedInsert(AuditEvent)
    with acting_as(BY):
        rows = [
            planned.create(**given),
            planned.create(**given),
            AuditEvent.objects.create(**given),
        ]
        kept = [AuditEvent.objects.get(pk=row.pk) for row in rows]
        assert len({row.pk for row in rows}) == len(rows)
        for row, there in zip(rows, kept, strict=True):
            assert {**there.__dict__, "_state": None} == {**row.__dict__, "_state": None}
            assert row._state.db
            assert not row._state.adding
            assert {name: getattr(there, name) for name in given} == given
            assert there.subject_kind == ""


def test_a_row_put_in_by_a_planned_statement_keeps_to_scope_and_checks(clinic: Clinic) -> None:
    episode = clinic.episodes["ana"]
    new = {
        "meeting": clinic.sessions["ana"][0].meeting,
        "episode": episode,
        "client": episode.client,
        "held_on": clinic_time.today(),
    }
    planned = PreparedInsert(Session)
    with acting_as(BY), transaction.atomic():
        assert planned.create(**new | {"meeting": clinic.sessions["emil"][0].meeting}).episode_id
        transaction.set_rollback(True)
    with (
        acting_as(clinic.dora),
        pytest.raises(DatabaseError, match="row-level security"),
        transaction.atomic(),
    ):
        planned.create(**new)
    with acting_as(BY), pytest.raises(IntegrityError), transaction.atomic():
        planned.create(**new | {"status": None})
