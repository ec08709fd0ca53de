"""Reception's tablet, the spoken question and the note box in a real browser."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.models import Administration
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Session
from tests.browsers import PHONE, broken_rules, tap_all
from tests.cast import BY, Clinic

pytestmark = [pytest.mark.browser, pytest.mark.processes]
# A voice that writes down what it would say.
VOICE = """
window.said = [];
window.SpeechSynthesisUtterance = function (text) { this.text = text; };
Object.defineProperty(window, "speechSynthesis", { value: {
  cancel() {}, speak(words) { window.said.push([words.lang, words.text]); } } });
"""
MUTE = "delete window.speechSynthesis; delete Window.prototype.speechSynthesis;"


@pytest.fixture
def booked(site: tuple[str, Clinic]) -> Session:
    with acting_as(BY):
        return actions.book_session(
            episode=site[1].episodes["ana"],
            starts_at=clinic_time.now() + timedelta(hours=1),
            by=BY,
        )


def test_a_tablet_waits_takes_a_form_thanks_and_waits_again_by_itself(
    site: tuple[str, Clinic], booked: Session, open_page: Any
) -> None:
    url, clinic = site
    with acting_as(BY):
        clinic.ana.respondents.update(language="es")
    device, desk = (open_page(url, clinic.fred, **PHONE) for _ in range(2))
    device.clock.install()  # nobody waits for its seconds
    device.goto(f"{url}/tablets/")
    device.get_by_label("What the front desk calls it").fill("Front door")
    device.get_by_role("button", name="Let this device wait").tap()
    device.locator("[data-state]").wait_for()
    device.context.set_offline(True)
    device.clock.run_for(3000)
    for language, words in (("en", "There is no connection"), ("es", "No hay conexión")):
        device.locator(f"[role=status][lang={language}]").get_by_text(words).wait_for()
    device.context.set_offline(False)
    desk.goto(f"{url}/sessions/{booked.pk}/links/")
    desk.get_by_role("button", name="Start on “Front door”").tap()
    desk.locator(".messages").wait_for()
    device.clock.run_for(3000)
    device.locator("[data-line] input[type=range]").first.wait_for()
    assert device.locator("html").get_attribute("lang") == "es"
    assert tap_all(device) == 4
    device.locator(".respondent-form .primary").tap()
    device.locator("[data-then]").wait_for()
    assert device.locator("svg").count() == 0
    device.clock.run_for(12000)
    device.locator("[data-state]").wait_for()
    with acting_as(BY):
        row = Administration.objects.get(session=booked)
    assert (row.provenance, row.language) == ("clinic_tablet", "es")


def _form(clinic: Clinic, session: Session, url: str) -> str:
    with acting_as(BY):
        person = clinic.ana.respondents.get()
        _link, token = actions.make_link(session=session, respondent=person, by=clinic.alice)
    return f"{url}/m/{token}/"


def test_each_question_is_heard_in_its_language_and_without_a_voice_there_is_no_button(
    site: tuple[str, Clinic], booked: Session, open_page: Any
) -> None:
    url, clinic = site
    with acting_as(BY):
        clinic.ana.respondents.update(language="es")
    address = _form(clinic, booked, url)
    page = open_page(**PHONE)
    page.add_init_script(VOICE)
    page.goto(address)
    buttons = page.get_by_role("button", name="Leer en voz alta")
    assert buttons.count() == page.locator("[data-line]").count() == 4
    assert buttons.first.bounding_box()["height"] >= 44
    buttons.first.tap()
    ((language, text),) = page.evaluate("said")
    assert language == "es"
    assert page.locator("[data-line] label").first.inner_text().split("\n")[0] in text
    assert broken_rules(page) == []
    # A measure that hasn't their language is read, and heard, in the one it is shown in.
    with acting_as(BY):
        clinic.ana.respondents.update(language="fr")
    page.goto(address)
    assert page.locator("h1[lang=en], [data-line] label[lang=en]").count() == 5
    page.locator(".aloud").first.tap()
    ((language, text),) = page.evaluate("said")
    assert (language, text.split("\n")[0]) == ("en", "In myself")
    assert broken_rules(page) == []
    mute = open_page(**PHONE)
    mute.add_init_script(MUTE)
    mute.goto(address)
    assert mute.locator(".aloud").count() == 0


def test_the_note_begins_with_the_numbers_and_is_copied_and_kept_nowhere(
    site: tuple[str, Clinic], open_page: Any
) -> None:
    url, clinic = site
    with acting_as(BY):
        for session, total in zip(clinic.sessions["ana"][:2], (18, 25), strict=True):
            measure_actions.record_administration(
                episode=clinic.episodes["ana"],
                session=session,
                measure=measures.get_measure("outcome-adult"),
                total=total,
                provenance="paper",
                by=BY,
            )
    page = open_page(url, clinic.alice, **PHONE, permissions=["clipboard-read", "clipboard-write"])
    session = clinic.sessions["ana"][1]
    page.goto(f"{url}/sessions/{session.pk}/picture/")
    note = page.get_by_label("Note", exact=True)
    assert "25 of 40; 18 at the start (+7, reliable from 6.6)" in note.input_value()
    assert note.get_attribute("name") is None  # no form could send it
    note.fill("She sleeps again.")
    page.get_by_role("button", name="Copy").tap()
    page.get_by_text("Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "She sleeps again."
    with page.expect_download() as kept:
        page.get_by_role("button", name="As a text file").tap()
    assert kept.value.path().read_text(encoding="utf-8") == "She sleeps again."
    assert "Oliveira" not in kept.value.suggested_filename
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    page.reload()
    assert "She sleeps" not in note.input_value()
    assert broken_rules(page) == []
    # Where there is room it stands beside the picture, not below it.
    page.set_viewport_size({"width": 1280, "height": 800})
    picture = page.locator("main svg.chart:visible").bounding_box()
    beside = note.bounding_box()
    assert beside["x"] > picture["x"] + picture["width"]
    assert beside["y"] < picture["y"] + picture["height"]
