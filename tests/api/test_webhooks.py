"""What other systems are told: codes, signed, in order, once, and only what the person sees."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.models import Administration, Flag
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time, outbox, outgoing, webhooks
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Outbox, Webhook
from sessions_app.tasks import sweep_webhooks  # registers who carries out what
from tests.api.https_sink import Sink, certificate, listening
from tests.cast import BY, Clinic

pytestmark = pytest.mark.usefixtures("no_pages_made_ahead")

EVENTS = list(Webhook.Event.values)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("sink"))


@pytest.fixture
def sink(pem: Path, settings: Any) -> Iterator[Sink]:
    settings.WEBHOOK_INTERNAL_HOSTS, settings.WEBHOOK_CA_FILE = ["localhost"], str(pem)
    with listening(pem) as found:
        yield found


def subscribe(clinic: Clinic, url: str, who: str = "alice", **changes: Any) -> tuple[Webhook, str]:
    person = getattr(clinic, who)
    wanted = {"name": "Records", "events": EVENTS, **changes}
    with acting_as(clinic.adam):
        webhook, secret = actions.make_webhook(url=url, person=person, by=clinic.adam, **wanted)
    with acting_as(person):
        actions.agree_to_webhook(webhook=webhook, by=person)
    return webhook, secret


def score(clinic: Clinic, total: float = 20, client: str = "ana") -> Administration:
    with acting_as(BY):
        measures.sync_library()
        return measure_actions.record_administration(
            episode=clinic.episodes[client],
            measure=measures.get_measure("outcome-adult"),
            total=total,
            provenance="paper",
            by=BY,
        )


def told(sink: Sink) -> list[dict[str, Any]]:
    return [json.loads(body) for _headers, body in sink.taken]


def hurry() -> None:
    """As if the pauses between attempts were over."""
    Outbox.objects.filter(sent_at=None).update(due_at=clinic_time.now())


def test_a_score_is_told_with_codes_alone_and_signed(clinic: Clinic, sink: Sink) -> None:
    _webhook, secret = subscribe(clinic, sink.url)
    row = score(clinic)
    assert sweep_webhooks() == 1
    [(headers, body)] = sink.taken
    stamp, _, given = headers["Outcomes-Signature"].partition(",v1=")
    text = stamp.removeprefix("t=").encode() + b"." + body
    assert given == hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    said = json.loads(body)
    assert said.pop("id") == headers["Outcomes-Event-Id"]
    assert said.pop("at")
    assert said == {
        "event": "score.recorded",
        "client": clinic.ana.code,
        "episode": clinic.episodes["ana"].pk,
        "administration": row.pk,
        "session": None,
        "measure": "outcome-adult",
        "respondent": "self",
        "taken_on": clinic_time.today().isoformat(),
        "total": 20.0,
        "supersedes": None,
    }
    assert webhooks.sweep() == 0


def test_the_worked_example_of_the_documentation_holds() -> None:
    page = (Path(__file__).parents[2] / "docs/webhooks.md").read_text()
    secret, stamp, body, signature = (
        next(line.partition(f"{name}: ")[2] for line in page.splitlines() if f"{name}: " in line)
        for name in ("secret", "timestamp", "body", "signature")
    )
    assert webhooks.signature(secret, int(stamp), body.encode()) == signature


def test_corrected_and_voided_scores_and_flags_are_told(clinic: Clinic, sink: Sink) -> None:
    subscribe(clinic, sink.url)
    first = score(clinic)
    with acting_as(clinic.alice):
        second = measure_actions.correct_administration(
            administration=first, total=21, reason="misread", by=clinic.alice
        )
        measure_actions.void_administration(
            administration=second, reason="another client's", by=clinic.alice
        )
    with acting_as(BY):
        for days in (60, 53, 46, 39, 32):
            session = actions.record_session(
                episode=clinic.episodes["ana"],
                held_on=clinic_time.today() - timedelta(days=days), by=BY,
            )  # fmt: skip
            measure_actions.record_administration(
                episode=clinic.episodes["ana"], session=session, total=10,
                measure=measures.get_measure("outcome-adult"), provenance="paper", by=BY,
            )  # fmt: skip
        run_night(clinic_time.today())
        flags = list(Flag.objects.live().filter(client=clinic.ana).values_list("pk", "rule"))
        actions.close_episode(
            episode=clinic.episodes["ana"], on=clinic_time.today(), ending="agreed", by=BY
        )
        run_night(clinic_time.today())
    webhooks.sweep()
    said = [row for row in told(sink) if row["client"] == clinic.ana.code]
    scores = [row["event"] for row in said if row["event"].startswith("score")]
    assert scores == ["score.recorded", "score.corrected", "score.voided"] + 5 * ["score.recorded"]
    assert flags
    for event in ("flag.raised", "flag.closed"):
        assert {(r["flag"], r["rule"]) for r in said if r["event"] == event} >= set(flags)


def test_nothing_is_written_of_what_is_taken_back(clinic: Clinic, sink: Sink) -> None:
    subscribe(clinic, sink.url)
    with acting_as(BY):
        place = transaction.savepoint()
        score(clinic)
        assert Outbox.objects.filter(kind=webhooks.KIND).count() == 1
        transaction.savepoint_rollback(place)
    assert webhooks.sweep() == 0


def test_what_was_refused_comes_again_with_its_number_and_in_order(
    clinic: Clinic, sink: Sink
) -> None:
    webhook, _secret = subscribe(clinic, sink.url)
    sink.answers = [503]
    score(clinic, 20)
    score(clinic, 15)
    assert webhooks.sweep() == 0
    assert len(sink.taken) == 1  # the second waits for the first
    webhook.refresh_from_db()
    assert webhook.failing_since is not None
    assert webhooks.sweep() == 0  # not before its pause is over
    assert len(sink.taken) == 1
    hurry()
    assert webhooks.sweep() == 2
    first, again, second = told(sink)
    assert first["id"] == again["id"] != second["id"]
    assert (again["total"], second["total"]) == (20, 15)
    webhook.refresh_from_db()
    assert webhook.failing_since is None
    assert webhook.last_taken_at is not None


def test_a_sweep_beside_another_overtakes_nothing(
    clinic: Clinic, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(clinic, sink.url)
    score(clinic, 20)
    score(clinic, 15)
    first = Outbox.objects.filter(kind=webhooks.KIND).earliest("pk").pk
    deliver = outbox.deliver
    with monkeypatch.context() as held:  # by the other, which is sending it
        held.setattr(outbox, "deliver", lambda pk: pk != first and deliver(pk))
        assert webhooks.sweep() == 0
    assert not sink.taken
    assert webhooks.sweep() == 2
    assert [row["total"] for row in told(sink)] == [20, 15]


class Killed(BaseException):
    """Ends a process where no handler of ours looks."""


def test_a_sender_that_dies_after_sending_leaves_the_event_due(
    clinic: Clinic, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(clinic, sink.url)
    score(clinic)

    def send_and_die(*args: Any) -> None:
        outgoing.post(*args)
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(webhooks, "post", send_and_die)
        with pytest.raises(Killed):
            webhooks.sweep()
    assert webhooks.sweep() == 1
    first, again = told(sink)
    assert first["id"] == again["id"]


def test_a_redirect_is_not_followed(clinic: Clinic, sink: Sink) -> None:
    subscribe(clinic, sink.url)
    sink.answers = [307]
    score(clinic)
    assert webhooks.sweep() == 0
    assert len(sink.taken) == 1
    assert Outbox.objects.get(kind=webhooks.KIND).last_problem == "NotTaken: The answer was 307."


def _ends(clinic: Clinic, how: str, webhook: Webhook) -> None:
    with acting_as(BY):
        if how == "closed":
            type(clinic.alice).objects.filter(pk=clinic.alice.pk).update(is_active=False)
        elif how == "role":
            clinic.alice.grants.update(to_on=clinic_time.today() - timedelta(days=1))
        elif how == "rests":
            actions.restrict_client(client=clinic.ana, reason="objection", by=BY)
    if how == "ended":
        with acting_as(clinic.alice):
            actions.end_webhook(webhook=webhook, by=clinic.alice)


@pytest.mark.parametrize("how", ["closed", "role", "rests", "ended"])
def test_what_the_person_no_longer_sees_is_not_sent(clinic: Clinic, sink: Sink, how: str) -> None:
    webhook, _secret = subscribe(clinic, sink.url)
    score(clinic)
    _ends(clinic, how, webhook)
    webhooks.sweep()
    assert not sink.taken
    row = Outbox.objects.get(kind=webhooks.KIND)
    assert row.last_problem in (webhooks.NOT_SEEN, webhooks.OVER)
    assert row.sent_at is not None  # and isn't tried again


def test_other_peoples_clients_and_restricted_programmes_are_not_told(
    clinic: Clinic, sink: Sink
) -> None:
    subscribe(clinic, sink.url, "bob")
    score(clinic, client="ana")  # Alice's
    score(clinic, client="dina_restricted")  # Bob treats Dina, not in that programme
    score(clinic, client="dina")
    webhooks.sweep()
    assert [row["episode"] for row in told(sink)] == [clinic.episodes["dina"].pk]


def test_nothing_is_sent_before_the_person_agrees_and_nobody_agrees_for_them(
    clinic: Clinic, sink: Sink
) -> None:
    with acting_as(clinic.adam):
        webhook, _secret = actions.make_webhook(
            name="Records", url=sink.url, events=EVENTS, person=clinic.alice, by=clinic.adam
        )
        with pytest.raises(PermissionDenied):
            actions.agree_to_webhook(webhook=webhook, by=clinic.adam)
    with acting_as(clinic.bob), pytest.raises(PermissionDenied):
        actions.agree_to_webhook(webhook=webhook, by=clinic.bob)
    score(clinic)
    assert webhooks.sweep() == 0
    assert not Outbox.objects.filter(kind=webhooks.KIND).exists()


REFUSED = [
    "http://records.example.org/",
    "https://127.0.0.1/",
    "https://10.0.0.7/",
    "https://192.168.1.1/",
    "https://172.16.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://[::1]/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[64:ff9b::a00:1]/",
    "https://[2002:a00:1::]/",
    "https://224.0.0.1/",
    "https://records.example.org:22/",
    "https://somebody:secret@records.example.org/",
    "https://records.example.org/\r\nHost: other",
    "https:///in",
    "file:///etc/passwd",
    "https://records.example.org:99999/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_inside_a_network_is_refused_where_it_is_typed(clinic: Clinic, url: str) -> None:
    with acting_as(clinic.adam), pytest.raises(ValidationError) as caught:
        actions.make_webhook(
            name="Records", url=url, events=EVENTS, person=clinic.alice, by=clinic.adam
        )
    assert "url" in caught.value.message_dict


@pytest.mark.parametrize(
    "found", [["10.1.2.3"], ["93.184.216.34", "127.0.0.1"], ["169.254.169.254"], ["::1"]]
)
def test_a_name_that_leads_inside_is_refused_when_something_is_sent(
    monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    def resolve(host: str, port: int, **rest: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    def connect(*args: Any, **rest: Any) -> None:
        raise AssertionError("nothing is connected to")

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(outgoing.socket, "create_connection", connect)
    with pytest.raises(outgoing.NotAllowed):
        outgoing.post("https://records.example.org/", b"{}", {})


def test_the_connection_is_made_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    reached: list[Any] = []

    def resolve(host: str, port: int, **rest: Any) -> list[Any]:
        asked.append(host)  # the second answer would lead inside
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(address: Any, *rest: Any) -> None:
        reached.append(address)
        raise OSError

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(outgoing.socket, "create_connection", connect)
    with pytest.raises(outgoing.NotTaken):
        outgoing.post("https://records.example.org/", b"{}", {})
    assert reached == [("93.184.216.34", 443)]
    assert len(asked) == 1


def test_a_certificate_nobody_vouches_for_is_not_accepted(sink: Sink, settings: Any) -> None:
    settings.WEBHOOK_CA_FILE = ""
    with pytest.raises(outgoing.NotTaken, match="certificate"):
        outgoing.post(sink.url, b"{}", {})
    assert not sink.taken


def test_after_days_without_success_it_rests_and_the_administrator_is_told(
    clinic: Clinic, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, _secret = subscribe(clinic, sink.url)
    score(clinic)
    sink.answers = [500, 500]
    webhooks.sweep()
    Webhook.objects.update(failing_since=clinic_time.now() - webhooks.RESTS_AFTER)
    hurry()
    webhooks.sweep()
    webhook.refresh_from_db()
    assert webhook.rests_since is not None
    hurry()
    assert webhooks.sweep() == 0
    assert len(sink.taken) == 2  # none since it rests
    outbox.sweep()
    [letter] = [one for one in mail.outbox if "no events" in one.subject]
    assert letter.to == [clinic.adam.email]
    assert "localhost" not in letter.body.replace("http://localhost", "")
    with acting_as(clinic.adam):
        actions.wake_webhook(webhook=webhook, by=clinic.adam)
    assert webhooks.sweep() == 1


def test_what_waits_for_another_system_keeps_no_mail_waiting(clinic: Clinic, sink: Sink) -> None:
    subscribe(clinic, sink.url)
    score(clinic)
    outbox.sweep()
    assert not sink.taken


def test_the_secret_is_shown_once_and_lies_sealed(
    clinic: Clinic, sink: Sink, browser_of: Callable[[str], Browser]
) -> None:
    browser = browser_of("adam")
    sent = {"name": "Records", "url": sink.url, "events": EVENTS, "person": clinic.alice.pk}
    page = browser.post("/settings/webhooks/", sent)
    assert page.status_code == 200, page.content.decode()
    webhook = Webhook.objects.get()
    secret = webhooks.secret_of(webhook)
    assert secret in page.content.decode()
    assert secret not in browser.get("/settings/webhooks/").content.decode()
    assert secret not in webhook.secret_sealed
    own = browser_of("alice")
    assert "Agree" in own.get("/keys/").content.decode()
    own.post(f"/webhooks/{webhook.pk}/agree/")
    score(clinic)
    webhooks.sweep()
    shown = browser.get(f"/settings/webhooks/{webhook.pk}/").content.decode()
    assert "score.recorded" in shown
    assert clinic.ana.code not in shown
    assert browser_of("bob").post(f"/webhooks/{webhook.pk}/end/").status_code == 404
    own.post(f"/webhooks/{webhook.pk}/end/")
    webhook.refresh_from_db()
    assert webhook.ended_at is not None
    with acting_as(BY):
        trail = set(
            AuditEvent.objects.filter(subject=webhook.handle).values_list("action", flat=True)
        )
    assert trail == {"webhook made", "webhook agreed to", "webhook ended"}
