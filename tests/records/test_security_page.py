"""The security page speaks of tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)", PAGE.read_text())
    assert len(named) > 50
    wrong = [
        (name, file)
        for name, file in named
        if not (ROOT / file).exists() or f"\ndef {name}(" not in (ROOT / file).read_text()
    ]
    assert wrong == []


def test_every_module_that_the_page_names_exists() -> None:
    modules = re.findall(r"`([a-z_]+(?:/[a-z_]+)+(?:\.py)?)`", PAGE.read_text())
    assert modules
    assert [name for name in modules if not (ROOT / name).exists()] == []
