"""The four ways in, driven in a real browser and pictured: `python3 manage.py test -m record`.

Every picture lands in a folder (RECORD_TO, else a temporary one) beside an index; a few of them
stand in docs/entering.md. What is asked for here is that somebody looks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.models import Administration
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Session
from tests.cast import BY, PASSWORD, Clinic, build

pytestmark = [pytest.mark.record, pytest.mark.browser, pytest.mark.processes]

WIDE = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
TABLET = {"viewport": {"width": 820, "height": 1100}, "has_touch": True}
COURSE = [(16.4, 30.1), (17.9, 31.5), (19.2, 32.0), (18.6, 29.4), (22.3, 33.8)]
PEOPLE = ("Ana Oliveira", "Leo Martin", "María Gómez", "Sam Reed")


class Album:
    """Numbered pictures, and the page that says what is on each."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lines = folder, ["# The four ways in", ""]
        folder.mkdir(parents=True, exist_ok=True)

    def way(self, title: str) -> None:
        self.lines += [f"## {title}", ""]

    def keep(self, page: Any, name: str, says: str) -> None:
        number = sum(line.startswith("![") for line in self.lines) + 1
        file = f"{number:02}-{name}-{page.viewport_size['width']}.png"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=self.folder / file, full_page=True)
        self.lines += [f"![{says}]({file})", "", says, ""]
        (self.folder / "index.md").write_text("\n".join(self.lines), encoding="utf-8")


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Album]:
    chosen = os.environ.get("RECORD_TO")
    made = Album(Path(chosen) if chosen else tmp_path_factory.mktemp("entering"))
    yield made
    print(f"\n{len(list(made.folder.glob('*.png')))} pictures: {made.folder / 'index.md'}")


def _client(clinic: Clinic, name: str) -> Session:
    """Somebody in Alice's care with five scored sessions, booked for now."""
    today = clinic_time.today()
    if name == PEOPLE[0]:
        episode = clinic.episodes["ana"]
        held = clinic.sessions["ana"][:5]
    else:
        client = actions.register_client(
            by=BY, site=clinic.north, name=name, birth_year=1988, email="a.client@mail.example"
        )
        episode = actions.open_episode(
            client=client, programme=clinic.therapy, opened_on=today - timedelta(days=40),
            lead=clinic.clinicians["alice"], by=BY,
        )  # fmt: skip
        held = [
            actions.record_session(episode=episode, held_on=today - timedelta(days=days), by=BY)
            for days in (35, 28, 21, 14, 7)
        ]
    for session, totals in zip(held, COURSE, strict=True):
        for code, total in zip(("outcome-adult", "alliance-adult"), totals, strict=True):
            measure_actions.record_administration(
                episode=episode, session=session, measure=measures.get_measure(code), total=total,
                provenance="paper", by=BY,
            )  # fmt: skip
    return actions.book_session(
        episode=episode, starts_at=clinic_time.now() - timedelta(minutes=5), by=BY
    )


@pytest.fixture(scope="module")
def site(live_site: str) -> tuple[str, dict[str, Session]]:
    with acting_as(BY):
        clinic = build()
        booked = {name: _client(clinic, name) for name in PEOPLE}
        booked[PEOPLE[2]].client.respondents.update(language="es")
    call_command("run_nightly", stdout=StringIO())
    return live_site, booked


@pytest.fixture
def open_page(browser: Any, site: Any) -> Iterator[Any]:
    contexts = []

    def make(how: dict[str, Any], who: str = "") -> Any:
        context = browser.new_context(device_scale_factor=1, **how)
        contexts.append(context)
        page = context.new_page()
        if who:
            page.goto(f"{site[0]}/sign-in/")
            page.get_by_label("E-mail").fill(f"{who}@clinic.example")
            page.get_by_label("Password").fill(PASSWORD)
            page.locator("main button[type=submit]").click()
            page.wait_for_url(lambda url: "sign-in" not in url)
        return page

    yield make
    for context in contexts:
        context.close()


def _mark(page: Any, *shares: float) -> None:
    lines = page.locator("[data-line] input[type=range]")
    for index, share in enumerate(shares):
        line = lines.nth(index)
        line.scroll_into_view_if_needed()
        box = line.bounding_box()
        page.touchscreen.tap(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)


def _kept(session: Session) -> set[str]:
    with acting_as(BY):
        rows = Administration.objects.current().filter(session=session)
        return set(rows.values_list("provenance", flat=True))


