"""The night: fit, read, flag, summarise. One code for the command and the Celery timetable.

Models are fitted measure by measure; then blocks of episodes are brought up to date, each in one
transaction of its own; then the clinic's months. Only what changed is read again (`changes`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from datetime import time as clock
from functools import lru_cache, partial
from typing import Any

from django.db import transaction
from django.db.models import Max, Min

from measures_app import (
    expected,
    fitting,
    flagging,
    histories,
    series,
    steps,
    stopping,
    touched_episodes,
)
from measures_app.counts import Counts, of_scores
from measures_app.models import Measure, NightlyRun, Step, Trajectory
from measures_app.reference_models import freeze_references, references_on
from measures_app.series import Ids, within
from reports_app import changes, figures, session_months, summaries
from reports_app.models import EpisodeSummary
from sessions_app import bulk, clinic_time
from sessions_app.context import acting_as, system
from sessions_app.models import Episode

NIGHT_BEGINS = clock(2, 15)  # by the clinic's clock
FLAG_COUNTS = ("raised", "open", "lapsed", "waiting")
PARTS = ("models", "reading", "trajectories", "flags", "summaries")


class Stopwatch:
    """Seconds by part of the work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 4)


def plan(as_of: date) -> list[steps.Part]:
    """The parts of a night, as the clinic is now."""
    with acting_as(system("night")):
        measures = fitting.fitted_measures()
        ends = Episode.objects.aggregate(first=Min("pk"), last=Max("pk"))
        # The counts are one statement: who helps counts a month's sessions meanwhile. All there
        # ever were take longer, and the models would wait for them.
        sessions = steps.Part("sessions", "", 0 if session_months.has_few() else 2)
    parts = [steps.Part(name, "", 0) for name in ("counts", "stopping")]
    parts += [steps.Part("models", measure.code, 1) for measure in measures]
    parts.append(sessions)
    if ends["first"] is not None:
        first = steps.block_of(ends["first"]).start
        parts += [
            steps.Part("episodes", str(start), 2)
            for start in range(first, ends["last"] + 1, steps.BLOCK)
        ]
    parts.append(steps.Part("months", "", 3))
    made = [*figures.opened_first(as_of), *figures.COUNTED]
    return [*parts, *(steps.Part("figures", name, 4) for name in made)]


def _counts(run: NightlyRun, block: str) -> dict[str, Any]:
    watch = Stopwatch()
    with watch.part("models"):
        counts = of_scores(run.as_of)
    return {"counts": counts, "seconds": watch.seconds}


def _models(run: NightlyRun, block: str, counts: Counts | None = None) -> dict[str, Any]:
    if counts is None:
        counts = run.steps.get(name="counts").result["counts"]
    watch = Stopwatch()
    with watch.part("models"):
        measure = Measure.objects.get(code=block)
        reports = fitting.fit_measure(measure, run.as_of, counts)
        frozen = freeze_references(reports, measure, run.as_of)
        if frozen or any(report.refitted for report in reports):
            touched_episodes.note_all_with(measure.pk, run.as_of)
    return {"measures": [report.as_dict() for report in reports], "seconds": watch.seconds}


def _stopping(run: NightlyRun, block: str) -> dict[str, Any]:
    watch = Stopwatch()
    with watch.part("models"):
        told = stopping.fit(run.as_of)
    return {"stopping": told, "seconds": watch.seconds}


