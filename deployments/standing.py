"""The deployments as they stand on the server: whether they are as planned, and what a person changed there by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from deployments.plan import NEVER, Planned, plan_version
from lstm_model.whole import write_text_whole
from lstm_model.workspace import Workspace

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

_REGISTERED_FILE = "schedules.json"


@dataclass(frozen=True)
class Standing:
    """What of a registered deployment can be changed by us or by hand."""

    id: UUID
    schedule_in_words: str
    version: str
    description: str
    in_pool: bool
    automations: int = 0
    """How many of its planned triggers stand on the server, enabled or not."""

    @classmethod
    def of(cls, deployment: DeploymentResponse, automations: int) -> Standing:
        """A deployment as the server tells it."""
        return cls(
            deployment.id,
            _schedules_in_words(deployment),
            deployment.version or "",
            deployment.description or "",
            deployment.work_pool_name is not None,
            automations,
        )

    def is_as(self, planned: Planned) -> bool:
        """Whether there is nothing to register anew."""
        return (
            self.schedule_in_words == planned.schedule_in_words
            and self.version == plan_version()
            and self.description == planned.description
            and not self.in_pool
            and self.automations == len(planned.triggers)
        )


def read_standing(client: SyncPrefectClient, planned: list[Planned]) -> dict[str, Standing]:
    """What stands on the server, by name; what was never registered is not in it."""
    from prefect.exceptions import ObjectNotFound

    found = {}
    for one in planned:
        with suppress(ObjectNotFound):
            # By flow and deployment: on a server that others share, theirs may be called the same.
            deployment = client.read_deployment_by_name(f"{one.name}/{one.name}")
            found[one.name] = Standing.of(deployment, _count_automations(client, deployment.id, one))
    return found


def overridden(planned: list[Planned], standing: Mapping[str, Standing], registered: Mapping[str, str]) -> list[str]:
    """A line for every schedule that was changed by hand on the server and gives way to nightcast.toml.

    Args:
        planned: what nightcast.toml says.
        standing: what the server says.
        registered: what was registered last, by name; where the server says something else, a person said it.
    """
    lines = []
    for deployment in planned:
        now = standing.get(deployment.name)
        if now is None or now.in_pool:  # a pool's schedules are ours as well
            continue
        registered_last = registered.get(deployment.name, now.schedule_in_words)
        if now.schedule_in_words in (registered_last, deployment.schedule_in_words):
            continue
        lines.append(
            f"{deployment.name}: the dashboard says {now.schedule_in_words}, nightcast.toml decides: "
            f"{deployment.schedule_in_words}; to keep the change, set `{deployment.name}` under [schedule]"
        )
    return lines


def recall_registered(workspace: Workspace) -> dict[str, str]:
    """The schedules registered last, in words; none before the first time."""
    try:
        told = json.loads((workspace.state / _REGISTERED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(words) for name, words in told.items()}


def note_registered(workspace: Workspace, planned: list[Planned]) -> None:
    """Keep what was registered, to know the next time what a person changed since."""
    told = {one.name: one.schedule_in_words for one in planned}
    write_text_whole(workspace.state / _REGISTERED_FILE, json.dumps(told, indent=1))


def _count_automations(client: SyncPrefectClient, deployment: UUID, planned: Planned) -> int:
    """Automations that run a deployment and are called as planned; one that a person made is called otherwise."""
    named = [one for trigger in planned.triggers for one in client.read_automations_by_name(trigger["name"])]
    return sum(any(getattr(action, "deployment_id", None) == deployment for action in one.actions) for one in named)


def _schedules_in_words(deployment: DeploymentResponse) -> str:
    from prefect.client.schemas.schedules import CronSchedule

    words = []
    for one in deployment.schedules:
        cron = isinstance(one.schedule, CronSchedule)
        told = f"{one.schedule.cron!r} ({one.schedule.timezone})" if cron else "a schedule without cron"  # type: ignore[union-attr]
        words.append(told if one.active and not deployment.paused else f"{told}, paused")
    return " and ".join(sorted(words)) or NEVER
