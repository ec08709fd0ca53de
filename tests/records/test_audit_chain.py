"""The chain holds whatever commits late: real transactions on a database of this module's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.core.management import CommandError, call_command

from sessions_app import audit, clinic_time, seals, seals_outside
from sessions_app.context import acting_as, system
from sessions_app.models import AuditEvent, AuditSeal
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


@pytest.fixture
def outside(tmp_path: Path, settings: Any) -> Path:
    """The file beside the database; the chain of before is noted in it with the next seal."""
    settings.AUDIT_SEALS = str(tmp_path / "audit-seals.jsonl")
    return tmp_path / "audit-seals.jsonl"


def _as_owner(url: str, *statements: str) -> None:
    with closing(psycopg2.connect(url)) as owner, owner.cursor() as cursor:
        cursor.execute("SET ROLE outcomes_owner")
        cursor.execute("ALTER TABLE sessions_app_auditevent DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE sessions_app_auditseal DISABLE TRIGGER USER")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("ALTER TABLE sessions_app_auditevent ENABLE TRIGGER USER")
        cursor.execute("ALTER TABLE sessions_app_auditseal ENABLE TRIGGER USER")
        owner.commit()


def test_a_chain_that_its_owner_rewrote_whole_contradicts_what_is_kept_outside(
    committed_database: CommittedDatabase,
    later: None,
    outside: Path,
    settings: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _as_owner(committed_database.url, "DELETE FROM sessions_app_auditseal",
              "DELETE FROM sessions_app_auditevent")  # fmt: skip
    for action in ("exported everything", "signed out"):
        _record(action)
        seals.seal()
    assert len(outside.read_text().splitlines()) == 2
    assert outside.stat().st_mode & 0o777 == 0o600
    seals.seal()
    assert seals.verify().kept_outside == 2, "nothing is noted twice"
    call_command("verify_audit")
    assert "what the 2 seals kept outside the database say" in capsys.readouterr().out

    # The owner hides the deed and builds the chain anew, as whole as before.
    settings.AUDIT_SEALS = ""
    _as_owner(committed_database.url, "DELETE FROM sessions_app_auditseal",
              "UPDATE sessions_app_auditevent SET action = 'looked in' "
              "WHERE action = 'exported everything'")  # fmt: skip
    seals.seal()
    assert seals.verify().intact, "from within nothing is seen"

    settings.AUDIT_SEALS = str(outside)
    seals.seal()
    found = seals.verify()
    assert found.broken_at is None
    assert found.contradicted_at is not None
    with pytest.raises(SystemExit) as status:
        call_command("verify_audit")
    assert status.value.code == 1
    assert "written anew" in capsys.readouterr().err


def test_a_backup_that_took_the_place_is_no_rewriting(
    committed_database: CommittedDatabase, later: None, outside: Path
) -> None:
    _record("before the backup")
    seals.seal()
    with acting_as(system("tests")):
        then = AuditSeal.objects.order_by("-last_id").values_list("last_id", flat=True)[0]
    _record("after it")
    seals.seal()
    _as_owner(committed_database.url, f"DELETE FROM sessions_app_auditseal WHERE last_id > {then}",
              f"DELETE FROM sessions_app_auditevent WHERE id > {then}")  # fmt: skip
    assert not seals.verify().intact
    seals_outside.begin_anew(then)
    assert seals.verify().intact
    _record("the day goes on")
    seals.seal()
    assert seals.verify().intact


def test_a_file_cut_short_is_taken_up_and_one_that_is_gone_or_foreign_is_said(
    committed_database: CommittedDatabase, later: None, outside: Path
) -> None:
    with pytest.raises(CommandError, match="can't be read"):
        call_command("verify_audit")
    _record("one")
    seals.seal()
    whole = outside.read_bytes()
    outside.write_bytes(whole[:-20])  # the disk was full
    seals.seal()
    assert outside.read_bytes() == whole
    outside.write_text('{"client": "ABCD"}\n')
    with pytest.raises(CommandError, match="line 1: not a seal"):
        call_command("verify_audit")


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
