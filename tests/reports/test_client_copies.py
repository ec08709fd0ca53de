"""A client's full copy: all of theirs, nothing of others', sealed, for a day."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser

import reports_app.tasks  # noqa: F401 - carries out what was promised
from measures_app import actions as measure_actions
from measures_app import measures
from reports_app import client_copies
from reports_app.models import ClientCopy
from sessions_app import actions, clinic_time, outbox
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Outbox, Respondent
from tests.cast import BY, Clinic


@pytest.fixture
def ana(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """Ana with scores, a decision with words, a partner's score beside; paper as plain HTML."""
    monkeypatch.setattr(client_copies, "render_pdf", lambda html, **_: html.encode())
    with acting_as(BY):
        measures.sync_library()
        measure = measures.get_measure("outcome-adult")
        clinic.partner = actions.add_respondent(
            client=clinic.ana, relation="partner", label="wife", email="wife@mail.example", by=BY
        )
        given = {"individual": 1.5, "close": 2.5, "social": 3.5, "overall": 4.0}
        measure_actions.record_administration(
            episode=clinic.episodes["ana"], session=clinic.sessions["ana"][0], measure=measure,
            answers=given, provenance="paper", by=BY,
        )  # fmt: skip
        measure_actions.record_administration(
            episode=clinic.episodes["ana"], session=clinic.sessions["ana"][0], measure=measure,
            respondent=clinic.partner, total=39.9, provenance="paper", by=BY,
        )  # fmt: skip
        actions.record_case_review(
            episode=clinic.episodes["ana"], decision="consult", note="Ask about the nights",
            client_said="I sleep badly", by=clinic.alice,
        )  # fmt: skip
    return clinic


def _deliver() -> None:
    outbox.sweep()
    with acting_as(BY):
        waiting = Outbox.objects.filter(kind=client_copies.KIND, sent_at=None)
        assert [row.last_problem for row in waiting] == []


def _made(clinic: Clinic) -> tuple[ClientCopy, str, dict[str, Any]]:
    with acting_as(clinic.alice):
        copy = client_copies.ask_for_copy(client=clinic.ana, by=clinic.alice)
    _deliver()
    with acting_as(clinic.alice):
        found = client_copies.copy_for(copy.pk, clinic.alice)
        assert found is not None, ClientCopy.objects.get(pk=copy.pk).job.problem
        content = found.content
    files = zipfile.ZipFile(io.BytesIO(content))
    names = sorted(files.namelist())
    assert names == [f"copy-{clinic.ana.code}.fhir.json", f"copy-{clinic.ana.code}.pdf"]
    return found, files.read(names[1]).decode(), json.loads(files.read(names[0]))


def test_all_of_the_clients_is_in_it_and_nothing_of_what_others_answered(ana: Clinic) -> None:
    _copy, paper, bundle = _made(ana)
    for own in ("Ana Oliveira", "ana@mail.example", "Ask about the nights", "I sleep badly",
                "Talking therapy", "11.5", "wife"):  # fmt: skip
        assert own in paper, own
    for others in ("39.9", "wife@mail.example"):
        assert others not in paper
        assert others not in json.dumps(bundle)
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert kinds.count("QuestionnaireResponse") == 1


def test_a_series_that_the_client_may_be_shown_is_in_it(ana: Clinic) -> None:
    with acting_as(BY):
        Respondent.objects.filter(client=ana.ana, relation="self").update(may_see=["partner"])
    _copy, paper, bundle = _made(ana)
    assert "39.9" in paper
    assert "39.9" in json.dumps(bundle)


def test_it_is_in_the_clients_language(ana: Clinic) -> None:
    with acting_as(BY):
        type(ana.ana).objects.filter(pk=ana.ana.pk).update(language="es")
    _copy, paper, _bundle = _made(ana)
    assert '<html lang="es"' in paper
    assert "Todo lo que se guarda sobre usted" in paper


def test_it_is_sealed_and_for_who_asked_while_the_client_is_theirs(ana: Clinic) -> None:
    copy, _paper, _bundle = _made(ana)
    assert b"Oliveira" not in bytes(copy.sealed)
    assert bytes(copy.sealed)[:2] != b"PK"
    with acting_as(ana.sofia):
        assert client_copies.copy_for(copy.pk, ana.sofia) is None
    with acting_as(BY):
        actions.erase_identity(client=ana.ana, reason="request", by=BY)
    with acting_as(ana.alice):
        assert client_copies.copy_for(copy.pk, ana.alice) is None


def test_a_stranger_asks_for_nothing(ana: Clinic) -> None:
    with acting_as(ana.ruth), pytest.raises(ValidationError):
        client_copies.ask_for_copy(client=ana.ana, by=ana.ruth)


def test_it_is_gone_after_a_day(ana: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    copy, _paper, _bundle = _made(ana)
    later = clinic_time.now() + timedelta(days=1, minutes=1)
    monkeypatch.setattr(clinic_time, "now", lambda: later)
    with acting_as(ana.alice):
        assert client_copies.copy_for(copy.pk, ana.alice) is None
    with acting_as(BY):
        assert client_copies.forget_copies(by=BY) == 1
        assert not ClientCopy.objects.exists()


def test_the_page_asks_makes_and_hands_out_and_each_step_is_audited(
    ana: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    alice, door = browser_of("alice"), f"/clients/{ana.ana.code}/rights/"
    assert browser_of("ruth").get(door).status_code == 404
    assert browser_of("ruth").post(door, {"form": "copy"}).status_code == 404
    assert alice.post(door, {"form": "copy"})["Location"] == door
    with acting_as(ana.alice):
        copy = ClientCopy.objects.get()
    state = f"/clients/{ana.ana.code}/copy/{copy.pk}/state/"
    assert alice.get(state).json() == {"running": True, "done": 0, "total": 2}
    assert b"It is being made" in alice.get(door).content
    _deliver()
    file = f"/clients/{ana.ana.code}/copy/{copy.pk}.zip"
    assert file in alice.get(door).content.decode()
    assert alice.get(file)["Content-Type"] == "application/zip"
    for other in ("sofia", "ruth", "fred"):
        assert browser_of(other).get(file).status_code == 404
    page = alice.get(door).content.decode()
    assert "client&#x27;s copy" in page, "who took it away stands there too"
    with acting_as(BY):
        rows = AuditEvent.objects.filter(subject=ana.ana.code, actor=f"user:{ana.alice.public_id}")
        actions_seen = list(rows.order_by("pk").values_list("action", flat=True))
    assert actions_seen.index("client's copy asked for") < actions_seen.index("exported")


def test_what_was_said_in_the_room_and_a_record_that_rests_are_kept_on_the_page(
    ana: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    alice, door = browser_of("alice"), f"/clients/{ana.ana.code}/rights/"
    with acting_as(BY):
        own = ana.ana.respondents.get(relation="self").pk
        other = ana.dina.respondents.get().pk
    alice.post(door, {"form": "said", "respondent": own, "answer": "withdrawn", "way": "spoken"})
    assert b"withdrew" in alice.get(door).content
    refused = alice.post(
        door, {"form": "said", "respondent": other, "answer": "agreed", "way": "spoken"},
        follow=True,
    )  # fmt: skip
    assert b"Say who it was" in refused.content
    alice.post(door, {"form": "rest", "reason": "accuracy"})
    assert b"whether it is right is looked into" in alice.get(door).content
    alice.post(door, {"form": "lift"})
    assert b"Let it rest" in alice.get(door).content
