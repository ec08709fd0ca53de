"""A client's course as one figure description: page, paper and entry feedback draw from it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from measures_app import strata
from measures_app.charts import CourseFigure, Event
from measures_app.expected import Reading, read_course
from measures_app.series import Series
from measures_app.single import Course, alliance_in, course_of
from sessions_app.models import Assignment, CaseReview, Episode, Session
from sessions_app.prepared import Prepared

EVENT_WORDS = {
    Session.Status.NO_SHOW: lambda: _("did not come"),
    Session.Status.LATE_CANCEL: lambda: _("cancelled"),
    Session.Status.CLINIC_CANCEL: lambda: _("we cancelled"),
}


@dataclass(frozen=True)
class Picture:
    """A figure with the reading it was drawn from."""

    figure: CourseFigure
    reading: Reading
    part: str = ""  # of the clinic, where parts of it have models of their own

    @property
    def series(self) -> Series:
        return self.reading.series

    @property
    def model_label(self) -> str:
        """Which data the expected response comes from."""
        model = self.reading.model
        if model is None or not self.part:
            return model.label if model else ""
        words = {"data": model.label, "part": self.part}
        if strata.parts_of(model.stratum)[1]:
            return _("%(part)s: %(data)s, weighed with the whole clinic's") % words
        return _("the whole clinic: %(data)s; too few yet in %(part)s alone") % words


def _place(day: date, days: list[date]) -> float:
    """Where a day lies on the session axis: half-way after the last session before it."""
    return max(1.0, bisect_right(days, day) + 0.5)


def _moved(events: Iterable[Event], before: int) -> list[Event]:
    """On the axis of a series that began `before` sessions later."""
    moved = [replace(event, at=event.at - before) for event in events]
    return [event for event in moved if event.at >= 1]


_NOT_HELD = Prepared(
    lambda episodes: (
        Session.objects.filter(episode__in=episodes)
        .exclude(status__in=[Session.Status.ATTENDED, Session.Status.BOOKED])
        .values_list("status", "held_on")
    )
)
_LEADS = Prepared(
    lambda episodes: (
        Assignment.objects.filter(episode__in=episodes, part=Assignment.Part.LEAD)
        .order_by("from_on", "pk")
        .values_list("from_on")
    )
)
_DECISIONS = Prepared(
    lambda episodes: CaseReview.objects.filter(episode__in=episodes).values_list(
        "session_number", "reviewed_on", "decision"
    )
)


def events_of(episode: Episode, days: list[date]) -> list[Event]:
    """What happened beside the sessions held on these days."""
    found = []
    for status, day in _NOT_HELD.rows([episode.pk]):
        words = EVENT_WORDS.get(Session.Status(status))
        if words is not None:
            found.append(Event(_place(day, days), words()))
    leads = [day for (day,) in _LEADS.rows([episode.pk])]
    found += [Event(_place(day, days), _("transfer")) for day in leads[1:]]
    for number, day, decision in _DECISIONS.rows([episode.pk]):
        at = number or max(1, bisect_right(days, day))
        label = CaseReview.Decision(decision).label
        found.append(Event(float(at), _("review: %s") % label))
    return found


def _written_days(s: Series, days: list[date]) -> dict[int, str]:
    """Each session's day; where scores came without sessions, the day they were taken."""
    known = dict(enumerate(days[s.before :], start=1)) | dict(zip(s.t, s.dates, strict=True))
    return {t: date_format(day, "j M Y") for t, day in known.items()}


def figure_of(
    reading: Reading,
    episode: Episode,
    alliance: Series | None,
    days: list[date],
    events: Iterable[Event] = (),
) -> CourseFigure:
    """Describe one series with everything that is drawn beside it."""
    s, criteria = reading.series, reading.series.criteria
    first = s.scores[0]
    zone = None
    if criteria is not None and len(s.scores) > 1:
        zone = (first - criteria.reliable_change, first + criteria.reliable_change)
    return CourseFigure(
        scores=list(zip(s.t, s.scores, strict=True)),
        low=s.low,
        high=s.high,
        better=criteria.better if criteria else "higher",
        title=s.measure.title,
        expected=list(
            zip(
                reading.expected_t,
                reading.expected_mean,
                reading.expected_low80,
                reading.expected_high80,
                strict=True,
            )
        ),
        forecast=list(
            zip(
                reading.forecast_t,
                reading.forecast_mean,
                reading.forecast_low80,
                reading.forecast_high80,
                strict=True,
            )
        )
        if episode.is_open
        else [],
        cutoff=criteria.cutoff if criteria else None,
        no_change=zone,
        alliance=list(zip(alliance.t, alliance.scores, strict=True)) if alliance else (),
        alliance_cutoff=alliance.norm.cutoff if alliance and alliance.norm else None,
        alliance_high=alliance.high if alliance else 40.0,
        events=_moved(events, s.before),
        note=_("measured since %s") % date_format(s.dates[0], "j F Y") if s.mid_care else "",
        dates=_written_days(s, days),
    )


def _changed_form(s: Series, others: list[Series]) -> str:
    """Where another form took over, or this one did: a birthday in care makes two series."""
    alike = [o for o in others if (o.respondent_id, o.purpose) == (s.respondent_id, s.purpose)]
    notes = []
    if any(o.dates[-1] < s.dates[0] for o in alike):
        notes.append(
            _("from %s on this form, a series of its own") % date_format(s.dates[0], "j F Y")
        )
    if any(s.dates[-1] < o.dates[0] for o in alike):
        notes.append(_("until %s, then another form") % date_format(s.dates[-1], "j F Y"))
    return ", ".join(notes)


def _alliance_beside(s: Series, found: list[Series]) -> Series | None:
    """The same person's alliance: the series that shares most sessions with this one."""
    same = [a for a in found if a.respondent_id == s.respondent_id]
    return max(same, key=lambda a: len(set(a.dates) & set(s.dates)), default=None)


def pictures_of(episode: Episode, *, bare: bool = False) -> list[Picture]:
    """Every series of an episode, the client's own first; alliance under the client's own.

    `bare` leaves out what the client isn't shown: events, decisions, and what may come.
    """
    return pictures_in(course_of(episode), episode, bare=bare)


def pictures_in(course: Course, episode: Episode, *, bare: bool = False) -> list[Picture]:
    """The same of a course that was read already."""
    readings = read_course(course, ahead=not bare)
    readings.sort(
        key=lambda r: (r.series.relation != "self", -len(r.series.t), r.series.measure.code)
    )
    alliance = alliance_in(course)
    events = [] if bare or not readings else events_of(episode, course.days)
    found = []
    for reading in readings:
        s = reading.series
        figure = figure_of(reading, episode, _alliance_beside(s, alliance), course.days, events)
        # A form that took over says so better than "measured since".
        note = _changed_form(s, [r.series for r in readings if r is not reading])
        names = (
            {episode.programme_id: episode.programme.name}
            if "programme " in reading.stratum
            else {}
        )
        part = strata.in_words(reading.stratum, names)
        found.append(Picture(replace(figure, note=note or figure.note), reading, part))
    return found
