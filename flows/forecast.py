"""The flow that issues forecasts."""

from __future__ import annotations

import logging

import pandas as pd
from prefect import flow

from flows.artifacts import leave_page
from flows.clock import present, wall_clock
from flows.events import NIGHTLY
from flows.limits import news_of_limits
from flows.naming import named
from flows.night import Skipped
from flows.outcome import told
from flows.pages import forecast_page
from flows.parameters import Text
from flows.reporting import renew_report
from flows.telling import announce
from flows.words import issue_in_words
from lstm_model.errors import HistoryTooShort
from lstm_model.forecasts import Issue, issue_forecast
from lstm_model.readings import ReadingsStore
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.forecast")

_DAYS_OF_PAST = pd.Timedelta(days=3)


@flow(
    name="forecast",
    description="Forecast every station with the best method that can serve it, and keep the result.",
    flow_run_name=named("forecast"),
)
@told(issue_in_words)
def forecast_flow(as_of: Text = None, promoted: Text = None, who: Text = None) -> Issue | Skipped:
    """Issue a forecast, and write the report anew; skipped only where no station has spoken for a month.

    Args:
        as_of: the time to live, such as 2013-12-20T23:00Z; the present when empty.
        promoted: the version whose promotion asked for this forecast, if one did; the champion serves either way.
        who: who asks; nightly reports by itself.
    """
    workspace = Workspace.find()
    if promoted:
        log.info("version %s has become champion: forecasting anew", promoted)
    now = present(workspace, as_of)
    try:
        issue = issue_forecast(workspace, now, wall_clock())
    except HistoryTooShort as reason:
        return Skipped(str(reason))
    announce(workspace, *news_of_limits(workspace, issue.forecast))
    issued_at = issue.forecast["issued_at"].iloc[0]
    leave_page("forecast", lambda: _page(workspace, issue, issued_at), f"Issued for {issued_at:%Y-%m-%d %H:%M} UTC")
    if who != NIGHTLY:
        renew_report(workspace, issue, now)
    return issue


def _page(workspace: Workspace, issue: Issue, issued_at: pd.Timestamp) -> str:
    recent = ReadingsStore(workspace.readings).read(issued_at, since=issued_at - _DAYS_OF_PAST)
    return forecast_page(issue, recent, workspace.settings.server)
