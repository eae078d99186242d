"""Keeping the workspace small without forgetting what a model that may still matter was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from mlflow import MlflowClient

from lstm_model.readings.upkeep import Upkeep, keep_small
from lstm_model.registry.prune import Pruning, prune
from lstm_model.registry.tracking import open_tracking
from lstm_model.registry.versions import registered_versions
from lstm_model.workspace import Workspace


@dataclass(frozen=True)
class MaintenanceReport:
    """What maintenance did, and the versions of the readings it kept because models name them."""

    tables: dict[str, Upkeep]
    kept_versions: list[int]
    pruned: Pruning

    @property
    def total(self) -> Upkeep:
        """Over all tables."""
        return sum(self.tables.values(), Upkeep())


def maintain(workspace: Workspace, now: pd.Timestamp) -> MaintenanceReport:
    """Prune the registry, then compact every table and remove old files; what a kept model names stays readable.

    Args:
        workspace: which.
        now: the wall clock; models are as old as the time they were made.
    """
    pruned = prune(workspace, now)
    named = _named_versions(open_tracking(workspace))
    tables = {"readings": keep_small(workspace.readings, named)}
    for path in (workspace.quarantine, workspace.taken, workspace.forecasts, workspace.scores):
        tables[path.name] = keep_small(path)
    return MaintenanceReport(tables, named, pruned)


def _named_versions(client: MlflowClient) -> list[int]:
    """Versions of the readings that any registered model was trained on, finished or not."""
    named = {version.tags.get("readings_version", "") for version in registered_versions(client)}
    return sorted(int(version) for version in named if version.isdigit())
