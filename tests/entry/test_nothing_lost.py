"""What is marked or typed stays on the page until it is kept, whatever the connection does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session as StoredSession

from measures_app.models import Administration
from sessions_app import actions, clinic_time
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


def _typed(page: Any) -> list[str]:
    return [mark.input_value() for mark in page.locator("[data-mark]").all()]


def _quick_entry(site: Any, open_page: Any) -> Any:
    url, clinic = site
    with acting_as(BY):
        session = actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.now() - timedelta(hours=1),
            by=BY,
        )
    page = open_page(url, clinic.alice)
    page.goto(f"{url}/sessions/{session.pk}/")
    page.keyboard.type("6455716080907588")
    return page


def test_what_was_typed_from_paper_outlasts_a_dropped_connection_and_arrives_once(
    site: Any, open_page: Any
) -> None:
    before = _totals(site[1])
    page = _quick_entry(site, open_page)
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    page.get_by_text("Not kept yet").wait_for()
    assert _typed(page) == ["64", "55", "71", "60", "80", "90", "75", "88"]
    lost = []

    def lose_the_answer(route: Any) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route("**/sessions/**", lose_the_answer)
    with page.expect_event("requestfailed"):
        page.context.set_offline(False)  # it goes by itself, arrives, and no answer comes back
    page.get_by_role("button", name="Keep").click()
    page.wait_for_url("**/picture/")
    assert lost == [200]
    assert _totals(site[1]) == [*before, 25.0, 33.3]


def test_wrong_marks_come_back_on_the_same_page_and_a_signed_out_sender_is_asked_in_again(
    site: Any, open_page: Any
) -> None:
    page = _quick_entry(site, open_page)
    page.locator("[data-mark]").nth(2).fill("640")
    page.get_by_role("button", name="Keep").click()
    page.get_by_text("the line is 100 mm long, not 640").wait_for()
    assert _typed(page) == ["64", "55", "640", "60", "80", "90", "75", "88"]
    assert page.locator(":focus").input_value() == "640"
    page.locator(":focus").fill("71")
    assert page.locator("[data-total]").first.text_content() == "25"
    StoredSession.objects.all().delete()
    page.get_by_role("button", name="Keep").click()
    page.wait_for_url("**/sign-in/**")
