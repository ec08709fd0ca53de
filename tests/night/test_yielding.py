"""A night beside people who enter scores goes behind them: itself, its session, its database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from sessions_app.yielding import BEHIND

SAYS = """
import json, os
from pathlib import Path
import django
django.setup()
from django.db import connection
from sessions_app.yielding import go_behind
before = os.getpriority(os.PRIO_PROCESS, 0)
go_behind()
connection.ensure_connection()
session = Path("/proc/self/autogroup")
print(json.dumps({
    "before": before,
    "process": os.getpriority(os.PRIO_PROCESS, 0),
    "session": session.read_text().split()[-1:] if session.exists() else None,
    "backend": os.getpriority(os.PRIO_PROCESS, connection.connection.info.backend_pid),
}))
"""


def _said(**how: Any) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", SAYS], cwd=settings.BASE_DIR, capture_output=True, text=True,
        check=True, timeout=120, **how,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "outcomes_site.settings"},
    )  # fmt: skip
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
def test_what_nobody_waits_for_comes_last_in_the_database_and_among_sessions_too(db: Any) -> None:
    said = _said(start_new_session=True)
    assert said["process"] == max(BEHIND, said["before"])
    assert said["backend"] == BEHIND
    assert said["session"] in (None, [str(BEHIND)])


@pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="sessions aren't weighed here"
)
def test_a_session_that_is_a_terminals_keeps_its_place(db: Any) -> None:
    """A session that the system never weighed (one older than the weighing) reads empty."""
    mine = Path("/proc/self/autogroup").read_text()
    assert _said()["session"] == mine.split()[-1:]
