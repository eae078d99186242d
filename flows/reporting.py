"""The report of a night: the page on the disk, beside the model in MLflow, and a summary on the dashboard."""

from __future__ import annotations

import logging

from flows.artifacts import leave_page
from flows.clock import wall_clock
from flows.links import shown_link
from flows.markdown import page, table
from flows.night import Night
from flows.report import failed_steps
from lstm_model.errors import first_line
from lstm_model.registry import attach_report
from lstm_model.report import Finding, ReportData, from_monitoring, gather, render, state_in_words
from lstm_model.settings import ServerSettings
from lstm_model.whole import write_text_whole
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.report")


def leave_report(workspace: Workspace, night: Night) -> None:
    """Report a night that was lived. Whatever goes wrong is a warning: the forecast is out."""
    try:
        data = gather(workspace, night.as_of, wall_clock(), _findings(night))
        text = render(data)
        write_text_whole(workspace.report, text)
    except Exception as error:
        log.warning("there is no new report: %s", first_line(error), exc_info=True)
        return
    shown_at = None
    try:
        shown_at = attach_report(workspace, text, None if night.train is None else night.train.run_id)
    except Exception as error:  # the page is on the disk
        log.warning("the report is missing in MLflow: %s", first_line(error))
    described = f"The report of {night.as_of:%Y-%m-%d}"
    leave_page("report", lambda: report_page(data, shown_at, workspace.settings.server), described)


def _findings(night: Night) -> list[Finding]:
    """What failed in the night, and what its monitoring raised."""
    watch = night.monitor
    if watch is None:
        return failed_steps(night.failed)
    faults = [Finding(f"Monitoring failed: {fault}.", "`nightcast monitor` tries again.") for fault in watch.faults]
    return [*failed_steps(night.failed), *from_monitoring(watch.findings), *faults]


def report_page(data: ReportData, shown_at: str | None, server: ServerSettings) -> str:
    """The report in short, with the way to all of it.

    Args:
        data: what it tells.
        shown_at: where the MLflow UI shows it, if it lies there.
        server: where the MLflow UI is.
    """
    parts = [f"**{state_in_words(data)}**", "## What needs a person"]
    told = [(finding.text, finding.remedy) for finding in data.findings]
    parts.append(table(("what", "what to do"), told, numbers_from=2) if told else "Nothing.")
    where = "`predictions/report.html` in the workspace"
    if shown_at is not None:
        where = f"{shown_link(server, shown_at, 'the report in MLflow')}, and {where}"
    return page([*parts, f"All of it: {where}."])
