"""What the flag rules are given of each open episode, gathered for many episodes at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd

from measures_app.expected import Reading
from measures_app.models import Measure, StoppingModel
from measures_app.psychometrics.alliance import AllianceLimits
from measures_app.psychometrics.change import ChangeCriteria
from measures_app.psychometrics.rules import AllianceSeries, History, ModelNumbers
from measures_app.series import Ids, Series, as_series, open_on, scores, within
from sessions_app import bulk
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
    attended: list[int] = field(default_factory=list)  # days of treatment sessions
    arrived: list[int] = field(default_factory=list)  # came otherwise, or wasn't seen by us
    contacts: list[int] = field(default_factory=list)  # days with any contact that took place
    pauses: list[tuple[int, int]] = field(default_factory=list)
    lead_id: int | None = None
    transferred_on: int | None = None
    seen_since_transfer: bool = False
    readings: list[Reading] = field(default_factory=list)
    alliance: list[Series] = field(default_factory=list)
    p_stopping: float | None = None  # chance that four weeks bring no session, and from what
    stopping_model: StoppingModel | None = None

    @property
    def sessions(self) -> int:
        """Treatment sessions attended so far, measured or not."""
        return len(self.attended)

    @property
    def last_day(self) -> int | None:
        return max(self.contacts, default=None)

    @property
    def is_imported(self) -> bool:
        return bool(self.episode.origin == Episode.Origin.IMPORTED)


def open_episodes(as_of: date, episode_ids: Ids = None) -> dict[int, EpisodeFacts]:
    rows = Episode.objects.filter(open_on(as_of), within("pk", episode_ids))
    return {row.pk: EpisodeFacts(row) for row in rows.order_by("pk")}


def _attendance(facts: dict[int, EpisodeFacts], as_of: date) -> None:
    rows = Session.objects.filter(within("episode_id", facts), held_on__lte=as_of).order_by(
        "held_on", "pk"
    )
    frame = bulk.read_frame(
        rows,
        {"episode_id": "episode", "status": "status", "held_on": "day", "meeting__kind": "kind"},
    )
    days = {day: date.fromisoformat(day).toordinal() for day in frame["day"].unique()}
    frame["day"] = frame["day"].map(days)
    for episode, status, number, kind in zip(*(frame[n].tolist() for n in frame), strict=True):
        known = facts[episode]
        if status == Session.Status.ATTENDED:
            known.contacts.append(number)
            # A medication or crisis contact is no treatment session and sets no rhythm, but
            # nobody who came for one is overdue.
            treatment = kind == Meeting.Kind.TREATMENT
            (known.attended if treatment else known.arrived).append(number)
        elif status == Session.Status.NOT_SEEN_BY_US:
            known.arrived.append(number)
        elif status == Session.Status.CLINIC_CANCEL:
            known.pauses.append((number, number + CLINIC_PAUSE_DAYS))


def _leads(facts: dict[int, EpisodeFacts], as_of: date) -> None:
    rows = Assignment.objects.filter(
        within("episode_id", facts), part=Assignment.Part.LEAD, from_on__lte=as_of
    ).order_by("episode", "from_on", "pk")
    for episode, clinician, from_on in rows.values_list("episode", "clinician", "from_on"):
        known = facts[episode]
        if known.lead_id is not None and clinician != known.lead_id:
            known.transferred_on = from_on.toordinal()
        known.lead_id = clinician
    _seen_since_transfer({pk: known for pk, known in facts.items() if known.transferred_on}, as_of)


def _seen_since_transfer(facts: dict[int, EpisodeFacts], as_of: date) -> None:
    """Seen by anybody after the day of the transfer, or on that day by the new clinician."""
    rows = Session.objects.filter(
        within("episode_id", facts), status=Session.Status.ATTENDED, held_on__lte=as_of
    ).values_list("episode", "held_on", "meeting__clinicians")
    for episode, held_on, clinician in rows if facts else ():
        known = facts[episode]
        days_after = held_on.toordinal() - (known.transferred_on or 0)
        if days_after > 0 or (days_after == 0 and clinician == known.lead_id):
            known.seen_since_transfer = True


def unconfirmed_clinicians(as_of: date) -> set[int]:
    """Clinicians with past sessions nobody has said anything about: silence isn't absence."""
    rows = Session.objects.filter(
        status=Session.Status.BOOKED,
        held_on__lt=as_of,
        held_on__gte=as_of - timedelta(days=UNCONFIRMED_WINDOW_DAYS),
    ).expected()
    return set(rows.values_list("meeting__clinicians", flat=True)) - {None}


