"""A row of each kind about everybody of the cast."""

from __future__ import annotations

from typing import Any

import pytest

from measures_app import actions as measure_actions
from measures_app import flagging, measures
from measures_app.models import Flag
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from tests.api import KINDS
from tests.cast import BY, Clinic


@pytest.fixture
def rows(clinic: Clinic) -> dict[str, dict[str, Any]]:
    """kind -> client's name -> the key of one of their rows."""
    found: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    today = clinic_time.today()
    with acting_as(BY):
        measures.sync_library()
        measure = measures.get_measure("outcome-adult")
        for name, client in clinic.clients.items():
            episode = clinic.episodes[name]
            session = actions.record_session(episode=episode, held_on=today, by=BY)
            score = measure_actions.record_administration(
                episode=episode,
                session=session,
                measure=measure,
                total=20,
                provenance="paper",
                by=BY,
            )
            flag = Flag.objects.create(
                client=client,
                episode=episode,
                rule="no_progress",
                kind="review",
                rule_set=flagging.current_rule_set(today),
                evidence={},
                raised_on=today,
            )
            for kind, key in (
                ("clients", client.code),
                ("episodes", episode.pk),
                ("sessions", session.pk),
                ("administrations", score.pk),
                ("flags", flag.pk),
            ):
                found[kind][name] = key
    return found
