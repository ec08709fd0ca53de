"""The one style sheet of the client's pages, joined from those it is written in.

Each further file is a way back and forth on a slow phone. The joined one is committed, as compiled
words are, and a test holds it to its sources.
"""

from __future__ import annotations

import re

from outcomes_site.local.processes import CHECKOUT

FOLDER = CHECKOUT / "static" / "css"
SOURCES = ("tokens.css", "base.css", "components.css", "respondent.css")
JOINED = FOLDER / "client.css"
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def joined() -> str:
    """The sources one after the other, without comments and indentation."""
    text = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SOURCES)
    lines = (line.strip() for line in COMMENT.sub("", text).splitlines())
    head = "/* Made by `manage.py join_styles` from " + ", ".join(SOURCES) + ". */"
    return "\n".join([head, *filter(None, lines)]) + "\n"
