"""The visual analogue scale under a real finger, a real keyboard and a dropped connection."""

from __future__ import annotations

import io
import statistics
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from measures_app import measures
from measures_app.models import Administration
from measures_app.single import series_of_episode
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from tests.cast import BY, Clinic, build

pytestmark = [pytest.mark.browser, pytest.mark.processes]

KEPT = "[data-line] input[name]"
ACCENT = "#0b6e74"  # of a mark, in static/css/tokens.css


@pytest.fixture(scope="module")
def site(live_site: str) -> tuple[str, Clinic]:
    with acting_as(BY):
        clinic = build()
        measures.sync_library()
    return live_site, clinic


@pytest.fixture
def address(site: tuple[str, Clinic]) -> str:
    """A fresh link of Ana's to a session that is still to come."""
    url, clinic = site
    with acting_as(BY):
        session = actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.now() + timedelta(hours=1),
            by=BY,
        )
        person = clinic.ana.respondents.get(relation="self")
        _link, token = actions.make_link(session=session, respondent=person, by=clinic.alice)
    return f"{url}/m/{token}/"


@pytest.fixture
def phone(browser: Any) -> Iterator[Any]:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    yield context.new_page()
    context.close()


def _values(page: Any) -> list[str]:
    return [kept.input_value() for kept in page.locator(KEPT).all()]


def _tap(page: Any, index: int, share: float) -> None:
    line = page.locator("[data-line] input[type=range]").nth(index)
    line.scroll_into_view_if_needed()
    box = line.bounding_box()
    page.touchscreen.tap(box["x"] + 4 + (box["width"] - 8) * share, box["y"] + box["height"] / 2)


def _total(clinic: Clinic) -> list[Any]:
    with acting_as(BY):
        rows = Administration.objects.current().filter(client=clinic.ana).order_by("pk")
        return [row.total if row.total is None else float(row.total) for row in rows]


