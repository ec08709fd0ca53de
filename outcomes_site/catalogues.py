"""Words in other languages, compiled without system tools: `django.po` in, `django.mo` out.

A language is added with files alone: copy `locale/es`, translate, run `compile_words`.
"""

from __future__ import annotations

import ast
import struct
from pathlib import Path

MAGIC = 0x950412DE
ROOT = Path(__file__).resolve().parent.parent / "locale"


class CatalogueProblem(ValueError):
    """A line of a catalogue that can't be read."""


def read_words(text: str) -> dict[str, str]:
    """Message to translation, as the binary form keys them: plurals joined by a NUL.

    Raises
    ------
    CatalogueProblem
        Naming the line.
    """
    entries: list[dict[str, str]] = []
    part = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if not line.startswith('"'):
            part, _space, line = line.partition(" ")
            if part == "msgid":
                entries.append({})
        try:
            entries[-1][part] = entries[-1].get(part, "") + str(ast.literal_eval(line.strip()))
        except (SyntaxError, ValueError, IndexError):
            raise CatalogueProblem(f"line {number}: {raw}") from None
    words = {}
    for entry in entries:
        message, plural = entry["msgid"], entry.get("msgid_plural")
        if plural is None:
            words[message] = entry.get("msgstr", "")
        else:
            forms = [entry[name] for name in sorted(entry) if name.startswith("msgstr[")]
            words[f"{message}\0{plural}"] = "\0".join(forms)
    return {message: said for message, said in words.items() if said.strip("\0")}


def compile_words(text: str) -> bytes:
    """The catalogue in GNU gettext's binary form, entries in the order of their bytes."""
    pairs = sorted((k.encode(), v.encode()) for k, v in read_words(text).items())
    start = 7 * 4
    at = start + 16 * len(pairs)
    tables: list[list[bytes]] = [[], []]
    body = b""
    for column in (0, 1):
        for pair in pairs:
            tables[column].append(struct.pack("<II", len(pair[column]), at + len(body)))
            body += pair[column] + b"\0"
    originals, translations = start, start + 8 * len(pairs)
    head = struct.pack("<7I", MAGIC, 0, len(pairs), originals, translations, 0, 0)
    return head + b"".join(tables[0]) + b"".join(tables[1]) + body
