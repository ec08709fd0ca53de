"""Who opened a client's record, and who took a file away, is written down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.test import Client as Browser

from measures_app import actions, measures
from sessions_app import clinic_time
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent
from tests.cast import BY, Clinic


def _left_by(clinic: Clinic, who: str, since: int) -> list[tuple[str, str]]:
    actor = f"user:{clinic.users[who].public_id}"
    found = AuditEvent.objects.filter(pk__gt=since, actor=actor).order_by("pk")
    return list(found.values_list("action", "subject"))


def _newest() -> int:
    return AuditEvent.objects.order_by("-pk").values_list("pk", flat=True)[0]


def test_opening_a_clients_record_by_any_door_leaves_a_row(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    ana, session = clinic.ana, clinic.sessions["ana"][0]
    with acting_as(BY):
        measures.sync_library()
        score = actions.record_administration(
            episode=clinic.episodes["ana"],
            session=session,
            measure=measures.get_measure("outcome-adult"),
            total=18,
            provenance="paper",
            by=BY,
        )
    browser = browser_of("alice")
    for door in (
        f"/clients/{ana.code}/",
        f"/clients/{ana.code}/case-review.pdf",
        f"/clients/{ana.code}/scores/",
        f"/clients/{ana.code}/sessions/new/",
        f"/review/{ana.code}/",
        f"/sessions/{session.pk}/picture/",
        f"/api/v1/clients/{ana.code}/",
        f"/api/v1/episodes/{clinic.episodes['ana'].pk}/",
        f"/api/v1/sessions/{session.pk}/",
        f"/api/v1/administrations/{score.pk}/",
    ):
        before = _newest()
        assert browser.get(door).status_code == 200, door
        left = _left_by(clinic, "alice", before)
        assert [row for row in left if row[1] == ana.code], door


def test_a_list_by_the_api_leaves_a_row(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    browser = browser_of("alice")
    before = _newest()
    browser.get("/api/v1/sessions/")
    assert _left_by(clinic, "alice", before) == [("read", "sessions")]


def test_taking_a_report_away_leaves_a_row(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    month = f"{clinic_time.today().replace(day=1) - timedelta(days=1):%Y-%m}"
    browser = browser_of("dora")
    before = _newest()
    assert browser.get(f"/reports/{month}/csv/").status_code == 200
    assert ("exported", month) in _left_by(clinic, "dora", before)


def test_a_refused_door_leaves_no_read(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    browser = browser_of("ruth")
    before = _newest()
    assert browser.get(f"/clients/{clinic.ana.code}/").status_code == 404
    assert _left_by(clinic, "ruth", before) == []
