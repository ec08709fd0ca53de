"""Writes of the reports room: kept editions, back-tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection

from reports_app.backtest import NoHistory, run_backtest
from reports_app.board import check_target
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
from reports_app.published import Publication, scopes_of
from sessions_app import audit, clinic_time, outbox, progress, rights
from sessions_app.atomic import action
from sessions_app.context import acting_as, system, user_of
from sessions_app.models import Job, Programme

BACKTEST = "flag back-test"
PUBLISHING = "publication"


class NotPublishable(ValueError):
    """A period that no file may leave the clinic with; the message says why."""


def _parts_out(period: Period) -> list[str]:
    """Periods within this one that have left the clinic.

    Raises
    ------
    NotPublishable
        When nothing of this period may leave the clinic.
    """
    if not period.fixed:
        raise NotPublishable(
            "Only a month, a quarter or a year may leave the clinic: two ranges that differ by a "
            "day can be subtracted."
        )
    if period.is_provisional():
        raise NotPublishable(
            f"{period} closes on {period.closes_on}: until then its numbers stay in the clinic."
        )
    out = set(ReportRun.objects.filter(published=True).values_list("period", flat=True).distinct())
    parts = []
    for text in sorted(out - {str(period)}):
        other = parse_period(text)
        if not period.overlaps(other):
            continue
        if period.start <= other.start and other.end <= period.end:
            parts.append(text)
        elif str(period) not in out:
            raise NotPublishable(
                f"{text} has left the clinic as a whole, and {period} is a part of it: what is "
                "blank in the part could be found by subtraction."
            )
    months = [str(month) for month in _months_in(period)]
    lacking = [month for month in months if month not in out]
    if parts and lacking:
        raise NotPublishable(
            f"{', '.join(parts)} left the clinic, {', '.join(lacking)} did not: as what is left "
            f"could be found by subtraction, {period} may follow when all of its months have."
        )
    return parts


def _months_in(period: Period) -> list[Month]:
    last = period.last_month
    count = 12 * (last.start.year - period.start.year) + last.start.month - period.start.month + 1
    return months_back(last, count)


def last_run(period: Period, scope: Scope, *, published: bool = False) -> ReportRun | None:
    """The newest run of a period and scope, for use here or for leaving the clinic."""
    return ReportRun.objects.filter(
        period=str(period), scope=scope.name, published=published
    ).first()


def _publication_of(period: str) -> Publication | None:
    run = ReportRun.objects.filter(period=period, published=True).first()
    return Publication.from_kept(run.cells) if run else None


def _report(period: Period, scope: Scope, *, published: bool, tell: Callable[[], None]) -> Report:
    if not published:
        return make_report(period, scope)
    parts = [made for text in _parts_out(period) if (made := _publication_of(text)) is not None]
    return make_published(period, scope, _publication_of(str(period)), parts, tell)


@action
def keep_edition(
    *, period: Period, format: str, by: Any, scope: Scope = CLINIC, published: bool = False
) -> tuple[ReportEdition, str]:
    """The period's file in one format: see `keep_editions`.

    Returns
    -------
    (ReportEdition, str)
        The edition, and the file's name without its ending.
    """
    editions, name = keep_editions(
        period=period, formats=(format,), by=by, scope=scope, published=published
    )
    return editions[0], name


@action
def keep_editions(
    *,
    period: Period,
    formats: Sequence[str],
    by: Any,
    scope: Scope = CLINIC,
    published: bool = False,
    tell: Callable[[], None] = lambda: None,
) -> tuple[list[ReportEdition], str]:
    """The period's files: the kept ones while its figures stand, else a new edition's.

    A published file is rounded and blanked, so that it may leave the clinic. A new edition says
    what differs from the last.

    Returns
    -------
    (list of ReportEdition, str)
        One of each format, and the files' name without its ending.

    Raises
    ------
    NotPublishable
        When nothing of this period may leave the clinic.
    """
    rights.require(by, "export_reports")
    with acting_as(system("report")):
        with connection.cursor() as cursor:  # two at once are one edition
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"edition:{period}"])
        report = _report(period, scope, published=published, tell=tell)
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
        kept = {edition.format: edition for edition in run.editions.filter(format__in=formats)}
        for format in formats:
            if format not in kept:
                content = to_format(report, format)
                kept[format] = ReportEdition.objects.create(
                    run=run, format=format, content=content, checksum=checksum(content)
                )
            tell()
    for format in formats:
        audit.record(
            "exported", subject_kind="report", subject=str(period), by=by, format=format,
            scope=scope.name, published=published,
        )  # fmt: skip
    return [kept[format] for format in formats], report.file_stem


def publishing(period: Period, scope: Scope, user: Any) -> Job | None:
    """The newest making of a period's files to leave the clinic, while it runs or if it stopped."""
    asked = {"period": str(period), "scope": scope.key}
    mine = Job.objects.filter(kind=PUBLISHING, created_by=user, payload__contains=asked)
    job = mine.order_by("-created_at").first()
    return None if job is None or job.state == Job.State.DONE else job


