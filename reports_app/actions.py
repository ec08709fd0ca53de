"""Writes of the reports room: kept editions, back-tests."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import connection, transaction

from reports_app.backtest import NoHistory, run_backtest
from reports_app.editions import (
    Report,
    checksum,
    differences,
    make_published,
    make_report,
    to_csv,
    to_format,
)
from reports_app.extract import CLINIC, Scope
from reports_app.models import ContractTarget, MonthlyEntry, ReportEdition, ReportRun
from reports_app.paper import missing
from reports_app.periods import Month, Period, months_back, parse_period
from reports_app.published import Publication
from sessions_app import access, audit, clinic_time, outbox, progress
from sessions_app.context import acting_as, system, user_of
from sessions_app.models import Job

BACKTEST = "flag back-test"


class NotPublishable(ValueError):
    """A period that no file may leave the clinic with; the message says why."""


def _check_publishable(period: Period) -> None:
    if not period.fixed:
        raise NotPublishable(
            "Only a month, a quarter or a year may leave the clinic: two ranges that differ by a "
            "day can be subtracted."
        )
    if period.is_provisional():
        raise NotPublishable(
            f"{period} closes on {period.closes_on}: until then its numbers stay in the clinic."
        )
    for text in (
        ReportRun.objects.filter(published=True).values_list("period", flat=True).distinct()
    ):
        other = parse_period(text)
        if text != str(period) and period.overlaps(other):
            raise NotPublishable(
                f"{text} has left the clinic and shares days with {period}: what is in one of them "
                "alone could be found by subtraction."
            )


def last_run(period: Period, scope: Scope, *, published: bool = False) -> ReportRun | None:
    """The newest run of a period and scope, for use here or for leaving the clinic."""
    return ReportRun.objects.filter(
        period=str(period), scope=scope.name, published=published
    ).first()


def _report(period: Period, scope: Scope, *, published: bool) -> Report:
    if not published:
        return make_report(period, scope)
    _check_publishable(period)
    before = ReportRun.objects.filter(period=str(period), published=True).first()
    return make_published(period, scope, Publication.from_kept(before.cells) if before else None)


@transaction.atomic
def keep_edition(
    *, period: Period, format: str, by: Any, scope: Scope = CLINIC, published: bool = False
) -> tuple[ReportEdition, str]:
    """The period's file in a format: the kept one while its figures stand, else a new edition.

    A published file is rounded and blanked, so that it may leave the clinic. A new edition says
    what differs from the last.

    Returns
    -------
    (ReportEdition, str)
        The edition, and the file's name without its ending.

    Raises
    ------
    NotPublishable
        When nothing of this period may leave the clinic.
    """
    access.require(by, "export_reports")
    with acting_as(system("report")):
        with connection.cursor() as cursor:  # two at once are one edition
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"edition:{period}"])
        report = _report(period, scope, published=published)
        figures = to_csv(report)
        run = last_run(period, scope, published=published)
        last = run.editions.filter(format="csv").first() if run else None
        if run is None or last is None or run.provisional != report.provisional or (
            last.checksum != checksum(figures)
        ):  # fmt: skip
            run = ReportRun.objects.create(
                period=str(period),
                programme=scope.programme,
                scope=scope.name,
                published=published,
                made_by=user_of(by),
                summaries_as_of=report.as_of,
                provisional=report.provisional,
                changes=differences(bytes(last.content), figures) if last else [],
                cells=report.made.kept() if report.made else {},
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
    audit.record(
        "exported", subject_kind="report", subject=str(period), by=by, format=format,
        scope=scope.name, published=published,
    )  # fmt: skip
    return edition, report.file_stem


def keep_scheduled(day: date) -> int:
    """Keep the editions that are due: the month before, and months that closed lately.

    Safe to run each day: an edition is made where there is none, where the month has closed since,
    and where a correction has changed a number after that. Returns how many are new.
    """
    first = Month(day.replace(day=1)).previous()
    before = ReportRun.objects.count()
    for month in months_back(first, 3):
        if month.is_provisional(day) and last_run(month, CLINIC) is not None:
            continue  # it changes every day until it closes
        for format in ("csv", "xlsx", "pdf") if not missing() else ("csv", "xlsx"):
            keep_edition(period=month, format=format, by=system("report"))
    return ReportRun.objects.count() - before


@transaction.atomic
def enter_month(
    *,
    month: Month,
    by: Any,
    complaints: int | None = None,
    vacancies: int | None = None,
    leavers: int | None = None,
    sick_days: int | None = None,
    changed: str = "",
) -> MonthlyEntry:
    """Say of a month what no session tells; what was said before stays, and no longer counts."""
    access.require(by, "enter_months")
    row = MonthlyEntry.objects.create(
        month=month.start, complaints=complaints, vacancies=vacancies, leavers=leavers,
        sick_days=sick_days, changed=changed, entered_by=user_of(by),
    )  # fmt: skip
    audit.record("month entered", subject_kind="report", subject=str(month), by=by)
    return row


@transaction.atomic
def set_target(*, funder: str, metric: str, value: float, from_on: date, by: Any) -> ContractTarget:
    """Set what a funder's contract asks of a metric, from a day on."""
    access.require(by, "enter_months")
    row = ContractTarget.objects.create(
        funder=funder, metric=metric, value=value, from_on=from_on, set_by=user_of(by)
    )
    audit.record("target set", subject_kind="report", subject=metric, by=by)
    return row


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
