"""Two ways to remove what a training left: from the database and the folder, or by asking a server elsewhere.

Either way files go before the row that names them, so that after a kill the next call finds what is left.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Run
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from lstm_model.registry.tracking import has_database, sweep_inputs
from lstm_model.workspace import Workspace


class Remover(Protocol):
    """Removes runs and packaged models with their files."""

    leaves_rows: bool
    """Whether rows stay, marked as deleted, until somebody else removes them."""

    def bytes_of(self, what: LoggedModel | Run) -> int:
        """How large the files of a model or a run are."""

    def remove_model(self, model_id: str) -> None:
        """Remove a packaged model."""

    def remove_run(self, run_id: str) -> None:
        """Remove a run."""

    def sweep(self) -> None:
        """Remove what belonged to runs that are gone."""


def remover_for(workspace: Workspace, client: MlflowClient) -> Remover:
    """The one for this registry."""
    return _InDatabase(workspace, client) if has_database(client.tracking_uri) else _ByServer(client)


class _InDatabase:
    """Rows in a database of ours, files in `mlruns/artifacts`."""

    leaves_rows = False

    def __init__(self, workspace: Workspace, client: MlflowClient) -> None:
        self._artifacts, self._uri = workspace.mlruns / "artifacts", client.tracking_uri
        self._store = client._tracking_client.store  # `mlflow gc` asks it, too; no public call removes a run for good

    def bytes_of(self, what: LoggedModel | Run) -> int:
        folder = self._model(what.model_id) if isinstance(what, LoggedModel) else self._artifacts / what.info.run_id
        return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())

    def remove_model(self, model_id: str) -> None:
        _remove_folder(self._model(model_id))
        self._store._hard_delete_logged_model(model_id)

    def remove_run(self, run_id: str) -> None:
        _remove_folder(self._artifacts / run_id)
        self._store._hard_delete_run(run_id)

    def sweep(self) -> None:
        sweep_inputs(self._uri)

    def _model(self, model_id: str) -> Path:
        return self._artifacts / "models" / model_id


class _ByServer:
    """On a server elsewhere: files go through its artifact proxy, rows are marked as deleted."""

    leaves_rows = True

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def bytes_of(self, what: LoggedModel | Run) -> int:
        where = what.artifact_location if isinstance(what, LoggedModel) else what.info.artifact_uri
        return _bytes_in(get_artifact_repository(where))

    def remove_model(self, model_id: str) -> None:
        _remove_files(self._client.get_logged_model(model_id).artifact_location)
        self._client.delete_logged_model(model_id)

    def remove_run(self, run_id: str) -> None:
        _remove_files(self._client.get_run(run_id).info.artifact_uri)
        self._client.delete_run(run_id)

    def sweep(self) -> None:
        """Nothing: `mlflow gc` does that, where the server is."""


def _remove_folder(folder: Path) -> None:
    if folder.is_dir():  # it may never have been made, or be gone since a kill
        shutil.rmtree(folder)


def _bytes_in(files: ArtifactRepository, path: str | None = None) -> int:
    found = files.list_artifacts(path)
    return sum(_bytes_in(files, file.path) if file.is_dir else file.file_size or 0 for file in found)


def _remove_files(where: str) -> None:
    files = get_artifact_repository(where)
    if files.list_artifacts():
        files.delete_artifacts()
