from reports_app.models.files import CaseFile
from reports_app.models.reports import ReportEdition, ReportRun
from reports_app.models.summaries import EpisodeSummary, SessionMonth, TouchedMonth

__all__ = [
    "CaseFile",
    "EpisodeSummary",
    "ReportEdition",
    "ReportRun",
    "SessionMonth",
    "TouchedMonth",
]
