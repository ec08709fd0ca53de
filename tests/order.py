"""Side by side, long files go first: the last ones are short, and no worker waits for another."""

from __future__ import annotations

import os
from collections import Counter

import pytest

# Each of their tests starts a site, or plays nights. The first of them need no template of the
# database: one worker makes it while another starts sites.
LONG = ("tests/start/", "tests/backtest/", "tests/night/", "tests/journey/")
WAITING = ("processes", "browser")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not hasattr(config, "workerinput"):
        return
    tests = Counter(item.path for item in items)
    waiting = {item.path for item in items if any(map(item.get_closest_marker, WAITING))}

    def late(item: pytest.Item) -> tuple[int, bool, int, str]:
        place = next((n for n, at in enumerate(LONG) if item.nodeid.startswith(at)), len(LONG))
        return place, item.path not in waiting, -tests[item.path], os.fspath(item.path)

    items.sort(key=late)
