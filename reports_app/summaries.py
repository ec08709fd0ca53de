"""Derived rows that reports read: rebuilt whole at night, the same from the same facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from django.db.models import Count, Q

from measures_app.expected import Reading, key_of
from measures_app.fitting import growth_of
from measures_app.models import Administration, ExpectedChangeModel, Measure
from measures_app.psychometrics.change import classify, has_outcome
from measures_app.psychometrics.forecast import expected_response
from measures_app.psychometrics.norms import direction
from measures_app.reference_models import References
from measures_app.series import Ids, attended, known, within
from reports_app.models import EpisodeSummary, TouchedMonth
from sessions_app import bulk, clinic_time
from sessions_app.models import Assignment, Episode, Respondent, Session

FIELDS = [
    "episode_id", "client_id", "programme_id", "site_id", "clinician_id", "purpose", "problem",
    "funder", "gender", "age_at_opening", "opened_on", "closed_on", "ending", "first_session_on",
    "last_session_on", "attended", "no_shows", "late_cancels", "measure_id", "relation",
    "collateral_raters", "scores", "mid_care", "first_score", "last_score", "last_score_on",
    "started_clinical", "improvement_possible", "outcome_class", "class_so_far", "expected_last",
    "reference_id", "reached_expected", "first_alliance", "as_of", "made_from", "trajectories",
]  # fmt: skip
# What of a summary no month's figures are made of.
UNCOUNTED = {"clinician_id", "site_id", "class_so_far", "as_of", "made_from", "trajectories"}
COUNTED = [name for name in FIELDS if name not in UNCOUNTED]
BEGAN = ("programme_id", "funder", "opened_on")
NOTHING: Mapping[int, str] = {}
NO_REFERENCES = References({})
PURPOSE_ORDER = {Measure.Purpose.OUTCOME: 0, Measure.Purpose.SYMPTOM: 1}


def _episodes(ids: Ids) -> pd.DataFrame:
    rows = Episode.objects.filter(within("pk", ids))
    columns = {
        "pk": "episode_id", "client_id": "client_id", "programme_id": "programme_id",
        "site_id": "site_id", "purpose": "purpose", "problem": "problem", "funder": "funder",
        "client__gender": "gender", "client__birth_year": "birth_year", "opened_on": "opened_on",
        "closed_on": "closed_on", "ending": "ending",
    }  # fmt: skip
    return pd.DataFrame.from_records(
        rows.order_by("pk").values_list(*columns), columns=list(columns.values())
    )


def _last_leads(ids: Ids, as_of: date) -> dict[int, int]:
    rows = Assignment.objects.filter(
        within("episode_id", ids), part=Assignment.Part.LEAD, from_on__lte=as_of
    )
    return dict(rows.order_by("from_on", "pk").values_list("episode", "clinician"))


def _counts(ids: Ids, as_of: date) -> dict[int, tuple[int, int]]:
    """(no-shows, late cancellations) by episode."""
    rows = Session.objects.filter(within("episode_id", ids), held_on__lte=as_of).order_by()
    counted = rows.values("episode").annotate(
        no_shows=Count("pk", filter=Q(status=Session.Status.NO_SHOW)),
        late=Count("pk", filter=Q(status=Session.Status.LATE_CANCEL)),
    )
    return {row["episode"]: (row["no_shows"], row["late"]) for row in counted}


def _visits(frame: pd.DataFrame) -> dict[int, tuple[date, date, int]]:
    """(first, last, number) of the treatment sessions attended, by episode."""
    found: dict[int, tuple[date, date, int]] = {}
    for episode, held_on, t in zip(*(frame[n].tolist() for n in frame.columns if n != "session_id"),
                                   strict=True):  # fmt: skip
        found[episode] = (found[episode][0] if t > 1 else held_on, held_on, t)
    return found


def _first_alliance(ids: Ids, as_of: date) -> dict[int, float]:
    rows = Administration.objects.filter(
        known(as_of),
        within("episode_id", ids),
        total__isnull=False,
        measure__purpose=Measure.Purpose.ALLIANCE,
        respondent__relation=Respondent.Relation.SELF,
    )
    first = rows.order_by("episode", "taken_at", "pk").distinct("episode")
    return {episode: float(total) for episode, total in first.values_list("episode", "total")}


def _main_readings(readings: list[Reading]) -> dict[int, Reading]:
    """Each episode's outcome series: the longest; on a tie the client's own, then by purpose."""

    def order(reading: Reading) -> tuple[Any, ...]:
        s = reading.series
        return (
            -len(s.scores),
            s.relation != Respondent.Relation.SELF,
            PURPOSE_ORDER.get(s.measure.purpose, 2),
            s.measure.code,
            s.respondent_id,
        )

    chosen: dict[int, Reading] = {}
    for reading in readings:
        if reading.series.criteria is None:
            continue
        there = chosen.get(reading.series.episode_id)
        if there is None or order(reading) < order(there):
            chosen[reading.series.episode_id] = reading
    return chosen


def _outside_raters(readings: list[Reading]) -> dict[int, int]:
    raters: dict[int, set[int]] = {}
    for reading in readings:
        if reading.series.relation != Respondent.Relation.SELF:
            raters.setdefault(reading.series.episode_id, set()).add(reading.series.respondent_id)
    return {episode: len(people) for episode, people in raters.items()}


def _judged(chosen: dict[int, Reading]) -> dict[int, tuple[str, bool | None, bool | None]]:
    """(class from first to last, started clinical, could improve) by episode, in bulk."""
    groups: dict[Any, list[int]] = {}
    for episode, reading in chosen.items():
        groups.setdefault(reading.series.criteria, []).append(episode)
    found: dict[int, tuple[str, bool | None, bool | None]] = {}
    for criteria, episodes in groups.items():
        first = np.array([chosen[e].series.scores[0] for e in episodes])
        last = np.array(
            [
                chosen[e].series.scores[-1] if len(chosen[e].series.scores) > 1 else np.nan
                for e in episodes
            ]
        )
        changes = classify(first, last, criteria)
        labels = changes.named()
        has_cutoff = criteria.cutoff is not None
        for i, episode in enumerate(episodes):
            found[episode] = (
                str(labels[i]),
                bool(changes.started_clinical[i]) if has_cutoff else None,
                bool(changes.can_improve[i]),
            )
    return found


def _has_outcome(reading: Reading, closed_on: date, visits: tuple[date, date, int] | None) -> bool:
    s = reading.series
    if len(s.scores) < 2:
        return False
    end_t = visits[2] if visits else s.t[-1]
    return bool(
        has_outcome(
            np.array([s.t[-1]]),
            np.array([s.dates[-1].toordinal()]),
            np.array([end_t]),
            np.array([closed_on.toordinal()]),
        )[0]
    )


@dataclass(frozen=True)
class _Expected:
    """What was expected at an episode's last score, and by which frozen model (None: nightly)."""

    last: float
    reference_id: int | None
    reached: bool


