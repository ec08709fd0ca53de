"""The agency's trends in a real browser: explored with script, drawn without, strict headers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reports_app.actions import BACKTEST
from reports_app.nightly import run_night
from reports_app.periods import Month
from sessions_app import clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Job
from tests.browsers import PHONE, OpenPage, beyond_edges
from tests.cast import BY, PASSWORD
from tests.reports.conftest import Month12, end_one

pytestmark = [pytest.mark.browser]


@pytest.fixture(scope="module")
def busy(month: Month12) -> Month12:
    """Two months with enough endings to draw."""
    before = Month((month.month.start - timedelta(days=1)).replace(day=1))
    with acting_as(BY):
        for place in range(9):
            end_one(month.clinic, before, 50 + place, 15.0 + place, 29.0, "agreed")
        run_night(clinic_time.today())
    return month


def _agency(browser: Any, site: str, **options: Any) -> tuple[Any, Any, list[str]]:
    context = browser.new_context(base_url=site, **options)
    page, said = context.new_page(), []
    page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    page.goto("/sign-in/")
    page.get_by_label("E-mail").fill("dora@clinic.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)
    page.goto("/agency/")
    return context, page, said


def test_with_script_a_trend_is_explored_and_nothing_is_refused(
    busy: Month12, live_site: str, browser: Any
) -> None:
    context, page, said = _agency(browser, live_site)
    page.locator(".plot .main-svg").first.wait_for()
    figures = page.locator("[data-plot]").count()
    assert figures >= 2
    assert page.locator(".plot .main-svg .scatterlayer").count() >= figures
    assert not page.locator("[data-plot] > .chart").first.is_visible()
    assert said == []  # the policy refused no style and no script
    page.emulate_media(color_scheme="dark")
    light = "rgb(27, 36, 36)"
    point = page.locator(".plot .points path").first
    assert point.evaluate("e => getComputedStyle(e).fill") != light
    context.close()


def test_without_script_the_drawing_stands_and_the_table_is_beside_it(
    busy: Month12, live_site: str, browser: Any
) -> None:
    context, page, _said = _agency(browser, live_site, java_script_enabled=False)
    assert page.locator("[data-plot] > .chart").first.is_visible()
    assert page.locator(".plot").count() == 0
    page.get_by_text("As a table").click()
    rows = page.locator("table", has_text="Sessions").locator("tbody tr")
    assert rows.count() >= 12
    context.close()


PAGES = {
    "dora": [
        "/agency/", "/agency/groups/", "/agency/flow/", "/agency/funnel/", "/reports/{month}/",
        "/reports/{year}/", "/reports/{month}/entries/", "/exports/", "/review/results/",
    ],
    "bob": ["/practice/"],
    "sofia": ["/team/"],
}  # fmt: skip


def test_on_a_phone_nothing_of_a_report_lies_beyond_its_card(
    busy: Month12, live_site: str, open_page: OpenPage
) -> None:
    month, broken = busy.month, []
    for who, paths in PAGES.items():
        page = open_page(live_site, busy.clinic.users[who], **PHONE, color_scheme="dark")
        for path in paths:
            page.goto(live_site + path.format(month=month, year=month.start.year))
            broken += beyond_edges(page)
        assert page.locator("table").count() or who != "bob"
    assert broken == []


def test_a_page_that_waits_for_work_is_not_loaded_again_each_second(
    busy: Month12, live_site: str, open_page: OpenPage
) -> None:
    with acting_as(BY):
        job = Job.objects.create(kind=BACKTEST)
    try:
        page, opened = open_page(live_site, busy.clinic.users["sofia"]), []
        page.on("framenavigated", lambda frame: opened.append(frame.url))
        page.goto(f"{live_site}/rules/")
        assert page.locator("[data-state] progress").is_visible()
        page.wait_for_timeout(2500)  # two looks: what is awaited is that nothing comes
        assert len(opened) == 1
    finally:
        with acting_as(BY):
            Job.objects.filter(pk=job.pk).update(
                finished_at=clinic_time.now(), state=Job.State.STOPPED
            )
