from __future__ import annotations

import pytest


@pytest.mark.browser
@pytest.mark.processes
def test_a_real_browser_reaches_the_live_site(browser, live_site):
    page = browser.new_page()
    try:
        assert page.goto(f"{live_site}/healthz").status == 200
        assert "ok" in page.inner_text("body")
    finally:
        page.close()
