"""Pages in a real browser: contexts that close by themselves, sign-in by cookie, WCAG's rules."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from sessions_app.models import User
from sessions_app.second_factor import BACKEND

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
    "preload": False,
}
# What holds is counted in the page: carrying it over takes longer than finding it.
BROKEN = f"axe.run({json.dumps(RULES)}).then(found => found.violations)"

OpenPage = Callable[..., Any]


def sign_in(context: Any, url: str, user: User) -> None:
    """Give a browser's context the session that signing in makes."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = BACKEND
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": store.session_key, "url": url}
    context.add_cookies([cookie])


# Tables and drawings that leave their card, folded away or not: beyond an edge nobody looks.
WIDE = """() => {
    const folded = [...document.querySelectorAll("details:not([open])")];
    for (const one of folded) one.open = true;
    const edge = (e) => Math.round(e.getBoundingClientRect().right);
    const around = (e) => e.parentElement.closest(".scroll, .card, main");
    const wide = [...document.querySelectorAll("main :is(table, figure, svg.chart, .plot)")]
        .filter((e) => e.checkVisibility() && edge(e) > edge(around(e)) + 1)
        .map((e) => (e.caption ?? e).textContent.trim().slice(0, 60) || e.outerHTML.slice(0, 60));
    for (const one of folded) one.open = false;
    return wide;
}"""
BEYOND = """[...document.querySelectorAll(".places a")]
    .filter((a) => a.getBoundingClientRect().right > innerWidth).map((a) => a.textContent)"""


def broken_rules(page: Any) -> list[str]:
    """Which rules of WCAG 2.2 AA a page breaks, and where; what lies beyond an edge is more."""
    found = [
        f"{page.url} {rule['id']}: {rule['nodes'][0]['html'][:120]}"
        for rule in page.evaluate(f"{AXE_SCRIPT};{BROKEN}")
    ]
    return found + beyond_edges(page)


def beyond_edges(page: Any) -> list[str]:
    """What nobody sees who doesn't look beside the screen or a card.

    A page too wide, places of the navigation, tables and drawings.
    """
    found = []
    width = page.viewport_size["width"]
    if page.evaluate("document.documentElement.scrollWidth") > width:
        found.append(f"{page.url} is wider than {width} px")
    found += [f"{page.url} has {place} beyond its edge" for place in page.evaluate(BEYOND)]
    found += [f"{page.url} has {what} wider than its card" for what in page.evaluate(WIDE)]
    return found


@pytest.fixture
def open_page(browser: Any) -> Iterator[OpenPage]:
    """`open_page(url, clinic.alice, **PHONE)`: a page of a context of its own, signed in or not."""
    contexts = []

    def make(url: str = "", user: User | None = None, **how: Any) -> Any:
        contexts.append(browser.new_context(**how))
        if user is not None:
            sign_in(contexts[-1], url, user)
        return contexts[-1].new_page()

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def phone(open_page: OpenPage) -> Any:
    """A respondent's own phone: 360 px, a touch screen, nobody signed in."""
    return open_page(**PHONE)


def tap(page: Any, index: int, share: float) -> None:
    """Tap a line of the form at a share of its length from the left."""
    line = page.locator("[data-line] input[type=range]").nth(index)
    line.scroll_into_view_if_needed()
    box = line.bounding_box()
    page.touchscreen.tap(box["x"] + 4 + (box["width"] - 8) * share, box["y"] + box["height"] / 2)


def tap_all(page: Any, share: float = 0.6) -> int:
    """Tap each line of the form once; how many there are."""
    count = page.locator("[data-line] input[type=range]").count()
    for index in range(count):
        tap(page, index, share)
    return int(count)


def values(page: Any) -> list[str]:
    """What each line of the form would send: empty where it wasn't touched."""
    return [kept.input_value() for kept in page.locator("[data-line] input[name]").all()]
