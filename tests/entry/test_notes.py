"""The note's first sentences are made from the numbers of the session that it is about."""

from __future__ import annotations

import pytest

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.feedback import feedback_on
from measures_app.models import Administration
from measures_app.notes import starters
from sessions_app.context import acting_as
from sessions_app.models import Session
from tests.cast import BY, Clinic


def _score(clinic: Clinic, session: Session, total: float | None, code: str, **more: str) -> None:
    measure_actions.record_administration(
        episode=clinic.episodes["ana"],
        session=session,
        measure=measures.get_measure(code),
        total=total,
        provenance="paper",
        by=BY,
        **more,
    )


def _note(session: Session) -> list[str]:
    rows = list(
        Administration.objects.current()
        .filter(session=session)
        .select_related("measure", "respondent")
    )
    return starters(session, feedback_on(session), rows)


@pytest.fixture
def scored(clinic: Clinic) -> list[Session]:
    sessions = clinic.sessions["ana"]
    with acting_as(BY):
        measures.sync_library()
        for session, total in zip(sessions, (18, 25, 20, 21), strict=False):
            _score(clinic, session, total, "outcome-adult")
        _score(clinic, sessions[1], 31, "alliance-adult")
        _score(clinic, sessions[4], None, "outcome-adult", not_taken="declined")
    return sessions


def test_a_session_in_the_middle_says_its_own_score(clinic: Clinic, scored: list[Session]) -> None:
    with acting_as(BY):
        said = "\n".join(_note(scored[1]))
    assert "25 of 40; 18 at the start (+7, reliable from 6.6)" in said
    assert "How we work together: 31 of 40" in said
    assert "21 now" not in said


def test_the_first_and_one_not_taken_say_so(clinic: Clinic, scored: list[Session]) -> None:
    with acting_as(BY):
        assert any("18 of 40, the first score" in line for line in _note(scored[0]))
        assert any("not taken, declined" in line for line in _note(scored[4]))