def test_from_paper(site: Any, open_page: Any, album: Album) -> None:
    url, booked = site
    session = booked["Ana Oliveira"]
    album.way("From paper, by the clinician")
    page = open_page(WIDE, "alice")
    album.keep(page, "today", "Today: who comes, who has arrived, what is in.")
    page.goto(f"{url}/sessions/{session.pk}/")
    album.keep(page, "quick-entry", "Both measures and attendance on one page.")
    page.keyboard.type("6455718088907995")
    album.keep(page, "quick-entry-typed", "Two digits a mark; totals add up along the way.")
    page.keyboard.press("Enter")
    page.wait_for_url("**/picture/")
    album.keep(page, "picture", "The picture, and a note that begins with the numbers.")
    small = open_page(PHONE, "alice")
    album.keep(small, "today", "The same day on a phone.")
    small.goto(f"{url}/sessions/{session.pk}/picture/")
    album.keep(small, "picture", "The same picture on a phone.")
    assert _kept(session) == {"paper"}


def test_handed_over(site: Any, open_page: Any, album: Album) -> None:
    url, booked = site
    session = booked["Leo Martin"]
    album.way("On the clinic's tablet, handed over")
    page = open_page(TABLET, "alice")
    page.goto(f"{url}/sessions/{session.pk}/links/")
    album.keep(page, "who-answers", "Who answers, and on which device.")
    page.get_by_label("A PIN for coming back").fill("4711")
    page.get_by_role("button", name="Hand over to").tap()
    page.locator("[data-line] input[type=range]").first.wait_for()
    album.keep(page, "form-untouched", "The client's form: no mark anywhere before the first tap.")
    _mark(page, 0.64, 0.55, 0.71, 0.6)
    album.keep(page, "form-marked", "Four taps.")
    page.get_by_role("button", name="Send").tap()
    page.get_by_role("heading", name="Thank you").wait_for()
    album.keep(page, "seen-together", "Their own picture at once; the PIN gives the device back.")
    page.get_by_label("A PIN for coming back").fill("4711")
    page.get_by_role("button", name="Come back").tap()
    page.wait_for_url("**/picture/")
    album.keep(page, "back", "Back with the clinician.")
    assert _kept(session) == {"clinic_tablet"}


def test_by_a_link(site: Any, open_page: Any, album: Album) -> None:
    url, booked = site
    session = booked["María Gómez"]
    album.way("On the client's own phone, by a code to scan")
    desk = open_page(WIDE, "alice")
    desk.goto(f"{url}/sessions/{session.pk}/links/")
    desk.get_by_role("button", name="Link for").click()
    desk.locator(".qr-code svg").wait_for()
    album.keep(desk, "code", "The code on the clinician's screen; nobody's name is in it.")
    phone = open_page(PHONE)
    phone.goto(desk.locator("code").inner_text())
    album.keep(phone, "form", "The form on a phone, in the client's language.")
    _mark(phone, 0.7, 0.62, 0.58)
    phone.locator(".respondent-form .primary").tap()
    phone.locator("[data-ask]").wait_for()
    album.keep(phone, "one-left", "One line left empty is asked about once, and may stay empty.")
    _mark(phone, 0.7, 0.62, 0.58, 0.66)
    phone.locator(".respondent-form .primary").first.tap()
    phone.get_by_role("heading", name="Gracias").wait_for()
    album.keep(phone, "thanks", "Thanks; the picture is looked at together.")
    desk.goto(f"{url}/today/")
    album.keep(desk, "today-answered", "Today says which link was opened and answered.")
    assert _kept(session) == {"own_device"}


def test_at_reception(site: Any, open_page: Any, album: Album) -> None:
    url, booked = site
    session = booked["Sam Reed"]
    album.way("On the tablet at reception")
    device, desk = open_page(TABLET, "fred"), open_page(WIDE, "fred")
    device.goto(f"{url}/tablets/")
    device.get_by_label("What the front desk calls it").fill("Front door")
    device.get_by_role("button", name="Let this device wait").tap()
    device.locator("[data-state]").wait_for()
    album.keep(device, "waiting", "The tablet waits.")
    desk.goto(f"{url}/sessions/{session.pk}/links/")
    desk.get_by_role("button", name="Start on “Front door”").click()
    desk.locator(".messages").wait_for()
    album.keep(desk, "started", "The front desk starts the next client.")
    device.locator("[data-line] input[type=range]").first.wait_for()
    album.keep(device, "form", "The form comes by itself.")
    _mark(device, 0.6, 0.5, 0.7, 0.55)
    device.locator(".respondent-form .primary").tap()
    device.locator("[data-then]").wait_for()
    album.keep(device, "thanks", "Thanks, no picture: the tablet waits again by itself.")
    assert _kept(session) == {"clinic_tablet"}
