"""Every page a client sees, walked through in a real browser on a phone, in each language.

One walk a language; what it saw is looked at by the tests below. A template that is new among
the client's pages and isn't on the walk is named by the first of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.test.signals import template_rendered

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.definition_reader import parse_definition
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time, rates
from sessions_app.context import acting_as
from sessions_app.models import Client, Meeting, Session, Tablet
from tests.browsers import PHONE, broken_rules, sign_in, tap, tap_all
from tests.cast import BY, Clinic, build
from tests.entry.test_alerts import OURS, made_ready
from tests.entry.test_languages import client_facing

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PIN = "4711"
LANGUAGES = [code for code, _name in settings.LANGUAGES]
# All that is read or heard: texts, names, titles, what stands in an empty field.
WORDS = """() => {
  const said = [document.title];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    if (!walk.currentNode.parentElement.closest("script, style")) said.push(walk.currentNode.data);
  }
  const spoken = ["aria-label", "aria-valuetext", "title", "alt", "placeholder",
    "data-spoken", "data-untouched", "data-waiting", "data-aloud"];
  for (const one of document.body.querySelectorAll("*")) {
    for (const name of spoken) if (one.hasAttribute(name)) said.push(one.getAttribute(name));
  }
  return said.map((text) => text.replace(/\\s+/g, " ").trim());
}"""
KEPT_BY_THE_BROWSER = """async () => [
  localStorage.length, sessionStorage.length, (await indexedDB.databases()).length,
  "caches" in window ? (await caches.keys()).length : 0, history.state === null ? 0 : 1,
  (await navigator.serviceWorker?.getRegistrations() ?? []).length,
  decodeURIComponent(document.cookie).length]"""
LETTERS = re.compile(r"[^\W\d_]{3,}")
A_DAY = re.compile(r"\d{1,2} \w{3} \d{4}")  # most months are as short in both languages


@dataclass
class Walk:
    """What was seen on the way, by page."""

    broken: list[str] = field(default_factory=list)
    words: dict[str, set[str]] = field(default_factory=dict)
    spoken_in: dict[str, str] = field(default_factory=dict)
    kept: dict[str, list[int]] = field(default_factory=dict)
    templates: set[str] = field(default_factory=set)

    def look(self, page: Any, name: str) -> None:
        self.broken += [f"{name}: {rule}" for rule in broken_rules(page)]
        said = (A_DAY.sub("", words) for words in page.evaluate(WORDS))
        self.words[name] = {words for words in said if LETTERS.search(words)}
        self.spoken_in[name] = page.locator("html").get_attribute("lang")
        self.kept[name] = page.evaluate(KEPT_BY_THE_BROWSER)


def _person(clinic: Clinic, age: int) -> Client:
    today = clinic_time.today()
    client = actions.register_client(
        by=BY, site=clinic.north, name="Kim Young", birth_year=today.year - age - 1
    )
    clinic.episodes[client.code] = actions.open_episode(
        client=client, programme=clinic.therapy, opened_on=today - timedelta(days=30),
        lead=clinic.clinicians["alice"], by=BY,
    )  # fmt: skip
    return client


def _booked(clinic: Clinic, episode: str, **more: Any) -> Session:
    return actions.book_session(
        episode=clinic.episodes[episode],
        starts_at=clinic_time.now() + timedelta(hours=1),
        by=BY,
        **more,
    )


def _link(url: str, clinic: Clinic, session: Session, relation: str = "self") -> str:
    person = session.client.respondents.get(relation=relation)
    _row, token = actions.make_link(session=session, respondent=person, by=clinic.alice)
    return f"{url}/m/{token}/"


@pytest.fixture(scope="module")
def site(live_site: str) -> tuple[str, Clinic]:
    """The cast, with a measure that asks what can't wait, and a night behind it."""
    with acting_as(BY):
        clinic = build()
        measures.sync_library()
        for session, totals in zip(
            clinic.sessions["ana"], ((18, 30), (20, 31), (17, 29), (22, 33)), strict=False
        ):
            for code, total in zip(("outcome-adult", "alliance-adult"), totals, strict=True):
                measure_actions.record_administration(
                    episode=clinic.episodes["ana"], session=session, total=total,
                    measure=measures.get_measure(code), provenance="paper", by=BY,
                )  # fmt: skip
        run_night(clinic_time.today())
        version = measures.load_definition(parse_definition(OURS), source_text=OURS, by=BY)
        measure_actions.set_plan_line(
            measure=version.measure, relation="self", rhythm="each",
            from_on=clinic_time.today(), by=BY,
        )  # fmt: skip
    made_ready(clinic)
    return live_site, clinic


