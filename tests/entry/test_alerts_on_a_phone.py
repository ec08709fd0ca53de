"""An answer that can't wait, given on a real phone: what the client reads, in both languages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.definition_reader import parse_definition
from measures_app.models import ItemAlert
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from tests.browsers import broken_rules
from tests.cast import BY, Clinic, build
from tests.entry.test_alerts import CRISIS, OURS, made_ready

pytestmark = [pytest.mark.browser, pytest.mark.processes]


@pytest.fixture(scope="module")
def site(live_site: str) -> tuple[str, Clinic]:
    with acting_as(BY):
        clinic = build()
        measures.sync_library()
        version = measures.load_definition(parse_definition(OURS), source_text=OURS, by=BY)
        measure_actions.set_plan_line(
            measure=version.measure, rhythm="each", from_on=clinic_time.today(), by=BY
        )
    made_ready(clinic)
    return live_site, clinic


@pytest.mark.parametrize(
    ("language", "often", "send"), [("en", "often", "Send"), ("es", "a menudo", "Enviar")]
)
def test_the_clinics_words_stand_before_the_form_and_at_once_after_the_answer(
    site: tuple[str, Clinic], phone: Any, language: str, often: str, send: str
) -> None:
    url, clinic = site
    with acting_as(BY):
        clinic.ana.respondents.update(language=language)
        session = actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.now() + timedelta(hours=1),
            by=BY,
        )
        person = clinic.ana.respondents.get()
        _link, token = actions.make_link(session=session, respondent=person, by=clinic.alice)
        before = ItemAlert.objects.count()
    phone.goto(f"{url}/m/{token}/")
    words, heading = phone.get_by_text(CRISIS[language]), phone.locator("h1").first
    assert words.bounding_box()["y"] < heading.bounding_box()["y"]
    assert broken_rules(phone) == []
    for line in phone.locator("[data-line] input[type=range]").all():
        line.tap()
    for choices in phone.locator("fieldset.choice").all():
        # The question stands within its card, not across its upper edge.
        assert choices.locator("legend").bounding_box()["y"] > choices.bounding_box()["y"] + 5
        choices.get_by_text(often, exact=True).tap()
    phone.get_by_role("button", name=send).tap()
    alarm = phone.get_by_role("alert")
    alarm.wait_for()
    assert CRISIS[language] in alarm.inner_text()
    assert alarm.bounding_box()["y"] < 200
    assert broken_rules(phone) == []
    with acting_as(BY):
        assert ItemAlert.objects.count() == before + 1
