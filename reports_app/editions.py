"""Files of a monthly report: tidy CSV, XLSX, PDF; kept with checksum, the same to the byte."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from measures_app.charts import remaining_svg, trend_svg
from measures_app.steps import newest_night
from reports_app import board, figures, group_figures
from reports_app.comparison import comparison
from reports_app.explain import EXPLAINED, LABELS, SECTIONS
from reports_app.extract import CLINIC, Scope
from reports_app.kept import Since
from reports_app.lengths import TITLES
from reports_app.metric import COLUMNS, Metric
from reports_app.paper import render_pdf
from reports_app.periods import Period
from reports_app.published import Publication, publication, published_metrics
from reports_app.scales import scales
from reports_app.small import few_of, grouped, rates_svg, sentences
from reports_app.trend import trends
from sessions_app import policies
from sessions_app.models import Installation

FORMATS = ("csv", "xlsx", "pdf")
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Report:
    """A period's metrics with what its pages say about them."""

    period: Period
    of: Scope
    metrics: list[Metric]
    provisional: bool
    clinic_name: str
    as_of: Any
    made: Publication | None = None  # of a file that may leave the clinic
    since: Since | None = None  # when a page's numbers were counted, where that isn't now

    @property
    def published(self) -> bool:
        return self.made is not None

    @property
    def scope(self) -> str:
        return "whole clinic" if self.of.is_clinic else self.of.name

    @property
    def file_stem(self) -> str:
        part = "" if self.of.is_clinic else f"-{self.of.name}"
        safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in part)
        kind = "-published" if self.published else ""
        return f"outcomes-{self.period}{safe}{kind}".replace("..", "-to-").lower()


def make_report(period: Period, scope: Scope = CLINIC) -> Report:
    """A period as it holds now; call within a unit of work that may see the clinic's aggregates."""
    return replace(make_empty(period, scope), metrics=figures.metrics_of(period, scope))


def shown_report(period: Period, scope: Scope = CLINIC) -> Report:
    """A period as a page shows it: as last counted; call within such a unit of work too."""
    metrics, since = figures.shown(period, scope)
    return replace(make_empty(period, scope), metrics=metrics, since=since)


def make_empty(period: Period, scope: Scope) -> Report:
    """What stands around the numbers."""
    installation = Installation.objects.first()
    return Report(
        period=period,
        of=scope,
        metrics=[],
        provisional=period.is_provisional(),
        clinic_name=installation.clinic_name if installation else "Clinic",
        as_of=newest_night(done=True),
    )


def make_published(
    period: Period,
    scope: Scope = CLINIC,
    before: Publication | None = None,
    parts: Sequence[Publication] = (),
    tell: Callable[[], None] = lambda: None,
) -> Report:
    """The period as it may leave the clinic.

    Held against the last publication of the period, and against those of its parts.
    """
    made = publication(period, before, parts, tell)
    exact = make_empty(period, scope)
    return replace(exact, metrics=published_metrics(made, period, scope), made=made)


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


def _sheet(book: Any, title: str, header: tuple[str, ...]) -> Any:
    from openpyxl.styles import Font

    sheet = book.create_sheet(title)
    sheet.append(header)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "A2"
    return sheet


def _fit(sheet: Any, longest: int = 60) -> None:
    from openpyxl.utils import get_column_letter

    for index, column in enumerate(sheet.iter_cols(), start=1):
        width = max(len(str(cell.value)) if cell.value is not None else 0 for cell in column)
        sheet.column_dimensions[get_column_letter(index)].width = min(width + 2, longest)


def to_xlsx(report: Report) -> bytes:
    """A sheet a section, numbers as numbers, a sheet that explains each metric, no formulas."""
    # Read in where a spreadsheet is made: every process and command would wait for it.
    from openpyxl import Workbook
    from openpyxl.styles import Alignment

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
        ("", "month", str(report.period)),
        ("", "scope", defused(report.scope)),
        ("", "state", state),
        ("", "use", str(use_words(report))),
        ("", "computed from the night of", str(report.as_of or "no night yet")),
    ):
        about.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def use_words(report: Report) -> str:
    """Where a file may go, in a sentence that stands on it."""
    if report.published:
        return _(
            "May leave the clinic: counts are rounded to 5, those under %(limit)d and as many as "
            "it takes to hide them are blank, rates are made of rounded counts."
        ) % {"limit": int(policies.get("small_cell_limit"))}
    return _("For use under the clinic's roof: exact numbers, some of very few people.")


