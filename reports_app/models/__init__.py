from reports_app.models.entries import ContractTarget, MonthlyEntry
from reports_app.models.files import CaseFile, CaseRows, CaseRowsPart, ClientCopy
from reports_app.models.practice import PracticeEntry, PracticeShare
from reports_app.models.reports import ReportEdition, ReportRun
from reports_app.models.summaries import (
    EpisodeSummary,
    KeptFigures,
    SessionMonth,
    TouchedMonth,
)

__all__ = [
    "CaseFile",
    "CaseRows",
    "CaseRowsPart",
    "ClientCopy",
    "ContractTarget",
    "EpisodeSummary",
    "KeptFigures",
    "MonthlyEntry",
    "PracticeEntry",
    "PracticeShare",
    "ReportEdition",
    "ReportRun",
    "SessionMonth",
    "TouchedMonth",
]
