"""Reference data and results, used where they lie beside the checkout and skipped elsewhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"


def reference_file(*parts: str) -> Path:
    """Path of a reference file, or a skip that says which one is missing."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the reference file {'/'.join(parts)} is not beside this checkout")
    return path


def rows_of(*parts: str) -> list[dict[str, str]]:
    with reference_file(*parts).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def results_of(*parts: str) -> Any:
    return json.loads(reference_file(*parts).read_text(encoding="utf-8"))
