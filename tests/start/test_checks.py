"""`manage.py test`: every step runs, one that is not well makes the whole not well."""

from __future__ import annotations

import sys

import pytest

from outcomes_site.local import checks
from outcomes_site.local.checks import Step


def step(name: str, status: int) -> Step:
    return Step(name, [sys.executable, "-c", f"print('{name} ran'); raise SystemExit({status})"])


@pytest.fixture
def no_services(monkeypatch):
    from contextlib import nullcontext

    monkeypatch.setattr(checks, "services", nullcontext)
    monkeypatch.setattr(checks.lifecycle, "stop_on_signals", lambda: None)
    monkeypatch.setattr(checks, "COMPLETE_STEP", step("complete", 0))


@pytest.fixture
def pytest_says(monkeypatch):
    def say(line: str, status: int) -> None:
        program = f"print('first'); print({line!r}); raise SystemExit({status})"
        monkeypatch.setattr(checks, "_module", lambda *a: [sys.executable, "-c", program])

    return say


def test_all_steps_run_though_one_is_not_well(no_services, pytest_says, monkeypatch, capfd):
    monkeypatch.setattr(checks, "STATIC_STEPS", [step("one", 1), step("two", 0)])
    pytest_says("7 passed in 1.00s", 0)
    assert checks.run([]) == 1
    said = capfd.readouterr().out
    assert "one ran" in said
    assert "two ran" in said
    assert "NOT OK one" in said
    assert "ok     two" in said
    assert said.rstrip().endswith("7 passed in 1.00s")


def test_all_well_is_status_zero(no_services, pytest_says, monkeypatch):
    monkeypatch.setattr(checks, "STATIC_STEPS", [step("one", 0)])
    pytest_says("7 passed in 1.00s", 0)
    assert checks.run([]) == 0


def test_a_test_that_does_not_hold_makes_the_whole_not_well(no_services, pytest_says, monkeypatch):
    monkeypatch.setattr(checks, "STATIC_STEPS", [])
    pytest_says("1 failed in 1.00s", 1)
    assert checks.run([]) == 1


def test_with_a_selection_only_the_tests_run(no_services, pytest_says, monkeypatch, capfd):
    monkeypatch.setattr(checks, "STATIC_STEPS", [step("one", 1)])
    pytest_says("1 passed in 0.10s", 0)
    assert checks.run(["-k", "x"]) == 0
    said = capfd.readouterr().out
    assert "one ran" not in said
    assert said.rstrip().endswith("1 passed in 0.10s")


def test_the_change_check_runs_the_same_command():
    script = (checks.ROOT / ".ci/run").read_text()
    assert 'exec python3 manage.py test "$@"' in script
    assert (checks.ROOT / ".ci/run").stat().st_mode & 0o111
    assert "python3 manage.py test" in (checks.ROOT / "Makefile").read_text()


def test_every_promise_of_the_one_command_has_its_step():
    names = {s.name for s in checks.STATIC_STEPS}
    assert names == {
        "format",
        "lint",
        "import contracts",
        "types on the core",
        "migrations",
        "system checks",
    }
