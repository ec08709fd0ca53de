"""Writes of the reports room: kept editions."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from reports_app.editions import checksum, make_report, to_csv, to_format
from reports_app.models import ReportEdition, ReportRun
from reports_app.periods import Month
from sessions_app import access, audit
from sessions_app.context import acting_as, system, user_of
from sessions_app.models import Programme


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