def _answer_all(page: Any, choice: int = 0) -> None:
    tap_all(page)
    for fieldset in page.locator("fieldset.choice").all():
        fieldset.locator(".pick").nth(choice).tap()


def _by_link(url: str, clinic: Clinic, language: str, page: Any, walk: Walk) -> None:
    with acting_as(BY):
        clinic.ana.respondents.update(language=language)
        address = _link(url, clinic, _booked(clinic, "ana"))
    other = page.context.browser.new_context(**PHONE, locale=language)
    second = other.new_page()
    second.goto(address)
    page.goto(address)
    walk.look(page, "the form by a link")
    tap(page, 0, 0.4)
    page.locator(".respondent-form .primary").tap()
    page.locator("[data-ask]").wait_for()
    walk.look(page, "questions left empty")
    _answer_all(page, choice=2)
    page.locator(".respondent-form .primary").tap()
    page.get_by_role("alert").wait_for()
    walk.look(page, "thanks, with the clinic's words")
    _answer_all(second)
    second.locator(".respondent-form .primary").tap()
    second.locator(".respondent-form").wait_for(state="detached")
    walk.look(second, "a second device, late")
    other.close()
    page.goto(f"{url}/m/no-such-link/")
    walk.look(page, "a link that isn't open")
    with mock.patch.object(rates, "wait_for", return_value=60):
        page.goto(f"{url}/m/no-such-link/")
    walk.look(page, "asked to wait")


def _beside(url: str, clinic: Clinic, language: str, page: Any, walk: Walk) -> None:
    """A child's mother, and a partner at a couple's meeting: each by a link."""
    with acting_as(BY):
        child = _person(clinic, 9)
        actions.add_respondent(
            client=child, relation="carer", label="M", language=language, by=BY,
            from_on=clinic_time.today(),
        )  # fmt: skip
        carers = _link(url, clinic, _booked(clinic, child.code), "carer")
        adult = _person(clinic, 40)
        actions.add_respondent(
            client=adult, relation="partner", label="P", language=language, by=BY,
            from_on=clinic_time.today(),
        )  # fmt: skip
        together = _booked(clinic, adult.code, format=Meeting.Format.COUPLE)
        partners = _link(url, clinic, together, "partner")
    for name, address in (("the carer's form", carers), ("the partner's form", partners)):
        page.goto(address)
        walk.look(page, name)
    page.locator("[name=decline]").tap()
    page.locator(".respondent-form").wait_for(state="detached")
    walk.look(page, "nothing was sent")
    page.goto(partners)
    _answer_all(page)
    page.locator(".respondent-form .primary").tap()
    page.locator(".respondent-form").wait_for(state="detached")
    walk.look(page, "thanks")


def _handed_over(url: str, clinic: Clinic, language: str, page: Any, walk: Walk) -> None:
    with acting_as(BY):
        clinic.ana.respondents.update(language=language)
        session = _booked(clinic, "ana")
    sign_in(page.context, url, clinic.alice)
    page.goto(f"{url}/sessions/{session.pk}/links/")
    page.locator("input[name=pin]").fill(PIN)
    page.locator("input[name=pin] >> xpath=ancestor::form//button").tap()
    page.locator(".respondent-form").wait_for()
    walk.look(page, "the form handed over")
    page.locator(".way-back a").tap()
    page.locator("input[name=pin]").wait_for()
    walk.look(page, "giving back without answers")
    page.locator("main .card a.button").tap()
    page.locator(".respondent-form").wait_for()
    _answer_all(page)
    page.locator(".respondent-form .primary").tap()
    page.locator("main svg.chart:visible").first.wait_for()
    for details in page.locator("details").all():
        details.evaluate("one => one.open = true")
    walk.look(page, "the picture")
    page.locator("input[name=pin]").fill("0000")
    page.locator("main form button").tap()
    page.locator(".errorlist").wait_for()
    walk.look(page, "a wrong PIN")