def bring_up_to_date(
    block: Ids,
    as_of: date,
    *,
    force: bool = False,
    live: bool = True,
    unconfirmed: Collection[int] | None = None,
) -> dict[str, Any]:
    """Read a block's episodes again where something changed: trajectories, flags, summaries.

    The caller holds the block's lock. `force` reads a few whether or not anything changed; a run
    that isn't `live` leaves the notes of what changed to one that is. `unconfirmed` clinicians are
    the clinic's, where the caller has asked for them already.
    """
    watch = Stopwatch()
    bulk.prefer_indexes()
    with watch.part("reading"):
        models, references = fitting.all_in_use(as_of), references_on(as_of)
        used = changes.Models(models, references)
        found = changes.look_for(block, as_of, used, force=force, live=live)
        open_now = {
            pk: facts
            for pk, facts in histories.open_episodes(as_of, block).items()
            if pk not in found.later
        }
        histories.add_attendance(open_now, as_of)
        stopping.add_chances(open_now, stopping.latest(as_of), as_of)
        changes.add_open(found, open_now, as_of)
        quiet = changes.quiet(open_now, found)
        loud = {pk: facts for pk, facts in open_now.items() if pk not in quiet}
        scope = found.scope(block)
        wanted = scope if isinstance(scope, range) else sorted({*found.changed, *loud})
        visits = series.attended(as_of, wanted)
        purposes = [*series.CHANGE_PURPOSES, Measure.Purpose.ALLIANCE]
        scores, alliance = series.by_purpose(
            series.scores(purposes, as_of, episode_ids=wanted, visits=visits)
        )
        readings = expected.read_series(
            series.as_series(scores),
            models,
            in_care=set(open_now),
            as_of=as_of,
            visits=visits,
            alliance=alliance,
        )
        histories.add_series(loud, readings, as_of, alliance)
    with watch.part("trajectories"):
        if live and as_of < clinic_time.today():  # read with models and rules of that day
            touched_episodes.note(found.changed, clinic_time.today())
        changed = set(found.changed)
        fresh = [reading for reading in readings if reading.series.episode_id in changed]
        written = expected.store_trajectories(fresh, as_of, scope)
        total = Trajectory.objects.filter(within("episode_id", block)).count()
    with watch.part("flags"):
        report = flagging.refresh_flags(
            loud,
            as_of,
            block,
            models=models,
            quiet=quiet,
            scores=found.scores,
            leave=found.later,
            unconfirmed=unconfirmed,
        )
    with watch.part("summaries"):
        theirs = visits if scope is wanted else visits[visits["episode_id"].isin(changed)]
        summaries.rebuild(
            fresh, as_of, scope, found.made_from, references=references, visits=theirs
        )
    return {
        "episodes": found.episodes,
        "changed": len(found.changed),
        "trajectories": total,
        "trajectories_written": written,
        "flags": report.as_dict(),
        "close_these": report.codes_to_close(),
        "seconds": watch.seconds,
    }


def _episodes(run: NightlyRun, block: str) -> dict[str, Any]:
    which = steps.block_of(int(block))
    steps.lock_block(which)
    unconfirmed = _unconfirmed(run.pk, run.started_at, run.as_of)
    return bring_up_to_date(which, run.as_of, live=run.live, unconfirmed=unconfirmed)


@lru_cache(maxsize=1)
def _unconfirmed(_run: int | None, _began: datetime | None, as_of: date) -> frozenset[int]:
    """Of the whole clinic, asked once a night in each process: it is the same for every block."""
    return frozenset(histories.unconfirmed_clinicians(as_of))


def _sessions(run: NightlyRun, block: str) -> dict[str, Any]:
    watch = Stopwatch()
    with watch.part("summaries"):
        months = figures.count_sessions()
    return {"months": months, "seconds": watch.seconds}


def _months(run: NightlyRun, block: str) -> dict[str, Any]:
    watch = Stopwatch()
    with watch.part("summaries"):
        figures.let_go(run.as_of)
    return {"seconds": watch.seconds}


def _figures(run: NightlyRun, block: str) -> dict[str, Any]:
    watch = Stopwatch()
    with watch.part("summaries"):
        figures.make_one(block, run.as_of)
    return {"seconds": watch.seconds}


WORKS: dict[str, steps.Work] = {
    "counts": _counts,
    "sessions": _sessions,
    "models": _models,
    "stopping": _stopping,
    "episodes": _episodes,
    "months": _months,
    "figures": _figures,
}


def _listed_before(as_of: date) -> set[str]:
    """Clients of imported episodes that an earlier night listed: asked once, not each night."""
    earlier = NightlyRun.objects.filter(
        state=NightlyRun.State.DONE,
        live=True,
        as_of__lt=as_of,
        result__close_these__0__isnull=False,
    )
    return {code for row in earlier.values_list("result__close_these", flat=True) for code in row}