def test_a_finger_marks_exactly_where_it_taps_and_four_taps_and_a_button_send(
    site: Any, address: str, phone: Any
) -> None:
    _url, clinic = site
    before = _total(clinic)
    phone.goto(address)
    line = phone.locator("[data-line] input[type=range]").first
    assert line.bounding_box()["height"] >= 48
    # Untouched: nothing is marked, seen or sent, though the range itself stands in the middle.
    assert _values(phone) == ["", "", "", ""]
    assert line.get_attribute("data-empty") is not None
    assert line.get_attribute("aria-valuetext") == "not marked yet, In myself"
    for index, share in enumerate((0.5, 0.0, 1.0, 0.25)):  # the middle fires no input
        _tap(phone, index, share)
    assert _values(phone) == ["5.0", "0.0", "10.0", "2.5"]
    assert line.get_attribute("aria-valuetext") == "5.0 of 10, In myself"
    assert line.get_attribute("data-empty") is None
    assert "5.0" not in phone.locator("main").inner_text()  # no number while marking
    broken = Axe().run(phone, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert broken.response["violations"] == []
    assert phone.evaluate("document.documentElement.scrollWidth") == 360
    phone.get_by_role("button", name="Send").tap()
    phone.get_by_role("heading", name="Thank you").wait_for()
    assert _total(clinic) == [*before, 17.5]
    assert phone.evaluate("localStorage.length + sessionStorage.length") == 0


def test_keys_alone_mark_the_line_and_an_untouched_one_is_asked_about(
    site: Any, address: str, phone: Any
) -> None:
    phone.goto(address)
    lines = phone.locator("[data-line] input[type=range]")
    for index, keys in enumerate((["Home"], ["ArrowRight"], ["End", "PageDown", "ArrowLeft"])):
        lines.nth(index).focus()
        for key in keys:
            phone.keyboard.press(key)
    assert _values(phone) == ["0.0", "5.1", "8.9", ""]
    phone.get_by_role("button", name="Send").press("Enter")
    phone.locator("[data-ask]").wait_for()
    assert "One question has no answer yet" in phone.locator("[data-ask]").inner_text()
    phone.get_by_role("button", name="Leave empty and send").wait_for()
    assert _values(phone) == ["0.0", "5.1", "8.9", ""]


def test_a_finger_that_goes_on_to_scroll_marks_nothing(site: Any, address: str, phone: Any) -> None:
    phone.goto(address)
    line = phone.locator("[data-line] input[type=range]").first
    for kind in ("pointerdown", "input", "pointercancel"):
        line.dispatch_event(kind, {"bubbles": True})
    assert _values(phone)[0] == ""
    assert line.get_attribute("data-empty") is not None


def test_answers_outlast_a_dropped_connection_and_arrive_once(
    site: Any, address: str, phone: Any
) -> None:
    _url, clinic = site
    before = _total(clinic)
    phone.goto(address)
    for index in range(4):
        _tap(phone, index, 0.6)
    # The first sending arrives and its answer is lost; then there is no network; then there is.
    lost = []

    def lose_the_answer(route: Any) -> None:
        if not lost:
            lost.append(route.fetch().status)
        route.abort()

    phone.route("**/m/**", lose_the_answer)
    phone.get_by_role("button", name="Send").tap()
    phone.get_by_text("Not sent yet").wait_for()
    assert _values(phone) == ["6.0"] * 4
    phone.unroute("**/m/**")
    phone.evaluate("dispatchEvent(new Event('online'))")
    phone.get_by_role("heading", name="Thank you").wait_for()
    assert lost == [200]
    assert _total(clinic) == [*before, 24.0]


# The defects that users of other products name (FIELD), each held by a test of its own.


def _send(page: Any, *more: str) -> None:
    for name in ("Send", *more):
        page.get_by_role("button", name=name, exact=True).tap()
    page.get_by_role("heading", name="Thank you").wait_for()


def _newest(clinic: Clinic) -> Administration:
    with acting_as(BY):
        return Administration.objects.current().filter(client=clinic.ana).latest("pk")


def _marked_at(page: Any, index: int) -> float | None:
    """Where the mark is seen, as a share of the line from its left end; None where none is."""
    line = page.locator("[data-line] input[type=range]").nth(index)
    line.blur()
    picture = Image.open(io.BytesIO(line.screenshot())).convert("RGB")
    accent = tuple(int(ACCENT[n : n + 2], 16) for n in (1, 3, 5))
    at = [
        x
        for x in range(picture.width)
        for y in range(picture.height)
        if all(abs(a - b) < 12 for a, b in zip(picture.getpixel((x, y)), accent, strict=True))
    ]
    return statistics.fmean(at) / picture.width if at else None


def test_an_untouched_line_is_kept_as_missing_and_not_as_its_lowest(
    site: Any, address: str, phone: Any
) -> None:
    phone.goto(address)
    _tap(phone, 0, 0.5)
    phone.get_by_role("button", name="Send").tap()
    phone.get_by_role("button", name="Leave empty and send").tap()
    phone.get_by_role("heading", name="Thank you").wait_for()
    row = _newest(site[1])
    assert sorted(row.answers.values(), key=str) == ["5.0", None, None, None]
    assert row.total is None  # nothing is summed from half a form
    with acting_as(BY):
        found = series_of_episode(site[1].episodes["ana"])
    assert row.pk not in [pk for one in found for pk in one.ids]


def test_a_mark_at_the_end_of_the_line_is_zero_and_zero_counts(
    site: Any, address: str, phone: Any
) -> None:
    phone.goto(address)
    for index in range(4):
        _tap(phone, index, 0.0)
    _send(phone)
    row = _newest(site[1])
    assert set(row.answers.values()) == {"0.0"}
    assert row.total == 0


def test_no_mark_stands_anywhere_before_the_first_tap(address: str, phone: Any) -> None:
    phone.goto(address)
    assert [_marked_at(phone, index) for index in range(4)] == [None] * 4
    _tap(phone, 0, 0.3)
    assert _marked_at(phone, 0) == pytest.approx(0.3, abs=0.03)
    assert _marked_at(phone, 1) is None


def test_what_a_tap_shows_is_what_is_kept(site: Any, address: str, phone: Any) -> None:
    phone.goto(address)
    for index, share in enumerate((0.5, 0.13, 0.5, 0.99)):  # a tap in the middle fires no input
        _tap(phone, index, share)
    shown = [_marked_at(phone, index) for index in range(4)]
    _send(phone)
    answers = _newest(site[1]).answers
    kept = [float(answers[item]) / 10 for item in ("individual", "close", "social", "overall")]
    assert shown == pytest.approx(kept, abs=0.03)


def test_a_tap_beside_the_line_changes_nothing(address: str, phone: Any) -> None:
    phone.goto(address)
    _tap(phone, 0, 0.8)
    box = phone.locator("[data-line]").first
    for part in ("label", ".hint", ".vas-ends span >> nth=0", ".vas-ends span >> nth=1"):
        box.locator(part).tap()
    assert _values(phone) == ["8.0", "", "", ""]


def test_from_right_to_left_taps_arrows_and_the_mark_agree(address: str, phone: Any) -> None:
    def turned(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace('dir="ltr"', 'dir="rtl"'))

    phone.route("**/m/**", turned)
    phone.goto(address)
    _tap(phone, 0, 0.25)
    assert _values(phone)[0] == "7.5"
    assert _marked_at(phone, 0) == pytest.approx(0.25, abs=0.03)
    line = phone.locator("[data-line] input[type=range]").first
    for key, value in (("ArrowLeft", "7.6"), ("ArrowRight", "7.5"), ("Home", "0.0")):
        line.press(key)
        assert _values(phone)[0] == value
    assert _marked_at(phone, 0) == pytest.approx(1.0, abs=0.05)
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_at_twice_the_size_nothing_is_cut_off_and_a_tap_still_marks_there(
    address: str, phone: Any
) -> None:
    phone.goto(address)
    phone.evaluate("document.documentElement.style.fontSize = '200%'")
    _tap(phone, 0, 0.4)
    assert _values(phone)[0] == "4.0"
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    broken = Axe().run(phone, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert broken.response["violations"] == []
