"""The visual analogue scale under a real finger, a real keyboard and a dropped connection."""

from __future__ import annotations

import io
import statistics
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image

from measures_app.models import Administration, Flag
from measures_app.single import series_of_episode
from sessions_app import actions, clinic_time, outbox
from sessions_app.context import acting_as
from tests.browsers import PHONE, broken_rules, values
from tests.browsers import tap as _tap
from tests.cast import BY, Clinic

pytestmark = [pytest.mark.browser, pytest.mark.processes]

ACCENT = "#0b6e74"  # of a mark, in static/css/tokens.css


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
    assert values(phone) == ["", "", "", ""]
    assert line.get_attribute("data-empty") is not None
    assert line.get_attribute("aria-valuetext") == "not marked yet, In myself"
    for index, share in enumerate((0.5, 0.0, 1.0, 0.25)):  # the middle fires no input
        _tap(phone, index, share)
    assert values(phone) == ["5.0", "0.0", "10.0", "2.5"]
    assert line.get_attribute("aria-valuetext") == "5.0 of 10, In myself"
    assert line.get_attribute("data-empty") is None
    assert "5.0" not in phone.locator("main").inner_text()  # no number while marking
    assert broken_rules(phone) == []
    phone.get_by_role("button", name="Send").tap()
    phone.get_by_role("heading", name="Thank you").wait_for()
    assert _total(clinic) == [*before, 17.5]
    assert phone.evaluate("localStorage.length + sessionStorage.length") == 0


def test_a_pair_of_measures_takes_eight_taps_and_a_button_each(site: Any, phone: Any) -> None:
    url, clinic = site
    before = _total(clinic)
    with acting_as(BY):
        session = actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.now() - timedelta(minutes=5),
            by=BY,
        )
        person = clinic.ana.respondents.get(relation="self")
        _link, token = actions.make_link(session=session, respondent=person, by=clinic.alice)
    tapped: list[str] = []
    phone.expose_binding("tapped", lambda _source, what: tapped.append(what))
    phone.add_init_script(
        "addEventListener('pointerdown', (e) => tapped(e.target.type), true);"
        "addEventListener('keydown', () => tapped('key'), true);"
    )
    for moment in ("start", "end"):
        if moment == "end":
            with acting_as(BY):
                actions.set_attendance(session=session, status="attended", by=BY)
        phone.goto(f"{url}/m/{token}/")
        for index, share in enumerate((0.64, 0.55, 0.71, 0.6)):
            _tap(phone, index, share)
        phone.get_by_role("button", name="Send").tap()
        phone.get_by_role("heading", name="Thank you").wait_for()
    assert tapped == [*["range"] * 4, "submit"] * 2
    assert _total(clinic) == [*before, 25.0, 25.0]
    with acting_as(BY):
        rows = Administration.objects.filter(session=session).order_by("pk")
        assert [row.measure.purpose for row in rows] == ["outcome", "alliance"]


def test_keys_alone_mark_the_line_and_an_untouched_one_is_asked_about(
    site: Any, address: str, phone: Any
) -> None:
    phone.goto(address)
    lines = phone.locator("[data-line] input[type=range]")
    phone.keyboard.press("Tab")  # the first line is the first thing on the page
    for index, keys in enumerate((["Home"], ["ArrowRight"], ["End", "PageDown", "ArrowLeft"])):
        assert lines.nth(index).evaluate("one => one === document.activeElement")
        for key in keys:
            phone.keyboard.press(key)
        while not lines.nth(index + 1).evaluate("one => one === document.activeElement"):
            phone.keyboard.press("Tab")
    assert values(phone) == ["0.0", "5.1", "8.9", ""]
    assert lines.nth(2).get_attribute("aria-valuetext") == "8.9 of 10, In the wider world"
    phone.get_by_role("button", name="Send").press("Enter")
    phone.locator("[data-ask]").wait_for()
    assert "One question has no answer yet" in phone.locator("[data-ask]").inner_text()
    phone.get_by_role("button", name="Leave empty and send").wait_for()
    assert values(phone) == ["0.0", "5.1", "8.9", ""]


def test_a_finger_that_goes_on_to_scroll_marks_nothing(site: Any, address: str, phone: Any) -> None:
    phone.goto(address)
    line = phone.locator("[data-line] input[type=range]").first
    for kind in ("pointerdown", "input", "pointercancel"):
        line.dispatch_event(kind, {"bubbles": True})
    assert values(phone)[0] == ""
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
    assert values(phone) == ["6.0"] * 4
    phone.unroute("**/m/**")
    phone.evaluate("dispatchEvent(new Event('online'))")
    phone.get_by_role("heading", name="Thank you").wait_for()
    assert lost == [200]
    assert _total(clinic) == [*before, 24.0]