def _gathered(run: NightlyRun, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The night's own account, from those of its steps."""
    seconds = dict.fromkeys(PARTS, 0.0)
    totals = Counter[str]()
    flags: dict[str, Counter[str]] = {name: Counter() for name in FLAG_COUNTS}
    measures: list[dict[str, Any]] = []
    stops: dict[str, Any] = {}
    close: set[str] = set()
    for result in results:
        measures += result.get("measures", [])
        stops |= result.get("stopping", {})
        close.update(result.get("close_these", []))
        for name in ("episodes", "changed", "trajectories", "trajectories_written"):
            totals[name] += result.get(name, 0)
        for name, counted in flags.items():
            counted.update(result.get("flags", {}).get(name, {}))
        for name, spent in result.get("seconds", {}).items():
            seconds[name] += spent
    return {
        "as_of": run.as_of.isoformat(),
        "live": run.live,
        "measures": sorted(measures, key=lambda row: (row["measure"], row["relation"])),
        "stopping": stops,
        **{name: totals[name] for name in ("episodes", "changed", "trajectories")},
        "trajectories_written": totals["trajectories_written"],
        "flags": {name: dict(sorted(counted.items())) for name, counted in flags.items()},
        "close_these": sorted(close - _listed_before(run.as_of)),
        "seconds": {name: round(spent, 3) for name, spent in seconds.items()},
    }


def gather(run: NightlyRun, done: list[Step]) -> dict[str, Any]:
    return _gathered(run, [step.result for step in done])


def _rehearse(as_of: date) -> dict[str, Any]:
    """A date before the last completed night: computed and reported, nothing kept."""
    run = NightlyRun(as_of=as_of, live=False)
    parts = [part for part in plan(as_of) if part.name in ("models", "stopping", "episodes")]
    with acting_as(system("night")), transaction.atomic():
        # What stands was made of later days: here it is as if it weren't there.
        for model in (EpisodeSummary, Trajectory):
            model.objects.all()._raw_delete(model.objects.db)
        _unconfirmed.cache_clear()
        works = WORKS | {"models": partial(_models, counts=of_scores(as_of))}
        results = [works[part.name](run, part.block) for part in parts]
        result = _gathered(run, results)
        transaction.set_rollback(True)
    return result


def begin_night(as_of: date) -> NightlyRun | None:
    """The night of a date, begun or found; None where a later one has been."""
    return steps.begin(as_of, plan(as_of))


def help_with(run: NightlyRun) -> None:
    """Take steps of a night while there are any that nobody holds."""
    steps.run_steps(run, WORKS, gather, wait=False)


def finish_night(
    run: NightlyRun, call: Callable[[NightlyRun, int], None] | None = None
) -> NightlyRun:
    """Carry a night to its end, with whoever else is at it; `call` may call others in."""
    return steps.run_steps(run, WORKS, gather, call=call)


def run_night(as_of: date, call: Callable[[NightlyRun, int], None] | None = None) -> dict[str, Any]:
    """Run the night of a date; returns what it found. Safe to run twice, and two at once."""
    while (run := begin_night(as_of)) is not None:
        run = finish_night(run, call)
        if run.state == NightlyRun.State.DONE:
            return dict(run.result)
        # Stopped under our hands: a later night, or one that knows more, has taken over.
    return _rehearse(as_of)


def is_due(moment: datetime) -> bool:
    """Whether the night that belongs to a moment is still to come: its hour has struck."""
    here = moment.astimezone(clinic_time.zone())
    newest = steps.newest_night()
    return here.time() >= NIGHT_BEGINS and (newest is None or newest < here.date())


def refresh_episode(episode_id: int, today: date) -> None:
    """After an entry: this episode's trajectories, flags and summary, with the stored models."""
    steps.lock_block(steps.block_of(episode_id))
    bring_up_to_date([episode_id], today, force=True)
