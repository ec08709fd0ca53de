"""`bench` measures a clinic of its own, and every page that it names is there."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client as Browser

from outcomes_site.benchmark import doors, memory, papers
from outcomes_site.benchmark.respondents import Respondents
from outcomes_site.local.processes import CHECKOUT
from reports_app import paper
from sessions_app import actions
from sessions_app.context import acting_as
from sessions_app.models import Client
from tests.cast import BY, Clinic


def test_it_refuses_a_database_that_is_not_its_own(clinic: Clinic) -> None:
    with pytest.raises(CommandError, match=r"python3 manage\.py bench"):
        call_command("bench", clients=100)
    with acting_as(BY):
        assert Client.objects.count() == 5


@pytest.mark.parametrize(
    "wrong", [{"clients": 10}, {"clients": 10**9}, {"rounds": 0}, {"seconds": 0}]
)
def test_it_is_bounded(wrong: dict[str, int]) -> None:
    with pytest.raises(CommandError, match="lies between") as refused:
        call_command("bench", **wrong)
    assert refused.value.returncode == 2


def _within_ten_seconds(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)


def test_a_nights_memory_is_its_processes_and_the_databases(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "EVERY_SECONDS", 0.02)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    server = memory._server()
    if server is None:
        pytest.skip("the database runs elsewhere, or as somebody whose processes aren't shown")
    assert memory._parents()[backend] == server
    # Of the server its process for this test alone: the others may be busy with other tests.
    monkeypatch.setattr(memory, "_server", lambda: backend)
    with memory.Memory() as before:  # what other tests of this process have started may still run
        _within_ten_seconds(lambda: before.night is not None)
    with memory.Memory() as held:
        child = "held = b'1' * 90_000_000; print('held', flush=True); input()"
        with subprocess.Popen(
            [sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holding:
            assert holding.stdout is not None
            assert holding.stdout.readline() == b"held\n"
            _within_ten_seconds(lambda: (held.night or 0) >= (before.night or 0) + 80)
            holding.communicate(b"\n")
    assert held.night is not None
    assert held.database is not None
    assert before.night is not None
    assert 80 <= held.night - before.night < 200
    assert held.database > 0
    assert held.peak == held.night + held.database


def test_every_page_it_measures_opens_for_its_role(clinic: Clinic) -> None:
    """Against the cast: a page that was renamed would otherwise be noticed in a long run only."""
    with acting_as(BY):
        actions.assign_clinician(
            episode=clinic.episodes["dina"],
            clinician=clinic.clinicians["ruth"],
            part="trainee",
            from_on=clinic.episodes["dina"].opened_on,
            by=BY,
        )
    people = {
        "clinician": doors.Person(clinic.alice, [clinic.ana.code]),
        "supervisor": doors.Person(clinic.sofia, [clinic.ana.code]),
        "director": doors.Person(clinic.dora),
        "front_desk": doors.Person(clinic.fred),
        "administrator": doors.Person(clinic.adam),
        "respondent": Respondents(clinic.alice),
    }
    call_command("run_nightly", stdout=io.StringIO())
    for page in doors.pages():
        person = people[page.role]
        browser = Browser()
        path = page.path(person, 0)
        if page.role != "respondent":
            browser.force_login(person.user)
        elif page.cookie:
            name, _, value = page.cookie(person, 0).partition("=")
            browser.cookies[name] = value
        sent: Any = page.body(person, 0) if page.body else None
        if sent is None:
            answer = browser.get(path)
        elif page.is_form:
            answer = browser.post(path, sent)
        else:
            key = {"Idempotency-Key": "8a4c2b5e-26d8-4dfd-8f35-2b6fd6d10d55"}
            answer = browser.post(path, json.dumps(sent), "application/json", headers=key)
        assert answer.status_code in (200, 201, 302), (page.name, path, answer.status_code)


@pytest.mark.scale
def test_a_small_run_measures_everything_and_leaves_nothing(tmp_path: Any) -> None:
    done = subprocess.run(
        [sys.executable, os.fspath(CHECKOUT / "manage.py"), "bench", "--clients", "60",
         "--rounds", "1", "--json"],
        env={**os.environ, "TMPDIR": os.fspath(tmp_path), "DATABASE_URL": "postgresql://no@/no"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {row["page"] for row in found["pages"]} == {page.name for page in doors.pages()}
    assert all(row["p95_ms"] > 0 and row["requests"] == 1 for row in found["pages"])
    assert found["night"]["seconds"] > 0
    assert found["open_review_flags"] > 0
    assert found["export"]["rows"] > 0
    if not paper.missing():
        assert found["case_file"]["cases"] == papers.CASES
        assert found["case_file"]["largest_case_bytes"] < 300_000
    assert found["import"]["created"] == found["import"]["rows"] > 3000
    assert list(tmp_path.glob("outcomes-bench-*")) == []
