"""What is marked or typed stays on the page until it is kept, whatever the connection does."""

from __future__ import annotations

from typing import Any

import pytest

from measures_app.models import Administration
from sessions_app.context import acting_as
from tests.browsers import tap, tap_all, values
from tests.cast import BY, Clinic

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def _totals(clinic: Clinic) -> list[float | None]:
    with acting_as(BY):
        rows = Administration.objects.current().filter(client=clinic.ana).order_by("pk")
        return [row.total if row.total is None else float(row.total) for row in rows]


def test_a_server_that_never_answers_is_asked_again_and_the_page_says_where_it_stands(
    site: Any, address: str, phone: Any
) -> None:
    before = _totals(site[1])
    phone.clock.install()
    phone.goto(address)
    tap_all(phone)
    held: list[Any] = []
    phone.route("**/m/**", lambda route: held.append(route))
    phone.get_by_role("button", name="Send").tap()
    phone.clock.run_for(1000)
    phone.get_by_text("Sending …").wait_for()
    phone.clock.run_for(30000)
    phone.get_by_text("Not sent yet").wait_for()
    assert values(phone) == ["6.0"] * 4
    phone.unroute("**/m/**")
    phone.get_by_role("button", name="Send").tap()  # whoever doesn't like to wait
    phone.get_by_role("heading", name="Thank you").wait_for()
    assert len(held) == 1
    assert _totals(site[1]) == [*before, 24.0]


def test_a_mark_moved_while_it_waits_is_what_is_sent(site: Any, address: str, phone: Any) -> None:
    before = _totals(site[1])
    phone.goto(address)
    tap_all(phone)
    phone.context.set_offline(True)
    phone.get_by_role("button", name="Send").tap()
    phone.get_by_text("Not sent yet").wait_for()
    tap(phone, 0, 0.1)
    phone.context.set_offline(False)
    phone.get_by_role("heading", name="Thank you").wait_for()
    assert _totals(site[1]) == [*before, 19.0]
