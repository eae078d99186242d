"""The report of a night: the page on the disk, beside the model in MLflow, and a summary on the dashboard.

Between nights the page on the disk follows the forecast.
"""

from __future__ import annotations

import logging

import pandas as pd

from flows.artifacts import leave_page
from flows.clock import wall_clock
from flows.findings import demotion_in_words
from flows.links import shown_link
from flows.markdown import page, table
from flows.night import Night
from flows.report import demoted, failed_steps, write_report
from flows.watch import Watch
from lstm_model.errors import first_line
from lstm_model.forecasts import ForecastStore, Issue
from lstm_model.forecasts.limits import UNWATCHED
from lstm_model.registry import attach_report
from lstm_model.report import Finding, ReportData, from_monitoring, gather, render, state_in_words
from lstm_model.report.findings import MOST
from lstm_model.settings import ServerSettings
from lstm_model.whole import write_text_whole
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.report")

_NO_MODEL_YET = "there is no "  # champion or previous, which the page says by itself


def leave_report(workspace: Workspace, night: Night, now: pd.Timestamp | None = None) -> None:
    """Report a night that was lived. Whatever goes wrong is a warning: the forecast is out.

    Args:
        workspace: whose night.
        night: what it did.
        now: the time that the report speaks of, where that is later than the night. A forecast that went out after
            the night's, while that was still at work, is later, too.
    """
    try:
        at = max(night.as_of, *filter(None, (now, _last_issued(workspace))))
        data = gather(workspace, at, wall_clock(), _findings(night))
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


def renew_report(workspace: Workspace, issue: Issue, now: pd.Timestamp) -> None:
    """Write the page anew with a forecast that went out between nights; whatever goes wrong is a warning.

    What is kept with models and on the dashboard stays the nights'.

    Args:
        workspace: whose page.
        issue: what went out; where a later one did already, the page stays as it is.
        now: the time that the page speaks of.
    """
    try:
        if _last_issued(workspace) == issue.forecast["issued_at"].iloc[0]:
            write_report(workspace, now, others=_lacking(issue))
    except Exception as error:  # the forecast is out
        log.warning("there is no new report: %s", first_line(error), exc_info=True)


def _last_issued(workspace: Workspace) -> pd.Timestamp | None:
    """The origin of the newest forecast; None while there is none."""
    issued = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest).newest_issue()["issued_at"]
    return None if issued.empty else pd.Timestamp(issued.iloc[0])


def _findings(night: Night) -> list[Finding]:
    """What failed in the night, what its monitoring raised, and what its forecast had to do without."""
    watched = [] if night.monitor is None else _watched(night.monitor)
    return [*failed_steps(night.failed), *watched, *([] if night.forecast is None else _lacking(night.forecast))]


def _watched(watch: Watch) -> list[Finding]:
    """What monitoring raised; of a champion that was demoted, that it was, and not how to be rid of it."""
    settled = watch.demotion if watch.demotion is not None and watch.demotion.entry is not None else None
    raised = from_monitoring(one for one in watch.findings if not watch.is_settled(one))
    faults = [Finding(f"Monitoring failed: {fault}.", "`nightcast monitor` tries again.") for fault in watch.faults]
    if settled is not None:
        raised.append(demoted(demotion_in_words(settled)))
    return [*raised, *faults]


def _lacking(issue: Issue) -> list[Finding]:
    """What the forecast had to do without: a model that cannot serve, a limit that nobody watches."""
    faults = [fault for fault in issue.faults if not fault.startswith((UNWATCHED, _NO_MODEL_YET))]
    told = [Finding(f"The forecast went out, but {fault}.") for fault in faults[:MOST]]
    if (more := len(faults) - MOST) > 0:
        told.append(Finding(f"And {more:,} more of the kind; the forecast's page on the dashboard has all."))
    return told


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
