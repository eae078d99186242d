"""The flow that scores issued forecasts."""

from __future__ import annotations

from prefect import flow

from flows.clock import present
from flows.naming import named
from lstm_model.forecasts import Verification, record_verified, verify_forecasts
from lstm_model.workspace import Workspace


@flow(
    name="verify",
    description="Score every issued forecast whose truth has come; repeating it changes nothing.",
    flow_run_name=named("verify"),
)
def verify_flow(as_of: str | None = None) -> Verification:
    """Score forecasts.

    Args:
        as_of: the time to live, such as 2013-12-20T23:00Z; the present when empty.
    """
    workspace = Workspace.find()
    report = verify_forecasts(workspace, present(workspace, as_of))
    record_verified(workspace)  # always: a run killed before this line left it to the next one
    return report
