"""The flow that issues forecasts."""

from __future__ import annotations

from prefect import flow

from flows.clock import present, wall_clock
from flows.naming import named
from flows.night import Skipped
from lstm_model.errors import HistoryTooShort
from lstm_model.forecasts import Issue, issue_forecast
from lstm_model.workspace import Workspace


@flow(
    name="forecast",
    description="Forecast every station with the best method that can serve it, and keep the result.",
    flow_run_name=named("forecast"),
)
def forecast_flow(as_of: str | None = None) -> Issue | Skipped:
    """Issue a forecast; skipped only where no station has spoken for a month.

    Args:
        as_of: the time to live, such as 2013-12-20T23:00Z; the present when empty.
    """
    workspace = Workspace.find()
    try:
        return issue_forecast(workspace, present(workspace, as_of), wall_clock())
    except HistoryTooShort as reason:
        return Skipped(str(reason))
