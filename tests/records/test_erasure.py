"""A key per client: destroyed, it leaves nothing that can be read; rewrapped, everything."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db import connection

from measures_app import actions as measure_actions
from measures_app import measures
from sessions_app import actions, clinic_time, sealing
from sessions_app.context import acting_as, system
from sessions_app.models import AuditEvent, Client, ClientKey, EntryLink
from tests.cast import BY, Clinic

ERASER = system("erasure")
# Words that can stand nowhere else.
NAME, PHONE, NOTE, SAID, REASON, CARER, NUMBER = (
    "Xaverquist", "5550177", "Notewortig", "Saidgeklag", "Reasonbolt", "Carerstuhl", "Nr-88231"
)  # fmt: skip
TEXTS = (NAME, PHONE, NOTE, SAID, REASON, CARER, NUMBER)


@pytest.fixture
def told(clinic: Clinic) -> Client:
    """A client about whom everything that can be written as free text was written."""
    with acting_as(BY):
        measures.sync_library()
        client = actions.register_client(
            by=BY,
            site=clinic.north,
            name=f"Ida {NAME}",
            phone=PHONE,
            email=f"{NAME}@mail.example",
            external=("legacy", NUMBER),
        )
        actions.add_respondent(
            client=client, relation="carer", label=CARER, email=f"{CARER}@mail.example", by=BY
        )
        episode = actions.open_episode(
            client=client,
            programme=clinic.therapy,
            opened_on=clinic_time.today(),
            lead=clinic.clinicians["alice"],
            by=BY,
        )
        session = actions.record_session(episode=episode, held_on=clinic_time.today(), by=BY)
        measure = measures.get_measure("outcome-adult")
        score = measure_actions.record_administration(
            episode=episode,
            session=session,
            measure=measure,
            total=18,
            provenance="paper",
            by=clinic.alice,
        )
        score = measure_actions.correct_administration(
            administration=score, total=17, reason=REASON, by=clinic.alice
        )
        measure_actions.void_administration(administration=score, reason=REASON, by=clinic.alice)
        review = measure_actions.decide(
            episode=episode, decision="consult", note=NOTE, client_said=SAID, by=clinic.alice
        )
        actions.record_review_result(review=review, result=NOTE, by=clinic.alice)
        actions.transfer_episode(
            episode=episode,
            to=clinic.clinicians["bob"],
            on=clinic_time.today(),
            reason=REASON,
            by=BY,
        )
        EntryLink.objects.create(
            client=client,
            episode=episode,
            respondent=client.respondents.get(relation="self"),
            token_hash="0" * 64,
            created_by=clinic.alice,
            expires_at=clinic_time.now(),
        )
    return client


def _columns() -> Iterator[tuple[str, str, str]]:
    """Every column of every table that can hold a text, as the tables' owner sees them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'public' AND data_type IN "
            "('text', 'character varying', 'jsonb', 'json', 'bytea', 'ARRAY', 'uuid')"
        )
        yield from cursor.fetchall()


def readable(*texts: str) -> set[tuple[str, str]]:
    """Where any of the texts can be read: plainly, in another case, as hex or as base64."""
    forms = []
    for text in texts:
        raw = text.encode()
        forms += [text, raw.hex(), raw.hex().upper(), base64.b64encode(raw).decode().rstrip("=")]
    pattern = "|".join(forms)
    found = set()
    with connection.cursor() as cursor:
        for table, column, kind in list(_columns()):
            as_text = (
                f"encode(\"{column}\", 'escape') || encode(\"{column}\", 'hex')"
                if kind == "bytea"
                else f'"{column}"::text'
            )
            cursor.execute(f'SELECT 1 FROM "{table}" WHERE {as_text} ~* %s LIMIT 1', [pattern])
            if cursor.fetchone():
                found.add((table, column))
    return found


def test_nothing_a_person_wrote_of_a_client_is_readable_in_any_column(told: Client) -> None:
    """Before any erasure: only the clinic's own number and a carer's word are plain."""
    with acting_as(BY):
        assert readable(*TEXTS) == {
            ("sessions_app_externalid", "value"),
            ("sessions_app_respondent", "label"),
        }
        assert told.name == f"Ida {NAME}"
        review = told.reviews.get()
        assert (review.note, review.client_said, review.result) == (NOTE, SAID, NOTE)
        voided = told.administrations.get(voided=True)
        assert (voided.correction_reason, voided.void_reason) == (REASON, REASON)
        carer = told.respondents.get(relation="carer")
        assert carer.contact == {"email": f"{CARER}@mail.example"}
        assert {a.why for a in told.episodes.get().assignments.all()} == {REASON}