def add_attendance(facts: dict[int, EpisodeFacts], as_of: date) -> None:
    """Who came when, and who treats: all that the attendance rules ask."""
    if facts:
        _attendance(facts, as_of)
        _leads(facts, as_of)


def add_series(
    facts: dict[int, EpisodeFacts],
    readings: Iterable[Reading],
    as_of: date,
    alliance: pd.DataFrame | None = None,
) -> None:
    """The outcome series as read, and the alliance series, each under its episode.

    `alliance`: the scores of these episodes and perhaps of others, where they were read already.
    """
    if not facts:
        return
    for reading in readings:
        if reading.series.episode_id in facts:
            facts[reading.series.episode_id].readings.append(reading)
    if alliance is None:
        alliance = scores([Measure.Purpose.ALLIANCE], as_of, list(facts))
    for series in as_series(alliance[alliance["episode_id"].isin(list(facts))]):
        facts[series.episode_id].alliance.append(series)


def gather(
    readings: Iterable[Reading], as_of: date, episode_ids: Ids = None
) -> dict[int, EpisodeFacts]:
    """Facts of all open episodes (or of the given ones), with their series."""
    facts = open_episodes(as_of, episode_ids)
    add_attendance(facts, as_of)
    add_series(facts, readings, as_of)
    return facts


def is_stale_import(facts: EpisodeFacts, as_of: date) -> bool:
    """An imported episode that nobody has seen for long: to be closed, not chased."""
    if not facts.is_imported:
        return False
    last = facts.last_day
    return last is None or as_of.toordinal() - last > STALE_IMPORT_DAYS


def alliance_series(series: Series) -> AllianceSeries:
    criteria = series.criteria
    cutoff = criteria.cutoff if criteria else (series.norm.cutoff if series.norm else None)
    return AllianceSeries(
        t=series.t,
        scores=series.scores,
        cutoff=cutoff,
        error=criteria.reliable_change if criteria else None,
        better=series.better,  # type: ignore[arg-type]  # the two words of the choices
    )


def attendance_of(
    facts: EpisodeFacts,
    *,
    criteria: ChangeCriteria = NO_CRITERIA,
    t: tuple[int, ...] = (),
    scores: tuple[float, ...] = (),
    mid_care: bool = False,
    unconfirmed: bool = False,
) -> History:
    """The rules' view of an episode's attendance, beside the scores given."""
    return History(
        criteria=criteria,
        t=t,
        scores=scores,
        purpose=facts.episode.purpose,  # type: ignore[arg-type]  # the four words of the choices
        mid_care=mid_care,
        attended_days=tuple(facts.attended),
        arrived_days=tuple(facts.arrived),
        pauses=tuple(facts.pauses),
        unconfirmed_sessions=unconfirmed,
        transferred_on=facts.transferred_on,
        seen_since_transfer=facts.seen_since_transfer,
    )


def history_of(
    facts: EpisodeFacts, reading: Reading | None, *, unconfirmed: bool = False
) -> History:
    """The rules' view of one series; without a reading, of the attendance alone."""
    if reading is None or reading.series.criteria is None:
        return attendance_of(facts, unconfirmed=unconfirmed)
    series = reading.series
    return attendance_of(
        facts,
        criteria=reading.series.criteria,
        t=series.t,
        scores=series.scores,
        mid_care=series.mid_care,
        unconfirmed=unconfirmed,
    )


def model_numbers(reading: Reading, limits: AllianceLimits | None = None) -> ModelNumbers:
    if not reading.expected_t:
        return ModelNumbers(alliance_limits=limits)
    expected, low80, high80 = reading.at_scores()
    return ModelNumbers(
        expected=expected,
        low80=low80,
        high80=high80,
        p_not_improved=reading.probabilities.get("not_improved"),
        p_deteriorated=reading.probabilities.get("deteriorated"),
        alliance_limits=limits,
    )
