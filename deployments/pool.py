"""What a pool's runs are told of the workspace: a process is sent to it, a container has it mounted by its pool."""

from __future__ import annotations

from typing import Any

from lstm_model.workspace import Workspace

POOL = "nightcast"


def for_prefect_yaml() -> dict[str, Any]:
    """Build step of `prefect.yaml`: what its `{{ pool.env }}` stands for, by the type of the pool that is there."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return {"env": environment_in(client.read_work_pool(POOL).type)}


def environment_in(pool_type: str) -> dict[str, str]:
    """What every run of a pool is told, beyond what its worker knows and the pool's own template says."""
    return {"NIGHTCAST_HOME": str(Workspace.find().home)} if pool_type == "process" else {}
