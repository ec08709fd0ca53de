"""What row-level security found is kept for a transaction, and never a statement too long."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from django.db import connection, transaction

from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Episode
from tests.cast import BY, Clinic


class TakenBack(Exception):
    """Ends a savepoint."""


def _kept() -> tuple[str, str]:
    """Whose scope is kept, and its bits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE(current_setting('outcomes.clinical_episodes', true), ''), "
            "COALESCE(current_setting('outcomes.clinical_episodes_bits', true), '')"
        )
        whose, bits = cursor.fetchone()
        return str(whose), str(bits)


def _ids() -> set[int]:
    """All that the database lets through: no scope of Python's own."""
    return set(Episode.objects.values_list("pk", flat=True))


def _open_for_alice(clinic: Clinic) -> Episode:
    with acting_as(BY):
        client = actions.register_client(by=BY, site=clinic.north, name="New", birth_year=1990)
        return actions.open_episode(
            client=client,
            programme=clinic.therapy,
            opened_on=clinic_time.today() - timedelta(days=1),
            lead=clinic.clinicians["alice"],
            by=BY,
        )


def test_a_scope_is_found_once_and_kept(clinic: Clinic) -> None:
    with acting_as(clinic.alice):
        assert clinic.episodes["ana"].pk in _ids()
        whose, bits = _kept()
        assert whose.startswith("user/")
        assert {place for place, bit in enumerate(bits, start=1) if bit == "1"} == _ids()


def test_what_is_assigned_meanwhile_is_seen_at_once(clinic: Clinic) -> None:
    with acting_as(clinic.alice):
        before = _ids()
        opened = _open_for_alice(clinic)
        assert _ids() == before | {opened.pk}


def test_supervision_that_ends_takes_the_view_with_it(clinic: Clinic) -> None:
    with acting_as(clinic.sofia):
        assert clinic.episodes["ana"].pk in _ids()
        supervision = clinic.supervision
        assert supervision is not None
        supervision.to_on = clinic_time.today() - timedelta(days=1)
        supervision.save()
        assert _ids() == set()


def test_another_actor_never_inherits_a_scope(clinic: Clinic) -> None:
    with acting_as(clinic.alice):
        assert _ids()
        with acting_as(clinic.ruth):
            assert _ids() == set()
        assert clinic.episodes["ana"].pk in _ids()


def test_a_savepoint_taken_back_takes_its_scope_back(clinic: Clinic) -> None:
    with acting_as(clinic.alice):
        before = _ids()
        with suppress(TakenBack), transaction.atomic():
            opened = _open_for_alice(clinic)
            assert opened.pk in _ids()
            raise TakenBack
        assert _ids() == before
