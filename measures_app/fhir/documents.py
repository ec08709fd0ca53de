"""From bytes to a JSON object that is safe to read further.

Refused here: too large, too deep, not UTF-8, not JSON, a key twice, NaN, control characters.
Numbers become `Decimal`, so that 0.1 stays 0.1.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from measures_app.fhir.report import refuse

MAX_BYTES = 5_000_000
MAX_DEPTH = 60
MAX_NUMBER = 1_000_000
WHITE = "\t\n\r"


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise refuse(f"the key “{key[:80]}” stands twice in one object; which one counts?")
        found[key] = value
    return found


def _constant(name: str) -> Any:
    raise refuse(f"{name} is no JSON number")


def _text_of(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise refuse("the file is UTF-16; FHIR is UTF-8: save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise refuse(
            f"the file is not UTF-8 (byte {problem.start + 1}); save it as UTF-8"
        ) from None


def _check(root: Any) -> None:
    """Depth and characters, without recursion: the document chose its own depth."""
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise refuse(f"the document is nested deeper than {MAX_DEPTH} levels")
        below: list[Any] = []
        for node in level:
            if isinstance(node, str):
                _check_text(node)
            elif isinstance(node, dict):
                for key in node:
                    _check_text(key)
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
        level = below


def _check_text(text: str) -> None:
    if text.isprintable():
        return
    for character in text:
        if (
            (character < " " and character not in WHITE)
            or character == "\x7f"
            or "\ud800" <= character <= "\udfff"
        ):
            raise refuse(
                f"the text “{ascii(text[:30])[1:-1]}” holds the character U+{ord(character):04X}, "
                "which no text may hold"
            )


def read_json(data: bytes) -> dict[str, Any]:
    """A JSON object from a file's bytes.

    Raises
    ------
    FhirProblem
        Saying what the file is instead.
    """
    if len(data) > MAX_BYTES:
        raise refuse(
            f"the file is larger than {MAX_BYTES // 1_000_000} MB; a measure is a few hundred kB: "
            "leave out pictures and other resources"
        )
    text = _text_of(data)
    if text.lstrip()[:1] == "<":
        raise refuse("the file is XML; FHIR JSON is read: ask for application/fhir+json")
    try:
        root = json.loads(
            text, object_pairs_hook=_pairs, parse_float=Decimal, parse_constant=_constant
        )
    except json.JSONDecodeError as problem:
        raise refuse(f"no JSON: {problem.msg}", f"line {problem.lineno}") from None
    except RecursionError:
        raise refuse(f"the document is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as problem:
        if hasattr(problem, "faults"):
            raise
        raise refuse(f"a number in the file is too long to be one: {problem}") from None
    if not isinstance(root, dict):
        raise refuse("the file holds no JSON object; a FHIR resource is one")
    _check(root)
    return root


def number(value: Any) -> Decimal:
    """A finite number of sensible size.

    Raises
    ------
    ValueError
        Saying what it is instead.
    """
    if isinstance(value, str):
        raise ValueError(f"“{value[:40]}” is text where a number belongs: write it without quotes")
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError(f"{str(value)[:40]} is no number")
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise ValueError("the number is too large for a score")
    found = Decimal(str(value))
    # The exponent first: arithmetic on a vast one overflows.
    if not found.is_finite() or found.adjusted() > 6 or abs(found) > MAX_NUMBER:
        raise ValueError("the number is too large for a score")
    if found.adjusted() < -9 or found * 10 % 1:
        raise ValueError(f"{found} is finer than a tenth, the finest score kept")
    return found


def plain(value: Decimal | float | int) -> int | float:
    """As JSON and TOML write it: 3 and 0.1, never 3.0."""
    return int(value) if value == int(value) else float(value)
