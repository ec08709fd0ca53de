"""The night: fit, read, flag, summarise. One code for the command and the Celery timetable."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

from django.db import transaction

from measures_app import expected, flagging, histories, series, steps
from measures_app.models import NightlyRun
from reports_app import summaries
from sessions_app.context import acting_as, system
from sessions_app.models import Client

STEPS = ["models", "trajectories", "flags", "summaries"]


def _models(run: NightlyRun) -> dict[str, Any]:
    reports = expected.fit_models(series.scores(as_of=run.as_of), run.as_of)
    return {"measures": [report.as_dict() for report in reports.values()]}


def _readings(as_of: date | None) -> list[expected.Reading]:
    """All series read with the newest models; the same in every step of a night."""
    found = series.as_series(series.scores(as_of=as_of))
    keys = {(s.measure, s.relation) for s in found}
    models = {(m.pk, relation): expected.latest_model(m, relation) for m, relation in keys}
    return expected.read_series(found, {key: row for key, row in models.items() if row})


def _trajectories(run: NightlyRun) -> dict[str, Any]:
    count, written = expected.store_trajectories(_readings(run.as_of), run.as_of)
    return {"trajectories": count, "trajectories_written": written}


def _flags(run: NightlyRun) -> dict[str, Any]:
    facts = histories.gather(_readings(run.as_of), run.as_of)
    report = flagging.refresh_flags(facts, run.as_of)
    codes = Client.objects.filter(pk__in=report.close_these).order_by("code")
    known = _listed_before(run)
    close_these = [code for code in codes.values_list("code", flat=True) if code not in known]
    return {"flags": report.as_dict(), "close_these": close_these}


def _listed_before(run: NightlyRun) -> set[str]:
    """Clients of imported episodes that an earlier night listed: asked once, not each night."""
    earlier = NightlyRun.objects.filter(state=NightlyRun.State.DONE, live=True).exclude(pk=run.pk)
    return {code for row in earlier for code in row.result.get("close_these", [])}


def _summaries(run: NightlyRun) -> dict[str, Any]:
    return {"summaries": summaries.rebuild(_readings(run.as_of), run.as_of)}


WORKS: dict[str, steps.Work] = {
    "models": _models,
    "trajectories": _trajectories,
    "flags": _flags,
    "summaries": _summaries,
}


def _rehearse(as_of: date) -> NightlyRun:
    """A date before the last completed night: computed and reported, nothing kept."""
    run = NightlyRun(as_of=as_of, live=False)
    result: dict[str, Any] = {"as_of": as_of.isoformat(), "live": False}
    seconds: dict[str, float] = {}
    with acting_as(system("night")), transaction.atomic():
        for name in STEPS:
            began = time.perf_counter()
            result |= WORKS[name](run)
            seconds[name] = round(time.perf_counter() - began, 3)
        transaction.set_rollback(True)
    result["seconds"] = seconds
    run.result = result
    return run


def run_night(as_of: date) -> dict[str, Any]:
    """Run the night of a date; returns what it found. Safe to run twice, and two at once."""
    last = (
        NightlyRun.objects.filter(state=NightlyRun.State.DONE, live=True)
        .order_by("-as_of")
        .values_list("as_of", flat=True)
        .first()
    )
    if last is not None and as_of < last:
        return dict(_rehearse(as_of).result)
    run = steps.begin(as_of, STEPS)
    return dict(steps.run_steps(run, WORKS).result)


def refresh_episode(episode_id: int, today: date) -> None:
    """After an entry: this episode's trajectory, flags and summary, with the stored models."""
    readings = expected.read_episode(episode_id)
    expected.store_trajectories(readings, today)
    facts = histories.gather(readings, today, [episode_id])
    flagging.refresh_flags(facts, today, only=[episode_id])
    summaries.rebuild(readings, today, [episode_id])
