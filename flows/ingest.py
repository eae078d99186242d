"""The flow that takes readings in."""

from __future__ import annotations

from prefect import flow

from flows.clock import present, wall_clock
from flows.naming import named
from lstm_model.readings import IngestReport, ingest
from lstm_model.workspace import Workspace


@flow(
    name="ingest",
    description="Take in what the sources hold: new, corrected, unchanged or quarantined, never lost.",
    flow_run_name=named("ingest"),
)
def ingest_flow(as_of: str | None = None, source: str | None = None) -> IngestReport:
    """Take readings in.

    Args:
        as_of: the time to live, such as 2013-12-20T23:00Z; the present when empty.
        source: only this source; all of them when empty.
    """
    workspace = Workspace.find()
    return ingest(workspace, present(workspace, as_of), wall_clock(), [source] if source else None)