def test_page_up_and_down_go_by_tenths_of_the_line_and_stop_at_its_ends(
    address: str, phone: Any
) -> None:
    phone.goto(address)
    line = phone.locator("[data-line] input[type=range]").first
    for key, value in (("PageUp", "6.0"), ("End", "10.0"), ("PageUp", "10.0"), ("PageDown", "9.0"),
                       ("Home", "0.0"), ("PageDown", "0.0"), ("ArrowUp", "0.1")):  # fmt: skip
        line.press(key)
        assert values(phone)[0] == value


def _heard(page: Any, index: int) -> tuple[str, str]:
    """A line's name and value in the tree that the browser gives to a screen reader."""
    tree = page.context.new_cdp_session(page)
    root = tree.send("DOM.getDocument")["root"]["nodeId"]
    found = tree.send("Accessibility.queryAXTree", {"nodeId": root, "role": "slider"})["nodes"]
    spoken = {one["name"]: one["value"].get("value") for one in found[index]["properties"]}
    return found[index]["name"]["value"], str(spoken.get("valuetext"))


def test_a_screen_reader_hears_each_lines_name_and_where_its_mark_is(
    address: str, phone: Any
) -> None:
    phone.goto(address)
    name, value = _heard(phone, 0)
    assert name.startswith("In myself")
    assert value == "not marked yet, In myself"
    for share, said in ((0.64, "6.4 of 10, In myself"), (0.0, "0.0 of 10, In myself")):
        _tap(phone, 0, share)
        assert _heard(phone, 0) == (name, said)
    assert _heard(phone, 1)[1].startswith("not marked yet")


@pytest.mark.parametrize("kind", ["mouse", "pen"])
def test_a_mouse_and_a_pen_mark_as_a_finger_does(address: str, open_page: Any, kind: str) -> None:
    page = open_page()
    page.goto(address)
    line = page.locator("[data-line] input[type=range]").first
    box = line.bounding_box()
    x, y = box["x"] + 4 + (box["width"] - 8) * 0.3, box["y"] + 24
    if kind == "mouse":
        page.mouse.click(x, y, button="right")
        assert values(page)[0] == ""  # a menu was meant
        page.keyboard.press("Escape")
        page.mouse.click(x, y)
    else:
        pen = page.context.new_cdp_session(page)
        for what in ("mousePressed", "mouseReleased"):
            pen.send("Input.dispatchMouseEvent", {"type": what, "x": x, "y": y, "button": "left",
                     "clickCount": 1, "pointerType": "pen"})  # fmt: skip
    assert values(page)[0] == "3.0"


def test_a_reload_asks_while_something_is_marked_and_not_otherwise(
    address: str, phone: Any
) -> None:
    asked: list[str] = []

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss() if len(asked) == 1 else dialog.accept()

    phone.on("dialog", stay)
    phone.goto(address)
    phone.reload()
    assert asked == []
    _tap(phone, 0, 0.7)
    phone.evaluate("setTimeout(() => location.reload(), 0)")
    phone.wait_for_timeout(200)
    assert asked == ["beforeunload"]
    assert values(phone)[0] == "7.0"  # they stayed: nothing is lost
    phone.reload()
    assert asked == ["beforeunload"] * 2
    assert values(phone) == ["", "", "", ""]  # they left: the browser kept nothing of it


def test_a_broken_server_and_its_proxys_page_take_no_answer_away(
    site: Any, address: str, phone: Any
) -> None:
    before = _total(site[1])
    phone.clock.install()
    phone.goto(address)
    for index in range(4):
        _tap(phone, index, 0.6)
    broken = [(500, "<main><h1>Something went wrong here</h1></main>"), (200, "Please sign in")]

    def answer(route: Any) -> None:
        status, page = broken.pop(0)
        route.fulfill(status=status, body=page)

    phone.route("**/m/**", answer)
    phone.get_by_role("button", name="Send").tap()
    for left in (1, 0):
        phone.get_by_text("Not sent yet").wait_for()
        assert len(broken) == left
        assert values(phone) == ["6.0"] * 4
        if left == 0:
            phone.unroute("**/m/**")
        with phone.expect_response("**/m/**"):
            phone.clock.run_for(3000)
    phone.get_by_role("heading", name="Thank you").wait_for()
    assert _total(site[1]) == [*before, 24.0]


