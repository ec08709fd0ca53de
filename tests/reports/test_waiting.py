"""Waiting, worked by hand: who was seen and when, who still waits, who left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from reports_app.editions import make_published, make_report
from reports_app.extract import Scope
from reports_app.figures import metrics_of
from reports_app.flow import flow as flow_of
from reports_app.metric import Metric
from reports_app.models import TouchedMonth
from reports_app.nightly import refresh_episode, run_night
from reports_app.periods import Month
from reports_app.summaries import months_between
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Episode, Referral
from tests.cast import BY, Clinic
from tests.stage import scene

MONTH = Month(clinic_time.today().replace(day=1)).previous()
LAST = MONTH.end


def day(number: int) -> date:
    """A day of the month; 0 and less lie before it."""
    return MONTH.start + timedelta(days=number - 1)


def referred(clinic: Clinic, received: int, **more: Any) -> Referral:
    client = actions.register_client(by=BY, site=clinic.north, name="Somebody Referred")
    given = {"programme": clinic.therapy, "source": "doctor", **more}
    return actions.receive_referral(client=client, received_on=day(received), by=BY, **given)


def seen(referral: Referral, opened: int, first: int | None) -> None:
    episode = actions.accept_referral(referral=referral, opened_on=day(opened), by=BY)
    if first is not None:
        actions.record_session(episode=episode, held_on=day(first), by=BY)


@scene
def referrals_of_a_month(clinic: Clinic) -> Clinic:
    for received, opened, first in ((-40, 1, 5), (-9, 0, 10), (-3, 2, 12), (2, 5, 20)):
        seen(referred(clinic, received), opened, first)
    seen(referred(clinic, -100, source="school"), -60, -20)  # seen before
    # Care opened in the month, nobody seen in it: they wait.
    seen(referred(clinic, -5, source="school"), 20, None)
    seen(referred(clinic, -70, programme=clinic.restricted), 20, (LAST - day(0)).days + 1)
    offered = referred(clinic, 1)
    actions.offer_first(referral=offered, on=day(9), by=BY)
    gone = referred(clinic, 3)
    actions.close_referral(referral=gone, outcome="not_reached", on=day(15), by=BY)
    late = referred(clinic, 4, source="self")
    actions.close_referral(referral=late, outcome="withdrawn", on=LAST + timedelta(days=1), by=BY)
    run_night(clinic_time.today())
    return clinic


@pytest.fixture
def flow(referrals_of_a_month: Clinic) -> Iterator[Clinic]:
    with acting_as(BY):
        yield referrals_of_a_month


def metric(name: str, scope: Scope | None = None) -> Metric:
    found = [m for m in make_report(MONTH, scope or Scope()).metrics if m.metric == name]
    assert len(found) == 1
    return found[0]


def test_the_month_says_how_long_those_waited_who_were_seen(flow: Clinic) -> None:
    median = metric("waiting_median_days")
    assert sorted((45, 19, 15, 18))[1:3] == [18, 19]
    assert (median.value, median.denominator) == (18.5, 4)
    assert metric("waiting_p90_days").value == pytest.approx(19 + 0.7 * (45 - 19))


def test_those_who_still_wait_stand_beside_it_and_in_its_bounds(flow: Clinic) -> None:
    # Without a session at the month's end: -5, -70, 1 and the one who withdrew the day after.
    so_far = [(LAST - day(received)).days for received in (-5, -70, 1, 4)]
    assert metric("waiting_now").value == 4
    assert metric("waiting_now_median_days").value == pytest.approx(sum(sorted(so_far)[1:3]) / 2)
    over = metric("waiting_over_limit")
    assert (over.numerator, over.denominator) == (sum(d > 42 for d in so_far), 4)
    median = metric("waiting_median_days")
    assert median.coverage == 0.5
    everybody = sorted([45, 19, 15, 18, *so_far])
    assert median.best == sum(everybody[3:5]) / 2
    assert median.worst is None  # the middle of eight of whom four were never seen
    assert "4 still wait" in median.note


def _half(reached: Iterable[int], everybody: list[tuple[int, int]]) -> int:
    """The product-limit estimate by hand: of all at risk on each day that one was reached."""
    left = 1.0
    for wait in sorted(reached):
        risk = sum(1 for end, start in everybody if start <= wait <= end)
        left *= 1 - 1 / risk
        if left <= 0.5:
            return wait
    raise AssertionError("not half of them were reached")


def test_of_all_who_waited_it_is_said_when_half_are_seen(flow: Clinic) -> None:
    found = metric("waiting_all_median_days")
    # Nine waited in the month: four were seen on these days of their wait, five as long as that.
    assert (found.numerator, found.denominator) == (4, 9)
    began = {45: 41, 19: 10, 15: 4, 18: 0}  # days of the wait behind them when the month began
    censored = [((LAST - day(received)).days, max(0, 1 - received)) for received in (-5, -70, 1, 4)]
    everybody = [*began.items(), *censored, (12, 0)]
    assert found.value == _half(began, everybody)
    assert found.note.startswith("of all who waited in the period")


def test_of_all_who_waited_it_is_said_when_half_are_offered(flow: Clinic) -> None:
    """By hand: one was offered, four were seen without an offer entered, five wait or left."""
    found = metric("offer_all_median_days")
    assert (found.numerator, found.denominator) == (5, 9)
    reached = {45: 41, 19: 10, 15: 4, 18: 0, 8: 0}  # day -> days of the wait behind them
    censored = [((LAST - day(received)).days, max(0, 1 - received)) for received in (-5, -70, 4)]
    everybody = [*reached.items(), *censored, (12, 0)]  # not reached on day 12
    assert found.value == _half(reached, everybody)


def test_an_ending_taken_back_is_noted_in_each_month_since(flow: Clinic) -> None:
    """Who goes on after all is in care in each month after the ending that was."""
    episode = Referral.objects.get(received_on=day(2)).episode
    later = clinic_time.today()
    actions.close_episode(episode=episode, on=day(25), ending="agreed", by=BY)
    run_night(later)
    TouchedMonth.objects.all().delete()
    Episode.objects.filter(pk=episode.pk).update(closed_on=None, ending="", closed_recorded_at=None)
    refresh_episode(episode.pk, later)
    touched = set(TouchedMonth.objects.values_list("month", flat=True))
    assert touched >= months_between(MONTH.start, later)


def test_offers_arrivals_and_those_who_left_are_counted_once(flow: Clinic) -> None:
    assert metric("first_offer_median_days").value == 8
    assert metric("referrals_received").value == 4
    left = metric("referrals_left")
    assert (left.value, left.note) == (1, "1 could not be reached")


def test_a_programme_has_its_own_waits(flow: Clinic) -> None:
    assert metric("waiting_now", Scope(flow.restricted)).value == 1
    assert metric("waiting_now", Scope(flow.therapy)).value == 3
    assert metric("waiting_median_days", Scope(flow.restricted)).value is None


def test_care_that_closed_without_a_session_ends_the_wait(flow: Clinic) -> None:
    waits = Referral.objects.get(source="school", received_on=day(-5))
    actions.close_episode(episode=waits.episode, on=day(25), ending="client_stopped", by=BY)
    run_night(clinic_time.today())
    assert metric("waiting_now").value == 3
    assert (
        metric("referrals_left").note == "1 care closed without a session, 1 could not be reached"
    )


def test_a_file_that_leaves_the_clinic_holds_no_wait_of_few(flow: Clinic) -> None:
    published = {m.metric: m for m in make_published(MONTH).metrics if not m.measure}
    for name in ("waiting_median_days", "waiting_p90_days", "waiting_now", "referrals_received",
                 "waiting_over_limit", "first_offer_median_days"):  # fmt: skip
        assert published[name].value is None, name


def test_a_month_without_a_referral_says_so(clinic: Clinic) -> None:
    with acting_as(BY):
        assert metric("waiting_median_days").note == "nobody was seen for the first time"
        assert metric("waiting_now").value == 0


def test_the_flow_stands_by_programme_and_by_who_referred(flow: Clinic, browser_of: Any) -> None:
    actions.set_policy(key="small_cell_limit", value=1, by=flow.adam)
    found = flow_of(MONTH, "source", 1, Scope())
    by_source = {group.name: group for group in found.into}
    assert set(by_source) == {"family doctor", "school", "the client"}
    doctor = by_source["family doctor"]
    assert (doctor.seen, doctor.median.value, doctor.waiting) == (4, 18.5, 2)
    assert (by_source["school"].seen, by_source["school"].waiting) == (0, 1)
    page = browser_of("dora").get(f"/agency/flow/?by=source&period={MONTH}").content.decode()
    assert "family doctor" in page
    assert "18.5" in page


def test_few_are_not_shown_in_the_flow_and_nonsense_is_said(flow: Clinic, browser_of: Any) -> None:
    dora = browser_of("dora")
    page = dora.get(f"/agency/flow/?by=source&period={MONTH}").content.decode()
    assert "18.5" not in page
    assert "too few" in page
    # Who waits beyond the limit is a part of those who wait: neither part may be of few.
    everybody = flow_of(MONTH, "source", 3, Scope()).into_all
    assert (everybody.waiting, everybody.over) == (4, None)
    assert flow_of(MONTH, "source", 1, Scope()).into_all.over in (1, 2, 3)
    wrong = dora.get("/agency/flow/?period=2026-99")
    assert wrong.status_code == 400
    assert "2026-99" in wrong.content.decode()
    assert dora.get("/agency/flow/?by=clinician").status_code == 404


def test_kept_figures_follow_a_wait_through_each_of_its_months(flow: Clinic) -> None:
    """What the night kept is let go by any change of a wait, in the months after it too."""
    waits, before = metrics_of(MONTH), metric("waiting_now").value
    assert [m.value for m in waits if m.metric == "waiting_now"] == [before]
    actions.close_referral(
        referral=Referral.objects.get(first_offer_on=day(9), outcome=""),
        outcome="withdrawn", on=LAST, by=BY,
    )  # fmt: skip
    assert [m.value for m in metrics_of(MONTH) if m.metric == "waiting_now"] == [before - 1]
    run_night(clinic_time.today())
    seen_since = Referral.objects.get(source="school", received_on=day(-5))
    actions.record_session(episode=seen_since.episode, held_on=day(21), by=BY)
    run_night(clinic_time.today())
    assert [m.value for m in metrics_of(MONTH) if m.metric == "waiting_now"] == [before - 2]
    actions.set_policy(key="waiting_limit_days", value=1, from_on=MONTH.start, by=BY)
    over = [m for m in metrics_of(MONTH) if m.metric == "waiting_over_limit"]
    assert [m.numerator for m in over] == [2]


def test_a_wait_touches_every_month_from_its_referral_on(clinic: Clinic) -> None:
    with acting_as(BY):
        TouchedMonth.objects.all().delete()
        referred(clinic, -40)
        touched = set(TouchedMonth.objects.values_list("month", "sessions"))
    first = day(-40).replace(day=1)
    assert touched >= {(month, False) for month in months_between(first, clinic_time.today())}
