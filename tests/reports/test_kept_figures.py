"""What reports keep: as good as counted anew at any moment, and no client is counted for a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.models import Administration
from reports_app import figures, still_looking, trend
from reports_app.extract import CLINIC, Scope, extract
from reports_app.metric import Metric
from reports_app.metrics import monthly_metrics
from reports_app.models import KeptFigures, TouchedMonth
from reports_app.nightly import refresh_episode
from reports_app.tasks import refresh_months
from sessions_app import actions, clinic_time
from sessions_app.models import Client, Session
from tests.cast import BY
from tests.reports.conftest import Month12, end_one, signed_in, taken_back

OF_CLIENTS = ("episodesummary", "app_session", "app_administration", "app_client", "app_episode")


def counted(month: Month12, scope: Scope = CLINIC) -> list[Metric]:
    return monthly_metrics(extract(month.month, scope))


def kept(month: Month12, scope: Scope = CLINIC) -> list[Metric]:
    return figures.metrics_of(month.month, scope)


def of_clients(queries: CaptureQueriesContext) -> list[str]:
    """Statements that read rows of which a clinic has more the more clients it has."""
    statements = [query["sql"] for query in queries.captured_queries]
    return [sql for sql in statements if any(name in sql for name in OF_CLIENTS)]


def correct_a_score(month: Month12) -> None:
    row = Administration.objects.filter(episode=month.episodes[0]).latest("taken_at")
    measure_actions.void_administration(administration=row, reason="wrong person", by=BY)
    refresh_episode(month.episodes[0].pk, clinic_time.today())


def move_a_session(month: Month12) -> None:
    session = Session.objects.filter(episode=month.episodes[3]).latest("held_on")
    before = session.held_on.replace(year=session.held_on.year - 1)
    Session.objects.filter(pk=session.pk).update(held_on=before)


def end_another(month: Month12) -> None:
    episode = end_one(month.clinic, month.month, 90, 12.0, 30.0, "agreed")
    refresh_episode(episode.pk, clinic_time.today())


def learn_an_age(month: Month12) -> None:
    Client.objects.filter(pk=month.episodes[1].client_id).update(birth_year=1940)


def hear_a_carer(month: Month12) -> None:
    client = month.episodes[2].client
    carer = actions.add_respondent(client=client, relation="carer", by=BY)
    measure_actions.record_administration(
        episode=month.episodes[2], session=None, respondent=carer, total=20.0,
        measure=measures.get_measure("outcome-adult"),
        taken_at=clinic_time.at(month.month.start, 9), provenance="paper", by=BY,
    )  # fmt: skip


def rename_the_programme(month: Month12) -> None:
    month.clinic.therapy.name = "Talking, and more"
    month.clinic.therapy.save()


@pytest.mark.parametrize(
    "change",
    [correct_a_score, move_a_session, end_another, learn_an_age, hear_a_carer,
     rename_the_programme],
    ids=lambda change: change.__name__,
)  # fmt: skip
def test_a_change_by_day_is_in_the_figures_at_once_and_in_those_kept_again(
    month: Month12, change: Callable[[Month12], None]
) -> None:
    with taken_back():
        programme = Scope(month.clinic.therapy)
        before = kept(month), kept(month, programme)
        change(month)
        found = kept(month), kept(month, programme)
        assert found != before
        assert found == (counted(month), counted(month, programme))
        refresh_months()
        assert not TouchedMonth.objects.exists()
        # Attendance is the night's until then: a moved session is counted with it.
        assert (kept(month), kept(month, programme)) == (counted(month), counted(month, programme))
        with CaptureQueriesContext(connection) as queries:
            kept(month)
        assert of_clients(queries) == []
    month.clinic.therapy.refresh_from_db()


def test_what_is_kept_is_what_is_counted(month: Month12) -> None:
    with taken_back():
        for scope in (CLINIC, Scope(month.clinic.therapy), Scope(month.clinic.restricted)):
            assert kept(month, scope) == counted(month, scope)
        assert figures.looking_of() == still_looking.of_clinic()
        assert figures.months_of() == trend.count_months()[None]
        assert KeptFigures.objects.filter(of=str(month.month)).count() == 3


PAGES = ["/agency/", "/agency/?programme=Talking therapy", "/reports/{month}/",
         "/agency/flow/?period={month}", "/agency/flow/?by=source&period={month}",
         "/agency/groups/?period={month}"]  # fmt: skip


@pytest.mark.parametrize("page", [*PAGES, "/reports/{month}/csv/"])
def test_no_client_is_counted_for_a_page(month: Month12, page: str) -> None:
    browser: Any = signed_in(month, "dora")
    page = page.format(month=month.month)
    assert browser.get(page).status_code == 200
    with CaptureQueriesContext(connection) as queries:
        browser.get(page)
    assert of_clients(queries) == []


def enter_a_session(month: Month12) -> None:
    actions.record_session(
        episode=month.episodes[0], held_on=month.month.start, status="attended",
        by=BY,
    )  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_what_was_kept_and_since_when_until_it_is_counted_again(
    month: Month12, page: str
) -> None:
    browser: Any = signed_in(month, "dora")
    page = page.format(month=month.month)
    with taken_back():
        refresh_months()
        assert "Numbers of" not in browser.get(page).content.decode()
        enter_a_session(month)
        with CaptureQueriesContext(connection) as queries:
            shown = browser.get(page).content.decode()
        assert of_clients(queries) == []
        at = KeptFigures.objects.get(of=str(month.month), scope="").made_at
        assert "1 session entered since is added within 10 minutes." in shown
        refresh_months()
        with CaptureQueriesContext(connection) as queries:
            assert "Numbers of" not in browser.get(page).content.decode()
        assert of_clients(queries) == []
        assert KeptFigures.objects.get(of=str(month.month), scope="").made_at > at


def test_a_file_holds_what_a_page_does_not_show_yet(month: Month12) -> None:
    with taken_back():
        refresh_months()
        before = figures.shown(month.month)[0]
        correct_a_score(month)
        shown, since = figures.shown(month.month)
        assert (shown, since is not None) == (before, True)
        assert kept(month) == counted(month) != shown
        assert figures.shown(month.month)[0] == kept(month), "the file's reader left it behind"


def test_sessions_are_counted_as_entered_once(month: Month12) -> None:
    """Booked ahead, then said to have taken place, then moved: entered when it was said."""

    def noted() -> int:
        return sum(TouchedMonth.objects.values_list("entered", flat=True))

    with taken_back():
        refresh_months()
        session = Session.objects.filter(episode=month.episodes[3]).latest("held_on")
        steps = [
            ({"status": "booked"}, 0), ({"status": "attended"}, 1), ({"status": "no_show"}, 1),
            ({"held_on": session.held_on.replace(year=session.held_on.year - 1)}, 1),
        ]  # fmt: skip
        for change, entered in steps:
            Session.objects.filter(pk=session.pk).update(**change)
            assert noted() == entered


def test_a_programme_that_is_gone_takes_its_figures_along(month: Month12) -> None:
    with taken_back():
        KeptFigures.objects.create(
            of=str(month.month), scope="programme:999999", content={}, stale=True,
            made_at=clinic_time.now(),
        )  # fmt: skip
        refresh_months()
        assert not KeptFigures.objects.filter(stale=True).exists()
