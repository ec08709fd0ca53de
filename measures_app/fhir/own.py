"""What FHIR has no word for, as nested extensions of ours: written and read back the same."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from measures_app.fhir.report import Report
from measures_app.fhir.resource import extensions, parts_of, tables, value_of
from measures_app.fhir.urls import WORDING


def encode(url: str, value: Any) -> list[dict[str, Any]]:
    """Extensions named `url` that hold a value; a list is one extension an entry."""
    if isinstance(value, (list, tuple)):
        return [extension for entry in value for extension in encode(url, entry)]
    if isinstance(value, dict):
        inner = [extension for key in value for extension in encode(key, value[key])]
        return [{"url": url, "extension": inner}] if inner else []
    if value is None or value == "":
        return []
    if isinstance(value, bool):
        return [{"url": url, "valueBoolean": value}]
    if isinstance(value, int):
        return [{"url": url, "valueInteger": value}]
    if isinstance(value, (float, Decimal)):
        return [{"url": url, "valueDecimal": float(value)}]
    return [{"url": url, "valueString": str(value)}]


def _decoded(extension: dict[str, Any]) -> Any:
    inner = tables(extension.get("extension"))
    if inner:
        return _table(inner)
    value = value_of(extension)[1]
    if isinstance(value, Decimal):
        whole = int(value.as_tuple().exponent) >= 0
        return int(value) if whole else float(value)
    return value


def _table(inner: list[dict[str, Any]]) -> dict[str, Any]:
    """Keys that stand more than once become a list."""
    found: dict[str, Any] = {}
    for entry in inner:
        key, value = str(entry.get("url", "")), _decoded(entry)
        if value is None or isinstance(value, list):
            continue  # an extension holds one value or further extensions
        if key not in found:
            found[key] = value
        elif isinstance(found[key], list):
            found[key].append(value)
        else:
            found[key] = [found[key], value]
    return found


def decode(element: Any, url: str) -> dict[str, Any]:
    """What an extension of ours says; empty where there is none."""
    for extension in extensions(element, url):
        return _table(tables(extension.get("extension")))
    return {}


def as_list(value: Any) -> list[Any]:
    """A key that was written from a list, whatever number of entries it had."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def encode_words(language: str, words: dict[str, Any]) -> list[dict[str, Any]]:
    """Wording that has no place in FHIR: kept as JSON, a language an extension."""
    if not words:
        return []
    text = json.dumps(words, ensure_ascii=False, sort_keys=True)
    return [
        {
            "url": WORDING,
            "extension": [
                {"url": "lang", "valueCode": language},
                {"url": "words", "valueString": text},
            ],
        }
    ]


def _holds_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_null(entry) for entry in value.values())
    if isinstance(value, list):
        return any(_holds_null(entry) for entry in value)
    return value is None


def decode_words(element: Any, where: str, out: Report) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for extension in extensions(element, WORDING):
        parts = parts_of(extension)
        try:
            words = json.loads(str(parts.get("words")))
        except (ValueError, RecursionError):
            words = None
        if not isinstance(words, dict) or _holds_null(words):
            out.fault(where, "its further wording is no JSON object of texts")
        else:
            found[str(parts.get("lang", ""))] = words
    return found