def _children(url: str, clinic: Clinic, language: str, page: Any, walk: Walk) -> None:
    """A child's and an adolescent's form on the tablet at reception."""
    with acting_as(BY):
        sessions = []
        for age in (9, 15):
            client = _person(clinic, age)
            client.respondents.update(language=language)
            sessions.append(_booked(clinic, client.code))
    sign_in(page.context, url, clinic.fred)
    page.goto(f"{url}/tablets/")
    page.locator("#tablet-name").fill(f"Door {language}")
    page.locator("main form .primary").tap()
    page.locator("[data-state]").wait_for()
    walk.look(page, "the tablet waits")
    with acting_as(BY):
        tablet = Tablet.objects.get(name=f"Door {language}")
    for name, session in zip(("a child's form", "an adolescent's form"), sessions, strict=True):
        with acting_as(BY):
            actions.start_on_tablet(
                tablet=tablet, session=session, by=clinic.fred,
                respondent=session.client.respondents.get(),
            )  # fmt: skip
        page.goto(f"{url}/tablet/")
        page.locator(".respondent-form").wait_for()
        walk.look(page, name)
        _answer_all(page)
        if name == "an adolescent's form":
            with acting_as(BY):
                actions.clear_tablet(tablet=tablet, by=clinic.fred)
        page.locator(".respondent-form .primary").tap()
        page.locator(".respondent-form").wait_for(state="detached")
        walk.look(page, f"after {name}")


WAYS: list[Callable[..., None]] = [_by_link, _beside, _handed_over, _children]


@pytest.fixture(scope="module")
def walks(site: tuple[str, Clinic], browser: Any) -> dict[str, Walk]:
    """Language -> what was seen; the device speaks the respondent's language."""
    url, clinic = site
    found = {}
    for language in LANGUAGES:
        walk = found[language] = Walk()

        def note(template: Any, walk: Walk = walk, **_: Any) -> None:
            walk.templates.add(str(template.name))

        template_rendered.connect(note, weak=False, dispatch_uid="walk")
        for way in WAYS:
            context = browser.new_context(**PHONE, locale=language)
            try:
                way(url, clinic, language, context.new_page(), walk)
            finally:
                context.close()
        template_rendered.disconnect(dispatch_uid="walk")
    return found


def test_the_walk_passes_each_template_that_a_client_may_see(walks: dict[str, Walk]) -> None:
    wanted = client_facing()
    assert {"entry/respondent.html", "entry/_line.html", "reports/_figure_table.html"} <= wanted
    wanted.discard("_empty.html")  # stands where there is no score yet: nobody ends a form so
    for language, walk in walks.items():
        assert sorted(wanted - walk.templates) == [], language


def test_no_page_a_client_sees_breaks_a_rule_of_wcag_22_aa_in_either_language(
    walks: dict[str, Walk],
) -> None:
    assert {language: walk.broken for language, walk in walks.items()} == {
        language: [] for language in LANGUAGES
    }


def test_no_word_on_a_clients_page_is_left_untranslated(walks: dict[str, Walk]) -> None:
    english = walks["en"]
    for language, walk in walks.items():
        assert set(walk.words) == set(english.words)
        greets_all = {"the tablet waits"}  # whoever comes next: it speaks each language
        assert {walk.spoken_in[name] for name in walk.words} == {language}
        if language == "en":
            continue
        same = {
            name: sorted(words & english.words[name])
            for name, words in walk.words.items()
            if name not in greets_all
        }
        assert {name: words for name, words in same.items() if words} == {}


def test_nothing_of_a_form_is_kept_by_the_browser(walks: dict[str, Walk]) -> None:
    for walk in walks.values():
        assert {name: kept for name, kept in walk.kept.items() if any(kept)} == {}
