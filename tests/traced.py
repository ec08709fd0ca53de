"""Coverage is measured while those tests run that complete the core, access and rights.

Under Python 3.11 a traced test takes half as long again and more, whichever files are looked at:
all others run untraced. `python3 manage.py test --cov` traces every test, over all files.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from coverage import Coverage

BY = ("tests/psychometrics/", "tests/access/")


class Tracing:
    """On while modules are imported, and then for some tests alone."""

    def __init__(self) -> None:
        self.measured: Coverage | None = None
        self.on = True

    def turn(self, on: bool) -> None:
        if self.measured is None or on is self.on:
            return
        if on:
            self.measured.start()
        else:
            self.measured.stop()
        self.on = on

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        self.measured = Coverage.current()
        self.turn(False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.turn(item.nodeid.startswith(BY))
        return (yield)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Tracing())