def _expected_last(
    chosen: Mapping[int, Reading], years: Mapping[int, int], references: References
) -> dict[int, _Expected]:
    """By episode, against the reference of the year it ended in, in batches of one model and t."""
    batches: dict[tuple[int, int], list[int]] = {}
    frozen: dict[int, ExpectedChangeModel] = {}
    expected: dict[int, tuple[float, int | None]] = {}
    for episode, reading in chosen.items():
        s = reading.series
        if len(s.scores) < 2 or s.mid_care:
            continue
        row = references.of(key_of(s), years[episode])
        if row is not None:
            frozen[row.pk] = row
            batches.setdefault((row.pk, s.t[-1]), []).append(episode)
        elif reading.expected_t:
            expected[episode] = (reading.at(s.t[-1])[0], None)
    models = {pk: growth_of(row) for pk, row in frozen.items()}
    for (pk, t), episodes in batches.items():
        scale = chosen[episodes[0]].series
        intake = [chosen[episode].series.scores[0] for episode in episodes]
        band = expected_response(models[pk], intake, [t], low=scale.low, high=scale.high)
        means = band.mean[:, 0].round(4).tolist()
        expected |= {e: (mean, pk) for e, mean in zip(episodes, means, strict=True)}
    found = {}
    for episode, (value, reference_id) in expected.items():
        s = chosen[episode].series
        if s.criteria is not None and value == value:  # NaN: beyond the axis
            ahead = direction(s.criteria.better) * (s.scores[-1] - value)
            found[episode] = _Expected(value, reference_id, ahead >= -1e-9)
    return found


