"""Files of a monthly report: tidy CSV, XLSX, PDF; kept with checksum, the same to the byte."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from measures_app.charts import trend_svg
from measures_app.steps import newest_night
from reports_app.explain import EXPLAINED, LABELS, SECTIONS
from reports_app.extract import extract
from reports_app.metrics import COLUMNS, Metric, monthly_metrics
from reports_app.paper import render_pdf
from reports_app.periods import Month
from reports_app.small import grouped, rates_svg, sentences
from reports_app.trend import trends
from sessions_app import policies
from sessions_app.models import Installation, Programme

FORMATS = ("csv", "xlsx", "pdf")
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Report:
    """A month's metrics with what its pages say about them."""

    month: Month
    programme: Programme | None
    metrics: list[Metric]
    provisional: bool
    clinic_name: str
    as_of: Any

    @property
    def scope(self) -> str:
        return self.programme.name if self.programme else "whole clinic"

    @property
    def file_stem(self) -> str:
        part = f"-{self.programme.name}" if self.programme else ""
        safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in part)
        return f"outcomes-{self.month}{safe}".lower()


def make_report(month: Month, programme: Programme | None = None) -> Report:
    """Compute a month; call within a unit of work that may see the clinic's aggregates."""
    installation = Installation.objects.first()
    return Report(
        month=month,
        programme=programme,
        metrics=monthly_metrics(extract(month, programme)),
        provisional=month.is_provisional(),
        clinic_name=installation.clinic_name if installation else "Clinic",
        as_of=newest_night(done=True),
    )


def defused(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def number_text(value: float | None) -> str:
    """A number as files show it: whole numbers whole, others to six significant digits."""
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else f"{value:.6g}"


def to_csv(report: Report) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for metric in report.metrics:
        writer.writerow(
            [
                defused(cell) if isinstance(cell, str) else number_text(cell)
                for cell in metric.as_row()
            ]
        )
    return out.getvalue().encode("utf-8")


def _cell(value: Any) -> Any:
    """A spreadsheet's cell: texts defused, numbers as numbers, with the CSV's digits."""
    if isinstance(value, str):
        return defused(value)
    if value is None:
        return None
    number = float(number_text(value))
    return int(number) if number.is_integer() else number


def _sheet(book: Workbook, title: str, header: tuple[str, ...]) -> Any:
    sheet = book.create_sheet(title)
    sheet.append(header)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "A2"
    return sheet


def _fit(sheet: Any, longest: int = 60) -> None:
    for index, column in enumerate(sheet.iter_cols(), start=1):
        width = max(len(str(cell.value)) if cell.value is not None else 0 for cell in column)
        sheet.column_dimensions[get_column_letter(index)].width = min(width + 2, longest)


def to_xlsx(report: Report) -> bytes:
    """A sheet a section, numbers as numbers, a sheet that explains each metric, no formulas."""
    book = Workbook()
    book.remove(book.active)
    for section, names in SECTIONS:
        sheet = _sheet(book, str(section), COLUMNS)
        for metric in report.metrics:
            if metric.metric in names:
                sheet.append([_cell(value) for value in metric.as_row()])
        _fit(sheet)
    about = _sheet(book, "What each number means", ("metric", "name", "meaning"))
    for name, meaning in EXPLAINED.items():
        about.append([name, str(LABELS[name]), str(meaning)])
    _fit(about, longest=100)
    for row in about.iter_rows(min_row=2):
        row[2].alignment = Alignment(wrap_text=True, vertical="top")
    state = "provisional" if report.provisional else "final"
    for line in (
        ("", "", ""),
        ("", "month", str(report.month)),
        ("", "scope", defused(report.scope)),
        ("", "state", state),
        ("", "computed from the night of", str(report.as_of or "no night yet")),
    ):
        about.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def page_context(report: Report) -> dict[str, Any]:
    """What the month's page and its PDF share: sections of rows, and the plain sentences."""
    limit = int(policies.get("small_cell_limit"))
    return {
        "report": report,
        "limit": limit,
        "sections": grouped(report.metrics, limit),
        "sentences": sentences(report.metrics, limit),
        "explained": [(LABELS[name], meaning) for name, meaning in EXPLAINED.items()],
    }


def to_pdf(report: Report) -> bytes:
    """What matters and its charts on the first page, then the tables, then how to read them."""
    context = page_context(report)
    trend = trends(report.month, report.programme, context["limit"])
    context["chart"] = rates_svg(report.metrics, context["limit"])
    context["figures"] = [(figure, trend_svg(figure)) for figure in trend.figures]
    return render_pdf(render_to_string("paper/monthly_report.html", context))


def to_format(report: Report, format: str) -> bytes:
    return {"csv": to_csv, "xlsx": to_xlsx, "pdf": to_pdf}[format](report)


def checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
