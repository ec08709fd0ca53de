"""The weekly mail: counts and links in the person's own scope, once a week, and never lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import flagging
from measures_app.models import Flag
from outcomes_site.celery import app
from reports_app import digest, tasks
from sessions_app import actions, clinic_time, mail, outbox
from sessions_app.context import acting_as
from sessions_app.models import Outbox, User
from tests.cast import BY, Clinic
from tests.smtp_sink import Sink, smtp_sink

TODAY = clinic_time.today()


def notice(clinic: Clinic, name: str, rule: str = "no_progress") -> Flag:
    return Flag.objects.create(
        client=clinic.episodes[name].client, episode=clinic.episodes[name], rule=rule,
        kind="review", rule_set=flagging.current_rule_set(TODAY), evidence={}, raised_on=TODAY,
    )  # fmt: skip


@pytest.fixture
def sink(settings: Any) -> Iterator[Sink]:
    with smtp_sink() as found:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", found.port
        settings.EMAIL_USE_TLS, settings.EMAIL_TIMEOUT = False, 10
        yield found


@pytest.fixture
def noticed(clinic: Clinic) -> Clinic:
    """Ana (Alice's, whom Sofia supervises) twice, Boris with good news, a session unsaid."""
    with acting_as(BY):
        notice(clinic, "ana")
        notice(clinic, "ana", "overdue")
        notice(clinic, "boris", "ready_to_finish")
        actions.book_session(
            episode=clinic.episodes["ana"], starts_at=clinic_time.at(TODAY - timedelta(days=2)),
            by=BY,
        )  # fmt: skip
    return clinic


def deliver() -> None:
    """What the worker does with the promised rows."""
    with acting_as(BY):
        rows = list(Outbox.objects.filter(kind=digest.KIND, sent_at=None))
    for row in rows:
        assert outbox.deliver(row.pk), row.last_problem


def to(sink: Sink) -> dict[str, str]:
    return {str(m["To"]).split("@")[0]: m.get_content() for m in sink.taken}


def test_each_gets_counts_and_links_of_their_own_scope_and_no_name(
    noticed: Clinic, sink: Sink
) -> None:
    assert tasks.promise_digests() == 5  # Alice, Bob, Carol, Ruth, Sofia
    deliver()
    got = to(sink)
    assert set(got) == {"alice", "bob", "sofia"}  # nothing waits for Carol and Ruth
    assert "1 client worth a conversation, 1 with nobody yet" in got["alice"]
    assert "1 past session of which" in got["alice"]
    assert "1 client may be ready to finish" in got["sofia"]
    assert "past session" not in got["sofia"]
    assert "worth a conversation" not in got["bob"]
    for text in got.values():
        assert mail.address_of("review") in text
        assert mail.address_of("my_messages") in text
    everything = b"".join(bytes(message) for message in sink.taken).decode()
    for client in noticed.clients.values():
        assert client.code not in everything
    assert not re.search("Ana|Oliveira|Boris|Petrov", everything)
    with acting_as(BY):
        ids = {f"<{row.message_id}@localhost>" for row in Outbox.objects.filter(kind=digest.KIND)}
    assert {message["Message-ID"] for message in sink.taken} <= ids


def test_a_week_is_promised_once_a_person_and_the_next_week_again(
    noticed: Clinic, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (digest.promise(TODAY), digest.promise(TODAY)) == (5, 0)
    assert digest.promise(TODAY + timedelta(days=7)) == 5
    deliver()  # those of the week to come are over before they began: nothing is sent of them
    assert len(sink.taken) == 3
    assert digest.week_of(date(2027, 1, 1)) == "2026-W53"


def test_who_turned_it_off_or_left_gets_none_even_when_it_was_promised(
    noticed: Clinic, sink: Sink, browser_of: Callable[[str], Browser]
) -> None:
    digest.promise(TODAY)
    alice = browser_of("alice")
    assert "1 client worth a conversation" in alice.get("/messages/").content.decode()
    assert alice.post("/messages/", {}).status_code == 302  # an unticked box
    with acting_as(BY):
        User.objects.filter(pk=noticed.bob.pk).update(is_active=False)
    deliver()
    assert set(to(sink)) == {"sofia"}
    assert digest.promise(TODAY + timedelta(days=7)) == 3
    alice.post("/messages/", {"weekly_digest": "on"})
    assert User.objects.get(pk=noticed.alice.pk).weekly_digest


def test_what_was_put_off_or_is_of_somebody_who_died_is_not_counted(
    noticed: Clinic, sink: Sink
) -> None:
    with acting_as(BY):
        measure_actions.put_off(
            episode=noticed.episodes["ana"], until=TODAY + timedelta(days=9), why="away",
            by=noticed.sofia,
        )  # fmt: skip
        actions.close_episode(
            episode=noticed.episodes["boris"], on=TODAY, ending="died", by=noticed.bob
        )
    digest.promise(TODAY)
    deliver()
    assert set(to(sink)) == {"alice"}
    assert "worth a conversation" not in to(sink)["alice"]


def test_a_server_that_is_away_loses_nothing(noticed: Clinic, sink: Sink, settings: Any) -> None:
    digest.promise(TODAY)
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    with acting_as(BY):
        row = Outbox.objects.get(kind=digest.KIND, payload__user=noticed.alice.pk)
    assert not outbox.deliver(row.pk)
    settings.EMAIL_PORT = port
    with acting_as(BY):
        row.refresh_from_db()
        assert (row.sent_at, row.attempts) == (None, 1)
        Outbox.objects.filter(pk=row.pk).update(due_at=clinic_time.now())
    assert outbox.deliver(row.pk)
    assert set(to(sink)) == {"alice"}


def test_without_a_mail_server_nothing_is_promised(noticed: Clinic, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert digest.promise(TODAY) == 0


def test_the_timetable_asks_on_monday() -> None:
    (tick,) = (e for e in app.conf.beat_schedule.values() if e["task"] == "digest.promise")
    assert tick["schedule"].day_of_week == {1, 2}
