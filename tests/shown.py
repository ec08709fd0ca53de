"""How much of the whole the tests run through: a table at the end, for the price of reading it in.

slipcover marks each line in a module's code as it is imported and takes the mark away once the line
ran; tests go at nearly their own speed. What is promised complete is left out here: it is measured
branch by branch, by `traced`. Processes that tests start aren't looked into.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from slipcover import FileMatcher, ImportManager, Slipcover

from outcomes_site.local.checks import COMPLETE

ROOMS = ("measures_app", "outcomes_site", "reports_app", "sessions_app")
Lines = dict[str, tuple[list[int], list[int]]]  # of each file: those that ran, all there are


class Shown:
    """Marks in this process; the lines of all workers where the tests run side by side."""

    def __init__(self) -> None:
        self.marks = Slipcover()
        # Marks would make a tracer see branches that aren't taken.
        apart = ["*/migrations/*", *COMPLETE.split(",")]
        matcher = FileMatcher(sources=list(ROOMS), omit=apart)
        self.importing = ImportManager(self.marks, matcher)
        self.importing.__enter__()
        self.ran: dict[str, set[int]] = {}
        self.there: dict[str, set[int]] = {}

    def take(self, lines: Lines) -> None:
        for name, (ran, there) in lines.items():
            self.ran.setdefault(name, set()).update(ran)
            self.there.setdefault(name, set()).update(there)

    def own(self) -> Lines:
        files = self.marks.get_coverage()["files"]
        return {
            os.path.relpath(name): (
                found["executed_lines"],
                sorted({*found["executed_lines"], *found["missing_lines"]}),
            )
            for name, found in files.items()
        }

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is None:
            self.take(self.own())
        else:
            output["shown"] = self.own()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        self.take(getattr(node, "workeroutput", {}).get("shown", {}))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        write = terminalreporter.write_line
        terminalreporter.section("coverage of the whole, by lines")
        lines: Counter[str] = Counter()
        missing: Counter[str] = Counter()
        for name, there in sorted(self.there.items()):
            gone = len(there - self.ran[name])
            room = Path(name).parts[0]
            for place in (room, "all"):
                lines[place] += len(there)
                missing[place] += gone
            if gone:
                write(_row(name, len(there), gone))
        for place in (*ROOMS, "all"):
            write(_row(place.upper(), lines[place], missing[place]))


def _row(name: str, lines: int, missing: int) -> str:
    share = 100 * (lines - missing) // lines if lines else 100
    return f"{name:<60} {lines:>6} {missing:>6} {share:>4}%"


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SHOWN)


SHOWN = Shown()  # when this is imported: before all that it marks
