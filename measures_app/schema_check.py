"""A document against the published schema, with reasons that a person can act on.

Knows the part of JSON Schema that `measure.schema.json` uses; a test holds it to the library
that knows all of it. The schema is the one list of keys: what it doesn't name is refused.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

SCHEMA_FILE = Path(__file__).parent / "measure.schema.json"
Place = tuple[str | int, ...]

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "object": ((dict,), "a table"),
    "array": ((list,), "a list"),
    "string": ((str,), "text"),
    "boolean": ((bool,), "true or false"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
}


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The published schema of a measure definition."""
    content: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return content


def problems(document: Any) -> Iterator[tuple[Place, str]]:
    """Where and why a document isn't a measure definition; empty when it is one."""
    yield from _check(document, schema(), ())


def _name(place: Place) -> str:
    """A place as people say it: `norms 2: source`."""
    words = ""
    for part in place:
        if isinstance(part, int):
            words += f" {part + 1}"
        else:
            words += f"{': ' if words else ''}{part}"
    return words or "the document"


def _is(value: Any, kind: str) -> bool:
    kinds, _words = _KINDS[kind]
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    if kind == "number" and isinstance(value, float) and value != value:
        return False
    return isinstance(value, kinds)


def _check(value: Any, rule: dict[str, Any], place: Place) -> Iterator[tuple[Place, str]]:
    if "$ref" in rule:
        rule = {**schema()["$defs"][rule["$ref"].rpartition("/")[2]], **rule}
    kind = rule["type"]
    if not _is(value, kind):
        yield place, f"“{_name(place)}” must be {_KINDS[kind][1]}"
        return
    if "enum" in rule and value not in rule["enum"]:
        yield place, f"“{_name(place)}” must be one of {', '.join(rule['enum'])}"
    if kind == "object":
        yield from _check_table(value, rule, place)
    elif kind == "array":
        yield from _check_size(len(value), "Items", "entries", rule, place)
        for number, entry in enumerate(value[: rule.get("maxItems", len(value))]):
            yield from _check(entry, rule["items"], (*place, number))
    elif kind == "string":
        yield from _check_size(len(value), "Length", "characters", rule, place)
        if "pattern" in rule and not re.search(rule["pattern"], value):
            yield place, f"“{_name(place)}” is not of the form {rule['pattern'].strip('^$')}"
    elif kind in ("integer", "number"):
        yield from _check_bounds(value, rule, place)


def _check_size(
    size: int, what: str, words: str, rule: dict[str, Any], place: Place
) -> Iterator[tuple[Place, str]]:
    least, most = rule.get(f"min{what}", 0), rule.get(f"max{what}")
    if size < least:
        empty = size == 0 and least == 1
        yield place, f"“{_name(place)}” is {'empty' if empty else f'short of {least} {words}'}"
    if most is not None and size > most:
        yield place, f"“{_name(place)}” has {size} {words}; {most} are the most"


def _check_bounds(value: float, rule: dict[str, Any], place: Place) -> Iterator[tuple[Place, str]]:
    above = rule.get("exclusiveMinimum")
    if above is not None and not value > above:
        yield place, f"“{_name(place)}” must be above {above}"
    if value < rule.get("minimum", value) or value > rule.get("maximum", value):
        low, high = rule.get("minimum", "lower"), rule.get("maximum", "higher")
        yield place, f"“{_name(place)}” must lie between {low} and {high}"


def _check_table(
    value: dict[str, Any], rule: dict[str, Any], place: Place
) -> Iterator[tuple[Place, str]]:
    known: dict[str, Any] = rule.get("properties", {})
    others = rule.get("additionalProperties")
    yield from _check_size(len(value), "Properties", "entries", rule, place)
    for key in rule.get("required", ()):
        if key not in value:
            yield place, f"“{_name((*place, key))}” is missing"
    for key, entry in value.items():
        if key in known:
            yield from _check(entry, known[key], (*place, key))
        elif isinstance(others, dict):
            yield from _check(entry, others, (*place, key))
        else:
            near = difflib.get_close_matches(key, known, 1, 0.6)
            hint = f"; did you mean “{near[0]}”?" if near else ""
            where = f" in {_name(place)}" if place else ""
            yield (*place, key), f"“{key}” is unknown{where}{hint}"
