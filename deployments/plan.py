"""What is deployed, and when it runs by itself: nightcast.toml's `[schedule]` is the only place that decides it.

`deployments.serve` and `deployments/prefect.yaml` both read this plan.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flows.due import TAG
from flows.events import DUE, FORECAST, MODEL_RESOURCE, NAMES
from lstm_model.settings import ScheduleSettings
from lstm_model.workspace import Workspace

NEVER = "not scheduled"
AFTER_PROMOTION = {
    "name": "forecast after a promotion",
    "enabled": True,
    "expect": [NAMES["promoted"]],
    "match": {"prefect.resource.id": MODEL_RESOURCE, FORECAST: DUE},
    "parameters": {"promoted": {"__prefect_kind": "jinja", "template": "{{ event.payload.version }}"}},
}
"""A promotion by hand or a rollback is followed by a forecast; a night issues its own."""


@dataclass(frozen=True)
class Planned:
    """One deployment as it should be."""

    name: str
    entrypoint: str
    """Where the flow is: module and name, `flows.train.train_flow`."""
    tags: tuple[str, ...]
    description: str
    cron: str
    """When it runs by itself; empty: never."""
    timezone: str
    triggers: tuple[Mapping[str, Any], ...] = ()
    """Events that it runs on besides, as Prefect's `DeploymentEventTrigger` takes them."""

    @property
    def schedule_in_words(self) -> str:
        """`'15 2 * * *' (UTC)`, or that it is not scheduled."""
        return f"{self.cron!r} ({self.timezone})" if self.cron else NEVER


def plan(schedule: ScheduleSettings) -> list[Planned]:
    """Every deployment, scheduled as nightcast.toml says."""
    return [
        Planned(
            name,
            f"flows.{name}.{name}_flow",
            (TAG, kind),
            description,
            getattr(schedule, name, ""),
            schedule.timezone,
            (AFTER_PROMOTION,) if name == "forecast" else (),
        )
        for name, (kind, description) in _DEPLOYMENTS.items()
    ]


@cache
def plan_version() -> str:
    """The version of nightcast and a digest of its flows: where it changes, deployments have to be registered anew."""
    here = Path(__file__).resolve()
    return f"{version('nightcast')}+{digest_of(here, here.parent.parent / 'flows')}"


def digest_of(plan_file: Path, flows: Path) -> str:
    """Eight letters that change with the plan and with any of the flows."""
    files = [plan_file, *sorted(flows.glob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]


def for_prefect_yaml() -> dict[str, Any]:
    """Build step of `prefect.yaml`: what its placeholders `{{ plan.… }}` stand for."""
    workspace = Workspace.find()
    defaults = ScheduleSettings()
    deployments = {
        planned.name: {
            # Prefect's file knows no schedule that never comes: an idle one stands in its place.
            "cron": planned.cron or getattr(defaults, planned.name, ""),
            "active": bool(planned.cron),
            "description": planned.description,
            "tags": list(planned.tags),
        }
        for planned in plan(workspace.settings.schedule)
    }
    zone = workspace.settings.schedule.timezone
    return {"timezone": zone, "version": plan_version(), **deployments}


# name: kind, description. The first line says what it does, the rest when a person starts it by hand.
_DEPLOYMENTS = {
    "nightly": (
        "night",
        """**One whole night**: takes in readings, scores what was forecast, trains a challenger, lets the gate decide
whether it becomes champion, and issues a forecast. Whatever fails, the forecast goes out. Where a person has to
approve, it then waits as *Paused*: open the run, menu, *Resume*.

*By hand*: to live the night now, or an earlier one again with `as_of`. One night at a time: a second one is skipped
and says so.""",
    ),
    "ingest": (
        "data",
        """**Takes in readings** of every source: each row ends as new, corrected, unchanged or quarantined.

*By hand*: when a file has come that should not wait for the next hour. Repeating it changes nothing.""",
    ),
    "forecast": (
        "forecast",
        """**Issues a forecast** for every station from the standing champion and the newest readings, and writes the
report anew; trains nothing. Also runs after a promotion by hand and after a rollback, and is told which version was
`promoted`.

*By hand*: when readings came late. Issuing again from the same origin replaces that issue.""",
    ),
    "verify": (
        "forecast",
        """**Scores issued forecasts** whose truth has come, and tells MLflow how the versions did.

*By hand*: after corrected readings came. Repeating it changes nothing.""",
    ),
    "train": (
        "model",
        """**Trains a challenger**, backtests it and registers it in MLflow; the champion stays until `promote` judges.

*By hand*: to try changed settings before tonight.""",
    ),
    "promote": (
        "model",
        """**Judges the challenger** on days that neither model saw; it becomes champion only if it earned it.

*By hand*: after `train`. The evidence is an artifact, also when the gate refuses. Where a person has to approve, the
run waits as *Paused*: open it, menu, *Resume*. A version that waits already is answered by `version` and `answer`.""",
    ),
    "rollback": (
        "model",
        """**Puts an earlier version back** as champion, in seconds; the next forecast uses it.

*By hand*: when a champion turns out badly. Without `to` the previous champion serves again; a second rollback undoes
the first. `why` goes to the promotion log.""",
    ),
    "maintenance": (
        "upkeep",
        """**Keeps the workspace small and true**: removes old models, compacts tables and databases, and ends
runs whose process is gone.

*By hand*: when the disk fills up. What a kept model names stays readable.""",
    ),
}
