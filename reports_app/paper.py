"""PDF from templates: nothing is fetched from a network or a disk but our own style sheets."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.contrib.staticfiles import finders


class PaperUnavailable(RuntimeError):
    """The PDF engine's libraries are missing; the message says which and how to get them."""


class NothingIsFetched(ValueError):
    """A template asked the PDF engine for a file or an address."""


MISSING = (
    "The PDF engine needs the system library pango. On Debian or Ubuntu: "
    "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
)


@lru_cache(maxsize=1)
def _engine() -> Any:
    try:
        import weasyprint
    except OSError as problem:  # the shared library isn't there
        raise PaperUnavailable(MISSING) from problem
    return weasyprint


def missing() -> str:
    """Why no PDF can be made here; empty when it can."""
    try:
        _engine()
    except PaperUnavailable as problem:
        return str(problem)
    return ""


def _refuse(url: str, *args: Any, **kwargs: Any) -> Any:
    raise NothingIsFetched(f"Paper fetches nothing: {url[:100]}")


def read_ahead() -> None:
    """Load the engine and its fonts, where there is one: a process's first page costs a second."""
    if not missing():
        render_pdf("<html lang='en'><title>-</title><p>1</p></html>")


def style_sheet(name: str) -> str:
    """The text of one of our own style sheets."""
    path = finders.find(f"css/{name}")
    if path is None:
        raise FileNotFoundError(f"static/css/{name}")
    with open(path, encoding="utf-8") as file:
        return file.read()


@lru_cache(maxsize=8)
def _parsed(style: str) -> Any:
    """A style sheet made ready once; a changed text is read anew."""
    return _engine().CSS(string=style, url_fetcher=_refuse)


def render_pdf(html: str, *, sheets: tuple[str, ...] = ("tokens.css", "paper.css")) -> bytes:
    """A tagged PDF of a page's HTML.

    Raises
    ------
    PaperUnavailable
        When the engine's libraries are missing.
    """
    engine = _engine()
    styles = [_parsed(style_sheet(name)) for name in sheets]
    document = engine.HTML(string=html, url_fetcher=_refuse)
    return bytes(document.write_pdf(stylesheets=styles, pdf_variant="pdf/ua-1"))
