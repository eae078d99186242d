"""Removing old versions, runs and their files for good; what may still be asked for stays.

The order makes a kill harmless: the version first, so that nobody is sent to files that are gone; then files before
the row that names them, so that the next call finds what is left.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Run, ViewType
from mlflow.entities.model_registry import ModelVersion

from lstm_model.registry.promotion_log import PROMOTIONS_FILE
from lstm_model.registry.removal import Remover, remover_for
from lstm_model.registry.succession import PATIENCE, lease
from lstm_model.registry.tracking import EXPERIMENT, MODEL, PAGE, every_page, has_database, has_tracking, open_tracking
from lstm_model.registry.versions import registered_versions
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.prune")

KEEP, DAYS = 30, 90
_LONGEST_TRAINING = pd.Timedelta("1D")


@dataclass(frozen=True)
class Pruning:
    """What went, or would go: versions by number, runs and packaged models by id, and the bytes of their files."""

    versions: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    bytes: int = 0
    kept: int = 0
    """Versions that stay."""
    rows_stay: bool = False
    """Whether a server elsewhere keeps the rows of what went, marked as deleted, until its own `mlflow gc`."""

    @property
    def anything(self) -> bool:
        """True where there was anything to remove."""
        return bool(self.versions or self.runs or self.models)


def prune(
    workspace: Workspace, now: pd.Timestamp, *, keep: int = KEEP, days: int = DAYS, dry_run: bool = False
) -> Pruning:
    """Remove what is neither among the newest versions, nor young, nor named by anything.

    An alias, and the promotion log within the same days, keep a version, whatever its age; a kept version keeps its
    parent. A run without a version goes once it is that old; one that has been RUNNING for a day was killed, and
    goes with the incomplete version it left.

    Args:
        workspace: whose registry.
        now: the wall clock; everything is as old as the time it was made.
        keep: so many of the newest complete versions stay.
        days: what is younger stays.
        dry_run: tell, but change nothing.
    """
    if not has_tracking(workspace):
        return Pruning()
    client = open_tracking(workspace)
    recently = now - pd.Timedelta(days=days)
    registered = registered_versions(client)
    named = _aliased(client) | _promoted(workspace.mlruns / PROMOTIONS_FILE, now, days)
    kept = _with_parents(named | _newest(registered, keep), registered)
    versions = [version for version in registered if str(version.version) not in kept and _old(version, recently, now)]
    gone = {version.version for version in versions}
    needed = {version.run_id for version in registered if version.version not in gone}
    runs = [run for run in _runs(client) if run.info.run_id not in needed and _is_over(run, recently, now)]
    models = _models_of(client, {run.info.run_id for run in runs})
    remover = remover_for(workspace, client)
    pruning = Pruning(
        tuple(str(version.version) for version in versions),
        tuple(run.info.run_id for run in runs),
        tuple(model.model_id for model in models),
        sum(map(remover.bytes_of, [*models, *runs])),
        len(registered) - len(versions),
        remover.leaves_rows,
    )
    if not dry_run:
        _remove(workspace, client, pruning, remover, {model.model_id: model.source_run_id for model in models})
    return pruning


def _remove(
    workspace: Workspace, client: MlflowClient, pruning: Pruning, remover: Remover, runs_of: dict[str, str]
) -> None:
    for version in pruning.versions:
        with lease(workspace, PATIENCE):  # a rollback under way may be about to give it an alias
            if not client.get_model_version(MODEL, version).aliases:
                client.delete_model_version(MODEL, version)
    spared = {version.run_id for version in registered_versions(client)}
    for model in pruning.models:
        if runs_of[model] not in spared:
            remover.remove_model(model)
    for run in pruning.runs:
        if run not in spared:
            remover.remove_run(run)
    remover.sweep()
    if pruning.anything:
        log.info("removed %d versions and %d runs", len(pruning.versions), len(pruning.runs))


# ── what may go ────────────────────────────────────────────────────────────────────────────────────────────────


def _old(version: ModelVersion, recently: pd.Timestamp, now: pd.Timestamp) -> bool:
    """Whether a version is old enough to go; what a killed training left is so after a day."""
    return _time(version.creation_timestamp) < (recently if _complete(version) else now - _LONGEST_TRAINING)


def _complete(version: ModelVersion) -> bool:
    return version.tags.get("complete") == "true"


def _is_over(run: Run, recently: pd.Timestamp, now: pd.Timestamp) -> bool:
    """Whether a run that no kept version needs is old enough to go, or was killed."""
    started = _time(run.info.start_time)
    return started < recently or (run.info.status == "RUNNING" and started < now - _LONGEST_TRAINING)


def _newest(registered: list[ModelVersion], keep: int) -> set[str]:
    complete = [str(version.version) for version in registered if _complete(version)]
    return set(complete[max(0, len(complete) - keep) :])


def _aliased(client: MlflowClient) -> set[str]:
    return {str(version) for version in client.get_registered_model(MODEL).aliases.values()}


def _with_parents(kept: set[str], registered: list[ModelVersion]) -> set[str]:
    """These versions, and those that they were trained on from."""
    kept = set(kept)
    for version in reversed(registered):  # a parent is older than its child
        if str(version.version) in kept and "parent" in version.tags:
            kept.add(version.tags["parent"])
    return kept


def _promoted(log_file: Path, now: pd.Timestamp, days: int) -> set[str]:
    """Versions that the promotion log's lines of the last days name, counted from its newest where that is earlier.

    Playback promotes in the past. A line torn by a power cut names nobody; one without a readable time is recent.
    """
    if not log_file.is_file():
        return set()
    lines = [_promotion(line) for line in log_file.read_text(encoding="utf-8", errors="replace").splitlines()]
    newest = max((at for at, _ in lines if at is not None), default=now)
    since = min(now, newest) - pd.Timedelta(days=days)
    return {name for at, names in lines if at is None or at >= since for name in names}


def _promotion(line: str) -> tuple[pd.Timestamp | None, set[str]]:
    """When a line of the promotion log says that champions changed, and their versions."""
    try:
        row = json.loads(line)
        names = {str(row[side]) for side in ("from", "to") if row.get(side) is not None}
    except (ValueError, AttributeError):
        return None, set()
    return _moment(row.get("at")), names


def _moment(text: Any) -> pd.Timestamp | None:
    try:
        time = pd.Timestamp(text)
    except (ValueError, TypeError):
        return None
    if pd.isna(time):
        return None
    return time.tz_localize("UTC") if time.tz is None else time


def _time(milliseconds: int) -> pd.Timestamp:
    return pd.Timestamp(milliseconds, unit="ms", tz="UTC")


# ── what there is ──────────────────────────────────────────────────────────────────────────────────────────────


def _runs(client: MlflowClient) -> list[Run]:
    """Every run of a training, those deleted in the UI as well, the oldest first; a person's own runs are not ours."""
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    view = ViewType.ALL if has_database(client.tracking_uri) else ViewType.ACTIVE_ONLY  # a server keeps deleted ones
    pages = every_page(
        lambda token: client.search_runs(
            [experiment], run_view_type=view, order_by=["start_time"], max_results=PAGE, page_token=token
        )
    )
    return [run for run in pages if (run.info.run_name or "").startswith("train ")]


def _models_of(client: MlflowClient, runs: Iterable[str]) -> list[LoggedModel]:
    """The packaged models that these runs logged, those deleted in the UI as well."""
    experiment, wanted = client.get_experiment_by_name(EXPERIMENT).experiment_id, set(runs)
    search, store = client.search_logged_models, client._tracking_client.store
    active = every_page(lambda token: search([experiment], max_results=PAGE, page_token=token))
    gone = store._get_deleted_logged_models() if has_database(client.tracking_uri) else ()
    deleted = (store.get_logged_model(model, allow_deleted=True) for model in gone)
    return [model for model in (*active, *deleted) if model.source_run_id in wanted]
