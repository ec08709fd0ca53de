"""The same outcomes by group: each with its n, none of too few, nothing found by subtraction."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from reports_app import groups
from reports_app.groups import COLUMNS, tables
from sessions_app.context import acting_as
from tests.cast import BY
from tests.reports.conftest import Month12, browser_text, signed_in

LIMIT = 8


def _rows(*wanted: tuple[str, int, str, str]) -> list[tuple[Any, ...]]:
    """(site, how many, class, ending) as the summaries' columns."""
    return [
        tuple(
            {"site__name": site, "outcome_class": label, "ending": ending, "age_at_opening": 40,
             "measure__code": "phq-9", "mid_care": False, "attended": 6,
             "client__attributes": {"language at home": site}}.get(column)
            for column in COLUMNS
        )
        for site, n, label, ending in wanted for _ in range(n)
    ]  # fmt: skip


@pytest.fixture
def made(db: Any, month: Month12, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tables of given rows instead of the clinic's."""

    def of(rows: list[tuple[Any, ...]], by: str = "site") -> groups.Table:
        frame = pd.DataFrame.from_records(rows, columns=COLUMNS)
        monkeypatch.setattr(groups.pd.DataFrame, "from_records", lambda *a, **k: frame.copy())
        with acting_as(BY):
            return tables(month.month, by, LIMIT)[0]

    return of


def test_a_groups_rate_stands_with_its_coverage_and_bounds(made: Any) -> None:
    table = made(
        _rows(
            ("North", 12, "improved", "agreed"), ("North", 8, "unchanged", "client_stopped"),
            ("North", 5, "", "unknown"), ("South", 9, "recovered", "agreed"),
            ("South", 3, "deteriorated", "client_stopped"),
        )
    )  # fmt: skip
    north, south = table.groups
    assert (north.name, north.ended, south.ended) == ("North", 25, 12)
    assert north.improved.rate == 12 / 20
    assert north.improved.coverage == 20 / 25
    assert (north.improved.worst, north.improved.best) == (12 / 25, 17 / 25)
    assert north.stopped.rate == 8 / 20
    assert south.improved.rate == 9 / 12
    assert table.everybody.improved.rate == 21 / 32


def test_a_small_group_takes_another_with_it(made: Any) -> None:
    table = made(_rows(("East", 3, "improved", "agreed"), ("North", 20, "improved", "agreed"),
                       ("South", 30, "unchanged", "agreed")))  # fmt: skip
    assert {g.name: g.ended for g in table.groups} == {"East": None, "North": None, "South": 30}
    assert table.everybody.ended == 53


def test_groups_are_what_the_clinic_records_and_keep_their_order(made: Any) -> None:
    rows = _rows(("Spanish", 9, "improved", "agreed"), ("Arabic", 9, "unchanged", "agreed"))
    assert [g.name for g in made(rows, "attribute:language at home").groups] == [
        "Arabic", "Spanish"
    ]  # fmt: skip
    assert [g.name for g in made(rows, "age").groups] == ["26-64"]


@pytest.mark.parametrize("by", list(groups.DIMENSIONS))
def test_the_page_has_each_dimension(month: Month12, by: str) -> None:
    page = f"/agency/groups/?by={by}&period={month.month}"
    text = browser_text(signed_in(month, "dora"), page)
    assert "Everybody" in text


def test_what_is_no_dimension_or_period_is_said(month: Month12) -> None:
    browser = signed_in(month, "dora")
    assert browser.get("/agency/groups/?by=name").status_code == 404
    wrong = browser.get("/agency/groups/?period=soon")
    assert wrong.status_code == 400
    assert 'value="soon"' in wrong.content.decode()
    empty = browser_text(browser, "/agency/groups/?period=1995-05")
    assert "Nobody's care ended in this period" in empty
