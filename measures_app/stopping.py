"""Who may stop coming: the clinic's own chance that four weeks bring no session, and who has it.

One model for the whole clinic, learnt from weekly looks at its newest episodes as they were known
on a day. A weak signal, shown with how it came true for episodes it hadn't seen.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
from django.db.models import Max

from measures_app import series
from measures_app.histories import EpisodeFacts
from measures_app.models import StoppingModel
from measures_app.psychometrics.accuracy import area_under_curve, calibration, calibration_table
from measures_app.psychometrics.landmarks import (
    DAYS_AHEAD,
    FOLDS,
    WEEK,
    LandmarkModel,
    Landmarks,
    fit_landmarks,
    held_out,
    known_if_told,
    weekly_rows,
)
from sessions_app.models import Episode, Meeting, Session

CODE_VERSION = "landmarks-1"
FEWEST_STOPS = 50  # episodes that went four weeks without a session; below it nobody is told
MOST_EPISODES = 4000  # the newest: four numbers need no more
REFIT_DAYS = 7  # its rows are weekly
TABLE_GROUPS = 5


def latest(as_of: date) -> StoppingModel | None:
    """The newest model that was fitted by a day."""
    found: StoppingModel | None = (
        StoppingModel.objects.filter(cutoff_on__lte=as_of).order_by("-pk").first()
    )
    return found


def _known_until(as_of: date) -> date | None:
    """The last day with a session: beyond it silence says nothing of a client."""
    found: date | None = Session.objects.filter(
        status=Session.Status.ATTENDED, meeting__kind=Meeting.Kind.TREATMENT, held_on__lte=as_of
    ).aggregate(d=Max("held_on"))["d"]
    return found


def looks(as_of: date) -> tuple[Landmarks, list[int]]:
    """Weekly rows as known on a day, and the episodes that their numbers stand for.

    An imported episode without an ending that wasn't seen lately is left out: its file may have
    ended before its care did.
    """
    until = _known_until(as_of)
    if until is None:
        return weekly_rows([], [], 0), []
    chosen = (
        Episode.objects.filter(opened_on__lte=until - timedelta(days=DAYS_AHEAD + WEEK))
        .order_by("-opened_on", "-pk")
        .values_list("pk", "origin")[:MOST_EPISODES]
    )
    origin = dict(chosen)
    ended = dict(
        Episode.objects.filter(pk__in=list(origin))
        .exclude(series.open_on(as_of))
        .exclude(ending=Episode.Ending.CLIENT_STOPPED)
        .values_list("pk", "closed_on")
    )
    stopped = set(
        Episode.objects.filter(pk__in=list(origin), ending=Episode.Ending.CLIENT_STOPPED)
        .exclude(series.open_on(as_of))
        .values_list("pk", flat=True)
    )
    visits = series.attended(as_of, sorted(origin))
    days = {
        int(episode): np.array([day.toordinal() for day in held])  # type: ignore[call-overload]  # pandas: a group's key is a Hashable
        for episode, held in visits.groupby("episode_id", sort=True)["held_on"]
    }
    last = until.toordinal()
    kept = [
        pk
        for pk, held in days.items()
        if origin[pk] != Episode.Origin.IMPORTED
        or pk in ended
        or pk in stopped
        or last - held[-1] < DAYS_AHEAD
    ]
    closed = [ended[pk].toordinal() if pk in ended else None for pk in kept]
    return weekly_rows([days[pk] for pk in kept], closed, last), kept


def _came_true(rows: Landmarks, episodes: list[int]) -> dict[str, Any]:
    """How the chances came true, from models that hadn't seen the episode."""
    keys = np.array([zlib.crc32(str(pk).encode()) % FOLDS for pk in episodes])
    said = held_out(rows, keys[rows.episode])
    line, auc = calibration(said, rows.event), area_under_curve(said, rows.event)
    return {
        "auc": None if auc is None else round(auc, 4),
        "slope": None if line is None else round(line.slope, 4),
        "slope_se": None if line is None else round(line.slope_se, 4),
        "table": [
            [n, round(mean, 4), round(came, 4)]
            for n, mean, came in calibration_table(said, rows.event, TABLE_GROUPS)
        ],
    }


def _told(row: StoppingModel | None, stops: int, *, refitted: bool = False) -> dict[str, Any]:
    problem = f"not enough data yet: {stops} of {FEWEST_STOPS} stops" if row is None else ""
    return {
        "model": row.label if row else None,
        "fitted_on": row.cutoff_on.isoformat() if row else None,
        "refitted": refitted,
        "held_out": row.parameters["held_out"] if row else None,
        "problem": problem,
    }


def fit(as_of: date) -> dict[str, Any]:
    """Fit the clinic's model as of a day where it is due; what a night says of it."""
    row = latest(as_of)
    current = row is not None and row.code_version == CODE_VERSION
    if row is not None and current and (as_of - row.cutoff_on).days < REFIT_DAYS:
        return _told(row, row.stops)
    rows, episodes = looks(as_of)
    stops = len(set(rows.episode[rows.event == 1].tolist()))
    if stops < FEWEST_STOPS:
        return _told(row, stops)
    data = hashlib.sha256(rows.known.tobytes() + rows.event.tobytes()).hexdigest()
    if row is not None and current and row.parameters["data"] == data:
        return _told(row, stops)
    content = {**fit_landmarks(rows).to_dict(), "held_out": _came_true(rows, episodes)}
    content |= {"data": data, "follows": row.pk if row else None}
    seen = len(set(rows.episode.tolist()))
    row = StoppingModel.objects.create(
        label=f"own data (n = {seen})",
        cutoff_on=as_of,
        episodes=seen,
        rows=len(rows.event),
        stops=stops,
        parameters=content,
        code_version=CODE_VERSION,
        checksum=hashlib.sha256(
            json.dumps(content, sort_keys=True, allow_nan=False).encode()
        ).hexdigest(),
    )
    return _told(row, stops, refitted=True)


def _known(facts: EpisodeFacts, today: int) -> np.ndarray | None:
    """What the chance is made from; None where the gap so far isn't the client's alone."""
    if not facts.attended:
        return None
    last = max(facts.attended)
    came_otherwise = max(facts.arrived, default=last) > last
    if came_otherwise or any(first <= today and end > last for first, end in facts.pauses):
        return None
    return known_if_told(facts.attended, today)


def add_chances(facts: Mapping[int, EpisodeFacts], row: StoppingModel | None, as_of: date) -> None:
    """Give each open episode its chance of stopping, where one can be told."""
    if row is None:
        return
    today = as_of.toordinal()
    found = [(one, _known(one, today)) for one in facts.values()]
    told = [(one, known) for one, known in found if known is not None]
    if not told:
        return
    model = LandmarkModel.from_dict(row.parameters)
    chances = model.probabilities(np.array([known for _one, known in told])).round(4).tolist()
    for (one, _known_of_it), chance in zip(told, chances, strict=True):
        one.p_stopping, one.stopping_model = chance, row
