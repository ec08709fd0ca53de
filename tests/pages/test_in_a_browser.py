"""The pages in a real browser: accessibility rules, the keyboard alone, a narrow screen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.models import Administration
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Session
from sessions_app.session_code import encode
from tests.browsers import OpenPage, broken_rules
from tests.cast import BY, PASSWORD, Clinic, build

pytestmark = [pytest.mark.browser, pytest.mark.processes]

# Who looks at what: every page of daily work, and what it says when there is nothing to show.
PAGES = {
    "alice": [
        "/today/", "/backlog/", "/absences/", "/schedule/", "/clients/", "/caseload/",
        "/clients/{ana}/",
        "/clients/{ana}/sessions/new/", "/sessions/{booked}/", "/sessions/{booked}/links/",
        "/sessions/{held}/picture/", "/alerts/{alert}/",
        "/meetings/{meeting}/",
        "/practice/", "/measures/", "/rules/", "/no-such-page/",
        "/measures/outcome-adult/", "/measures/plans/",
        "/clients/{ana}/scores/", "/scores/{score}/correct/",
        "/clients/{ana}/ending/", "/messages/", "/my-sign-ins/",
        "/clients/{ana}/rights/", "/emergency/",
    ],
    "sofia": [
        "/review/", "/review/{ana}/", "/review/{boris}/", "/clients/{ana}/transfer/",
        "/caseload/hand-over/", "/caseload/hand-over/?clinician={alice}",
    ],
    "dora": ["/agency/", "/agency/funnel/"],
    "fred": ["/tablets/", "/schedule/", "/clients/new/"],
    "adam": ["/people/", "/settings/", "/settings/alerts/",
             "/settings/statement/", "/settings/retention/", "/emergency/", "/audit/", "/import/",
             "/measures/load/",
             "/measures/outcome-adult/constants/new/", "/measures/plans/alliance-self/"],
}  # fmt: skip


@pytest.fixture(scope="module")
def site(live_site: str) -> tuple[str, Clinic, dict[str, Any]]:
    """The cast on a live site, after a night."""
    with acting_as(BY):
        clinic = build()
        measures.sync_library()
        for session, total in zip(clinic.sessions["ana"], (24, 22, 19, 16, 13, 10), strict=True):
            for code, value in (("outcome-adult", total), ("alliance-adult", 30)):
                measure_actions.record_administration(
                    episode=clinic.episodes["ana"],
                    session=session,
                    measure=measures.get_measure(code),
                    total=value,
                    provenance="paper",
                    by=BY,
                )
        today = clinic_time.today()
        booked = [
            actions.book_session(episode=clinic.episodes["ana"], starts_at=moment, by=BY)
            for moment in (clinic_time.at(today, 9), clinic_time.at(today - timedelta(days=3), 9))
        ]
        run_night(today)
        row = Administration.objects.filter(client=clinic.ana).order_by("-pk")[0]
        alert = measure_actions.raise_alert(administration=row, items=(), by=BY)
        score = Administration.objects.order_by("pk").values_list("pk", flat=True)[0]
        later = actions.book_session(
            episode=clinic.episodes["ana"], starts_at=clinic_time.at(today, 15), by=BY
        )
        actions.record_case_review(
            episode=clinic.episodes["boris"], decision="consult", by=clinic.sofia,
            follow_up_on=today,
        )  # fmt: skip
    places = {
        "alice": clinic.clinicians["alice"].pk,
        "boris": clinic.boris.code,
        "later": later.pk,
        "alert": alert.pk,
        "meeting": booked[0].meeting_id,
        "ana": clinic.ana.code,
        "booked": booked[0].pk,
        "held": clinic.sessions["ana"][-1].pk,
        "score": score,
    }
    return live_site, clinic, places


@pytest.fixture
def open_as(open_page: OpenPage, site: Any) -> OpenPage:
    """`open_as("alice", width=360)`: a page signed in as one of the cast."""

    def make(who: str, width: int = 1280, **options: Any) -> Any:
        url, clinic, _places = site
        return open_page(
            url, clinic.users[who], viewport={"width": width, "height": 800}, **options
        )

    return make


def test_no_page_breaks_a_rule_of_wcag_22_aa_or_overflows_a_phone(site: Any, open_as: Any) -> None:
    url, _clinic, places = site
    broken = []
    for who, paths in PAGES.items():
        page = open_as(who, width=360, color_scheme="dark")
        spoken: list[str] = []
        page.on("console", lambda message, to=spoken: to.append(message.text))
        page.on("pageerror", lambda error, to=spoken: to.append(str(error)))
        for path in paths:
            page.goto(url + path.format(**places))
            broken += broken_rules(page)
        # Refused by the content security policy, or a script that broke: the console says so.
        broken += [f"{who}: {text}" for text in spoken if "404 (Not Found)" not in text]
    assert broken == []


def test_attendance_and_a_pair_of_measures_take_at_most_twenty_keys_and_no_mouse(
    site: Any, open_as: Any
) -> None:
    url, _clinic, places = site
    page, pressed = open_as("alice"), []
    page.expose_binding("pressed", lambda _source, key: pressed.append(key))
    page.add_init_script(
        "addEventListener('keydown', (e) => pressed(e.key), true);"
        "addEventListener('pointerdown', () => pressed('mouse'), true);"
    )
    page.goto(f"{url}/sessions/{places['booked']}/")
    for key in "6455718088907995":
        page.keyboard.press(key)
    assert page.locator("[data-total]").all_text_contents() == ["27", "35.2"]
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert pressed == [*"6455718088907995", "Enter"]
    assert len(pressed) <= 20
    assert page.url.endswith(f"/sessions/{places['booked']}/picture/")
    assert page.locator("main svg.chart:visible").count() == 1
    assert "start" in page.locator("main .lead").inner_text()
    with acting_as(BY):
        session = Session.objects.get(pk=places["booked"])
        rows = Administration.objects.filter(session=session).select_related("measure")
        kept = {row.measure.purpose: (float(row.total), row.provenance) for row in rows}
    assert (session.status, kept) == (
        "attended", {"outcome": (27.0, "paper"), "alliance": (35.2, "paper")},
    )  # fmt: skip


def test_after_wrong_input_the_focus_is_on_the_first_field_to_put_right(
    site: Any, open_as: Any
) -> None:
    url, _clinic, places = site
    page = open_as("alice")
    page.goto(f"{url}/clients/{places['ana']}/sessions/new/")
    page.keyboard.type("64")
    page.locator(":focus").fill("640")
    assert page.locator("[data-total]").first.text_content() == "–"
    page.keyboard.press("Enter")
    page.locator("main [aria-invalid=true]:focus").wait_for()
    focused = page.locator(":focus")
    assert focused.get_attribute("aria-invalid") == "true"
    assert focused.input_value() == "640"
    described = focused.get_attribute("aria-describedby")
    assert "the line is 100 mm long, not 640" in page.locator(f"#{described}").inner_text()
    assert page.locator("[data-mark]").first.input_value() == "64"
    assert broken_rules(page) == []


def test_a_double_press_and_the_back_button_give_one_session(site: Any, open_as: Any) -> None:
    url, _clinic, places = site
    with acting_as(BY):
        before = Session.objects.count(), Administration.objects.count()
    page = open_as("alice")

    def fill_in() -> None:
        page.locator("[name=held_on]").fill((clinic_time.today() - timedelta(days=1)).isoformat())
        page.locator("[name=time]").fill("11:00")
        page.locator("[data-mark]").first.fill("64")

    page.goto(f"{url}/clients/{places['ana']}/sessions/new/")
    fill_in()
    with page.expect_navigation():
        page.evaluate(
            "() => { const f = document.querySelector('form.entry');"
            " const b = f.querySelector('button'); b.click(); b.click(); }"
        )
    page.go_back()
    fill_in()
    page.locator("form.entry button[type=submit]").click()
    # The page came anew, under another key: now it is asked whether this is a further session.
    page.get_by_text("There is a session on this day already, at 11:00").first.wait_for()
    assert page.locator("[data-mark]").first.input_value() == "64"
    with acting_as(BY):
        after = Session.objects.count(), Administration.objects.count()
    assert after == (before[0] + 1, before[1] + 1)


def test_a_device_handed_over_shows_one_form_and_the_pin_brings_it_back(
    site: Any, open_as: Any
) -> None:
    url, _clinic, places = site
    page = open_as("alice", width=360, has_touch=True)
    page.goto(f"{url}/caseload/")
    page.goto(f"{url}/sessions/{places['later']}/links/")
    page.get_by_label("A PIN for coming back").fill("4711")
    page.get_by_role("button", name="Hand over to").tap()
    page.wait_for_url("**/hand-over/**")
    for _times in range(3):  # back and back again: nothing of the clinician's is there
        page.go_back()
        assert "Oliveira" not in page.inner_text("body")
        page.go_forward()
    page.wait_for_url("**/hand-over/**")
    for line in page.locator("[data-line] input[type=range]").all():
        line.scroll_into_view_if_needed()
        box = line.bounding_box()
        page.touchscreen.tap(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 2)
    page.get_by_role("button", name="Send").tap()
    page.get_by_role("heading", name="Thank you").wait_for()
    assert page.locator("main svg.chart:visible").count() == 1
    assert broken_rules(page) == []
    page.get_by_label("A PIN for coming back").fill("0000")
    page.get_by_role("button", name="Come back").tap()
    page.get_by_text("4 tries are left").wait_for()
    page.get_by_label("A PIN for coming back").fill("4711")
    page.get_by_role("button", name="Come back").tap()
    page.wait_for_url("**/picture/")


def test_from_the_code_on_paper_to_the_kept_scores_by_keyboard_alone(
    site: Any, open_as: Any
) -> None:
    url, clinic, _places = site
    with acting_as(BY):
        session = actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.at(clinic_time.today() - timedelta(days=3), 9),
            by=BY,
        )
    page = open_as("alice")
    page.goto(f"{url}/sessions/by-code/")
    for keys in (encode(session.pk).lower(), "6455718088907995"):
        page.keyboard.type(keys)
        with page.expect_navigation():
            page.keyboard.press("Enter")
    assert page.url.endswith(f"/sessions/{session.pk}/picture/")
    with acting_as(BY):
        rows = Administration.objects.filter(session=session)
        assert {float(row.total) for row in rows} == {27.0, 35.2}


def test_leaving_the_desk_covers_the_page_and_coming_back_finds_what_was_typed(
    site: Any, open_as: Any
) -> None:
    url, _clinic, places = site
    page = open_as("alice")
    page.goto(url + "/clients/{ana}/ending/".format(**places))
    page.fill("[name=on]", "2026-01-31")
    page.click("[data-lock] button")
    page.wait_for_selector("#resting[open]")
    assert page.evaluate(
        "document.elementFromPoint(innerWidth / 2, 5).closest('dialog') !== null"
    ), "nothing beneath the cover can be touched"
    assert not broken_rules(page)
    other = page.context.new_page()
    assert other.goto(url + "/caseload/").status == 403, "the server rests too"
    page.fill("#resting [type=password]", "not this one at all")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=4 tries are left")
    page.fill("#resting [type=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#resting:not([open])", state="attached")
    assert page.input_value("[name=on]") == "2026-01-31"
    assert other.goto(url + "/caseload/").status == 200
