"""Side effects, repeated submissions and the audit trail."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction

from sessions_app import actions, audit, clinic_time, outbox, seals, submissions
from sessions_app.context import acting_as, system
from sessions_app.models import AuditEvent, AuditSeal, Outbox
from sessions_app.tasks import forget_sent
from tests.cast import BY, Clinic


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a test handler was given; it stumbles over `{"stumble": true}`."""
    carried_out: list[Any] = []

    def handler(payload: dict[str, Any], message_id: Any) -> None:
        carried_out.append(payload)
        if payload.get("stumble"):
            raise OSError("no route")

    monkeypatch.setitem(outbox.HANDLERS, "test", handler)
    return carried_out


def test_a_promised_side_effect_is_carried_out_once(db: Any, done: list[Any]) -> None:
    with acting_as(BY):
        outbox.promise("test", {"n": 1})
    assert outbox.sweep() == 1
    assert outbox.sweep() == 0
    assert done == [{"n": 1}]


def test_what_is_promised_twice_in_a_unit_of_work_is_one_message_while_it_stands(db: Any) -> None:
    @transaction.atomic
    def taken_back() -> None:
        outbox.promise("test", {"n": 1}, joined=True)
        raise ValueError("taken back")

    with acting_as(BY):
        with pytest.raises(ValueError, match="taken back"):
            taken_back()
        assert not Outbox.objects.exists()
        for _time in range(2):  # each in a savepoint of its own, as actions are
            with transaction.atomic():
                outbox.promise("test", {"n": 1}, joined=True)
        assert Outbox.objects.count() == 1
        outbox.promise("test", {"n": 2}, joined=True)
        outbox.promise("test", {"n": 1})
        assert Outbox.objects.count() == 3
    with acting_as(BY):
        outbox.promise("test", {"n": 1}, joined=True)
    assert Outbox.objects.count() == 4


def test_a_side_effect_that_stumbles_waits_and_keeps_the_reason(db: Any, done: list[Any]) -> None:
    with acting_as(BY):
        outbox.promise("test", {"stumble": True})
    assert outbox.sweep() == 0
    row = Outbox.objects.get()
    assert (row.attempts, row.sent_at) == (1, None)
    assert "no route" in row.last_problem
    assert row.due_at > clinic_time.now()
    row.due_at = clinic_time.now()
    row.payload = {"n": 2}
    row.save()
    assert outbox.sweep() == 1


def _sent(days: int, kind: str = "test", **values: Any) -> Outbox:
    """A row written long ago, and sent so many days ago unless `sent_at` says otherwise."""
    now = clinic_time.now()
    sent = {"sent_at": now - timedelta(days=days)} | values
    return Outbox.objects.create(kind=kind, due_at=now - timedelta(days=4000), **sent)


