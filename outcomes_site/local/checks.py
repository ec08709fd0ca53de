"""Everything that is checked before a change is accepted, one section a step."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from outcomes_site.local import lifecycle
from outcomes_site.local.folder import Folder

ROOT = lifecycle.ROOT
SCRIPTS = Path(sys.executable).parent
# These are read line by line by people who depend on them: no line may go untested.
COMPLETE = "measures_app/psychometrics/*,sessions_app/access.py,sessions_app/rights.py"


@dataclass(frozen=True)
class Step:
    name: str
    command: Sequence[str]


def _module(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


def _manage(*arguments: str) -> list[str]:
    return [sys.executable, os.fspath(ROOT / "manage.py"), *arguments]


STATIC_STEPS = [
    Step("format", _module("ruff", "format", "--check", "--quiet", ".")),
    Step("lint", _module("ruff", "check", "--quiet", ".")),
    Step("import contracts", [os.fspath(SCRIPTS / "lint-imports")]),
    Step("types on the core", _module("mypy")),
    Step("migrations", _manage("makemigrations", "--check", "--dry-run")),
    Step("system checks", _manage("check", "--fail-level", "WARNING")),
]
# Branch by branch while the tests run that complete them; the whole by lines, while all do.
COVERAGE = ["--cov", "--cov-report=", "-p", "tests.traced", "-p", "tests.shown"]
# Much of a test's time is waiting for processes. A module stays with one worker.
SIDE_BY_SIDE = ["--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile"]
SIDE_BY_SIDE += ["--no-loadscope-reorder"]  # tests/order.py knows better which take longest
COMPLETE_STEP = Step(
    "coverage of the core and of access",
    _module("coverage", "report", f"--include={COMPLETE}", "--fail-under=100", "--show-missing"),
)


def _say(line: str) -> None:
    print(line, flush=True)


def _run(step: Step, environment: dict[str, str]) -> bool:
    return _run_all([step], environment)[step.name]


def _run_all(steps: Sequence[Step], environment: dict[str, str]) -> dict[str, bool]:
    """Run steps two at a time; what each says is passed on in their order. Verdicts by name."""

    def run(step: Step) -> tuple[subprocess.CompletedProcess[bytes], float]:
        began = time.monotonic()
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(step.command, cwd=ROOT, env=environment, check=False, **both)
        return done, time.monotonic() - began

    results = {}
    with ThreadPoolExecutor(2) as pool:
        for step, (done, took) in zip(steps, pool.map(run, steps), strict=True):
            _say(f"\n=== {step.name}")
            sys.stdout.buffer.write(done.stdout)
            sys.stdout.buffer.flush()
            verdict = "ok" if done.returncode == 0 else f"NOT OK (exit status {done.returncode})"
            _say(f"--- {step.name}: {verdict}, {took:.1f} s")
            results[step.name] = done.returncode == 0
    return results


def _run_pytest(arguments: Sequence[str], environment: dict[str, str]) -> tuple[bool, str]:
    """Run pytest, pass on what it says, and return its verdict and its summary line."""
    _say("\n=== tests")
    last = ""
    with subprocess.Popen(
        _module("pytest", *arguments), cwd=ROOT, env=environment, stdout=subprocess.PIPE, bufsize=0
    ) as run:
        assert run.stdout is not None
        line = b""
        while piece := run.stdout.read(4096):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            line += piece
            *whole, line = line.split(b"\n")
            last = next((w.decode(errors="replace") for w in reversed(whole) if w.strip()), last)
    return run.returncode == 0, line.decode(errors="replace").strip() or last


@contextmanager
def services() -> Iterator[None]:
    """A database and a broker of their own for the tests, unless a test database is given."""
    given = os.environ.get("OUTCOMES_TEST_DATABASE_URL")
    if given:
        os.environ["DATABASE_URL"] = given
        yield
        return
    if os.environ.get("ENVIRONMENT") == "test" and lifecycle.is_given("DATABASE_URL"):
        yield
        return
    for name in ("DATABASE_URL", "DATABASE_URL_FILE", "DATABASE_OWNER_URL", "REDIS_URL"):
        os.environ.pop(name, None)  # a clinic's own is no place for tests
    path = Path(tempfile.mkdtemp(prefix="outcomes-test-"))
    if os.geteuid() == 0:
        path.chmod(0o711)  # the server has a user of its own
    try:
        with lifecycle.services(Folder(path), durable=False):
            yield
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _environment() -> dict[str, str]:
    # Dozens of processes are started: a file is compiled by the first of them, not by each.
    without = {"WITHOUT_DATABASE", "PYTHONDONTWRITEBYTECODE"}
    return {k: v for k, v in os.environ.items() if k not in without} | {"ENVIRONMENT": "test"}


def run(arguments: Sequence[str]) -> int:
    """Run every step; with arguments, which pytest gets, the tests alone. Returns exit status."""
    lifecycle.stop_on_signals()
    results: dict[str, bool] = {}
    if not arguments:
        results |= _run_all(STATIC_STEPS, _environment())
    with services():
        wanted = [*arguments] if arguments else [*COVERAGE, *SIDE_BY_SIDE]
        results["tests"], summary = _run_pytest(wanted, _environment())
        if not arguments:
            results[COMPLETE_STEP.name] = _run(COMPLETE_STEP, _environment())
    if not arguments:
        _say("")
        for name, ok in results.items():
            _say(f"{'ok    ' if ok else 'NOT OK'} {name}")
        _say(summary)
    return 0 if all(results.values()) else 1
