"""Scripts of one page share their names: one that is declared twice takes the other's place."""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain

import pytest

from outcomes_site.local.processes import CHECKOUT

TEMPLATES = CHECKOUT / "templates"
LOADED = re.compile(r"""<script src="{% static '(js/[\w.]+)' %}" defer>""")
DECLARED = re.compile(r"^(?:const|let|(?:async )?function) (\w+)", re.M)


def _scripts(template: str) -> list[str]:
    """The classic scripts of a page, with its base's where it keeps them."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    own = LOADED.findall(text)
    base = re.search(r'{% extends "([^"]+)" %}', text)
    if base is None or ("block scripts" in text and "block.super" not in text):
        return own
    return _scripts(base[1]) + own


PAGES = sorted(
    str(path.relative_to(TEMPLATES))
    for path in TEMPLATES.rglob("*.html")
    if LOADED.search(path.read_text(encoding="utf-8"))
)


@pytest.mark.parametrize("template", PAGES)
def test_no_two_scripts_of_a_page_declare_one_name(template: str) -> None:
    """A progress bar stood still, as the page's other script had a `look` too."""
    texts = [(CHECKOUT / "static" / one).read_text(encoding="utf-8") for one in _scripts(template)]
    names = Counter(chain.from_iterable(set(DECLARED.findall(text)) for text in texts))
    assert [name for name, count in names.items() if count > 1] == []


def test_what_each_page_of_a_signed_in_person_loads_has_names_of_its_own() -> None:
    base = (TEMPLATES / "base.html").read_text(encoding="utf-8")
    assert '<script type="module" src="{% static \'js/presence.js\' %}">' in base
