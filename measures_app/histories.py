"""What the flag rules are given of each open episode, gathered for many episodes at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db.models import Q

from measures_app.expected import Reading
from measures_app.models import Measure
from measures_app.psychometrics.change import ChangeCriteria
from measures_app.psychometrics.rules import AllianceSeries, History, ModelNumbers
from measures_app.series import Catalogue, Series, as_series, scores, series_key
from sessions_app import clinic_time
from sessions_app.models import Assignment, Episode, Meeting, Session

CLINIC_PAUSE_DAYS = 14  # a session we cancelled excuses a gap of so many days
STALE_IMPORT_DAYS = 90  # an imported episode without a session for longer raises nothing
UNCONFIRMED_WINDOW_DAYS = 60
# Attendance rules ask nothing of a score, but a history needs thresholds: these judge nobody.
NO_CRITERIA = ChangeCriteria(better="higher", reliable_change=1e9)


@dataclass
class EpisodeFacts:
    """An open episode with its attendance and series, as known on a day."""

    episode: Episode
    attended: list[tuple[int, bool]] = field(default_factory=list)  # (day, is treatment)
    arrived: list[int] = field(default_factory=list)
    pauses: list[tuple[int, int]] = field(default_factory=list)
    lead_id: int | None = None
    transferred_on: int | None = None
    readings: list[Reading] = field(default_factory=list)
    alliance: dict[int, Series] = field(default_factory=dict)  # by respondent

    @property
    def sessions(self) -> int:
        """Treatment sessions attended so far, measured or not."""
        return sum(1 for _day, treatment in self.attended if treatment)

    @property
    def last_day(self) -> int | None:
        return max((day for day, _treatment in self.attended), default=None)


def open_episodes(as_of: date, episode_ids: Iterable[int] | None = None) -> dict[int, EpisodeFacts]:
    """Episodes known to be open on a day: an ending recorded later wasn't known then."""
    end_of_day = clinic_time.at(as_of, 23, 59)
    rows = Episode.objects.filter(
        Q(closed_on=None) | Q(closed_recorded_at__gt=end_of_day), opened_on__lte=as_of
    )
    if episode_ids is not None:
        rows = rows.filter(pk__in=list(episode_ids))
    return {row.pk: EpisodeFacts(row) for row in rows.order_by("pk")}


def _attendance(facts: dict[int, EpisodeFacts], as_of: date) -> None:
    rows = Session.objects.filter(episode__in=facts, held_on__lte=as_of).order_by("held_on", "pk")
    for episode, status, day, kind in rows.values_list(
        "episode", "status", "held_on", "meeting__kind"
    ):
        known, number = facts[episode], day.toordinal()
        if status == Session.Status.ATTENDED:
            known.attended.append((number, kind == Meeting.Kind.TREATMENT))
        elif status == Session.Status.NOT_SEEN_BY_US:
            known.arrived.append(number)
        elif status == Session.Status.CLINIC_CANCEL:
            known.pauses.append((number, number + CLINIC_PAUSE_DAYS))


def _leads(facts: dict[int, EpisodeFacts], as_of: date) -> None:
    rows = Assignment.objects.filter(
        episode__in=facts, part=Assignment.Part.LEAD, from_on__lte=as_of
    ).order_by("episode", "from_on", "pk")
    for episode, clinician, from_on in rows.values_list("episode", "clinician", "from_on"):
        known = facts[episode]
        if known.lead_id is not None and clinician != known.lead_id:
            known.transferred_on = from_on.toordinal()
        known.lead_id = clinician


def unconfirmed_clinicians(as_of: date) -> set[int]:
    """Clinicians with past sessions nobody has said anything about: silence isn't absence."""
    rows = Session.objects.filter(
        status=Session.Status.BOOKED,
        held_on__lt=as_of,
        held_on__gte=as_of - timedelta(days=UNCONFIRMED_WINDOW_DAYS),
    )
    return set(rows.values_list("meeting__clinicians", flat=True)) - {None}


def alliance_frames(as_of: date, episode_ids: Iterable[int] | None = None) -> list[Series]:
    frame = scores([Measure.Purpose.ALLIANCE], as_of, episode_ids)
    return as_series(frame, Catalogue())


def gather(
    readings: list[Reading], as_of: date, episode_ids: Iterable[int] | None = None
) -> dict[int, EpisodeFacts]:
    """Facts of all open episodes (or the given ones), with their series."""
    ids = None if episode_ids is None else list(episode_ids)
    facts = open_episodes(as_of, ids)
    if not facts:
        return facts
    _attendance(facts, as_of)
    _leads(facts, as_of)
    for reading in readings:
        if reading.series.episode_id in facts:
            facts[reading.series.episode_id].readings.append(reading)
    for series in alliance_frames(as_of, ids):
        if series.episode_id in facts:
            facts[series.episode_id].alliance[series.respondent_id] = series
    return facts


def is_stale_import(facts: EpisodeFacts, as_of: date) -> bool:
    """An imported episode that nobody has seen for long: to be closed, not chased."""
    if facts.episode.origin != Episode.Origin.IMPORTED:
        return False
    last = facts.last_day
    return last is None or as_of.toordinal() - last > STALE_IMPORT_DAYS


def alliance_series(series: Series | None) -> AllianceSeries:
    if series is None:
        return AllianceSeries()
    criteria = series.criteria
    cutoff = criteria.cutoff if criteria else (series.norm.cutoff if series.norm else None)
    return AllianceSeries(
        t=series.t,
        scores=series.scores,
        cutoff=cutoff,
        error=criteria.reliable_change if criteria else None,
    )


def history_of(
    facts: EpisodeFacts, reading: Reading | None, *, unconfirmed: bool = False
) -> History:
    """The rules' view of one series; without a reading, of the attendance alone."""
    series = reading.series if reading else None
    scored = series is not None and series.criteria is not None
    transferred = facts.transferred_on
    last = facts.last_day
    return History(
        criteria=series.criteria if scored else NO_CRITERIA,  # type: ignore[union-attr,arg-type]  # scored says so
        t=series.t if scored else (),  # type: ignore[union-attr]  # scored says so
        scores=series.scores if scored else (),  # type: ignore[union-attr]  # scored says so
        purpose=facts.episode.purpose,  # type: ignore[arg-type]  # the four words of the choices
        mid_care=bool(series and series.mid_care),
        attended_days=tuple(day for day, _treatment in facts.attended),
        arrived_days=tuple(facts.arrived),
        pauses=tuple(facts.pauses),
        unconfirmed_sessions=unconfirmed,
        transferred_on=transferred,
        seen_since_transfer=transferred is not None and last is not None and last >= transferred,
    )


def model_numbers(reading: Reading) -> ModelNumbers:
    if not reading.expected_t:
        return ModelNumbers()
    expected, low80, high80 = reading.at_scores()
    return ModelNumbers(expected=expected, low80=low80, high80=high80)


def reading_key(reading: Reading) -> str:
    return series_key(reading.series.measure.code, reading.series.respondent_id)
