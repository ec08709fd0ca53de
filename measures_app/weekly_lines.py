"""The line of a week: the clinic's own, moved by how many flags were raised so far.

A line that the clinic has set is followed where its policy says so: on each Monday the next
line comes from the flags of the weeks before, and is written down with what it came from. All
of a week are held to it, whatever is noticed meanwhile, and a flag names it (`basis`), so that it
can be shown again years later.
"""

from __future__ import annotations

from datetime import date, timedelta

from django.db import connection

from measures_app.models import Flag, FlagRuleSet, WeeklyLine
from measures_app.psychometrics.steering import ahead_after, followed
from measures_app.rule_sets import constants_of
from sessions_app import policies
from sessions_app.models import Supervision

WEEK = timedelta(days=7)


def supervisors_on(day: date) -> int:
    """How many supervise somebody on a day; 1 where nobody does."""
    in_force = Supervision.objects.filter(from_on__lte=day).exclude(to_on__lt=day)
    return max(1, in_force.values("supervisor").distinct().count())


def room_on(day: date) -> float:
    """Flags a week that the whole clinic can look at."""
    return float(policies.get("review_budget_per_week", day) * supervisors_on(day))


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _newest(as_of: date) -> WeeklyLine | None:
    rows = WeeklyLine.objects.select_related("rule_set").filter(from_on__lte=as_of)
    return rows.order_by("-from_on", "-pk").first()


def _holds(row: WeeklyLine | None, line: float, as_of: date) -> WeeklyLine | None:
    """A row, where it is of this week and follows the line that is the clinic's now."""
    if row is None or row.from_on < monday_of(as_of):
        return None
    return row if constants_of(row.rule_set).notice_above == line else None


def _next(before: WeeklyLine | None, rule_set: FlagRuleSet, as_of: date) -> WeeklyLine:
    line, room = constants_of(rule_set).notice_above, room_on(as_of)
    if before is None or constants_of(before.rule_set).notice_above != line:
        # Another line was priced anew: what was raised under the last one isn't held against it.
        return WeeklyLine(from_on=as_of, rule_set=rule_set, room=room, line=line)
    since, until = before.from_on, monday_of(as_of)
    if before.raised is None:
        since = monday_of(since) + WEEK
    flags = Flag.objects.for_review().noticed()
    raised = flags.filter(raised_on__gte=since, raised_on__lt=until).count()
    ahead = ahead_after(before.ahead, raised, before.room, (until - since) / WEEK)
    return WeeklyLine(
        from_on=until,
        rule_set=rule_set,
        room=room,
        raised=raised,
        ahead=ahead,
        line=followed(line, ahead),
    )


def newest_line(as_of: date) -> WeeklyLine | None:
    """The line of a day's week where the clinic's line follows the count, for a page to show."""
    constants = policies.all_on(as_of)
    if not (constants["notice_above"] and constants["line_follows_count"]):
        return None
    return _holds(_newest(as_of), float(constants["notice_above"]), as_of)


def line_on(rule_set: FlagRuleSet, as_of: date) -> float:
    """The line that a day's reasons are held to; where it follows the count, its week's.

    The first who asks in a week writes it down. Asked by the system alone: who sees some of the
    clinic's flags would count those.
    """
    constants = constants_of(rule_set)
    if not (constants.notice_above and constants.line_follows_count):
        return constants.notice_above
    found = _holds(_newest(as_of), constants.notice_above, as_of)
    if found is None:
        with connection.cursor() as cursor:
            # Two that come at once write one line.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('weekly line'))")
        before = _newest(as_of)
        found = _holds(before, constants.notice_above, as_of)
        if found is None:
            found = _next(before, rule_set, as_of)
            found.save()
    return found.line
