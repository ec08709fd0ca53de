"""Identity under a key per client: readable by those in scope, gone with the key."""

from __future__ import annotations

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from sessions_app import sealing
from sessions_app.context import acting_as
from sessions_app.models import Client, ClientIdentity
from tests.cast import BY, Clinic


@given(st.binary(max_size=300), st.text(max_size=20))
def test_what_is_sealed_opens_in_its_place(text: bytes, place: str) -> None:
    key = sealing.new_key()
    assert sealing.decrypt(key, sealing.encrypt(key, text, place), place) == text


def test_a_ciphertext_moved_to_another_place_does_not_open() -> None:
    key = sealing.new_key()
    sealed = sealing.encrypt(key, b"Ana", "identity:1")
    with pytest.raises(sealing.CannotOpen):
        sealing.decrypt(key, sealed, "identity:2")


def test_no_name_is_readable_in_the_tables(clinic: Clinic) -> None:
    with acting_as(BY), connection.cursor() as cursor:
        for model in (Client, ClientIdentity):
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {model._meta.db_table} t")
            (everything,) = cursor.fetchone()
            assert "Oliveira" not in everything
            assert b"Oliveira".hex() not in everything
        assert clinic.ana.name == "Ana Oliveira"


def test_a_client_is_found_by_words_and_word_starts_of_their_name(clinic: Clinic) -> None:
    with acting_as(BY):
        for text in ("Oliveira", "oli", "ANA oliveira", "Ána"):
            assert [c.code for c in Client.objects.named(text)] == [clinic.ana.code], text
        assert not Client.objects.named("Olivei").exists()


def test_destroying_the_key_leaves_no_name(clinic: Clinic) -> None:
    from sessions_app import clinic_time

    with acting_as(BY):
        key = clinic.ana.key
        key.wrapped, key.destroyed_at = b"", clinic_time.now()
        key.save()
        again = Client.objects.get(pk=clinic.ana.pk)
        assert again.name == ""
        with pytest.raises(sealing.CannotOpen):
            again.seal("a note", "review-note")
