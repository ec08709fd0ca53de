"""The line follows the count: each Monday a little higher or lower by the flags of whole weeks.

All of a week are held to one line, whoever is looked at first; it is written down with what it
came from, and every flag names it.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import connection
from django.db.utils import DatabaseError, ProgrammingError
from django.test.utils import CaptureQueriesContext

from measures_app.models import Flag, FlagEvent, WeeklyLine
from measures_app.rule_sets import current_rule_set
from measures_app.weekly_lines import line_on, monday_of
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time
from tests.cast import BY, Clinic

from .stories import days, tell

pytestmark = pytest.mark.usefixtures("no_pages_made_ahead")

WEEK = timedelta(weeks=1)
WORSE, SAME = [18, 14, 11.4], [18, 19, 18, 19, 18, 19]
ROOM, LINE = 2, 0.45
PLUS, MINUS = 0.47, 0.43  # a week's room ahead, and behind


def monday(weeks_ago: int) -> date:
    return monday_of(clinic_time.today()) - weeks_ago * WEEK


@pytest.fixture
def lined(at_work: Clinic) -> Clinic:
    since = monday(12)
    actions.set_policy(key="notice_above", value=LINE, from_on=since, by=BY)
    actions.set_policy(key="review_budget_per_week", value=ROOM, from_on=since, by=BY)
    return at_work


def line(day: date) -> float:
    return round(line_on(current_rule_set(day), day), 6)


def raise_flags(clinic: Clinic, count: int, on: date) -> None:
    """Flags raised on a day, as a night of that day would have."""
    story = tell(clinic, SAME, days(6, last=90))
    Flag.objects.bulk_create(
        Flag(
            client=story.client, episode=story.episode, rule="no_progress", series=f"s/{n}{on}",
            kind=Flag.Kind.REVIEW, evidence={}, raised_on=on, rule_set=current_rule_set(on),
            state=Flag.State.LAPSED, closed_on=on, closed_at=clinic_time.now(),
        )
        for n in range(count)
    )  # fmt: skip


def test_it_rises_with_what_is_ahead_of_the_room_and_falls_behind_it(lined: Clinic):
    assert line(monday(12)) == LINE
    raise_flags(lined, 9, monday(12))  # of the week in which the line came: not counted
    assert line(monday(11)) == LINE
    raise_flags(lined, 2 * ROOM, monday(11) + timedelta(days=3))
    assert line(monday(11) + timedelta(days=6)) == LINE  # a week is held to one line
    assert line(monday(10)) == PLUS
    # Nothing for two weeks, in which nobody asked either.
    assert line(monday(8) + timedelta(days=2)) == MINUS
    rows = list(WeeklyLine.objects.order_by("from_on"))
    assert [(row.from_on, row.raised, row.ahead) for row in rows] == [
        (monday(12), None, 0.0),
        (monday(11), 0, 0.0),
        (monday(10), 2 * ROOM, 1.0),
        (monday(8), 0, -1.0),
    ]
    assert {row.room for row in rows} == {float(ROOM)}


def test_it_moves_by_five_weeks_of_room_at_most(lined: Clinic):
    line(monday(12))
    line(monday(11))
    raise_flags(lined, 40 * ROOM, monday(11))
    assert line(monday(10)) == 0.55
    assert line(monday(2)) == 0.39
    assert line(monday(0)) == 0.35


def test_what_only_waited_and_what_nobody_reviews_is_not_counted(lined: Clinic):
    line(monday(11))
    raise_flags(lined, 3, monday(10))
    line(monday(10))
    Flag.objects.filter(series__endswith=str(monday(10))).update(
        close_reason="while it waited: the reason is gone"
    )
    raise_flags(lined, 5, monday(10))
    prompts = Flag.objects.filter(close_reason="")
    prompts.update(kind=Flag.Kind.PROMPT)
    assert line(monday(9)) == MINUS


def test_another_line_begins_another_count_and_the_past_keeps_its_own(lined: Clinic):
    line(monday(11))
    raise_flags(lined, 3 * ROOM, monday(10))
    line(monday(10))
    assert line(monday(9)) == 0.49
    actions.set_policy(key="notice_above", value=0.3, from_on=monday(9) + timedelta(2), by=BY)
    assert line(monday(9) + timedelta(2)) == 0.3
    raise_flags(lined, 9 * ROOM, monday(9) + timedelta(3))
    assert line(monday(8)) == 0.3
    assert list(WeeklyLine.objects.filter(from_on=monday(9)).values_list("line", flat=True)) == [
        pytest.approx(LINE + 0.04)
    ]


def test_a_count_goes_on_under_rules_that_changed_elsewhere(lined: Clinic):
    line(monday(11))
    raise_flags(lined, 2 * ROOM, monday(10))
    line(monday(10))
    actions.set_policy(key="overdue_factor", value=3.0, from_on=monday(10) + timedelta(2), by=BY)
    assert line(monday(10) + timedelta(3)) == LINE
    assert line(monday(9)) == PLUS


def test_it_stands_still_where_the_clinic_wants_it_so(lined: Clinic):
    actions.set_policy(key="line_follows_count", value=False, from_on=monday(12), by=BY)
    raise_flags(lined, 9, monday(11))
    assert line(monday(10)) == LINE == line(monday(3))
    assert not WeeklyLine.objects.exists()


def test_a_clinic_without_a_line_holds_nothing_back_and_counts_nothing(at_work: Clinic):
    raise_flags(at_work, 9, monday(3))
    assert line(monday(2)) == 0.0 == line(monday(1))
    assert not WeeklyLine.objects.exists()


def test_a_night_raises_earlier_where_there_is_room_and_the_flag_names_the_line(lined: Clinic):
    """.30 reaches .45 in eight weeks; with little else to look at it needn't wait so long."""
    first = monday(10)
    same = tell(lined, SAME, days(6, last=(clinic_time.today() - first).days))
    flags = Flag.objects.filter(episode=same.episode, rule="no_progress")
    for weeks, state in ((0, "waiting"), (4, "waiting"), (5, "open")):
        run_night(first + weeks * WEEK)
        assert flags.get().state == state
    began, raised = FlagEvent.objects.filter(
        flag=flags.get(), why__in=["waits for room", "raised"]
    ).order_by("pk")
    row = WeeklyLine.objects.get(from_on=first + 5 * WEEK)
    assert (began.basis["line"], raised.basis["line"]) == (LINE, row.line)
    # Four whole weeks without a flag; .30 has become .40 by then, and .45 it never reached.
    assert (row.raised, row.line) == (0, pytest.approx(LINE - 4 * 0.02))
    # A night of a day before the last one finds what held then, and writes nothing.
    before = list(WeeklyLine.objects.values_list("pk"))
    run_night(first + 2 * WEEK)
    assert list(WeeklyLine.objects.values_list("pk")) == before


def test_a_week_that_has_its_line_is_asked_once(lined: Clinic):
    rules = current_rule_set(monday(5))
    line_on(rules, monday(5))
    with CaptureQueriesContext(
        connection,
    ) as asked:
        line_on(rules, monday(5) + timedelta(days=4))
    assert len(asked) == 1


def test_a_line_that_was_is_never_changed(lined: Clinic):
    line(monday(5))
    with pytest.raises((DatabaseError, ProgrammingError)):
        WeeklyLine.objects.update(line=0.1)