def test_an_erased_client_is_readable_nowhere_and_the_scores_stand(told: Client) -> None:
    with acting_as(BY):
        scores = list(told.administrations.values_list("total", flat=True))
        wrapped = bytes(told.key.wrapped)
        actions.erase_identity(client=told, reason="request", by=ERASER)
        assert readable(*TEXTS) == set()
        assert readable(wrapped.hex()) == set()
        again = Client.objects.get(pk=told.pk)
        assert again.name == "" == told.name
        review = again.reviews.get()
        assert (review.note, review.client_said, review.result) == ("", "", "")
        assert again.administrations.get(voided=True).void_reason == ""
        assert list(again.administrations.values_list("total", flat=True)) == scores
        assert not Client.objects.named(NAME).exists()
        assert again.entry_links.get().revoked_at is not None
        with pytest.raises(sealing.CannotOpen):
            again.seal("a new note", "review-note")
        ledger = AuditEvent.objects.get(action="identity erased")
        assert (ledger.subject, ledger.detail) == (told.code, {"reason": "request"})
        with pytest.raises(ValidationError, match="erased already"):
            actions.erase_identity(client=told, reason="request", by=ERASER)


def test_nobodys_role_erases_by_itself(clinic: Clinic) -> None:
    for user in clinic.users.values():
        with acting_as(BY), pytest.raises(PermissionDenied):
            actions.erase_identity(client=clinic.ana, reason="request", by=user)


def test_the_page_of_an_erased_client_still_opens(told: Client, browser_of: Any) -> None:
    with acting_as(BY):
        actions.erase_identity(client=told, reason="request", by=ERASER)
    response = browser_of("bob").get(told.get_absolute_url())
    assert response.status_code == 200
    assert not any(text in response.content.decode() for text in TEXTS)


def test_the_command_erases_by_code_and_by_the_clinics_own_number(told: Client) -> None:
    call_command("erase_client", f"legacy:{NUMBER}", reason="retention", stdout=io.StringIO())
    with acting_as(BY):
        assert readable(*TEXTS) == set()
    for reference in (told.code, "ZZZZ-999"):
        with pytest.raises(CommandError) as refused:
            call_command("erase_client", reference, reason="request")
        assert refused.value.returncode == 2


def test_a_ciphertext_put_into_another_clients_row_does_not_open(
    told: Client, clinic: Clinic
) -> None:
    with acting_as(BY):
        ana = Client.objects.get(pk=clinic.ana.pk)
        ana.identity.sealed = told.identity.sealed
        ana.identity.save()
        with pytest.raises(sealing.CannotOpen):
            _ = Client.objects.get(pk=ana.pk).name
        # A key that was moved doesn't unwrap either: it is bound to its client.
        key = told.key
        ClientKey.objects.filter(pk=ana.pk).update(wrapped=key.wrapped)
        with pytest.raises(sealing.CannotOpen):
            _ = Client.objects.get(pk=ana.pk).secret


def test_after_a_rotation_the_old_master_key_can_be_taken_away(
    told: Client, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    old = dict(settings.MASTER_KEYS)
    settings.MASTER_KEYS = {"next": base64.b64encode(os.urandom(32)).decode(), **old}
    settings.MASTER_KEY_ID = "next"
    with acting_as(BY):
        keys = ClientKey.objects.count()
    call_command("rotate_keys")
    assert f"{keys} keys are wrapped under master key 'next'" in capsys.readouterr().out
    call_command("rotate_keys")
    assert "0 keys" in capsys.readouterr().out
    settings.MASTER_KEYS = {"next": settings.MASTER_KEYS["next"]}
    with acting_as(BY):
        again = Client.objects.get(pk=told.pk)
        assert again.name == f"Ida {NAME}"
        assert again.reviews.get().note == NOTE


def test_a_rotation_without_the_old_key_says_so_and_changes_nothing(
    told: Client, settings: Any
) -> None:
    settings.MASTER_KEYS = {"next": base64.b64encode(os.urandom(32)).decode()}
    settings.MASTER_KEY_ID = "next"
    with pytest.raises(CommandError, match="is not configured"):
        call_command("rotate_keys")
    with acting_as(BY):
        assert not ClientKey.objects.filter(master_key_id="next").exists()
