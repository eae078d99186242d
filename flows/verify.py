"""The flow that scores issued forecasts."""

from __future__ import annotations

import pandas as pd
import pyarrow.dataset as ds
from prefect import flow

from flows.artifacts import leave_page
from flows.clock import present
from flows.naming import named
from flows.outcome import told
from flows.pages import verification_page
from flows.parameters import Text
from flows.words import verification_in_words
from lstm_model.forecasts import ForecastStore, Verification, record_verified, verify_forecasts
from lstm_model.forecasts.store import micros
from lstm_model.workspace import Workspace

_DAYS_SHOWN = 30


@flow(
    name="verify",
    description="Score every issued forecast whose truth has come; repeating it changes nothing.",
    flow_run_name=named("verify"),
)
@told(verification_in_words)
def verify_flow(as_of: Text = None) -> Verification:
    """Score forecasts.

    Args:
        as_of: the time to live, such as 2013-12-20T23:00Z; the present when empty.
    """
    workspace = Workspace.find()
    now = present(workspace, as_of)
    report = verify_forecasts(workspace, now)
    record_verified(workspace)  # always: a run killed before this line left it to the next one
    if len(report.fresh):  # every hour there is a run; a page that says nothing would hide those that do
        leave_page("verification", lambda: _page(workspace, report, now), f"Verified at {now:%Y-%m-%d %H:%M} UTC")
    return report


def _page(workspace: Workspace, report: Verification, now: pd.Timestamp) -> str:
    store = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest)
    recent = ds.field("issued_at") > micros(now - pd.Timedelta(days=_DAYS_SHOWN))
    return verification_page(report, store.read_scores(where=recent), _DAYS_SHOWN)
