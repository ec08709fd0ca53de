"""A link sent by e-mail or text: it names nobody, waits sealed, and shows how far it got."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client as Browser

import sessions_app.tasks  # noqa: F401 - the outbox's handlers
from measures_app import measures
from sessions_app import actions, clinic_time, outbox
from sessions_app.context import acting_as
from sessions_app.models import EntryLink, Outbox, Session
from tests.cast import BY, Clinic
from tests.entry.test_links import ITEMS, Phone

Sign = Callable[[str], Browser]
SENT: list[tuple[str, str]] = []


def text_sender(to: str, text: str, message_id: Any) -> None:
    SENT.append((to, text))


@pytest.fixture
def booked(clinic: Clinic) -> Session:
    with acting_as(BY):
        measures.sync_library()
        return actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.now() + timedelta(hours=1),
            by=BY,
        )


def _send(clinic: Clinic, browser_of: Sign, booked: Session, way: str = "mail") -> str:
    """Fred sends Ana's link; the page he comes back to."""
    with acting_as(BY):
        ana = clinic.ana.respondents.get().pk
    door = f"/sessions/{booked.pk}/links/"
    page = browser_of("fred").post(door, {"respondent": ana, "way": way}, follow=True)
    return page.content.decode()


def _deliver() -> None:
    with acting_as(BY):
        rows = list(Outbox.objects.filter(kind="link_message", sent_at=None))
    assert all([outbox.deliver(row.pk) for row in rows])


def test_a_link_goes_by_mail_names_nobody_and_shows_how_far_it_got(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    door = f"/sessions/{booked.pk}/links/"
    assert "on its way" in _send(clinic, browser_of, booked)
    _deliver()
    (message,) = mail.outbox
    assert message.to == ["ana@mail.example"]
    for secret in ("Ana", "Oliveira", clinic.ana.code, "Alice", "North"):
        assert secret not in message.subject + message.body.replace("/m/", "")
    fred = browser_of("fred")
    assert "sent " in fred.get(door).content.decode()
    phone = Phone("/m/" + message.body.split("/m/")[1].split("/")[0] + "/")
    assert "opened " in fred.get(door).content.decode()
    phone.send(ITEMS)
    page = fred.get(door).content.decode()
    assert "<strong>answered</strong>" in page
    assert "18.5" not in page


def test_it_is_written_in_the_readers_language(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    with acting_as(BY):
        clinic.ana.respondents.update(language="es")
    _send(clinic, browser_of, booked)
    _deliver()
    assert mail.outbox[0].subject == "Unas preguntas antes de su cita"
    assert "Se abren aquí" in mail.outbox[0].body


def test_address_and_token_wait_sealed_and_are_forgotten_once_sent(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    _send(clinic, browser_of, booked)
    with acting_as(BY):
        row = Outbox.objects.get(kind="link_message")
        assert "ana@mail" not in json.dumps(row.payload)
    _deliver()
    with acting_as(BY):
        row.refresh_from_db()
    token = mail.outbox[0].body.split("/m/")[1].split("/")[0]
    assert set(row.payload) == {"link"}
    assert token not in json.dumps(row.payload)


def test_a_link_closed_meanwhile_is_not_sent(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    _send(clinic, browser_of, booked)
    with acting_as(BY):
        link = EntryLink.objects.get()
    browser_of("fred").post(f"/links/{link.pk}/close/")
    _deliver()
    assert mail.outbox == []


def test_without_an_address_nothing_is_offered_or_sent(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    with acting_as(BY):
        carer = actions.add_respondent(client=clinic.ana, relation="carer", by=BY)
        with pytest.raises(ValidationError, match="No address"):
            actions.send_link(session=booked, respondent=carer, way="mail", by=BY)
        assert not EntryLink.objects.exists()
    page = browser_of("fred").get(f"/sessions/{booked.pk}/links/").content.decode()
    assert page.count("no e-mail address known") == 1


def test_a_text_goes_by_the_clinics_own_sender_and_says_so_without_one(
    clinic: Clinic, booked: Session, browser_of: Sign, settings: Any, caplog: Any
) -> None:
    with acting_as(BY):
        carer = actions.add_respondent(client=clinic.ana, relation="carer", phone="555 01", by=BY)
        actions.send_link(session=booked, respondent=carer, way="text", by=clinic.fred)
    door = f"/sessions/{booked.pk}/links/"
    assert "Send as a text" not in browser_of("fred").get(door).content.decode()
    _deliver()
    assert "TEXT_SENDER isn't set up" in caplog.text
    assert "555 01" not in caplog.text
    settings.TEXT_SENDER = "tests.entry.test_sending.text_sender"
    assert "Send as a text" in browser_of("fred").get(door).content.decode()
    with acting_as(BY):
        actions.send_link(session=booked, respondent=carer, way="text", by=clinic.fred)
    _deliver()
    ((to, text),) = SENT
    assert to == "555 01"
    assert "/m/" in text
