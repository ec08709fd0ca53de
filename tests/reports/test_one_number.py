"""A director signs in and has the board's PDF within four clicks; its numbers are the page's."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pypdf
import pytest

from reports_app.metric import COLUMNS, Metric
from reports_app.paper import missing
from reports_app.small import few_of
from reports_app.templatetags.report_extras import metric_interval, metric_value
from tests.cast import PASSWORD
from tests.reports.conftest import Month12

pytestmark = [pytest.mark.browser]
TEXTS = ("month", "scope", "measure", "metric", "note")


def _metrics(content: str) -> list[Metric]:
    return [
        Metric(**{name: row[name] if name in TEXTS else float(row[name]) if row[name] else None
                  for name in COLUMNS})
        for row in csv.DictReader(io.StringIO(content))
    ]  # fmt: skip


def _words(text: str) -> str:
    return " ".join(text.replace("\xa0", " ").split())


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_from_sign_in_to_the_boards_pdf_in_four_clicks_and_every_number_is_one(
    month: Month12, live_site: str, browser: Any
) -> None:
    context = browser.new_context(base_url=live_site, accept_downloads=True)
    page, clicks = context.new_page(), 0
    page.goto("/sign-in/")
    page.get_by_label("E-mail").fill("dora@clinic.example")
    page.get_by_label("Password").fill(PASSWORD)

    def click(role: str, name: str) -> None:
        nonlocal clicks
        page.get_by_role(role, name=name, exact=True).first.click()
        clicks += 1

    def download(name: str) -> bytes:
        with page.expect_download() as found:
            click("link", name)
        return Path(found.value.path()).read_bytes()

    click("button", "Sign in")
    page.wait_for_url("**/agency/**")
    click("link", "The month's report")
    page.wait_for_url(f"**/reports/{month.month}/")
    pdf = download("PDF")
    assert clicks <= 4
    table = download("CSV").decode("utf-8")
    for details in page.locator("details").all():
        details.evaluate("e => e.open = true")
    shown = _words(page.locator("main").inner_text())
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    printed = _words(" ".join(each.extract_text() for each in pages))
    metrics = _metrics(table)
    few = few_of(metrics, 8)
    compared = 0
    for i, metric in enumerate(metrics):
        if i in few or metric.value is None:
            continue
        for words in (metric_value(metric), metric_interval(metric)):
            assert _words(words) in shown, (metric.metric, words)
            assert _words(words) in printed, (metric.metric, words)
            compared += 1
    assert compared > 30
    context.close()
