"""Night and back-test in the worker. Tasks take ISO dates and ids and are safe to run twice."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

from celery import shared_task

from measures_app.actions.administrations import CHANGED
from measures_app.models import NightlyRun
from reports_app import (
    actions,
    case_files,
    case_rows,
    client_copies,
    digest,
    figures,
    kept,
    nightly,
)
from reports_app.models import TouchedMonth
from sessions_app import clinic_time, outbox
from sessions_app.context import acting_as, system

log = logging.getLogger(__name__)

HELPERS = 7  # beside the one who begins: those whom no worker takes find the work done


@shared_task(acks_late=True, name="night.run")
def run_night(as_of: str | None = None) -> None:
    """The night of a date (of the clinic's today, when the timetable asks).

    Other workers are called in and share its steps; it doesn't depend on any of them.
    """
    day = date.fromisoformat(as_of) if as_of else clinic_time.today()
    run = nightly.begin_night(day)
    if run is None:
        return  # a later night has been
    nightly.finish_night(run, _call_helpers)


@shared_task(acks_late=True, name="night.help", expires=600)
def help_night(run_id: int) -> None:
    """Take steps of a running night while there are any to take."""
    run = NightlyRun.objects.filter(pk=run_id, state=NightlyRun.State.RUNNING).first()
    if run is not None:
        nightly.help_with(run)


@shared_task(acks_late=True, name="night.sweep")
def sweep_nights() -> None:
    """Go on with a night whose worker died; begin one that the timetable couldn't.

    Steps of the dead are free when their lease ends: no message need be delivered twice.
    """
    run = NightlyRun.objects.filter(live=True, state=NightlyRun.State.RUNNING).first()
    if run is not None:
        nightly.help_with(run)
    elif nightly.is_due(clinic_time.now()):
        run_night()


@shared_task(acks_late=True, name="months.refresh")
def refresh_months() -> int:
    """By day: count months again of which figures hold no longer; pages show those until then.

    Safe to run twice: what one has made again is not stale for the other.
    """
    by, today = system("night"), clinic_time.today()
    with acting_as(by):
        months = figures.refresh_by_day(today) if TouchedMonth.objects.exists() else 0
        stale = kept.stale()
    for of, scope in stale:
        with acting_as(by):
            figures.make_again(of, scope)
    if months:
        with acting_as(by):
            figures.make_opened_first(today)
    return months


def _call_helpers(run: NightlyRun, due: int) -> None:
    for _ in range(min(HELPERS, due - 1)):
        _call(help_night, run.pk)


def _call(task: Any, *arguments: Any) -> None:
    try:
        task.apply_async(args=arguments, retry=False)
    except Exception as problem:  # without a broker the night goes on with one worker
        log.warning("no helper for the night: %s", type(problem).__name__)


@outbox.handles(CHANGED)
def episode_changed(payload: dict[str, Any], message_id: Any) -> None:
    nightly.refresh_episode(payload["episode"], clinic_time.today())


@outbox.handles(actions.BACKTEST)
def look_back(payload: dict[str, Any], message_id: Any) -> None:
    actions.carry_out_backtest(payload["job"])


@outbox.handles(actions.PUBLISHING)
def publish(payload: dict[str, Any], message_id: Any) -> None:
    actions.carry_out_publication(payload["job"])


@outbox.handles(case_files.KIND)
def make_case_file(payload: dict[str, Any], message_id: Any) -> None:
    case_files.carry_out_case_file(payload["job"])


@outbox.handles(client_copies.KIND)
def make_client_copy(payload: dict[str, Any], message_id: Any) -> None:
    client_copies.carry_out_copy(payload["job"])


@outbox.handles(case_rows.KIND)
def make_case_rows(payload: dict[str, Any], message_id: Any) -> None:
    case_rows.carry_out_case_rows(payload["job"])


@shared_task(acks_late=True, name="case_files.forget")
def forget_case_files() -> int:
    by = system("case files")
    with acting_as(by):
        files = case_files.forget_case_files(by=by) + client_copies.forget_copies(by=by)
        return files + case_rows.forget_case_rows(by=by)


@shared_task(acks_late=True, name="digest.promise")
def promise_digests(day: str | None = None) -> int:
    return digest.promise(date.fromisoformat(day) if day else clinic_time.today())


@outbox.handles(digest.KIND)
def send_digest(payload: dict[str, Any], message_id: Any) -> None:
    digest.send(payload["user"], payload["week"], message_id)


@shared_task(acks_late=True, name="reports.keep")
def keep_reports(day: str | None = None) -> int:
    """Keep the monthly editions that are due on a date. Safe to run twice."""
    with acting_as(system("report")):
        return actions.keep_scheduled(date.fromisoformat(day) if day else clinic_time.today())
