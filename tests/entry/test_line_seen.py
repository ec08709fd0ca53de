"""The line under two hands, in the reader's own colours and on paper."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from measures_app import measures
from measures_app.actions import set_plan_line
from measures_app.definition_reader import parse_definition
from measures_app.measures import LIBRARY
from sessions_app import clinic_time
from sessions_app.context import acting_as
from tests.browsers import PHONE, tap, values
from tests.cast import BY

pytestmark = [pytest.mark.browser, pytest.mark.processes]

LINE = "[data-line] input[type=range]"


def _place(page: Any, index: int, share: float) -> dict[str, Any]:
    box = page.locator(LINE).nth(index).bounding_box()
    x = box["x"] + 4 + (box["width"] - 8) * share
    return {"x": x, "y": box["y"] + box["height"] / 2, "id": index}


def test_two_fingers_on_two_lines_mark_each_where_it_is(address: str, phone: Any) -> None:
    """A couple's hands on one tablet, or a palm beside the finger."""
    phone.goto(address)
    phone.locator(LINE).nth(1).scroll_into_view_if_needed()
    hand = phone.context.new_cdp_session(phone)
    first, second = _place(phone, 0, 0.2), _place(phone, 1, 0.8)
    for kind, fingers in (("Start", [first]), ("Start", [first, second]), ("Move", [first]),
                          ("End", [])):  # fmt: skip
        hand.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": fingers})
    assert values(phone) == ["2.0", "8.0", "", ""]


def _colours(picture: bytes) -> set[tuple[int, ...]]:
    """Those of a line's picture, but for what lies along an edge."""
    seen = Image.open(io.BytesIO(picture)).convert("RGB")
    found = seen.getcolors(seen.width * seen.height) or []
    return {colour for many, colour in found if many >= 100}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_line_and_mark_are_seen_in_the_readers_own_colours(
    address: str, open_page: Any, scheme: str
) -> None:
    page = open_page(forced_colors="active", color_scheme=scheme, **PHONE)
    page.goto(address)
    tap(page, 0, 0.6)
    page.locator(LINE).first.blur()
    untouched, marked = (_colours(page.locator(LINE).nth(n).screenshot()) for n in (1, 0))
    assert untouched == {(0, 0, 0), (255, 255, 255)}  # as the browser's own are
    assert len(marked - untouched) == 1


def test_a_printed_form_shows_its_lines_and_the_marks_on_them(address: str, open_page: Any) -> None:
    """Browsers leave backgrounds out of print, and a line is drawn as one."""
    page = open_page()
    page.goto(address)
    page.emulate_media(media="print")
    kept = page.locator(LINE).first.evaluate(
        "(one) => [null, '::-webkit-slider-thumb'].map("
        "(part) => getComputedStyle(one, part).printColorAdjust)"
    )
    assert kept == ["exact", "exact"]
    assert not page.get_by_role("button", name="Read aloud").first.is_visible()


def test_a_number_is_shown_while_marking_only_where_the_measure_says_so(
    site: Any, address: str, phone: Any
) -> None:
    phone.goto(address)
    tap(phone, 0, 0.64)
    assert phone.locator("[data-number]").count() == 0
    text = (LIBRARY / "outcome-adult.toml").read_text(encoding="utf-8")
    text = text.replace('code = "outcome-adult"', 'code = "read-off"')
    text = text.replace("[item_scale]", "[item_scale]\nshows_number = true")
    with acting_as(BY):
        read = measures.load_definition(parse_definition(text), source_text=text, by=BY)
        set_plan_line(
            relation="self", measure=read.measure, rhythm="each",
            from_on=clinic_time.today(), by=BY,
        )  # fmt: skip
    phone.goto(address)
    number = phone.locator("[data-number]")
    assert number.count() == 4
    assert number.first.inner_text() == ""
    line = phone.locator("[data-line]:has([data-number]) input[type=range]").first
    for key, shown in (("Home", "0.0"), ("PageUp", "1.0"), ("End", "10.0")):
        line.press(key)
        assert number.first.inner_text() == shown
    box = line.bounding_box()
    phone.mouse.move(box["x"] + 4, box["y"] + 24)
    phone.mouse.down()
    phone.mouse.move(box["x"] + 4 + (box["width"] - 8) * 0.4, box["y"] + 24)
    assert number.first.inner_text() == "4.0"  # on its way
    phone.mouse.up()
    assert number.first.inner_text() == "4.0"
