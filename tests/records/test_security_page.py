"""The security page speaks of tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.management import get_commands

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


def test_the_operations_page_names_commands_metrics_and_settings_that_exist() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    commands = re.findall(r"(?:`run |manage\.py )([a-z_]+)", text)
    assert len(commands) > 8
    assert set(commands) <= set(get_commands())
    source = (ROOT / "outcomes_site" / "metrics.py").read_text()
    named = {name.removesuffix("_total") for name in re.findall(r"`outcomes_([a-z_]+)", text)}
    named -= {"migrator", "web"}  # logins
    assert len(named) > 6
    assert [n for n in named if f'"{n}"' not in source and f'"outcomes_{n}"' not in source] == []
    settings = "".join((ROOT / name).read_text() for name in ("outcomes_site/settings.py",
                       "docker-compose.yml"))  # fmt: skip
    wanted = set(re.findall(r"\b([A-Z]{3,}_[A-Z_]+)\b", text))
    assert len(wanted) > 5
    assert [name for name in wanted if name not in settings] == []
