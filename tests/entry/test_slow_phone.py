"""How soon the client's form can be used on a slow phone: `python3 manage.py test -m scale`.

Prints what it measured; what is asserted is that the form could be used at all.
"""

from __future__ import annotations

import statistics
from datetime import timedelta
from typing import Any

import pytest

from measures_app import measures
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from tests.cast import BY, build

pytestmark = [pytest.mark.scale, pytest.mark.browser, pytest.mark.processes]

SLOWER = 4  # times, of the processor
ROUNDS = 5
# Bits a second down and up, milliseconds there and back.
NETWORKS = {"fast 3G": (1_600_000, 750_000, 150), "slow 3G": (400_000, 400_000, 400)}
READY = "[data-line] input[type=range]"  # hidden until the script shows the line


@pytest.fixture(scope="module")
def address(live_site: str) -> str:
    with acting_as(BY):
        clinic = build()
        measures.sync_library()
        session = actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.now() + timedelta(hours=1),
            by=BY,
        )
        _link, token = actions.make_link(
            session=session, respondent=clinic.ana.respondents.get(), by=clinic.alice
        )
    return f"{live_site}/m/{token}/"


@pytest.mark.parametrize("network", NETWORKS)
def test_the_form_on_a_slow_phone(browser: Any, address: str, network: str) -> None:
    down, up, back_and_forth = NETWORKS[network]
    times, heard = [], 0
    for _round in range(ROUNDS):
        context = browser.new_context(
            viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
        )
        page = context.new_page()
        devtools = context.new_cdp_session(page)
        devtools.send("Network.enable")
        devtools.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": back_and_forth,
                "downloadThroughput": down / 8,
                "uploadThroughput": up / 8,
            },
        )
        devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.goto(address, wait_until="commit")
        page.locator(READY).first.wait_for()
        # By the browser's own clock, from the tap on the link on.
        times.append(page.evaluate("performance.now()"))
        heard = page.evaluate(
            "performance.getEntriesByType('resource').concat("
            "performance.getEntriesByType('navigation'))"
            ".reduce((sum, one) => sum + one.transferSize, 0)"
        )
        page.locator("[data-line] input[type=range]").first.tap()
        assert page.locator("[data-line] input[name]").first.input_value() == "5.0"
        context.close()
    print(
        f"\n{network}, processor {SLOWER} times slower: the form can be used after "
        f"{statistics.median(times):.0f} ms (longest {max(times):.0f}); {heard / 1000:.1f} kB"
    )
