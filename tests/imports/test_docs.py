"""docs/importing.md is complete, and what it shows works."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

from measures_app.imports import as_toml, parse_mapping
from measures_app.imports.mapping import FIELDS, HELD, SETTINGS
from measures_app.imports.rows import WORDS
from tests.imports.conftest import Run

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "importing.md").read_text(encoding="utf-8")
BLOCKS = [dedent(block) for block in re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", PAGE, re.MULTILINE)]


def _block(word: str) -> str:
    return next(block.strip("\n") + "\n" for block in BLOCKS if word in block)


def test_every_column_setting_and_word_is_explained() -> None:
    words = {str(value) for known in WORDS.values() for value in known.values() if value}
    names = {*FIELDS, *SETTINGS, *HELD, *words}
    assert not [name for name in sorted(names) if not re.search(rf"\b{name}\b", PAGE)]


def test_the_example_of_the_long_form_goes_in(run: Run) -> None:
    outcome = run(_block("client,session_date"))
    assert (outcome.code, outcome.report["created"]) == (0, 3)


def test_the_example_of_a_mapping_is_one() -> None:
    mapping = parse_mapping(_block("[columns]"))
    assert mapping.ended_after_days == 90
    assert parse_mapping(as_toml(mapping)).columns == mapping.columns


def test_a_mapping_written_out_is_read_back_the_same() -> None:
    for file in (ROOT / "docs" / "examples").glob("*.toml"):
        mapping = parse_mapping(file.read_text(encoding="utf-8"))
        assert parse_mapping(as_toml(mapping)) == mapping
