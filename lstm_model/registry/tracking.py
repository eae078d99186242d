"""MLflow's database and artifacts: in the workspace, at home again after the folder moved, or where `[server]` says."""

from __future__ import annotations

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # before mlflow is imported: it reads these once
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # where `--json` has the floor
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")  # a server that is away is waited for for a minute

import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import mlflow
import sqlalchemy as sa
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException

from lstm_model.registry import shared
from lstm_model.secrets import masked
from lstm_model.servers import elsewhere
from lstm_model.workspace import Workspace

EXPERIMENT = "nightcast"
MODEL = "nightcast"
PAGE = 200
IN_WORKSPACE = "sqlite:///mlruns/mlflow.db"
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

_ready: set[tuple[Path, str]] = set()
log = logging.getLogger("nightcast.registry")


def open_tracking(workspace: Workspace) -> MlflowClient:
    """Point MLflow at the workspace's registry, made ready on first use; return a client.

    Raises:
        NightcastError: a registry outside of the workspace does not answer, or is another workspace's.
    """
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # what it logs, it raises as well
    uri = tracking_uri(workspace)
    if workspace.settings.server.mlflow:
        shared.reach(workspace.settings.server)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    if (workspace.mlruns, uri) not in _ready:
        with shared.told_in_words(workspace.settings.server):
            shared.outlasting(_prepare)(workspace, uri)
        _ready.add((workspace.mlruns, uri))
    return MlflowClient(uri, uri)


def has_tracking(workspace: Workspace) -> bool:
    """Whether there is a registry to open; one who only looks should not make it.

    Raises:
        NightcastError: a registry outside of the workspace does not answer.
    """
    server = workspace.settings.server
    if not server.mlflow:
        return (workspace.mlruns / "mlflow.db").is_file()
    shared.reach(server)
    uri = tracking_uri(workspace)
    with shared.told_in_words(server):
        if not elsewhere(server, "mlflow") and not shared.has_tables(uri):
            return False
        return bool(MlflowClient(uri, uri).search_registered_models(f"name = '{MODEL}'"))


def tracking_uri(workspace: Workspace) -> str:
    """What MLflow calls the workspace's registry; not to be shown, for a password may be in it."""
    server = workspace.settings.server
    return shared.address(server) if server.mlflow else database_uri(workspace.mlruns)


def shown_uri(uri: str) -> str:
    """The same as a person in the workspace writes it, without a password."""
    return IN_WORKSPACE if uri.startswith("sqlite") else masked("uri", uri).partition("?")[0]


def has_database(uri: str) -> bool:
    """Whether we ask the database itself, and not a server in front of it."""
    return not uri.startswith("http")


def every_page(search: Callable[[str | None], Any]) -> Iterator[Any]:
    """Whatever a paged search finds."""
    token: str | None = None
    while True:
        page = search(token)
        yield from page
        token = page.token
        if not token:
            return


def takes_notes(client: MlflowClient, run_id: str) -> bool:
    """Whether a run can be written to: somebody may have deleted it in MLflow's UI, or for good."""
    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == LifecycleStage.ACTIVE)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False


def database_uri(mlruns: Path) -> str:
    """Address of MLflow's database in the folder `mlruns`."""
    return f"sqlite:///{mlruns / 'mlflow.db'}"


def sweep_inputs(uri: str) -> None:
    """Forget what runs that are gone took in and gave out: MLflow leaves those rows behind."""
    engine = sa.create_engine(uri)
    with engine.begin() as connection:
        for statement in _SWEEP:
            connection.execute(sa.text(statement))
    engine.dispose()


def _prepare(workspace: Workspace, uri: str) -> None:
    """Once a process: create what is missing, and follow the folder if it was moved."""
    mlruns, is_shared = workspace.mlruns, bool(workspace.settings.server.mlflow)
    mlruns.mkdir(parents=True, exist_ok=True)
    with FileLock(mlruns / "registry.lock") if is_shared else nullcontext():
        if not is_shared:
            _make_database(mlruns)
        elif has_database(uri):
            shared.make_tables(uri)
        client = MlflowClient(uri, uri)
        if not client.search_registered_models(f"name = '{MODEL}'"):
            client.create_registered_model(MODEL, description=_DESCRIPTION)
        if is_shared:
            shared.claim(client, workspace, MODEL)
        _prepare_experiment(client, uri, (mlruns / "artifacts").as_uri() if has_database(uri) else None)


def _prepare_experiment(client: MlflowClient, uri: str, artifacts: str | None) -> None:
    """The experiment, with its artifacts in that folder, or, where that is None, where a server elsewhere has them."""
    if client.get_experiment_by_name(EXPERIMENT) is None:
        client.create_experiment(EXPERIMENT, artifact_location=artifacts, tags=_SHOW_RUNS_FIRST)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment.lifecycle_stage != LifecycleStage.ACTIVE:
        log.warning("the experiment %s was deleted in MLflow; it is restored, nights are logged there", EXPERIMENT)
        client.restore_experiment(experiment.experiment_id)
    if artifacts is None:
        shared.check_artifacts(experiment)
    elif experiment.artifact_location != artifacts:
        _readdress(uri, experiment.artifact_location, artifacts)


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


def _readdress(uri: str, old: str, new: str) -> None:
    """Replace the old folder by the new one wherever an address starts with it."""
    engine = sa.create_engine(uri)
    with engine.begin() as connection:
        for table, name in _ADDRESSES.items():
            column: sa.ColumnClause[str] = sa.column(name)
            connection.execute(
                sa.update(sa.table(table, column))
                .where(sa.func.substr(column, 1, len(old)) == old)
                .values({name: sa.literal(new) + sa.func.substr(column, len(old) + 1)})
            )
    engine.dispose()
