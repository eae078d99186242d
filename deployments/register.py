"""Register deployments with the server: `python -m deployments.register NAME…`.

Registering needs the flows, and they need torch and MLflow: a process of its own does it and gives the memory back.
"""

from __future__ import annotations

import sys
from typing import cast
from uuid import UUID

from deployments.plan import Planned, plan, plan_version
from lstm_model.workspace import Workspace

_SLUG = "nightcast"


def main() -> None:
    """Register the named deployments as they are planned."""
    wanted = set(sys.argv[1:])
    for planned in plan(Workspace.find().settings.schedule):
        if planned.name in wanted:
            register(planned)


def register(planned: Planned) -> None:
    """Make one deployment on the server what the plan says, schedule included."""
    from prefect import Flow
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.deployments.runner import RunnerDeployment
    from prefect.events import DeploymentEventTrigger
    from prefect.flows import load_flow_from_entrypoint
    from prefect.types.entrypoint import EntrypointType

    flow: Flow[..., object] = load_flow_from_entrypoint(planned.entrypoint, use_placeholder_flow=False)
    schedules = []
    if planned.cron:
        cron = CronSchedule(cron=planned.cron, timezone=planned.timezone)
        schedules = [DeploymentScheduleCreate(schedule=cron, active=True, slug=_SLUG)]
    deployment = RunnerDeployment.from_flow(
        flow,
        planned.name,
        schedules=schedules,
        description=planned.description,
        tags=list(planned.tags),
        version=plan_version(),
        triggers=[DeploymentEventTrigger.model_validate(trigger) for trigger in planned.triggers],
        paused=False,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    deployment.work_pool_name = deployment.work_queue_name = None  # said, so that it comes back from a pool
    deployment_id = cast("UUID", deployment.apply())
    with get_client(sync_client=True) as client:
        for schedule in client.read_deployment_schedules(deployment_id):
            if not planned.cron or schedule.slug != _SLUG:  # somebody's own
                client.delete_deployment_schedule(deployment_id, schedule.id)


if __name__ == "__main__":
    main()
