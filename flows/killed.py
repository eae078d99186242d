"""Flow runs that were killed: the dashboard says Running, but no process lives them any more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flows.living import living_runs, noted_runs
from lstm_model.servers import elsewhere
from lstm_model.workspace import Workspace

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

GONE = "no process lives this run any more: it was killed, or the machine went down"
FLOWS = ("nightly", "ingest", "forecast", "verify", "train", "promote", "rollback", "maintenance")


def end_killed_runs(workspace: Workspace, grace: timedelta) -> list[str]:
    """Make Crashed what says that it is under way although no process lives it.

    Args:
        workspace: whose flow runs.
        grace: a younger state is believed: the process may be about to start.

    Returns:
        The names of the runs that were ended.
    """
    from prefect.client.orchestration import get_client
    from prefect.states import Crashed

    ended = []
    with get_client(sync_client=True) as client:
        under_way = of_this_workspace(workspace, runs_under_way(client))
        suspects = without_process(under_way, living_runs(workspace), datetime.now(UTC) - grace)
        # Asked again, because one that ended meanwhile said so before its process went.
        still = {run.id for run in runs_under_way(client)} if suspects else set()
        for run in suspects:
            if run.id in still:
                client.set_flow_run_state(run.id, Crashed(message=GONE), force=True)
                ended.append(run.name)
    return ended


def crashed_nights(since: datetime) -> list[FlowRun]:
    """Nights that were killed after `since`, whoever noticed."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterEndTime,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType

    crashed = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED]))
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["nightly"])),
            flow_run_filter=FlowRunFilter(state=crashed, end_time=FlowRunFilterEndTime(after_=since)),
        )


def runs_under_way(client: SyncPrefectClient) -> list[FlowRun]:
    """Runs of our flows that say they are under way."""
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType

    under_way = [StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING]  # paused: it waits
    states = FlowRunFilterStateType(any_=under_way)
    return client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=list(FLOWS))),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=states)),
    )


def of_this_workspace(workspace: Workspace, runs: Collection[FlowRun]) -> list[FlowRun]:
    """Those of the runs that are ours: all on our own server; on one elsewhere, those noted here within a day."""
    if elsewhere(workspace.settings.server, "prefect") is None:
        return list(runs)
    ours = noted_runs(workspace)
    return [run for run in runs if str(run.id) in ours]


def without_process(runs: Collection[FlowRun], living: Collection[str], since: datetime) -> list[FlowRun]:
    """Those of the runs under way that no process lives and whose state is older than `since`."""
    return [run for run in runs if str(run.id) not in living and run.state is not None and run.state.timestamp < since]
