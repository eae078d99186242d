"""The flow that keeps the workspace small."""

from __future__ import annotations

import logging
import os
from datetime import timedelta

from prefect import flow

from flows.artifacts import leave_page
from flows.clock import wall_clock
from flows.housekeeping import compact_databases
from flows.killed import end_killed_runs
from flows.naming import named
from flows.outcome import told
from flows.pages import maintenance_page
from flows.turns import is_own_server
from flows.words import maintenance_in_words
from lstm_model.registry import MaintenanceReport, maintain
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.maintenance")

_GRACE = timedelta(minutes=1)


@flow(
    name="maintenance",
    description="Remove old models, compact the tables, remove old files; what a kept model names stays readable.",
    flow_run_name=named("maintenance"),
)
@told(maintenance_in_words)
def maintenance_flow() -> MaintenanceReport:
    """Keep the workspace small, and end runs whose process is gone."""
    workspace = Workspace.find()
    if is_own_server(workspace, os.environ.get("PREFECT_API_URL")):  # where others run, a flow's name proves nothing
        for name in end_killed_runs(workspace, _GRACE):
            log.warning("%s is Crashed: no process lives it any more", name)
    report = maintain(workspace, wall_clock())
    compact_databases(workspace)
    leave_page("maintenance", lambda: maintenance_page(report), "What was removed, and what stays")
    return report