def test_what_was_sent_is_forgotten_after_the_clinics_days_and_what_waits_never(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FORGOTTEN_AT_ONCE", 2)
    today = clinic_time.today()
    with acting_as(clinic.adam):
        actions.set_policy(key="sent_kept_days", value=10, from_on=today, by=clinic.adam)
    with acting_as(BY):
        Outbox.objects.all().delete()
        for kind in ("test", "webhook"):
            for days in (11, 400, 4000):
                _sent(days, kind)
        kept = [
            _sent(0, kind, sent_at=None, attempts=attempts, last_problem=problem)
            for kind in ("test", "webhook")
            for attempts, problem in ((0, ""), (300, "nobody answered"))
        ]
        kept += [_sent(9), _sent(9, "webhook"), _sent(-400)]  # the clock was put back since
    assert forget_sent() == 6
    assert forget_sent() == 0
    with acting_as(BY):
        assert set(Outbox.objects.all()) == set(kept)
        said = AuditEvent.objects.filter(action="sent messages forgotten")
        assert [row.detail["rows"] for row in said.order_by("pk")] == [2, 2, 2]
        assert {row.actor for row in said} == {"system:outbox"}


def test_forgetting_what_was_sent_goes_on_where_it_was_cut_short(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FORGOTTEN_AT_ONCE", 2)
    with acting_as(BY):
        Outbox.objects.all().delete()
        for _time in range(5):
            _sent(31)
    told = iter([None, OSError("the database went away")])

    def stumbling(*args: Any, **rest: Any) -> None:
        if problem := next(told):
            raise problem

    with monkeypatch.context() as going_away:
        going_away.setattr(audit, "record", stumbling)
        with pytest.raises(OSError, match="went away"):
            forget_sent()
    with acting_as(BY):
        assert Outbox.objects.count() == 3
    assert forget_sent() == 3


def test_the_same_key_and_body_replays_and_another_body_is_refused(clinic: Clinic) -> None:
    key, calls = uuid.uuid4(), []

    def perform() -> int:
        calls.append(1)
        return 42

    with acting_as(clinic.alice):
        first = submissions.once(key=key, body={"a": 1, "b": 2}, by=clinic.alice, perform=perform)
        again = submissions.once(key=key, body={"b": 2, "a": 1}, by=clinic.alice, perform=perform)
        assert (first.replayed, again.replayed, again.result, len(calls)) == (False, True, 42, 1)
        with pytest.raises(submissions.KeyReused):
            submissions.once(key=key, body={"a": 9}, by=clinic.alice, perform=perform)


def test_work_taken_back_leaves_its_key_free(clinic: Clinic) -> None:
    key = uuid.uuid4()

    def stumble() -> None:
        raise ValueError("bad form")

    with acting_as(clinic.alice):
        with pytest.raises(ValueError, match="bad form"):
            submissions.once(key=key, body={}, by=clinic.alice, perform=stumble)
        assert not submissions.once(key=key, body={}, by=clinic.alice, perform=int).replayed


@pytest.mark.parametrize("change", ["UPDATE {t} SET rows = 0", "DELETE FROM {t}", "TRUNCATE {t}"])
@pytest.mark.parametrize("model", [AuditEvent, AuditSeal])
def test_the_database_refuses_to_change_the_audit_trail(
    clinic: Clinic, model: Any, change: str
) -> None:
    column = "action = ''" if model is AuditEvent else "rows = 0"
    statement = change.replace("rows = 0", column).format(t=model._meta.db_table)
    with (
        pytest.raises(DatabaseError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@contextmanager
def as_the_owner() -> Iterator[Any]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE outcomes_owner")
        yield cursor
        cursor.execute("SET LOCAL ROLE outcomes_app")


def test_the_owner_is_refused_too(clinic: Clinic) -> None:
    def delete() -> None:
        with as_the_owner() as cursor:
            cursor.execute("DELETE FROM sessions_app_auditevent")

    with pytest.raises(DatabaseError, match="append-only"):
        delete()


def test_the_seals_chain_every_settled_row_and_report_the_tail(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = AuditEvent.objects.count()
    assert rows > 10
    later = clinic_time.now() + timedelta(minutes=5)
    first = AuditEvent.objects.order_by("at")[0].at
    monkeypatch.setattr(seals.clinic_time, "now", lambda: first)
    assert seals.seal() == 0  # not settled yet
    monkeypatch.setattr(seals.clinic_time, "now", lambda: later)
    assert seals.seal() == rows
    assert seals.seal() == 0
    with acting_as(system("tests")):
        audit.record("looked", subject_kind="test")
    assert seals.verify() == seals.Verification(sealed=rows, unsealed=1, broken_at=None)


def test_a_changed_row_breaks_the_chain(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    later = clinic_time.now() + timedelta(minutes=5)
    monkeypatch.setattr(seals.clinic_time, "now", lambda: later)
    seals.seal()
    with as_the_owner() as cursor:  # who can switch the trigger off can't mend the hashes
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE sessions_app_auditevent DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE sessions_app_auditevent SET actor = 'user:somebody' "
            "WHERE id = (SELECT min(id) FROM sessions_app_auditevent)"
        )
    assert seals.verify().broken_at == AuditSeal.objects.get().last_id


def test_the_second_checkpoint_comes_after_the_first(clinic: Clinic) -> None:
    """Else the night couldn't make its rules."""
    with acting_as(BY):
        for key, value in (("first_checkpoint", 6), ("second_checkpoint", 3)):
            with pytest.raises(ValidationError, match="comes after the first"):
                actions.set_policy(key=key, value=value, by=clinic.adam)
