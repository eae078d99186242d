"""The flow that trains tonight's candidate."""

from __future__ import annotations

from prefect import flow

from flows.clock import present
from flows.naming import named
from flows.night import Skipped
from lstm_model.errors import HistoryTooShort
from lstm_model.registry import Candidate, train_candidate
from lstm_model.workspace import Workspace


@flow(
    name="train",
    description="Train a fresh candidate, backtest it, and register it as challenger.",
    flow_run_name=named("train"),
)
def train_flow(as_of: str | None = None) -> Candidate | Skipped:
    """Train a candidate; skipped while there is too little history.

    Args:
        as_of: the time to live, such as 2013-12-20T23:00Z; the present when empty.
    """
    workspace = Workspace.find()
    try:
        return train_candidate(workspace, present(workspace, as_of))
    except HistoryTooShort as reason:
        return Skipped(str(reason))
