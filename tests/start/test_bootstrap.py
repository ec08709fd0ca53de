"""A bare checkout is prepared once, by one start at a time, and never half."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from outcomes_site import bootstrap
from outcomes_site.bootstrap import DEVELOPMENT, RUNTIME, Environment
from outcomes_site.local.checks import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / RUNTIME).write_text("a==1\n")
    (tmp_path / DEVELOPMENT).write_text("a==1\nb==1\n")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    (tmp_path / ".venv/lib/python3/site-packages/pip").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def runs(monkeypatch) -> list[list[str]]:
    """Commands that would have been run; each ends well."""
    seen: list[list[str]] = []

    def run(command, **options):
        seen.append([str(part) for part in command])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(bootstrap.subprocess, "run", run)
    return seen


def test_an_environment_is_ready_when_the_very_lock_was_installed(checkout):
    environment = Environment(checkout)
    assert not environment.is_ready(RUNTIME)
    environment.stamp(RUNTIME)
    assert environment.is_ready(RUNTIME)
    assert not environment.is_ready(DEVELOPMENT)
    (checkout / RUNTIME).write_text("a==2\n")
    assert not environment.is_ready(RUNTIME)


def test_what_the_checks_need_serves_the_site_too(checkout):
    environment = Environment(checkout)
    environment.stamp(DEVELOPMENT)
    assert environment.is_ready(DEVELOPMENT)
    assert environment.is_ready(RUNTIME)


def test_an_installation_that_broke_off_is_not_taken_for_a_whole_one(checkout, monkeypatch):
    environment = Environment(checkout)
    environment.stamp(DEVELOPMENT)
    monkeypatch.setattr(
        bootstrap.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1)
    )
    with pytest.raises(SystemExit, match="could not be installed"):
        environment.make(RUNTIME)
    assert not environment.is_ready(RUNTIME)
    assert not environment.is_ready(DEVELOPMENT)


def test_packages_are_installed_by_hash_and_from_nowhere_in_particular(checkout, runs):
    Environment(checkout).make(RUNTIME)
    (install,) = [command for command in runs if "install" in command]
    assert "--require-hashes" in install
    assert not [part for part in install if "index" in part or "://" in part]


def test_no_address_of_a_registry_is_in_the_locks():
    for lock in (RUNTIME, DEVELOPMENT):
        assert "://" not in (ROOT / lock).read_text(), lock


def test_the_development_lock_holds_all_of_the_runtimes():
    def pins(lock: str) -> set[str]:
        lines = (ROOT / lock).read_text().splitlines()
        return {line.split(" ")[0] for line in lines if "==" in line and line[0].isalpha()}

    assert pins(RUNTIME) <= pins(DEVELOPMENT)


def test_a_second_start_waits_for_the_first(checkout, capsys):
    order: list[str] = []

    def second() -> None:
        with bootstrap.one_at_a_time(checkout):
            order.append("second")

    with bootstrap.one_at_a_time(checkout):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(timeout=0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert "waiting" in capsys.readouterr().err


def test_a_python_without_ensurepip_is_told_the_line_to_type(monkeypatch):
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(bootstrap, "apt_install", lambda packages: False)
    with pytest.raises(SystemExit) as told:
        bootstrap._need_ensurepip()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert f"apt-get install --no-install-recommends {version}" in str(told.value)


def test_missing_libraries_are_installed_by_root_and_told_to_others(monkeypatch, runs, capsys):
    monkeypatch.setattr(bootstrap, "missing_libraries", lambda: ["libpango-1.0-0"])
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0)
    bootstrap.system_packages(browser=False)
    assert runs[0][:2] == ["apt-get", "install"]
    assert runs[0][-1] == "libpango-1.0-0"

    runs.clear()
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000)
    bootstrap.system_packages(browser=False)
    assert runs == []
    assert "apt-get install --no-install-recommends libpango-1.0-0" in capsys.readouterr().err


def test_a_missing_browser_matters_to_the_checks_alone(monkeypatch, runs, capsys):
    monkeypatch.setattr(bootstrap, "missing_libraries", list)
    monkeypatch.setattr(bootstrap, "has_browser", lambda: False)
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000)
    bootstrap.system_packages(browser=False)
    assert capsys.readouterr().err == ""
    bootstrap.system_packages(browser=True)
    assert "chromium" in capsys.readouterr().err


def test_manage_py_can_be_read_by_a_python_too_old_for_it():
    """The message about the version has to come before anything newer is needed."""
    import ast

    ast.parse((ROOT / "manage.py").read_text(), feature_version=(3, 6))
