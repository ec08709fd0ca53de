"""How soon the client's form can be used on a slow phone: `python3 manage.py test -m scale`.

Prints what it measured; what is asserted is that the form could be used at all. Styles and scripts
are served as in production: collected, compressed, under names of their content.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from measures_app import measures
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from tests.cast import BY, build

pytestmark = [pytest.mark.scale, pytest.mark.browser, pytest.mark.processes]

SLOWER = 4  # times, of the processor
ROUNDS = 5
# Bits a second down and up, milliseconds there and back, as published: Lighthouse's slow phone
# (its "slow 4G", once "fast 3G"), WebPageTest's "3G slow", and the two of Chromium's own tools,
# which stretch the way by 3.75 and 5 to stand for all that a slow network does besides.
NETWORKS = {
    "slow phone (Lighthouse)": (1_638_400, 750_000, 150),
    "3G slow (WebPageTest)": (400_000, 400_000, 400),
    "fast 3G (Chromium's tools)": (1_440_000, 675_000, 562.5),
    "slow 3G (Chromium's tools)": (400_000, 400_000, 2000),
}
READY = "[data-line] input[type=range]"  # hidden until the script shows the line
# Noted in the page itself: asking it from outside takes a slow processor's time too.
NOTES = f"""new MutationObserver(() => {{
  const line = document.querySelector("{READY}");
  if (line && !line.hidden) window.usable ??= performance.now();
}}).observe(document, {{ attributes: true, childList: true, subtree: true }});"""


@pytest.fixture(scope="module")
def served_as_in_production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    storage = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    with override_settings(
        STATIC_ROOT=tmp_path_factory.mktemp("static"),
        STORAGES={**settings.STORAGES, "staticfiles": storage},
        WHITENOISE_USE_FINDERS=False,
    ):
        call_command("collectstatic", "--no-input", verbosity=0)
        yield


@pytest.fixture(scope="module")
def address(served_as_in_production: None, live_site: str) -> str:
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
        page.add_init_script(NOTES)
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
        times.append(page.evaluate("usable"))
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
