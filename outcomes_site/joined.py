"""Style sheet and script of the client's form, one file each, joined from several sources.

Each further file is a way back and forth on a slow phone. The joined ones are committed, as
compiled words are, and a test holds them to their sources. On the respondent's own device, which
has seen neither before, they stand within the page; by their hashes the browser knows them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from outcomes_site.local.processes import CHECKOUT

STATIC = CHECKOUT / "static"
SOURCES = {
    "css/client.css": ("tokens.css", "base.css", "components.css", "respondent.css"),
    "js/client.js": ("sending.js", "form.js"),
}
# A script's comment is taken out where it has a line to itself.
COMMENTS = {".css": re.compile(r"/\*.*?\*/", re.DOTALL), ".js": re.compile(r"^\s*//.*$", re.M)}


def place_of(name: str) -> Path:
    return STATIC / name


def joined(name: str) -> str:
    """The sources one after the other, without comments and indentation."""
    place, sources = place_of(name), SOURCES[name]
    text = "\n".join((place.parent / one).read_text(encoding="utf-8") for one in sources)
    lines = (line.strip() for line in COMMENTS[place.suffix].sub("", text).splitlines())
    head = "/* Made by `manage.py join_files` from " + ", ".join(sources) + ". */"
    return "\n".join([head, *filter(None, lines)]) + "\n"


@cache
def text_of(name: str) -> str:
    """A joined file as it is committed: read once a process, so that it fits its hash."""
    return place_of(name).read_text(encoding="utf-8")


@cache
def hash_of(name: str) -> str:
    """The file's source expression for the content security policy."""
    found = hashlib.sha256(text_of(name).encode()).digest()
    return f"'sha256-{base64.b64encode(found).decode()}'"
