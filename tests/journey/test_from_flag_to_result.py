"""The review's whole path in a real browser: noticed, decided, handed over, ended.

Supervisor, the clinician who hands over, the one who goes on and the front desk, each in a browser
of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from measures_app import actions as measure_actions
from measures_app import measures
from reports_app.nightly import run_night
from sessions_app import clinic_time
from sessions_app.context import acting_as
from sessions_app.models import CaseReview, Session
from tests.cast import BY, PASSWORD, Clinic, build

pytestmark = [pytest.mark.processes, pytest.mark.browser]

WORSE = (26.0, 24.0, 20.0, 17.0, 14.0, 12.0)
WHY = "She asks for evenings, and for somebody who works with her family."
TOLD = "Begin with the family; she likes to choose the first topic."
# Counts what a hand does, across the pages of one tab: presses, and fields that were typed into.
COUNTER = """
const note = (kind, name) => {
  const seen = JSON.parse(sessionStorage.getItem(kind) || "[]");
  sessionStorage.setItem(kind, JSON.stringify([...seen, name]));
};
addEventListener("pointerdown", e => e.isTrusted && note("presses", e.target.tagName), true);
addEventListener("keydown", e => e.isTrusted && note("keys", e.target.name || "?"), true);
"""


@pytest.fixture(scope="module")
def noticed(committed_database: Any) -> Clinic:
    """Ana's scores have fallen for six sessions, and a night has seen it."""
    with acting_as(BY):
        measures.sync_library()
        clinic = build()
        for session, total in zip(clinic.sessions["ana"], WORSE, strict=True):
            measure_actions.record_administration(
                episode=clinic.episodes["ana"], session=session,
                measure=measures.get_measure("outcome-adult"), total=total,
                provenance="paper", by=BY,
            )  # fmt: skip
        run_night(clinic_time.today())
    return clinic


@pytest.fixture
def sign_in(browser: Any, live_site: str) -> Iterator[Any]:
    contexts = []

    def enter(name: str) -> Any:
        context = browser.new_context(base_url=live_site)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.goto("/sign-in/")
        page.get_by_label("E-mail").fill(f"{name}@clinic.example")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "sign-in" not in url)
        return page

    yield enter
    for context in contexts:
        context.close()


def _of_the_hand(page: Any, kind: str) -> list[str]:
    found: list[str] = page.evaluate(f"JSON.parse(sessionStorage.getItem('{kind}') || '[]')")
    return found


def test_from_flag_to_decision_to_result(noticed: Clinic, sign_in: Any) -> None:
    code, today = noticed.ana.code, clinic_time.today()
    first_together = today + timedelta(days=6)

    # The clinician sees what was noticed.
    alice = sign_in("alice")
    alice.goto(f"/clients/{code}/")
    assert "Reliably lower than at the start" in alice.inner_text("main")

    # The supervisor: from the queue to a recorded decision.
    sofia = sign_in("sofia")
    sofia.add_init_script(COUNTER)
    sofia.goto("/review/")
    sofia.get_by_role("button", name=f"Take up {code}").click()
    sofia.get_by_label("transfer", exact=True).click()
    sofia.get_by_label("Why, in a sentence").click()
    sofia.keyboard.type(WHY)
    sofia.get_by_role("button", name="Record the decision").click()
    sofia.wait_for_url("**/transfer/**")  # where it is carried out
    assert 1 <= len(_of_the_hand(sofia, "presses")) <= 5
    assert set(_of_the_hand(sofia, "keys")) == {"note"}
    with acting_as(BY):
        [review] = CaseReview.objects.filter(client=noticed.ana)
        assert (review.decision, review.note) == ("transfer", WHY)

    # She hands over: load beside each name, a summary begun from the record, a first session.
    assert "Bob Birch · 3 open clients" in sofia.inner_text("[name=to]")
    sofia.select_option("[name=to]", label="Bob Birch · 3 open clients")
    sofia.fill("[name=reason]", "Evenings")
    assert WHY in sofia.input_value("[name=summary]")
    sofia.fill("[name=summary]", f"{sofia.input_value('[name=summary]')}\n\n{TOLD}")
    sofia.fill("[name=together_on]", first_together.isoformat())
    sofia.fill("[name=together_time]", "17:30")
    sofia.get_by_role("button", name="Hand over", exact=True).click()
    sofia.wait_for_url("**/review/")
    assert code not in sofia.inner_text("main")

    # The receiving clinician reads it, and the course with its mark where it changed hands.
    bob = sign_in("bob")
    bob.goto(f"/clients/{code}/")
    page = bob.content()
    assert TOLD in page
    assert WHY in page
    assert ">transfer<" in page
    # The clinician before still sees how it went on.
    alice.goto(f"/review/{code}/")
    assert WHY in alice.inner_text("main")

    # The front desk has the session of both, and no score.
    fred = sign_in("fred")
    fred.goto(f"/schedule/?day={first_together.isoformat()}")
    diary = fred.inner_text("main")
    assert "Ana Oliveira" in diary
    assert fred.goto(f"/clients/{code}/").status == 404
    with acting_as(BY):
        booked = Session.objects.get(client=noticed.ana, held_on=first_together)
        names = set(booked.meeting.clinicians.values_list("pk", flat=True))
        assert names == {noticed.clinicians[who].pk for who in ("alice", "bob")}

    # It ends: not before the last session, and in one sentence what was reached.
    with acting_as(BY):
        held = Session.objects.filter(client=noticed.ana, status="attended")
        last = max(held.values_list("held_on", flat=True))
    bob.get_by_role("link", name="Care has ended").click()
    bob.check("[name=ending][value=agreed]")
    bob.fill("[name=on]", (last - timedelta(days=1)).isoformat())
    bob.get_by_role("button", name="End the episode").click()
    assert "There was a session on" in bob.inner_text("form.ending")
    assert bob.is_checked("[name=ending][value=agreed]")
    bob.fill("[name=on]", today.isoformat())
    bob.get_by_role("button", name="End the episode").click()
    bob.wait_for_url(f"**/clients/{code}/**")
    assert bob.locator("#reached-heading + p").inner_text().strip()
