"""Little or odd data: a sensible answer or a plain "not enough yet", in the night and on pages."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from measures_app.models import ExpectedChangeModel, Trajectory
from reports_app.backtest import NoHistory, read_history
from reports_app.models import EpisodeSummary
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import User
from tests.cast import BY, PASSWORD, Clinic

from .stories import Story, add_score, ordinary, tell
from .test_night import rows_of

OF_THE_CLINIC = ("/agency/", "/agency/groups/", "/rules/", "/measures/outcome-adult/")
NO_NUMBER = re.compile(r"\b(nan|inf|infinity|none|null|undefined)\b|Traceback")


@pytest.fixture
def today() -> date:
    return clinic_time.today()


def _seen(browser: Browser, address: str) -> str:
    """What somebody reads on a page: its words, and those of its pictures."""
    answer = browser.get(address)
    assert answer.status_code == 200, address
    page = answer.content.decode()
    main = page[page.index("<main") : page.index("</main>")]
    words = html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", main, flags=re.DOTALL))
    drawn = " ".join(re.findall(r'(?:points|x1|y1|y2|cx|cy|d|width|height)="([^"]*)"', main))
    found = NO_NUMBER.findall(drawn) or NO_NUMBER.findall(words)
    assert not found, f"{address}: {found} in {words[:4000]}"
    return words


def look_at_pages(clinic: Clinic, stories: Iterable[Story]) -> str:
    """Each page a number of theirs stands on; returns the words of the clients' own."""
    clinician, director = Browser(), Browser()
    clinician.force_login(clinic.alice)
    with acting_as(BY):
        dora = actions.add_user(
            email="dora@clinic.example", name="Dora Dogwood", password=PASSWORD, by=BY
        )
        actions.grant_role(user=dora, role="director", by=BY)
    director.force_login(dora)
    words = []
    for story in stories:
        code = story.client.code
        words.append(_seen(clinician, f"/clients/{code}/"))
        words.append(_seen(clinician, f"/review/{code}/"))
        words.append(_seen(clinician, f"/sessions/{story.sessions[-1].pk}/picture/"))
        _seen(clinician, f"/clients/{code}/scores/")
    for address in ("/caseload/", "/review/", "/practice/", "/rules/"):
        _seen(clinician, address)
    month = clinic_time.today().strftime("%Y-%m")
    for address in (*OF_THE_CLINIC, f"/reports/{month}/"):
        _seen(director, address)
    return " ".join(words)


USED_ONCE = "outcome-child"
LONG_AGO = date(2015, 3, 1)
BAD = {
    "nobody": [],
    "one client, one score": [[20]],
    "one client": [[20, 22, 23]],
    "two clients": [[20, 22, 23], [10, 12]],
    "all scores equal": [[20] * 4] * 8,
    "all began alike": [[20, 21, 25, 24], [20, 23, 22, 28], [20, 19, 18, 21]] * 3,
    "all at the floor": [[0] * 4] * 8,
    "all at the ceiling": [[40] * 4] * 8,
    "a measure used once": [[12.5]],
}


@pytest.mark.parametrize("courses", BAD.values(), ids=BAD.keys())
def test_little_or_odd_data_gets_a_sensible_answer(
    at_work: Clinic, today: date, courses: list[list[float]]
):
    stories = [tell(at_work, scores) for scores in courses]
    check(run_night(today))
    if not courses:
        with pytest.raises(NoHistory):
            read_history(today)
    # Alike courses make alike pages: two of them are enough.
    look_at_pages(at_work, stories[:2])


def test_a_measure_used_once_beside_one_used_often(at_work: Clinic, today: date):
    ordinary(12)
    story = tell(at_work, [18, 20, 22])
    add_score(story, story.sessions[-1], 31.5, measure=USED_ONCE)
    night = run_night(today)
    check(night)
    assert {row["measure"]: row["model"] for row in night["measures"]} == {
        "outcome-adult": "provisional (own data n = 13)",
        USED_ONCE: "published prior",
    }
    words = look_at_pages(at_work, [story])
    assert "31.5" in words
    director = Browser()
    director.force_login(User.objects.get(email="dora@clinic.example"))
    _seen(director, f"/measures/{USED_ONCE}/")


def check(night: dict[str, Any]) -> None:
    """No NaN anywhere, and where there is no model a plain word why."""
    text = json.dumps(night, allow_nan=False)
    assert json.loads(text) == night
    for row in night["measures"]:
        assert row["model"] or row["problem"], row
        assert "usable" not in row["problem"], "a reason nobody thought of"
    for model in (Trajectory, EpisodeSummary):
        for row in rows_of(model):
            assert "nan" not in repr(row).lower()


def test_gaps_of_years_scores_out_of_order_and_two_on_a_day(at_work: Clinic, today: date):
    ordinary(12)
    on = [LONG_AGO, LONG_AGO + timedelta(days=7), today - timedelta(days=20)]
    years = tell(at_work, [18, 20, 22], on)
    mixed = tell(
        at_work,
        [18, 22, 20],
        [today - timedelta(days=n) for n in (30, 10, 20)],
        opened_on=today - timedelta(days=30),
    )
    twice = tell(at_work, [18, 20, 22], [today - timedelta(days=n) for n in (9, 2, 2)])
    check(run_night(today))
    words = look_at_pages(at_work, (years, mixed, twice))
    assert "2015" in words
    assert [story.episode.trajectories.get().scores for story in (years, mixed, twice)] == [
        [18, 20, 22],
        [18, 20, 22],
        [18, 20, 22],
    ]
    model = ExpectedChangeModel.objects.get(measure__code="outcome-adult")
    assert model.clients == 15
    assert model.rows == 12 * 4 + 1 + 2 + 2  # nothing after the gap of years
