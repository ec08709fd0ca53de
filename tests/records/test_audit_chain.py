"""The chain holds whatever commits late: real transactions on a database of this module's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from django.core.management import call_command

from sessions_app import audit, clinic_time, seals
from sessions_app.context import acting_as, system
from sessions_app.models import AuditEvent
from tests.conftest import CommittedDatabase

INSERT = (
    "INSERT INTO sessions_app_auditevent (at, actor, action, subject_kind, subject, detail) "
    "VALUES (now(), 'system:long', %s, '', '', '{}')"
)


@pytest.fixture
def later(committed_database: CommittedDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes on: what is written by now is settled."""
    moment = clinic_time.now() + timedelta(minutes=5)
    monkeypatch.setattr(seals.clinic_time, "now", lambda: moment)


@pytest.fixture
def long_transaction(committed_database: CommittedDatabase) -> Iterator[Any]:
    """Someone else's transaction that has written an audit row and isn't over."""
    with closing(psycopg2.connect(committed_database.url)) as other, other.cursor() as cursor:
        cursor.execute("SET ROLE outcomes_app")
        cursor.execute(INSERT, ["began long ago"])
        yield other


def _record(action: str) -> None:
    with acting_as(system("tests")):
        audit.record(action)


def test_a_row_that_commits_late_is_sealed_late_and_breaks_nothing(
    long_transaction: Any, later: None
) -> None:
    _record("after it")  # a higher id, committed first
    assert seals.seal() == 0
    assert seals.verify() == seals.Verification(sealed=0, unsealed=1, broken_at=None)
    long_transaction.commit()
    assert seals.seal() == 2
    assert seals.verify() == seals.Verification(sealed=2, unsealed=0, broken_at=None)


def test_a_transaction_that_never_ends_holds_up_only_what_came_after_it(
    long_transaction: Any, later: None
) -> None:
    _record("one")
    waiting = seals.verify().unsealed
    assert seals.seal() == 0
    long_transaction.rollback()
    assert seals.seal() == waiting
    assert seals.verify().intact


def test_the_command_says_what_is_sealed_and_what_was_changed(
    committed_database: CommittedDatabase, later: None, capsys: pytest.CaptureFixture[str]
) -> None:
    _record("sealed")
    seals.seal()
    _record("the tail")
    sealed = seals.verify().sealed
    call_command("verify_audit")
    said = capsys.readouterr().out
    assert said == f"The chain is whole: {sealed} rows sealed, 1 wait for a seal.\n"
    with acting_as(system("tests")):
        first = AuditEvent.objects.order_by("pk").values_list("pk", flat=True)[0]
    with closing(psycopg2.connect(committed_database.url)) as owner, owner.cursor() as cursor:
        cursor.execute("SET ROLE outcomes_owner")
        cursor.execute("ALTER TABLE sessions_app_auditevent DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM sessions_app_auditevent WHERE id = %s", [first])
        owner.commit()
    with pytest.raises(SystemExit) as status:
        call_command("verify_audit", json=True)
    assert status.value.code == 1
    assert '"intact": false' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        call_command("verify_audit")
    assert "The chain is broken" in capsys.readouterr().err
