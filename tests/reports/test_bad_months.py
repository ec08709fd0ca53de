"""Months and clinics that are not as a month should be: each says what it can, and no more."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from measures_app import actions as measure_actions
from measures_app import measures
from reports_app import trend
from reports_app.extract import Scope, attendance, extract
from reports_app.metrics import monthly_metrics
from reports_app.nightly import run_night
from reports_app.periods import Month
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Client, Session
from tests.cast import BY, Clinic
from tests.reports.conftest import (
    Month12,
    browser_text,
    end_one,
    score,
    signed_in,
    taken_back,
)

LIMIT = 8


def test_a_month_in_the_future_is_nowhere_and_the_form_says_why(month: Month12) -> None:
    dora = signed_in(month, "dora")
    ahead = f"{clinic_time.today() + timedelta(days=70):%Y-%m}"
    for page in (f"/reports/{ahead}/", f"/reports/{ahead}/csv/", f"/agency/?month={ahead}"):
        assert dora.get(page).status_code == 404, page
    there = dora.get(f"/reports/{ahead}/").content.decode()
    assert f"{ahead} lies in the future" in there
    assert f"What came of {month.month.title}?" in there
    asked = dora.get(f"/reports/{month.month}/", {"period": ahead})
    assert asked.status_code == 400
    text = asked.content.decode()
    assert f"{ahead} lies in the future" in text
    assert f'value="{ahead}"' in text  # what was typed is kept


def test_an_empty_month_shows_no_rate_and_nobody(month: Month12) -> None:
    dora = signed_in(month, "dora")
    for page in ("/agency/?month=1995-05", "/reports/1995-05/"):
        text = browser_text(dora, page)
        assert "nan" not in text.lower().split()
        assert "%" not in text.split("Two years")[0].replace("95 %", "").replace("80 %", "")


def test_a_programme_with_one_client_says_nothing_of_them(month: Month12) -> None:
    with taken_back():
        alone = actions.add_programme(name="Alone", by=BY)
        end_one(month.clinic, month.month, 80, 13.7, 33.3, "agreed", alone)
        run_night(clinic_time.today())
        dora = signed_in(month, "dora")
        for page in (f"/agency/?month={month.month}&programme=Alone",
                     f"/reports/{month.month}/?programme=Alone"):  # fmt: skip
            text = browser_text(dora, page)
            assert "too few to show" in text.lower() or "Too few" in text
            assert "13.7" not in text
            assert "1 of 1" not in text
        rows = dora.get(f"/agency/groups/?by=programme&period={month.month}").content.decode()
        assert "13.7" not in rows


def test_a_clinic_in_its_first_week_has_a_page_before_and_after_its_first_night(
    clinic: Clinic, browser_of: Any
) -> None:
    with acting_as(BY):
        measures.sync_library()
    dora = browser_of("dora")
    assert "No night has run yet" in browser_text(dora, "/agency/")
    with acting_as(BY):
        today = clinic_time.today()
        # Everything before this week is taken out of the way: the first client came today.
        client = actions.register_client(by=BY, site=clinic.north, name="First Ever")
        episode = actions.open_episode(
            client=client, programme=clinic.therapy, opened_on=today,
            lead=clinic.clinicians["bob"], by=BY,
        )  # fmt: skip
        held = actions.record_session(episode=episode, held_on=today, by=BY)
        score(episode, held, "outcome-adult", 20.0)
        run_night(today)
    text = browser_text(dora, f"/agency/?month={today:%Y-%m}")
    assert "Too few in any year to be shown." in text
    assert browser_text(dora, f"/reports/{today:%Y-%m}/")


def test_measures_before_and_after_a_change_are_never_one_rate(month: Month12) -> None:
    """A clinic that went over to another measure within the month's episodes."""
    with taken_back():
        for place in range(3):
            episode = end_one(month.clinic, month.month, 85 + place, None, None, "agreed")
            for session, total in zip(episode.sessions.order_by("held_on"), (30, 12), strict=True):
                measure_actions.record_administration(
                    episode=episode, session=session, measure=measures.get_measure("bdi-ii"),
                    total=total, provenance="paper", by=BY,
                )  # fmt: skip
        run_night(clinic_time.today())
        told = {(m.measure, m.metric): m for m in monthly_metrics(extract(month.month))}
        new, old = (told[(code, "unchanged")] for code in ("bdi-ii", "outcome-adult"))
        assert (new.denominator, old.denominator) == (3, 8)
        assert told[("bdi-ii", "mean_first_outcome")].value == 30
        counted = trend.count_months()[None][str(month.month)]["outcomes"]
        assert counted["bdi-ii"] == [3, 3, 3]
        found = trend.trends(month.month, trend.count_months()[None], limit=1)
        assert found.figures[0].points[-1].n == 8  # one measure's alone


def _changes_of_the_clock(year: int) -> list[date]:
    zone = clinic_time.zone()
    noon = lambda day: datetime(day.year, day.month, day.day, 12, tzinfo=zone)  # noqa: E731
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(364)]
    return [
        after for before, after in pairwise(days)
        if noon(before).utcoffset() != noon(after).utcoffset()
    ]  # fmt: skip


def test_a_session_belongs_to_the_clinics_own_day_whatever_the_clock_does(
    clinic: Clinic,
) -> None:
    year = clinic_time.today().year - 1
    days = _changes_of_the_clock(year) or [date(year, 3, 30), date(year, 10, 26)]
    with acting_as(BY):
        episode = actions.open_episode(
            client=clinic.ana, programme=clinic.therapy, opened_on=date(year, 1, 2),
            lead=clinic.clinicians["bob"], by=BY,
        )  # fmt: skip
        for change in days:
            month = Month(change.replace(day=1))
            before = attendance(month)["scheduled"]
            following = attendance(month.next())["scheduled"]
            # At the skipped or doubled hour, and either side of the month's last midnight.
            times = [(change, 2, 30), (month.end, 23, 45), (month.next().start, 0, 10)]
            for day, hour, minute in times:
                moment = clinic_time.at(day, hour, minute)
                session = actions.book_session(episode=episode, starts_at=moment, by=BY)
                session.refresh_from_db()
                assert session.held_on == day, (day, hour)
                Session.objects.filter(pk=session.pk).update(status=Session.Status.ATTENDED)
            run_night(clinic_time.today())
            assert attendance(month)["scheduled"] == before + 2
            assert attendance(month.next())["scheduled"] == following + 1


@pytest.mark.parametrize(
    ("age", "band"), [(12, "0-12"), (13, "13-17"), (17, "13-17"), (18, "18-25"), (25, "18-25"),
                      (26, "26-64"), (64, "26-64"), (65, "65+")],
)  # fmt: skip
def test_a_client_at_a_bands_edge_is_counted_in_one_band(
    month: Month12, age: int, band: str
) -> None:
    with taken_back():
        client = month.episodes[0].client
        born = month.month.start.year - age
        Client.objects.filter(pk=client.pk).update(birth_year=born)
        scope = Scope(month.clinic.therapy)
        before = extract(month.month, scope).served_by_age
        Client.objects.filter(pk=client.pk).update(birth_year=None)
        without = extract(month.month, scope).served_by_age
        assert {b for b in before if before[b] != without[b]} == {band, "not recorded"}
        assert before[band] == without[band] + 1
