"""What people read in the morning: one page that says what comes, how good that is, and what needs a person."""

from lstm_model.report.data import Finding, Judged, ReportData
from lstm_model.report.findings import from_monitoring
from lstm_model.report.gather import gather
from lstm_model.report.page import render, state_in_words

__all__ = ["Finding", "Judged", "ReportData", "from_monitoring", "gather", "render", "state_in_words"]