def differences(old: bytes, new: bytes) -> list[dict[str, str]]:
    """What differs between two editions' CSV files: measure, metric, note, old and new number."""

    def read(content: bytes) -> dict[tuple[str, ...], list[dict[str, str]]]:
        found: dict[tuple[str, ...], list[dict[str, str]]] = {}
        for row in csv.DictReader(io.StringIO(content.decode("utf-8"))):
            group = row["note"] if row["metric"] == "clients_by_age_group" else ""
            found.setdefault((row["measure"], row["metric"], group), []).append(row)
        return found

    def said(rows: list[dict[str, str]] | None) -> str:
        row = rows[0] if rows else {}
        of = f" ({row['numerator']}/{row['denominator']})" if row.get("numerator") else ""
        return f"{row.get('value', '')}{of}"

    before, after = read(old), read(new)
    return [
        {"measure": key[0], "metric": key[1], "group": key[2],
         "old": said(before.get(key)), "new": said(after.get(key))}
        for key in [*after, *(key for key in before if key not in after)]
        if said(before.get(key)) != said(after.get(key))
    ]  # fmt: skip


def page_context(report: Report) -> dict[str, Any]:
    """What the agency page, the period's page and its PDF share: rows by section, sentences."""
    limit = int(policies.get("small_cell_limit"))
    return {
        "report": report,
        "use": use_words(report),
        "limit": limit,
        "sections": grouped(report.metrics, limit),
        "sentences": sentences(report.metrics, limit),
        "explained": [(LABELS[name], meaning) for name, meaning in EXPLAINED.items()],
    }


def report_context(report: Report) -> dict[str, Any]:
    """The same, with what was entered for the period and what contracts ask for."""
    context = page_context(report)
    few = few_of(report.metrics, context["limit"])
    period, scope = report.period, report.of
    # Complaints of two in a month are a small cell too: only the words leave the clinic.
    entered = board.entered(period, words_only=report.published) if scope.is_clinic else None
    return context | {
        "entered": entered,
        "targets": board.targets(period, scope.funder, report.metrics, few),
        "entering": board.entering_sentence(period) if report.provisional else "",
    }


def to_pdf(report: Report) -> bytes:
    """What matters and its charts on the first page, then the tables, then how to read them."""
    context = report_context(report)
    said = {metric.metric for metric in report.metrics}
    context["explained"] = [(LABELS[name], of) for name, of in EXPLAINED.items() if name in said]
    context["scales"] = scales(metric.measure for metric in report.metrics)
    context["chart"] = rates_svg(report.metrics, context["limit"])
    if not report.published:  # the period before isn't rounded
        context["compared"] = comparison(report)
        context["changes"] = board.changes_sentences(context["compared"])
        if report.of.is_clinic:
            context["reviews"] = board.reviews_sentence(report.period)
    if not report.published and report.of.funder is None:  # single months are not rounded
        counted = figures.months_of(report.of.programme)
        trend = trends(report.period.last_month, counted, context["limit"])
        context["figures"] = [(figure, trend_svg(figure)) for figure in trend.figures]
        context["curves"] = curves(report)
    return render_pdf(render_to_string("paper/monthly_report.html", context))


def curves(report: Report) -> list[tuple[str, str, Any]]:
    """(title, what it says, its drawing) of how long until half are offered, seen, have ended."""
    flow = group_figures.flow(report.period, "programme", report.of)[0]
    found = []
    for of, title in TITLES.items():
        length = getattr(flow.out_all if of == "length" else flow.into_all, of)
        if length is not None and length.points:
            drawing = remaining_svg(length.figure(str(title)))
            found.append((str(title), length.words(of), drawing))
    return found


def to_format(report: Report, format: str) -> bytes:
    return {"csv": to_csv, "xlsx": to_xlsx, "pdf": to_pdf}[format](report)


def checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
