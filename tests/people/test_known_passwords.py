"""Passwords known from breaches are refused, from a file and without network."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from outcomes_site import environment
from sessions_app.known_passwords import is_known

WORDS = [f"pass phrase number {n}" for n in range(101)]


@pytest.fixture(params=["\n", "\r\n", ":7\n"])
def known(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    hashes = sorted(hashlib.sha1(word.encode()).hexdigest().upper() for word in WORDS)
    path = tmp_path / "known.txt"
    path.write_bytes("".join(line + request.param for line in hashes).encode())
    return path


def test_every_line_is_found_and_nothing_else(known: Path) -> None:
    assert all(is_known(word, known) for word in WORDS)
    assert not any(is_known(f"{word}!", known) for word in WORDS)


def test_an_empty_file_knows_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert not is_known("anything", tmp_path / "empty")


def test_a_known_password_is_refused_wherever_one_is_chosen(known: Path, settings: Any) -> None:
    validate_password(WORDS[3])
    settings.BREACHED_PASSWORDS_FILE = str(known)
    with pytest.raises(ValidationError, match="known from a breach"):
        validate_password(WORDS[3])
    validate_password("another long enough one")


def test_a_file_that_is_not_there_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREACHED_PASSWORDS_FILE", "/nowhere/at/all")
    with pytest.raises(environment.SettingsError, match="can't be read"):
        environment.path_of_file("BREACHED_PASSWORDS_FILE", why="", example="")