def test_the_network_may_drop_between_the_question_and_its_answer(
    site: Any, address: str, phone: Any
) -> None:
    """A form that comes back with a question is the same page: what is marked never leaves it."""
    before = _total(site[1])
    phone.goto(address)
    for index in range(3):
        _tap(phone, index, 0.5)
    phone.get_by_role("button", name="Send").tap()
    phone.locator("[data-ask]").wait_for()
    assert values(phone) == ["5.0", "5.0", "5.0", ""]
    phone.context.set_offline(True)
    _tap(phone, 3, 0.5)
    phone.get_by_role("button", name="Send", exact=True).tap()
    phone.get_by_text("Not sent yet").wait_for()
    assert values(phone) == ["5.0"] * 4
    phone.context.set_offline(False)
    phone.get_by_role("heading", name="Thank you").wait_for()
    assert _total(site[1]) == [*before, 20.0]


def test_two_phones_on_one_link_end_in_one_set_of_answers_and_the_late_one_is_told(
    site: Any, address: str, phone: Any, open_page: Any
) -> None:
    before = _total(site[1])
    other = open_page(**PHONE)
    for page, share in ((phone, 0.4), (other, 0.9)):
        page.goto(address)
        for index in range(4):
            _tap(page, index, share)
    _send(phone)
    other.get_by_role("button", name="Send").tap()
    other.get_by_text("came in already, so these were not added").wait_for()
    assert _total(site[1]) == [*before, 16.0]


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
    assert values(phone) == ["8.0", "", "", ""]


def test_from_right_to_left_taps_arrows_and_the_mark_agree(address: str, phone: Any) -> None:
    def turned(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace('dir="ltr"', 'dir="rtl"'))

    phone.route("**/m/**", turned)
    phone.goto(address)
    _tap(phone, 0, 0.25)
    assert values(phone)[0] == "7.5"
    assert _marked_at(phone, 0) == pytest.approx(0.25, abs=0.03)
    line = phone.locator("[data-line] input[type=range]").first
    for key, value in (("ArrowLeft", "7.6"), ("ArrowRight", "7.5"), ("Home", "0.0")):
        line.press(key)
        assert values(phone)[0] == value
    assert _marked_at(phone, 0) == pytest.approx(1.0, abs=0.05)
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_at_twice_the_size_nothing_is_cut_off_and_a_tap_still_marks_there(
    address: str, phone: Any
) -> None:
    longer = {"Read aloud": "Leer en voz alta", "I'd rather not answer": "Prefiero no responder"}

    def spanish(route: Any) -> None:  # its buttons are the widest
        answer = route.fetch()
        page = answer.text()
        for words, theirs in longer.items():
            page = page.replace(words, theirs)
        route.fulfill(response=answer, body=page)

    phone.route("**/m/**", spanish)
    phone.goto(address)
    phone.evaluate("document.documentElement.style.fontSize = '200%'")
    _tap(phone, 0, 0.4)
    assert values(phone)[0] == "4.0"
    assert broken_rules(phone) == []


def test_what_comes_back_in_the_form_is_what_was_marked_and_no_preset(
    address: str, phone: Any
) -> None:
    phone.goto(address)
    _tap(phone, 1, 0.0)
    phone.get_by_role("button", name="Send").tap()
    phone.locator("[data-ask]").wait_for()
    assert "3 questions have no answer yet" in phone.locator("[data-ask]").inner_text()
    assert values(phone) == ["", "0.0", "", ""]
    assert [_marked_at(phone, index) is None for index in range(4)] == [True, False, True, True]


def test_a_form_with_a_line_missing_changes_neither_flag_nor_curve(
    site: Any, address: str, phone: Any
) -> None:
    """Summed low it would be acted on: it stands in the list, and nowhere else."""
    clinic = site[1]

    def acted_on() -> tuple[Any, Any]:
        with acting_as(BY):
            outbox.sweep()
            series = [(s.key, s.ids) for s in series_of_episode(clinic.episodes["ana"])]
            flags = Flag.objects.filter(episode=clinic.episodes["ana"]).order_by("pk")
            return series, list(flags.values_list("pk", "state"))

    phone.goto(address)
    for index in range(3):
        _tap(phone, index, 0.0)
    before = acted_on()
    _send(phone, "Leave empty and send")
    assert acted_on() == before
    assert _newest(clinic).total is None
