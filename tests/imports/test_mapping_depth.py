"""A mapping that would keep the reader busy for hours is refused at once."""

from __future__ import annotations

import pytest

from measures_app.imports.mapping import MappingProblem, parse_mapping


@pytest.mark.parametrize("text", [f"[{'a.' * 50_000}a]\n", "measure = " + "[" * 50_000])
def test_a_mapping_nested_too_deep_is_refused(text: str) -> None:
    with pytest.raises(MappingProblem, match="nested too deep"):
        parse_mapping(text)
