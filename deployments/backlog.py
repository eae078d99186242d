"""Runs that were missed while nightcast was down: the newest of each deployment runs, the older say why they don't."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

SUPERSEDED = "missed while nightcast was down; the newest one runs instead"
UNSCHEDULED = "missed while nightcast was down, and no longer scheduled in nightcast.toml"


def clear_backlog(client: SyncPrefectClient, scheduled: Collection[UUID], unscheduled: Collection[UUID]) -> int:
    """Cancel all but the newest missed run of each deployment.

    Args:
        client: of the server.
        scheduled: deployments that run by themselves; their newest missed run is left to run.
        unscheduled: deployments that don't any more.

    Returns:
        How many were cancelled.
    """
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterId,
        FlowRunFilter,
        FlowRunFilterNextScheduledStartTime,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.states import Cancelled

    missed = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=datetime.now(UTC)),
    )
    ours = DeploymentFilter(id=DeploymentFilterId(any_=[*scheduled, *unscheduled]))
    cancelled = 0
    while stale := outdated(
        client.read_flow_runs(deployment_filter=ours, flow_run_filter=missed), scheduled
    ):  # a page at a time
        for run, why in stale:
            client.set_flow_run_state(run.id, Cancelled(message=why), force=True)
        cancelled += len(stale)
    return cancelled


def outdated(missed: Collection[FlowRun], scheduled: Collection[UUID]) -> list[tuple[FlowRun, str]]:
    """Which missed runs should not run, and why; what a person asked for is left to run."""
    by_schedule = [run for run in missed if run.auto_scheduled]
    newest: dict[UUID | None, datetime] = {}
    for run in by_schedule:
        newest[run.deployment_id] = max(_due(run), newest.get(run.deployment_id, _due(run)))
    return [
        (run, SUPERSEDED if run.deployment_id in scheduled else UNSCHEDULED)
        for run in by_schedule
        if run.deployment_id not in scheduled or _due(run) < newest[run.deployment_id]
    ]


def _due(run: FlowRun) -> datetime:
    due = run.next_scheduled_start_time or run.expected_start_time
    assert due is not None, f"{run.name} is scheduled for no time"
    return due