@action
def ask_to_publish(*, period: Period, by: Any, scope: Scope = CLINIC) -> Job:
    """Have the worker make a period's files to leave the clinic; those being made serve.

    Raises
    ------
    NotPublishable
        When nothing of this period may leave the clinic.
    """
    rights.require(by, "export_reports")
    running = publishing(period, scope, user_of(by))
    if running is not None and running.finished_at is None:
        return running
    with acting_as(system("report")):
        _parts_out(period)
        programmes, funders = scopes_of()
    payload = {
        "period": str(period), "scope": scope.key, "funder": scope.funder,
        "programme": scope.programme.pk if scope.programme else None,
    }  # fmt: skip
    total = (1 + len(programmes) + len(funders)) + len(_formats())
    job = Job.objects.create(kind=PUBLISHING, payload=payload, created_by=user_of(by), total=total)
    outbox.promise(PUBLISHING, {"job": str(job.pk)})
    audit.record("publication asked for", subject_kind="report", subject=str(period), by=by,
                 scope=scope.name)  # fmt: skip
    return job


def _formats() -> tuple[str, ...]:
    return ("csv", "xlsx", "pdf") if not missing() else ("csv", "xlsx")


def carry_out_publication(job_id: Any) -> None:
    """Do what a job was made for; run again it finds itself done. In the worker's transaction."""
    job = Job.objects.select_for_update(of=("self",)).select_related("created_by").get(pk=job_id)
    if job.finished_at is not None:
        return
    programme = Programme.objects.filter(pk=job.payload["programme"]).first()
    scope = Scope(programme, job.payload["funder"])
    done = iter(range(1, 10**6))
    try:
        editions, _name = keep_editions(
            period=parse_period(job.payload["period"]), scope=scope, formats=_formats(),
            by=job.created_by, published=True,
            tell=lambda: progress.tell(job.pk, min(next(done), job.total)),
        )  # fmt: skip
        job.state, job.done, job.result = Job.State.DONE, job.total, {"run": editions[0].run_id}
    except (NotPublishable, PermissionDenied) as problem:
        job.state, job.problem = Job.State.STOPPED, str(problem)
    job.finished_at = clinic_time.now()
    job.save()


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
        keep_editions(period=month, formats=_formats(), by=system("report"))
    return ReportRun.objects.count() - before


@action
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
    rights.require(by, "enter_months")
    row = MonthlyEntry.objects.create(
        month=month.start, complaints=complaints, vacancies=vacancies, leavers=leavers,
        sick_days=sick_days, changed=changed, entered_by=user_of(by),
    )  # fmt: skip
    audit.record("month entered", subject_kind="report", subject=str(month), by=by)
    return row


@action
def set_target(*, funder: str, metric: str, value: float, from_on: date, by: Any) -> ContractTarget:
    """Set what a funder's contract asks of a metric, from a day on.

    Raises
    ------
    ValidationError
        When no report could hold a contract to it: see `board.check_target`.
    """
    rights.require(by, "enter_months")
    check_target(metric, value)
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


@action
def ask_for_backtest(*, by: Any) -> Job:
    """Have the worker look back on the clinic's history; one that runs already serves."""
    rights.require(by, "look_back")
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
