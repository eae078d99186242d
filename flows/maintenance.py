"""The flow that keeps the workspace small."""

from __future__ import annotations

from prefect import flow

from flows.clock import wall_clock
from flows.naming import named
from lstm_model.registry import MaintenanceReport, maintain
from lstm_model.workspace import Workspace


@flow(
    name="maintenance",
    description="Remove old models, compact the tables, remove old files; what a kept model names stays readable.",
    flow_run_name=named("maintenance"),
)
def maintenance_flow() -> MaintenanceReport:
    """Keep the workspace small."""
    return maintain(Workspace.find(), wall_clock())
