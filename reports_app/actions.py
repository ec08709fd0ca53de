"""Writes of the reports room: kept editions, back-tests."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from reports_app.backtest import NoHistory, run_backtest
from reports_app.editions import checksum, make_report, to_csv, to_format
from reports_app.models import ReportEdition, ReportRun
from reports_app.periods import Month
from sessions_app import access, audit, clinic_time, outbox, progress
from sessions_app.context import acting_as, system, user_of
from sessions_app.models import Job, Programme

BACKTEST = "flag back-test"


@transaction.atomic
def keep_edition(
    *, month: Month, format: str, by: Any, programme: Programme | None = None
) -> tuple[ReportEdition, str]:
    """The month's file in a format: the kept one while its figures stand, else a new edition.

    Returns
    -------
    (ReportEdition, str)
        The edition, and the file's name without its ending.
    """
    access.require(by, "export_reports")
    with acting_as(system("report")):
        report = make_report(month, programme)
        figures = to_csv(report)
        run = ReportRun.objects.filter(period=str(month), programme=programme).first()
        same = run is not None and run.provisional == report.provisional and run.editions.filter(
            format="csv", checksum=checksum(figures)
        ).exists()  # fmt: skip
        if run is None or not same:
            run = ReportRun.objects.create(
                period=str(month),
                programme=programme,
                made_by=user_of(by),
                summaries_as_of=report.as_of,
                provisional=report.provisional,
            )
            ReportEdition.objects.create(
                run=run, format="csv", content=figures, checksum=checksum(figures)
            )
        edition = run.editions.filter(format=format).first()
        if edition is None:
            content = to_format(report, format)
            edition = ReportEdition.objects.create(
                run=run, format=format, content=content, checksum=checksum(content)
            )
    audit.record("exported", subject_kind="report", subject=str(month), by=by, format=format)
    return edition, report.file_stem


def newest_backtest() -> Job | None:
    """The newest back-test that came to an end, with its result."""
    done = Job.objects.filter(kind=BACKTEST, state=Job.State.DONE)
    return done.order_by("-finished_at").first()


def running_backtest() -> Job | None:
    return Job.objects.filter(kind=BACKTEST, finished_at=None).order_by("created_at").first()


@transaction.atomic
def ask_for_backtest(*, by: Any) -> Job:
    """Have the worker look back on the clinic's history; one that runs already serves."""
    access.require(by, "look_back")
    running = running_backtest()
    if running is not None:
        return running
    job = Job.objects.create(kind=BACKTEST, created_by=user_of(by))
    outbox.promise(BACKTEST, {"job": str(job.pk)})
    audit.record("back-test asked for", subject_kind="rules", by=by)
    return job


def carry_out_backtest(job_id: Any) -> None:
    """Do what a job was made for; run again it finds itself done. In the worker's transaction."""
    job = Job.objects.select_for_update().get(pk=job_id)
    if job.finished_at is not None:
        return
    try:
        job.result = run_backtest(
            clinic_time.today(), progress=lambda done, total: _tell(job, done, total)
        )
        job.state = Job.State.DONE
    except NoHistory as problem:
        job.state, job.problem = Job.State.STOPPED, str(problem)
    job.finished_at = clinic_time.now()
    job.save()


def _tell(job: Job, done: int, total: int) -> None:
    progress.tell(job.pk, 100 * done // total)
