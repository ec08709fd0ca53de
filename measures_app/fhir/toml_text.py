"""A definition document as TOML text: the master format, also for what came from FHIR.

The standard library reads TOML and doesn't write it; this writes what definitions are made of.
"""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from typing import Any

from measures_app.definitions import ItemDefinition, MeasureDefinition
from measures_app.schema_check import schema

TOP_KEYS: tuple[str, ...] = tuple(schema()["properties"])
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    """A JSON string is a TOML one but for DEL, which TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, date)):
        return str(value)
    if isinstance(value, (float, Decimal)):
        return repr(float(value))
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    inner = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items())
    return "{ " + inner + " }" if inner else "{}"


def _table(path: tuple[str, ...], table: dict[str, Any]) -> list[str]:
    """A [table] with its plain keys, then the tables within it."""
    plain = {k: v for k, v in table.items() if not isinstance(v, dict)}
    lines = []
    if plain or not table:
        lines.append(f"[{'.'.join(_key(part) for part in path)}]")
        lines += [f"{_key(k)} = {_value(v)}" for k, v in plain.items()]
        lines.append("")
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _table((*path, key), value)
    return lines


def write_document(document: dict[str, Any], *, comment: str = "") -> str:
    """TOML text of a definition document, keys in the order of the format.

    `parse_definition` of the text gives the definition the document stands for.
    """
    lines = [f"# {line}" for line in comment.splitlines()]
    ordered = [key for key in TOP_KEYS if document.get(key) not in (None, "", [], {}, ())]
    array_tables = ("codes", "groups", "items", "norms")
    for key in ordered:
        if key not in array_tables and not isinstance(document[key], dict):
            lines.append(f"{_key(key)} = {_value(document[key])}")
    lines.append("")
    for key in ordered:
        if key in array_tables:
            for entry in document[key]:
                lines.append(f"[[{key}]]")
                lines += [f"{_key(k)} = {_value(v)}" for k, v in entry.items() if v is not None]
                lines.append("")
        elif isinstance(document[key], dict):
            lines += _table((key,), document[key])
    return "\n".join(lines).rstrip() + "\n"


_ITEM_DEFAULTS = ItemDefinition("")


def document_of(definition: MeasureDefinition) -> dict[str, Any]:
    """The document that a definition could have been read from."""
    document = {k: v for k, v in definition.to_dict().items() if v not in (None, "", [], {}, ())}
    items = []
    for item in definition.items:
        table: dict[str, Any] = {"id": item.id}
        derived = ("low", "high", "step") if item.choices else ()
        for key, value in item.__dict__.items():
            if key != "id" and key not in derived and value != getattr(_ITEM_DEFAULTS, key):
                table[key] = list(value) if isinstance(value, tuple) else value
        if item.choices and item.kind == "choice":
            del table["kind"]
        items.append(table)
    document["items"] = items
    if definition.max_missing == 0:
        document.pop("max_missing", None)
    return document


def to_toml(definition: MeasureDefinition, *, comment: str = "") -> str:
    """A definition as TOML text; reading it gives an equal definition."""
    return write_document(document_of(definition), comment=comment)
