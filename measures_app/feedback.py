"""What is looked at together right after the last answer: the client's own words and picture.

The stored model is read, nothing waits for the night. No alarm words: a flag's reason is the
clinician's, on the client page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from measures_app.charts import course_both, figure_table, number
from measures_app.expected import Reading
from measures_app.kept import kept
from measures_app.measures import current_version, definition_of
from measures_app.models import Administration, Measure
from measures_app.picture import Picture, pictures_in
from measures_app.single import Course, course_of
from sessions_app.models import Respondent, Session


@dataclass(frozen=True)
class Feedback:
    """One series as the client sees it."""

    title: str  # in the language that is being spoken
    picture: Picture
    sentence: str
    svg: str
    table: list[dict[str, str]]


def client_sentence(reading: Reading, *, expected: bool = True) -> str:
    """Where the last score stands, in one plain sentence to the client.

    Without `expected` it is told from the start alone, not from what was expected.
    """
    s = reading.series
    if len(s.scores) < 2:
        return _("This is where you start: from the next time on we see how it goes.")
    if reading.change_class == "deteriorated":
        if s.criteria is not None and s.criteria.better == "lower":
            return _("Higher than at the start: worth talking about.")
        return _("Lower than at the start: worth talking about.")
    standing = reading.standing if expected else ""
    if standing == "worse":
        return _("Not yet what one would expect from where you started: worth talking about.")
    if standing == "better":
        return _("Better than expected from where you started.")
    if standing == "within":
        return _("About what was expected from where you started.")
    return _("%(first)s at the start, %(last)s now.") % {
        "first": number(s.scores[0]),
        "last": number(s.scores[-1]),
    }


def _answer(row: Administration, item: str) -> Decimal | None:
    value = (row.answers or {}).get(item)
    return None if value in (None, "") else Decimal(str(value))


def _moved_most(now: Administration, before: Administration) -> tuple[str, Decimal] | None:
    """The item that moved most since last time, with its change; None where none moved."""
    words: dict[str, Any] = definition_of(now.version).words(now.language).get("items", {})
    moves = []
    for item in now.answers or {}:
        here, there = _answer(now, item), _answer(before, item)
        if here is not None and there is not None and here != there:
            moves.append((words.get(item, {}).get("label", item), here - there))
    return max(moves, key=lambda move: abs(move[1])) if moves else None


def alliance_sentence(session: Session, course: Course) -> str:
    """The alliance at this session, and what moved since the time before; empty without one."""
    own = course.own_alliance
    here = next((row for row in reversed(own) if row["session_id"] == session.pk), None)
    if here is None:
        return ""
    there = next((row for row in reversed(own) if row["taken_at"] < here["taken_at"]), None)
    answered = Administration.objects.in_bulk([row["pk"] for row in (here, there) if row])
    for row in answered.values():
        row.version = kept().versions[row.version_id]
    now, before = answered[here["pk"]], answered[there["pk"]] if there else None
    text = _("How we work together: %(total)s of %(high)s") % {
        "total": number(float(now.total or 0)),
        "high": number(float(now.version.high)),
    }
    if before is None or before.version.measure_id != now.version.measure_id:
        return f"{text}."
    change = (now.total or Decimal(0)) - (before.total or Decimal(0))
    if change == 0:
        text += _(", as last time")
    elif change > 0:
        text += _(", %(by)s more than last time") % {"by": number(float(change))}
    else:
        text += _(", %(by)s less than last time") % {"by": number(float(-change))}
    moved = _moved_most(now, before)
    if moved is not None:
        sign = "+" if moved[1] > 0 else "−"
        text += _("; what moved most: %(item)s (%(change)s)") % {
            "item": moved[0],
            "change": f"{sign}{number(abs(float(moved[1])))}",
        }
    return f"{text}."


@dataclass(frozen=True)
class Together:
    """Everything the page shows: the client's own series, and the alliance in a sentence."""

    series: list[Feedback]
    alliance: str


def _title(measure: Measure) -> str:
    words = definition_of(current_version(measure)).words(get_language() or "")
    return str(words.get("title") or measure.title)


def feedback_on(
    session: Session, *, expected: bool = True, attended: list[tuple[int, date]] | None = None
) -> Together:
    """The client's own series of the session's episode, without events, decisions or forecast.

    `expected` is `Respondent.sees_expected`: some clients are better served without the band.
    `attended` as for `course_of`.
    """
    found = []
    course = course_of(session.episode, attended=attended)
    for picture in pictures_in(course, session.episode, bare=True):
        measure = picture.series.measure
        if picture.series.relation != Respondent.Relation.SELF:
            continue
        title = _title(measure)
        figure = replace(picture.figure, title=title)
        if not expected:
            figure = replace(figure, expected=())
        found.append(
            Feedback(
                title,
                replace(picture, figure=figure),
                client_sentence(picture.reading, expected=expected),
                course_both(figure),
                figure_table(figure),
            )
        )
    return Together(found, alliance_sentence(session, course))
