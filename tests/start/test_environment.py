"""A mistake in the settings is answered with the variable, why, and an example."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys

import pytest

from outcomes_site import environment
from outcomes_site.environment import SettingsError
from outcomes_site.local.checks import ROOT

KEY = base64.b64encode(bytes(range(32))).decode()


def error_of(function, *arguments, **named) -> str:
    with pytest.raises(SettingsError) as caught:
        function(*arguments, **named)
    return str(caught.value)


def test_a_secret_is_read_from_the_file_that_its_variable_names(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("sesame\n")
    monkeypatch.setenv("SOME_FILE", str(tmp_path / "secret"))
    assert environment.text("SOME", why="", example="") == "sesame"


def test_a_value_and_a_file_at_once_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("SOME", "x")
    monkeypatch.setenv("SOME_FILE", str(tmp_path / "secret"))
    assert "both SOME and SOME_FILE" in error_of(environment.value, "SOME")


def test_a_file_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_FILE", str(tmp_path / "nowhere"))
    said = error_of(environment.value, "SOME")
    assert "SOME_FILE" in said
    assert str(tmp_path / "nowhere") in said


def test_an_empty_secret_file_is_named(monkeypatch, tmp_path):
    (tmp_path / "empty").touch()
    monkeypatch.setenv("SOME_FILE", str(tmp_path / "empty"))
    said = error_of(environment.text, "SOME", why="It signs.", example="abc")
    assert str(tmp_path / "empty") in said
    assert "It signs." in said


def test_what_is_not_set_is_named_with_why_and_an_example(monkeypatch):
    monkeypatch.delenv("SOME", raising=False)
    said = error_of(environment.text, "SOME", why="It signs sessions.", example="abc")
    assert "SOME: is not set. It signs sessions." in said
    assert "SOME=abc" in said


@pytest.mark.parametrize("given", ["maybe", "2"])
def test_a_flag_is_yes_or_no(monkeypatch, given):
    monkeypatch.setenv("SOME", given)
    assert "neither yes nor no" in error_of(environment.flag, "SOME", default=True)


@pytest.mark.parametrize(("given", "why"), [("x", "not a whole number"), ("9", "not between")])
def test_a_number_says_its_bounds(monkeypatch, given, why):
    monkeypatch.setenv("SOME", given)
    assert why in error_of(environment.number, "SOME", default=1, high=8)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://a/b", "'mysql'"),
        ("postgresql://a", "no database"),
        ("postgresql://a:port/b", "port"),
        ("postgresql://a/b?speed=high", "speed"),
    ],
)
def test_a_database_address_says_what_is_wrong_with_it(url, why):
    assert why in error_of(environment.database_url, "DATABASE_URL", url)


def test_a_database_address_is_read_whole():
    url = "postgresql://me:p%40ss@host:5433/clinic?sslmode=require"
    read = environment.database_url("DATABASE_URL", url)
    assert (read["USER"], read["PASSWORD"], read["HOST"]) == ("me", "p@ss", "host")
    assert (read["PORT"], read["NAME"]) == ("5433", "clinic")
    assert read["OPTIONS"] == {"sslmode": "require"}
    socket = environment.database_url("DATABASE_URL", "postgresql://me@/clinic?host=/tmp/x")
    assert socket["HOST"] == "/tmp/x"


def test_a_broker_address_is_checked():
    assert "'amqp'" in error_of(environment.redis_url, "REDIS_URL", "amqp://x")
    assert "no socket" in error_of(environment.redis_url, "REDIS_URL", "unix://")
    assert environment.celery_broker("unix:///a/b?db=0") == "redis+socket:///a/b?db=0"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (KEY, "id:base64"),
        ("a:nonsense!", "base64"),
        (f"a:{KEY[:20]}", "bytes"),
        (f"a:{KEY},a:{KEY}", "twice"),
    ],
)
def test_keys_say_what_is_wrong_with_them(monkeypatch, given, why):
    monkeypatch.setenv("MASTER_KEYS", given)
    assert why in error_of(environment.keys, "MASTER_KEYS", why="")


def test_the_first_key_is_the_current_one(monkeypatch):
    monkeypatch.setenv("MASTER_KEYS", f"new:{KEY},old:{KEY}")
    assert list(environment.keys("MASTER_KEYS", why="")) == ["new", "old"]


IN_PRODUCTION = {
    "SECRET_KEY": base64.b64encode(hashlib.sha512(b"long and varied").digest()).decode(),
    "MASTER_KEYS": f"k1:{KEY}",
    "SEARCH_KEY": KEY,
    "PUBLIC_URL": "https://outcomes.example.org",
    "ALLOWED_HOSTS": "outcomes.example.org",
    "DATABASE_URL": "postgresql://outcomes_web@postgres/outcomes",
}


def _production(*arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    bare = {"PATH": os.environ["PATH"], "ENVIRONMENT": "production"}
    return subprocess.run(
        [sys.executable, *arguments],
        env=bare | given,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_has_no_default_for_what_must_be_its_own():
    """Each missing variable is asked for in turn, and nothing else is."""
    program = "import outcomes_site.settings as s; print(s.MASTER_KEY_ID)"
    given: dict[str, str] = {}
    for name, text in IN_PRODUCTION.items():
        started = _production("-c", program, **given)
        assert started.returncode != 0
        assert f"{name}: is not set." in started.stderr
        assert f"For example: {name}=" in started.stderr
        given[name] = text
    started = _production("-c", program, **given)
    assert (started.returncode, started.stdout) == (0, "k1\n"), started.stderr


def test_production_settings_pass_the_deployment_check():
    command = ("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    single_sign_on = {
        "SSO_ISSUER": "https://login.example.org",
        "SSO_CLIENT_ID": "clinic",
        "SSO_CLIENT_SECRET": "theirs and ours",
    }
    checked = _production(*command, **IN_PRODUCTION, **single_sign_on)
    assert checked.returncode == 0, checked.stderr
