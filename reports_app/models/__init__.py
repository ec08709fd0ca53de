from reports_app.models.reports import ReportEdition, ReportRun
from reports_app.models.summaries import EpisodeSummary, SessionMonth

__all__ = ["EpisodeSummary", "ReportEdition", "ReportRun", "SessionMonth"]
