"""Serve every flow with its schedule, as `nightcast up` does: `python -m deployments.serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flows.runtime import prepare
from lstm_model.workspace import Workspace

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment


def main() -> None:
    """Register the deployments and run what they ask for until stopped."""
    workspace = Workspace.find()
    prepare(workspace)
    from prefect import serve
    from prefect.schedules import Cron

    from flows.forecast import forecast_flow
    from flows.ingest import ingest_flow
    from flows.maintenance import maintenance_flow
    from flows.nightly import nightly_flow
    from flows.promote import promote_flow
    from flows.train import train_flow
    from flows.verify import verify_flow

    plan = workspace.settings.schedule
    scheduled = {
        ingest_flow: plan.ingest,
        nightly_flow: plan.nightly,
        forecast_flow: plan.forecast,
        verify_flow: plan.verify,
    }
    deployments = [
        flow.to_deployment(
            name=flow.name,
            description=flow.description,
            tags=["nightcast"],
            schedule=Cron(scheduled[flow], timezone=plan.timezone) if flow in scheduled else None,
        )
        for flow in (ingest_flow, nightly_flow, forecast_flow, verify_flow, train_flow, promote_flow, maintenance_flow)
    ]
    serve(*cast("list[RunnerDeployment]", deployments), print_starting_message=False, limit=4)


if __name__ == "__main__":  # Prefect's engine imports this module again for every run
    main()
