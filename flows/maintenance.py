"""The flow that keeps the tables small."""

from __future__ import annotations

from prefect import flow

from flows.naming import named
from lstm_model.registry import MaintenanceReport, maintain
from lstm_model.workspace import Workspace


@flow(
    name="maintenance",
    description="Compact the tables and remove old files; what a registered model names stays readable.",
    flow_run_name=named("maintenance"),
)
def maintenance_flow() -> MaintenanceReport:
    """Keep the tables small."""
    return maintain(Workspace.find())
