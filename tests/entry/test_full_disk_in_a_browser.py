"""The disk is full as somebody sends a session: they are told, it is all there, and goes again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import psycopg2
import pytest

from measures_app.models import Administration
from outcomes_site.database import OWNER
from sessions_app import clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Outbox, Session, Submission
from tests.browsers import PHONE, broken_rules
from tests.cast import BY, Clinic
from tests.conftest import CommittedDatabase

pytestmark = [pytest.mark.browser, pytest.mark.processes]

NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
END $$;
CREATE TRIGGER no_room AFTER INSERT ON measures_app_administration
    FOR EACH STATEMENT EXECUTE FUNCTION no_room();
"""


@contextmanager
def no_room(database: CommittedDatabase) -> Iterator[None]:
    """Postgres says what it says when a table can't grow, after some rows were written."""
    with closing(psycopg2.connect(database.url)) as line, line.cursor() as cursor:
        line.autocommit = True
        cursor.execute(f"SET ROLE {OWNER}")
        cursor.execute(NO_ROOM)
        try:
            yield
        finally:
            cursor.execute("DROP FUNCTION no_room CASCADE")


def _rows() -> list[int]:
    with acting_as(BY):
        return [one.objects.count() for one in (Session, Administration, Submission, Outbox)]


@pytest.mark.parametrize("script", [True, False], ids=["by itself", "without script"])
def test_what_was_typed_stays_on_the_page_and_is_kept_once_there_is_room(
    site: tuple[str, Clinic], open_page: Any, committed_database: CommittedDatabase, script: bool
) -> None:
    url, clinic = site
    page = open_page(url, clinic.alice, java_script_enabled=script, **PHONE)
    page.goto(f"{url}/clients/{clinic.ana.code}/sessions/new/")
    if not script:  # the form above went before this one
        page.locator("[name=time]").fill("07:00")
        page.locator("[name=held_on]").fill(f"{clinic_time.today() - timedelta(days=1)}")
    marks = page.locator("main form input[type=text][name^=m]")
    typed = [f"{number}.5" for number in range(1, 5)]
    for place, text in enumerate(typed):
        marks.nth(place).fill(text)
    before = _rows()
    send_again = page.get_by_role("button", name="Send it again")
    with no_room(committed_database):
        page.locator("main form button[type=submit]").first.click()
        if script:
            page.get_by_text("Not kept yet").wait_for()
            assert broken_rules(page) == []
            other = open_page(url, clinic.alice, **PHONE)  # the page that says so without script
            other.goto(page.url)
            other.locator("[data-mark]").first.fill("1.5")
            other.evaluate(
                "HTMLFormElement.prototype.submit.call(document.querySelector('.entry'))"
            )
            other.get_by_role("heading", name="Not reachable for a moment").wait_for()
            assert broken_rules(other) == []
            assert [marks.nth(place).input_value() for place in range(4)] == typed
        else:
            page.get_by_role("heading", name="Not reachable for a moment").wait_for()
            assert "nothing was written" in page.content()
            send_again.click()  # too early
            page.get_by_role("heading", name="Not reachable for a moment").wait_for()
    assert _rows() == before
    if not script:
        send_again.click()
    page.wait_for_url("**/picture/")
    sessions, scores, submissions, _promised = (
        now - then for now, then in zip(_rows(), before, strict=True)
    )
    assert (sessions, scores, submissions) == (1, 1, 1)
    with acting_as(BY):
        assert Administration.objects.latest("pk").total == 12  # of 1.5, 2.5, 3.5 and 4.5