def summary_rows(
    readings: list[Reading],
    as_of: date,
    ids: Ids = None,
    made_from: Mapping[int, str] = NOTHING,
    *,
    references: References = NO_REFERENCES,
    visits: pd.DataFrame | None = None,
) -> list[Any]:
    """One row an episode, in the order of FIELDS."""
    chosen = _main_readings(readings)
    judged, raters = _judged(chosen), _outside_raters(readings)
    seen_on, counts, alliance, leads = (
        _visits(attended(as_of, ids) if visits is None else visits),
        _counts(ids, as_of),
        _first_alliance(ids, as_of),
        _last_leads(ids, as_of),
    )
    series = Counter(reading.series.episode_id for reading in readings)
    episodes = list(_episodes(ids).itertuples(index=False))
    # What ended is judged by the year it ended in, what is open by this one.
    years = {
        e.episode_id: (as_of if pd.isna(e.closed_on) else min(e.closed_on, as_of)).year
        for e in episodes
    }
    foreseen = _expected_last(chosen, years, references)
    rows = []
    for e in episodes:
        reading = chosen.get(e.episode_id)
        seen = seen_on.get(e.episode_id)
        no_shows, late = counts.get(e.episode_id, (0, 0))
        label, clinical, possible = judged.get(e.episode_id, ("", None, None))
        closed_on = None if pd.isna(e.closed_on) else e.closed_on
        ended = closed_on is not None and closed_on <= as_of
        expected = foreseen.get(e.episode_id)
        measured = bool(reading and ended and not reading.series.mid_care
                        and _has_outcome(reading, closed_on, seen))  # fmt: skip
        scores = reading.series.scores if reading else ()
        birth_year = None if pd.isna(e.birth_year) else int(e.birth_year)
        rows.append(
            (
                e.episode_id, e.client_id, e.programme_id, e.site_id, leads.get(e.episode_id),
                e.purpose, e.problem, e.funder, e.gender,
                None if birth_year is None else max(0, e.opened_on.year - birth_year),
                e.opened_on, closed_on, e.ending, seen[0] if seen else None,
                seen[1] if seen else None, seen[2] if seen else 0, no_shows, late,
                reading.series.measure.pk if reading else None,
                reading.series.relation if reading else "", raters.get(e.episode_id, 0),
                len(scores), bool(reading and reading.series.mid_care),
                scores[0] if scores else None, scores[-1] if len(scores) > 1 else None,
                reading.series.dates[-1] if reading and len(scores) > 1 else None,
                clinical, possible, label if measured else "", "" if ended else label,
                expected.last if expected else None, expected.reference_id if expected else None,
                expected.reached if expected and measured else None,
                alliance.get(e.episode_id), as_of,
                made_from.get(e.episode_id, ""), series[e.episode_id],
            )
        )  # fmt: skip
    return rows


def rebuild(
    readings: list[Reading],
    as_of: date,
    ids: Ids = None,
    made_from: Mapping[int, str] = NOTHING,
    *,
    references: References = NO_REFERENCES,
    visits: pd.DataFrame | None = None,
) -> int:
    """Replace the summaries of these episodes (None: of all); returns how many there are.

    `made_from` says of each episode what it was read from: kept beside it. `references` are the
    models that reporting years are held to; `visits` these episodes' attended sessions, where
    the caller has them already.
    """
    old = EpisodeSummary.objects.filter(within("episode_id", ids))
    before = list(old.values_list(*COUNTED))
    old._raw_delete(old.db)
    rows = summary_rows(readings, as_of, ids, made_from, references=references, visits=visits)
    if rows:
        bulk.copy_rows(EpisodeSummary, FIELDS, rows)
    places = [FIELDS.index(name) for name in COUNTED]
    _touch(before, [tuple(row[place] for place in places) for row in rows])
    return len(rows)


def months_between(first: date, last: date) -> set[date]:
    """First days of the months from one day to another."""
    span = range(12 * first.year + first.month - 1, 12 * last.year + last.month)
    return {date(number // 12, number % 12 + 1, 1) for number in span}


def _touch(before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]) -> None:
    """Note the months in which an episode began or ended that reads differently now."""
    opened_on, closed_on = COUNTED.index("opened_on"), COUNTED.index("closed_on")
    began = [COUNTED.index(name) for name in ("episode_id", *BEGAN)]
    days = {row[closed_on] for row in set(before) ^ set(after)} - {None}
    starts = ({(row[opened_on], *(row[i] for i in began)) for row in rows}
              for rows in (before, after))  # fmt: skip
    days |= {start[0] for start in set.symmetric_difference(*starts)}
    months = {day.replace(day=1) for day in days}
    # Who was seen first, or ended, on another day waited or was in care in each month from the
    # earlier of the two on.
    moved: list[date] = []
    for name in ("first_session_on", "closed_on"):
        places = [COUNTED.index(each) for each in ("episode_id", name)]
        said = ({tuple(row[i] for i in places) for row in rows} for rows in (before, after))
        moved += [day for _episode, day in set.symmetric_difference(*said) if day is not None]
    if moved:
        months |= months_between(min(moved), clinic_time.today())
    TouchedMonth.objects.bulk_create(TouchedMonth(month=m, sessions=False) for m in months)
