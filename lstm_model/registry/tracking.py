"""MLflow inside the workspace: its database, its artifacts, and both at home again after the folder moved."""

from __future__ import annotations

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # before mlflow is imported: it reads these once
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import logging
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import mlflow
import sqlalchemy as sa
from filelock import FileLock
from mlflow import MlflowClient

from lstm_model.workspace import Workspace

EXPERIMENT = "nightcast"
MODEL = "nightcast"
PAGE = 200
_DESCRIPTION = (
    "The fleet's forecaster, one version a night. **champion** issues the forecasts, **previous** stands by, "
    "**challenger** is the newest candidate. Every version's tags say what it was trained on and why it was, or "
    "was not, promoted."
)
# MLflow's UI opens such an experiment on its training runs, others on pages about language models.
_SHOW_RUNS_FIRST = {"mlflow.experimentKind": "custom_model_development"}
# Every column in which MLflow keeps an absolute address of an artifact.
_ADDRESSES = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}
_GONE = (
    "(destination_type = 'RUN' AND destination_id NOT IN (SELECT run_uuid FROM runs)) OR "
    "(source_type = 'RUN_OUTPUT' AND source_id NOT IN (SELECT run_uuid FROM runs))"
)
_SWEEP = (
    f"DELETE FROM input_tags WHERE input_uuid IN (SELECT input_uuid FROM inputs WHERE {_GONE})",  # noqa: S608
    f"DELETE FROM inputs WHERE {_GONE}",  # noqa: S608
    "DELETE FROM datasets WHERE dataset_uuid NOT IN (SELECT source_id FROM inputs WHERE source_type = 'DATASET')",
)


def open_tracking(workspace: Workspace) -> MlflowClient:
    """Point MLflow at the workspace's database, made ready on first use; return a client."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    uri = database_uri(workspace.mlruns)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    _prepare(workspace.mlruns)
    return MlflowClient(uri, uri)


def has_tracking(workspace: Workspace) -> bool:
    """Whether there is a database to open; one who only looks should not make it."""
    return (workspace.mlruns / "mlflow.db").is_file()


def every_page(search: Callable[[str | None], Any]) -> Iterator[Any]:
    """Whatever a paged search finds."""
    token: str | None = None
    while True:
        page = search(token)
        yield from page
        token = page.token
        if not token:
            return


def database_uri(mlruns: Path) -> str:
    """Address of MLflow's database in the folder `mlruns`."""
    return f"sqlite:///{mlruns / 'mlflow.db'}"


def sweep_inputs(mlruns: Path) -> None:
    """Forget what runs that are gone took in and gave out: MLflow leaves those rows behind."""
    engine = sa.create_engine(database_uri(mlruns))
    with engine.begin() as connection:
        for statement in _SWEEP:
            connection.execute(sa.text(statement))
    engine.dispose()


@cache
def _prepare(mlruns: Path) -> None:
    """Once a process: create what is missing, and follow the folder if it was moved."""
    mlruns.mkdir(parents=True, exist_ok=True)
    _make_database(mlruns)
    client = MlflowClient()
    artifacts = (mlruns / "artifacts").as_uri()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        client.create_experiment(EXPERIMENT, artifact_location=artifacts, tags=_SHOW_RUNS_FIRST)
    elif experiment.artifact_location != artifacts:
        _readdress(mlruns, experiment.artifact_location, artifacts)
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL, description=_DESCRIPTION)


def _make_database(mlruns: Path) -> None:
    """Make the database whole or not at all: MLflow cannot open what a kill leaves of its first migrations."""
    database, draft = mlruns / "mlflow.db", mlruns / "mlflow.db.draft"
    if database.exists():
        return
    with FileLock(mlruns / "mlflow.db.lock"):
        if database.exists():
            return  # another process was first
        for left in mlruns.glob(f"{draft.name}*"):  # with its journal, which would be played into the new one
            left.unlink()
        MlflowClient(f"sqlite:///{draft}").search_experiments()
        draft.replace(database)


def _readdress(mlruns: Path, old: str, new: str) -> None:
    """Replace the old folder by the new one wherever an address starts with it."""
    engine = sa.create_engine(database_uri(mlruns))
    with engine.begin() as connection:
        for table, name in _ADDRESSES.items():
            column: sa.ColumnClause[str] = sa.column(name)
            connection.execute(
                sa.update(sa.table(table, column))
                .where(sa.func.substr(column, 1, len(old)) == old)
                .values({name: sa.literal(new) + sa.func.substr(column, len(old) + 1)})
            )
    engine.dispose()
